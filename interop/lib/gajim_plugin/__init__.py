"""A plugin for Gajim: uploads a file and sets an avatar by the same functions as its windows do, when asked by D-Bus.

Not here: what Gajim's own D-Bus interface can (../gajim_window.py).
"""
import os
from pathlib import Path

from gajim.common import app
from gajim.plugins import GajimPlugin
from gi.repository import Gio
from nbxmpp.modules.user_avatar import Avatar

WORDS = """
<node><interface name='interop.Hand'>
  <method name='upload'><arg type='s'/><arg type='s'/><arg type='s'/></method>
  <method name='avatar'><arg type='s'/><arg type='s'/></method>
</interface></node>
"""


class Asked(GajimPlugin):
    """One object on the bus. Gajim takes the first class of the module, by name, that is a plugin: before GajimPlugin."""

    def init(self):
        self.description = ""
        self.config_dialog = None
        # As if the system trusted the server's certificate: for files Gajim asks nobody else.
        trusted = Gio.TlsFileDatabase.new(os.environ["INTEROP_CA"])
        Gio.TlsBackend.get_default().set_default_database(trusted)
        self._bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
        interface = Gio.DBusNodeInfo.new_for_xml(WORDS).interfaces[0]
        self._bus.register_object(object_path="/interop", interface_info=interface, method_call_closure=self._called)

    def _called(self, _bus, _sender, _path, _interface, method, parameters, invocation):
        getattr(self, "_" + method)(*parameters.unpack())
        invocation.return_value(None)

    @staticmethod
    def _upload(account, jid, path):
        client = app.get_client(account)
        contact = client.get_module("Contacts").get_contact(jid)
        client.get_module("HTTPUpload").send_file(contact, Path(path))

    @staticmethod
    def _avatar(account, path):
        picture = Avatar()
        picture.add_image_source(Path(path).read_bytes(), "image/png", 64, 64)
        app.get_client(account).get_module("UserAvatar").set_avatar(picture, public=True)
