"""pep.py - personal eventing for tests: devices that wish to hear of nodes, and what they hear.

Not here: what is checked (../tests).
"""
from xmpp import Client

PEP = ("xep_0060", "xep_0115", "xep_0163", "xep_0004")
EVENT = "{http://jabber.org/protocol/pubsub#event}"
INFO = "{http://jabber.org/protocol/disco#info}query"


def event(node, sender=None, inside="item"):
    """A notification of that node."""
    def match(stanza):
        if stanza.name != "message" or (sender and stanza["from"] != sender):
            return False
        items = stanza.xml.find(f"{EVENT}event/{EVENT}items")
        return items is not None and items.get("node") == node and items.find(EVENT + inside) is not None
    return match


def form(client, kind, **fields):
    """A submitted form of that FORM_TYPE."""
    made = client.plugin["xep_0004"].make_form(ftype="submit")
    made.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#" + kind)
    for name, value in fields.items():
        made.add_field(var="pubsub#" + name, value=value)
    return made


class Listener(Client):
    """A device that wishes to hear of nodes from its first presence on."""

    def __init__(self, jid, resource, *nodes, plugins=()):
        super().__init__(jid, resource, plugins=PEP + tuple(plugins))
        # One more that nobody else has: so the server cannot know these wishes already, and has to ask.
        self.nodes = nodes + ("urn:test:" + self.new_id(),)
        self.told = False
        self.add_filter("out", self._tells)

    def _tells(self, stanza):
        if stanza.name == "iq" and stanza["type"] == "result" and stanza.xml.find(INFO) is not None:
            self.told = True
            self.changed.set()
        return stanza

    async def login(self, priority=None):
        await super().login(presence=False)
        for node in self.nodes:
            self.plugin["xep_0163"].add_interest(node)
        await self.plugin["xep_0115"].update_caps(broadcast=False)
        await self.get_roster()
        self.send_presence(ppriority=priority)
        await self.expect(lambda s: s.name == "presence" and s["from"] == self.boundjid, "its own presence")
        # Until the server knows what it wishes for, it is sent nothing of it.
        await self.until(lambda: self.told, "the question what it wishes for")
        await self.settle()
        return self
