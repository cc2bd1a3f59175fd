"""xmpp.py - slixmpp as a test wants it: accounts on demand, conditions instead of sleeps, a trace of the XML.

Not here: printing checks (tap.py), what is checked (../tests).
"""
import asyncio
import itertools
import logging
import os
import ssl
import xml.etree.ElementTree as ET
from pathlib import Path

import slixmpp
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

import servers
from tap import TRACE, Missed

# Seconds that a condition may take: loopback, so this is a failure, not a delay. Generous, for busy machines: only
# what fails takes so long. Between servers it may be a delay.
WAIT = float(os.environ.get("INTEROP_WAIT", 15))
PASSWORD = "Pencil and päper 7"
STATE = servers.State()
RUN = os.urandom(3).hex()
COUNTER = itertools.count(1)
CLIENTS = []
NS = {
    "client": "jabber:client", "carbons": "urn:xmpp:carbons:2", "forward": "urn:xmpp:forward:0", "mam": "urn:xmpp:mam:2",
    "rsm": "http://jabber.org/protocol/rsm", "delay": "urn:xmpp:delay", "roster": "jabber:iq:roster",
    "info": "http://jabber.org/protocol/disco#info", "items": "http://jabber.org/protocol/disco#items",
    "commands": "http://jabber.org/protocol/commands", "data": "jabber:x:data", "sid": "urn:xmpp:sid:0",
    "stanzas": "urn:ietf:params:xml:ns:xmpp-stanzas", "blocking": "urn:xmpp:blocking",
}
PLUGINS = ("xep_0030", "xep_0199", "xep_0092", "xep_0202", "xep_0012", "xep_0054", "xep_0049", "xep_0191", "xep_0280",
           "xep_0297", "xep_0313", "xep_0441", "xep_0352", "xep_0203", "xep_0359", "xep_0050")


class _Trace(logging.Handler):
    def emit(self, record):
        text = record.getMessage()
        for way in ("SEND", "RECV"):
            if text.startswith(way + ": "):
                TRACE.append((getattr(record, "who", ""), way, text[6:]))


def _watch_slixmpp():
    log = logging.getLogger("slixmpp")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(_Trace())
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # its complaints about tasks that slixmpp leaves


_watch_slixmpp()


async def account(name, domain="localhost", password=PASSWORD):
    """Make an account with a name nobody else has; returns its bare JID."""
    script = Path(os.sys.argv[0]).stem.replace("_", "-")
    jid = f"{name}-{script}-{next(COUNTER)}-{RUN}@{domain}"
    await asyncio.to_thread(STATE.add_user, jid, password)
    return jid


async def accounts(*names, domain="localhost"):
    """Several at once."""
    return await asyncio.gather(*(account(n, domain) for n in names))


def tls_context(maximum=None):
    """Trusts just the certificates that the server shows, and checks the name."""
    context = ssl.create_default_context(cafile=STATE.ca)
    if maximum:
        context.maximum_version = maximum
    return context


class Client(slixmpp.ClientXMPP):
    """One device. Everything that arrives is kept in `seen` until a test takes it with `expect`."""

    def __init__(self, jid, resource=None, password=PASSWORD, direct_tls=False, mechanism=None, sm=False,
                 tls_max=None, plugins=()):
        full = f"{jid}/{resource}" if resource else jid
        super().__init__(full, password, sasl_mech=mechanism, ssl_context=tls_context(tls_max))
        self.label = (jid.split("-")[0] + "/" + (resource or "?"))
        self.direct_tls = direct_tls
        self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = direct_tls, not direct_tls, False
        self.auto_authorize, self.auto_subscribe = None, False
        self.offered = set()  # names of the newest stream features
        self.seen, self.changed = [], asyncio.Event()
        for plugin in PLUGINS + tuple(plugins) + (("xep_0198",) if sm else ()):
            self.register_plugin(plugin)
        for kind in ("message", "presence", "iq"):
            self.register_handler(Callback("keep " + kind, MatchXPath("{jabber:client}" + kind), self._keep,
                                           instream=True))
        self.add_event_handler("stanza_acked", lambda _: self.changed.set())
        self.add_event_handler("session_start", lambda _: self._signal("start"))
        self.add_event_handler("session_resumed", lambda _: self._signal("resumed"))
        self.add_event_handler("failed_all_auth", lambda _: self._signal("refused"))
        self.add_event_handler("disconnected", lambda _: self._signal("disconnected"))
        self.add_event_handler("connection_failed", lambda _: self._signal("unreachable"))
        self.states = []
        CLIENTS.append(self)

    def _keep(self, stanza):
        self.seen.append(stanza)
        self.changed.set()

    async def _handle_stream_features(self, features):
        self.offered = {child.tag for child in features.xml}
        return await super()._handle_stream_features(features)

    def _signal(self, state):
        self.states.append(state)
        self.changed.set()

    async def until(self, condition, what, seconds=WAIT):
        """Wait until `condition()` gives something true, looked at after each arrival; that value is returned."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            found = condition()
            if found:
                return found
            self.changed.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self.changed.wait(), max(left, 0.001))
            except asyncio.TimeoutError:
                raise Missed(f"{self.label} waited {seconds} s for {what}") from None

    async def expect(self, match, what, seconds=WAIT):
        """Take the first stanza that matches out of `seen`, waiting for it."""
        def find():
            return next((s for s in self.seen if match(s)), None)
        stanza = await self.until(find, what, seconds)
        self._forget([stanza])
        return stanza

    def take(self, match):
        """Take everything that matches and is there already."""
        found = [s for s in self.seen if match(s)]
        self._forget(found)
        return found

    def _forget(self, stanzas):
        """By identity: slixmpp compares stanzas by all that they hold, which is slow."""
        gone = {id(s) for s in stanzas}
        self.seen = [s for s in self.seen if id(s) not in gone]

    async def login(self, presence=True, priority=None, wait_for=("start",)):
        """Connect, log in, fetch the roster, send presence. Raises with what happened instead."""
        self.states.clear()
        door = STATE.door(self.boundjid.domain)
        self.connect(door["host"], door["tls" if self.direct_tls else "c2s"])
        state = await self.until(lambda: next((s for s in self.states if s != "disconnected"), None)
                                 or ("disconnected" in self.states and "disconnected"), "a session", 30)
        if state not in wait_for:
            raise ConnectionError(f"{self.label}: {state} instead of {wait_for}")
        if state == "start" and presence:
            await self.get_roster()
            self.send_presence(ppriority=priority) if priority is not None else self.send_presence()
            await self.expect(lambda s: s.name == "presence" and s["from"] == self.boundjid, "its own presence")
        return self

    async def ask(self, kind, payload, to=None):
        """An IQ with a payload as text; returns the answer's XML element, raises IqError."""
        iq = self.make_iq(ito=to, itype=kind)
        if to is None:
            del iq["to"]
        iq.append(ET.fromstring(payload))
        answer = await iq.send(timeout=WAIT)
        return answer.xml

    async def settle(self):
        """A round trip to the server: whatever it had sent to us before its answer is in `seen` afterwards."""
        await self.ask("get", "<ping xmlns='urn:xmpp:ping'/>", self.boundjid.domain)

    def text(self, to, body, kind="chat", **attributes):
        """Send a message; returns its id."""
        message = self.make_message(mto=to, mbody=body, mtype=kind)
        message["id"] = attributes.get("id") or self.new_id()
        message.send()
        return message["id"]

    async def disco(self, of=None):
        """disco#info features as a set."""
        answer = await self.ask("get", "<query xmlns='%s'/>" % NS["info"], of)
        return {f.get("var") for f in answer.iter("{%s}feature" % NS["info"])}

    async def cut(self):
        """Lose the TCP connection without a word."""
        self.states.clear()
        self.transport.abort()
        await self.until(lambda: "disconnected" in self.states, "the loss of its connection")
        self.cancel_connection_attempt()

    async def bye(self):
        """Orderly end of the stream."""
        if self.transport:
            await self.disconnect(wait=2)


async def close_all():
    """End every client of the scenario."""
    open_clients = [c for c in CLIENTS if c.transport]
    CLIENTS.clear()
    for client in open_clients:
        client.end_session_on_disconnect = True
    await asyncio.gather(*(c.bye() for c in open_clients), return_exceptions=True)


# Matchers for `expect`.

def message(body=None, sender=None, kind=None):
    """A message with that body."""
    return lambda s: (s.name == "message" and (body is None or s["body"] == body)
                      and (sender is None or s["from"] == sender or s["from"].bare == sender)
                      and (kind is None or s["type"] == kind))


def presence(sender, kind="available"):
    """A presence from a bare or full JID. Kind in RFC 6121's words, or `available`."""
    return lambda s: (s.name == "presence" and (s["from"] == sender or s["from"].bare == sender)
                      and (s.xml.get("type") or "available") == kind)


def roster_push(jid, **attributes):
    """A roster push that has this item with these attributes."""
    def match(stanza):
        if stanza.name != "iq" or stanza["type"] != "set":
            return False
        item = stanza.xml.find("{%(roster)s}query/{%(roster)s}item" % NS)
        return item is not None and item.get("jid") == jid and all(item.get(k) == v for k, v in attributes.items())
    return match


def carbon(direction, body):
    """A carbon copy (`sent` or `received`) with that body."""
    path = "{%s}%s/{%s}forwarded/{jabber:client}message/{jabber:client}body" % (NS["carbons"], direction, NS["forward"])
    return lambda s: s.name == "message" and s.xml.findtext(path) == body


def error_of(error):
    """(type, condition) of an IqError or an error stanza's XML."""
    stanza = error.iq if isinstance(error, IqError) else error
    return stanza["error"]["type"], stanza["error"]["condition"]


async def refused(awaitable):
    """(type, condition) of the error that an IQ gets, or None if it succeeds."""
    try:
        await awaitable
    except IqError as error:
        return error_of(error)
    return None


async def befriend(one, other):
    """Mutual subscription, each step awaited."""
    for asks, grants in ((one, other), (other, one)):
        asks.send_presence(pto=grants.boundjid.bare, ptype="subscribe")
        await grants.expect(presence(asks.boundjid.bare, "subscribe"), "a subscription request")
        grants.send_presence(pto=asks.boundjid.bare, ptype="subscribed")
        await asks.expect(presence(grants.boundjid.bare, "subscribed"), "its approval")
        await asks.expect(presence(grants.boundjid.full), "the first presence")


async def pair(sm=False):
    """Alice and Bob, logged in and each in the other's roster."""
    a, b = await accounts("alice", "bob")
    alice, bob = Client(a, "one", sm=sm), Client(b, "one", sm=sm)
    await asyncio.gather(alice.login(), bob.login())
    await befriend(alice, bob)
    return alice, bob


async def archive(client, with_jid=None, start=None, end=None, maximum=None, after=None, before=None):
    """One page of the archive: (list of (archive id, message element), fin element)."""
    query = client.new_id()
    fields = [("with", with_jid), ("start", start), ("end", end)]
    form = "".join(f"<field var='{k}'><value>{v}</value></field>" for k, v in fields if v)
    rsm = "".join(f"<{k}>{v}</{k}>" for k, v in (("max", maximum), ("after", after), ("before", before)) if v is not None)
    payload = (f"<query xmlns='urn:xmpp:mam:2' queryid='{query}'><x xmlns='jabber:x:data' type='submit'>"
               f"<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>{form}</x>"
               f"<set xmlns='{NS['rsm']}'>{rsm}</set></query>")
    answer = await client.ask("set", payload)
    results = []
    path = "{%(mam)s}result" % NS
    for stanza in client.take(lambda s: s.name == "message" and s.xml.find(path) is not None):
        result = stanza.xml.find(path)
        if result.get("queryid") == query:
            results.append((result.get("id"), result.find("{%(forward)s}forwarded/{jabber:client}message" % NS)))
    return results, answer.find("{%(mam)s}fin" % NS)


async def whole_archive(client, **query):
    """All pages; list of (archive id, message element)."""
    found, after = [], None
    while True:
        page, fin = await archive(client, maximum=query.get("maximum", 50), after=after,
                                  with_jid=query.get("with_jid"))
        found += page
        if not page or fin.get("complete") == "true":
            return found
        after = page[-1][0]


def bodies(page):
    """The bodies of archived messages."""
    return [m.findtext("{jabber:client}body") for _, m in page]
