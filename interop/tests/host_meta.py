"""host_meta - XEP-0156 documents (RFC 6415 XML and its JSON form) name WebSocket and BOSH addresses that work.

Not here: whole sessions over these (xmpp_js, strophe).
"""
# timeout: 30
import base64
import json
import os
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

import servers
import tap
from tap import TRACE

STATE = servers.State()
WEBSOCKET, BOSH = "urn:xmpp:alt-connections:websocket", "urn:xmpp:alt-connections:xbosh"
XRD = "{http://docs.oasis-open.org/ns/xri/xrd-1.0}"
TLS = ssl.create_default_context(cafile=STATE.ca)
# Whatever name the address has, the server listens on loopback.
REAL = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: REAL(
    STATE.host if str(host).endswith("localhost") else host, *rest, **more)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=TLS))


def fetch(url, data=None, headers=()):
    """(headers, body) of an HTTP exchange."""
    TRACE.append(("http", "SEND", url + " " + (data or b"").decode()))
    request = urllib.request.Request(url, data, dict(headers))
    try:
        with OPENER.open(request, timeout=10) as answer:
            body = answer.read()
            TRACE.append(("http", "RECV", body.decode(errors="replace")))
            return answer.headers, body
    except urllib.error.HTTPError as error:
        TRACE.append(("http", "RECV", f"{error.code} {error.read()[:300]}"))
        raise


def upgrade(url):
    """First frame that the server sends after the upgrade and an <open/> (RFC 7395)."""
    parts = urllib.parse.urlsplit(url)
    raw = socket.create_connection((parts.hostname, parts.port or (443 if parts.scheme == "wss" else 80)), 10)
    if parts.scheme == "wss":
        raw = TLS.wrap_socket(raw, server_hostname=parts.hostname)
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall((f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n").encode())
    reader = raw.makefile("rb")
    status = reader.readline().decode().strip()
    headers = {}
    while (line := reader.readline().decode().strip()):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    TRACE.append(("ws", "RECV", f"{status} {headers}"))
    if " 101" not in status:
        return status, headers, ""
    text = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
    mask = os.urandom(4)
    raw.sendall(bytes([0x81, 0x80 | len(text)]) + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(text)))
    first, length = reader.read(2)
    if length == 126:
        length = int.from_bytes(reader.read(2), "big")
    frame = reader.read(length).decode()
    raw.close()
    return status, headers, frame


def check(t, kind, url):
    """A named address answers as what it says it is."""
    if kind == WEBSOCKET:
        status, headers, frame = upgrade(url)
        t.ok(" 101" in status and headers.get("sec-websocket-protocol") == "xmpp", f"{url} upgrades to xmpp", status)
        t.ok(frame.startswith("<open") and "urn:ietf:params:xml:ns:xmpp-framing" in frame, f"{url} opens a stream", frame)
    else:
        body = ("<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' to='localhost' rid='1000' "
                "wait='5' hold='1' ver='1.11' xmpp:version='1.0' xml:lang='en' content='text/xml; charset=utf-8'/>")
        _, answer = fetch(url, body.encode(), {"Content-Type": "text/xml; charset=utf-8"})
        root = ET.fromstring(answer)
        t.ok(root.get("sid") and root.get("type") != "terminate", f"{url} opens a BOSH session", answer.decode())
        fetch(url, (f"<body xmlns='http://jabber.org/protocol/httpbind' rid='1001' sid='{root.get('sid')}' "
                    "type='terminate'/>").encode(), {"Content-Type": "text/xml; charset=utf-8"})


async def documents(t):
    """Both documents over HTTP and HTTPS."""
    links = {}
    for base in (f"http://localhost:{STATE.http}", f"https://localhost:{STATE.https}"):
        scheme = base.split(":")[0]
        headers, body = fetch(base + "/.well-known/host-meta")
        t.ok("xml" in headers["content-type"], f"{scheme}: host-meta is XML", headers["content-type"])
        t.same(headers["access-control-allow-origin"], "*", f"{scheme}: host-meta is readable for web pages")
        xml = [(e.get("rel"), e.get("href")) for e in ET.fromstring(body).iter(XRD + "Link")]
        headers, body = fetch(base + "/.well-known/host-meta.json")
        t.ok("json" in headers["content-type"], f"{scheme}: host-meta.json is JSON", headers["content-type"])
        t.same(headers["access-control-allow-origin"], "*", f"{scheme}: host-meta.json is readable for web pages")
        jason = [(link["rel"], link.get("href")) for link in json.loads(body)["links"]]
        t.same(sorted(xml), sorted(jason), f"{scheme}: both documents say the same")
        t.ok({WEBSOCKET, BOSH} <= {rel for rel, _ in xml}, f"{scheme}: WebSocket and BOSH are named", xml)
        links.update({(rel, href): None for rel, href in xml if rel in (WEBSOCKET, BOSH)})
    for rel, href in links:
        check(t, rel, href)


if __name__ == "__main__":
    tap.scenario("host-meta", 25)(documents)
    tap.main()
