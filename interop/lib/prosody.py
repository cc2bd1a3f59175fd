"""prosody.py - Debian's Prosody 0.12 as a server under test: the yardstick for the suite itself.

What it is known to do otherwise stands in `skip` and `expected`.
Not here: what every server has in common (servers.py).
"""
import os
import shutil
import subprocess
from pathlib import Path

from servers import DOMAINS, HOST, Server

SASL2_MODULE = Path(__file__).parents[1] / "peers" / "modules" / "mod_interop_sasl2.lua"


class Prosody(Server):
    """Debian's Prosody 0.12: the yardstick for the suite itself."""

    name = "prosody"
    skip = {"sasl2_raw": "Prosody 0.12 has no SASL2; --server prosody-sasl2 has, by modules from Debian",
            "slixmpp_bytestreams": "its configuration here has no proxy"}
    extra = ""  # more modules
    expected = {
        "slixmpp_basic": {
            r"with SCRAM-SHA-256": "accounts hashed for SCRAM-SHA-1 can do no other mechanism",
            r"a push carries a new version": "the first push after login repeats the version",
            r"so is one to the full JID": "drops messages from blocked contacts to full JIDs in silence",
            r"IQ to an unknown account": "answers XEP-0199 for accounts that are not there",
        },
        "slixmpp_rooms": {
            r"archive, withdrawal, moderation": "no XEP-0425 here",
            r"only moderators moderate|all hear of it": "no XEP-0425 here",
        },
        "durability": {r".*": "Prosody's file storage doesn't promise that an acknowledged message survives SIGKILL"},
    }

    def init(self):
        config = self.dir / "prosody.cfg.lua"
        if config.exists():
            return
        if not shutil.which("prosody"):
            raise SystemExit("no Prosody here: interop/setup --with-prosody")
        (self.dir / "data").mkdir(exist_ok=True)
        names = ",".join("DNS:" + d for d in DOMAINS)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem", "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=" + names], check=True, capture_output=True)
        os.chmod(self.dir / "key.pem", 0o644)
        modules = self.dir / "modules"
        modules.mkdir(exist_ok=True)
        (modules / "mod_interop_host_meta.lua").write_text(PROSODY_HOST_META)
        shutil.copy(SASL2_MODULE, modules)
        config.write_text(PROSODY_CONFIG.format(dir=self.dir, ip=HOST, c2s=5222 + self.offset, tls=5223 + self.offset,
                                                http=5280 + self.offset, https=5281 + self.offset,
                                                extra=self.extra))

    def command(self):
        return ["prosody", "--config", str(self.dir / "prosody.cfg.lua"), "-F"]

    def user_add(self):
        return ["prosodyctl", "--config", str(self.dir / "prosody.cfg.lua"), "register",
                "{local}", "{domain}", "{password}"]


class ProsodySasl2(Prosody):
    """Prosody with Debian's modules for SASL2, Bind 2 and FAST: to try sasl2_raw, not fit for the other tests."""

    name = "prosody-sasl2"
    skip = {}
    extra = '"interop_sasl2"; "sasl2"; "sasl2_bind2"; "sasl2_fast"; '
    expected = {
        "sasl2_raw": {
            r"\bSM\b|resumption|resumed|whole session: Missed": "Debian's module for inline SM needs a newer Prosody",
            r"XEP-0440|PLUS|EXPR": "no tls-exporter here",
            r"XEP-0474": "not implemented",
            r"^failures: |after which the password": "a failed mechanism blocks the next one",
        },
    }


PROSODY_CONFIG = """
run_as_root = true
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}
interfaces = {{ "{ip}" }}
c2s_ports = {{ {c2s} }}; c2s_direct_tls_ports = {{ {tls} }}
http_ports = {{ {http} }}; http_interfaces = {{ "{ip}" }}
https_ports = {{ {https} }}; https_interfaces = {{ "{ip}" }}
ssl = {{ certificate = "{dir}/cert.pem"; key = "{dir}/key.pem" }}
c2s_require_encryption = true
authentication = "internal_hashed"
storage = "internal"
archive_expires_after = "1w"
http_host = "localhost"; http_default_host = "localhost"; http_external_url = "http://{ip}:{http}/"
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "carbons"; "pep"; "private"; "blocklist"; "vcard4";
  "vcard_legacy"; "bookmarks"; "version"; "uptime"; "time"; "ping"; "register"; "mam"; "smacks"; "csi"; "csi_simple";
  "bosh"; "websocket"; "lastactivity"; "offline"; "admin_adhoc"; "interop_host_meta";
  {extra}"c2s"; "http" }}
plugin_paths = {{ "{dir}/modules" }}
modules_disabled = {{ "s2s" }}
limits = {{}}
consider_bosh_secure = true; consider_websocket_secure = true
http_cors_override = {{ bosh = {{ enabled = true }}; websocket = {{ enabled = true }} }}
cross_domain_websocket = true
VirtualHost "localhost"
VirtualHost "second.localhost"
Component "conference.localhost" "muc"
  modules_enabled = {{ "muc_mam" }}
"""

# Debian's prosody-modules have no XEP-0156; without this the host_meta test could not be tried on a foreign server.
PROSODY_HOST_META = """
module:depends("http");
local rels = { { "urn:xmpp:alt-connections:xbosh", module:http_url("bosh", "/http-bind") },
  { "urn:xmpp:alt-connections:websocket", (module:http_url("websocket", "/xmpp-websocket"):gsub("^http", "ws")) } };
local function answer(kind, head, each, tail)
  return function(event)
    event.response.headers.content_type = kind;
    event.response.headers.access_control_allow_origin = "*";
    local parts = {};
    for i, rel in ipairs(rels) do parts[i] = each:format(rel[1], rel[2]); end
    return head .. table.concat(parts, kind:find("json") and "," or "") .. tail;
  end
end
module:provides("http", { default_path = "/.well-known"; route = {
  ["GET /host-meta"] = answer("application/xrd+xml", "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>",
    "<Link rel='%s' href='%s'/>", "</XRD>");
  ["GET /host-meta.json"] = answer("application/json", '{"links":[', '{"rel":"%s","href":"%s"}', "]}");
} });
"""
