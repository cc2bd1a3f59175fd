"""slixmpp_push - push (XEP-0357) with slixmpp: one account is the push service, another is woken; then the server's own
service: a browser's registration, and addresses of UnifiedPush.

slixmpp knows sessions and commands; it has no plugin for XEP-0357, whose few elements are written out here.
Not here: what is sent to browsers (the tests of crate webpush), the finer rules (crate features).
"""
import asyncio
import base64
import urllib.error
import urllib.request

from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

import tap
from tap import scenario
from xmpp import Client, NS, accounts, close_all, refused, tls_context

PUSH, SUMMARY, UP = "urn:xmpp:push:0", "urn:xmpp:push:summary", "http://gultsch.de/xmpp/drafts/unified-push"
PUBSUB = "http://jabber.org/protocol/pubsub"


def is_notification(stanza):
    return stanza.name == "iq" and stanza.xml.find(f".//{{{PUSH}}}notification") is not None


def field(stanza, var):
    value = stanza.xml.find(f".//{{jabber:x:data}}field[@var='{var}']/{{jabber:x:data}}value")
    return None if value is None else value.text


def answer(client, stanza, kind="result", inner=None):
    iq = client.make_iq(ito=stanza["from"], itype=kind, id=stanza["id"])
    if inner is not None:
        iq.append(ET.fromstring(inner))
    iq.send()


@scenario("push to a service (XEP-0357)", 60)
async def service(t):
    a, b, c = await accounts("alice", "bob", "app")
    bob, app = await Client(b, "one").login(), await Client(c, "app").login()
    # slixmpp refuses requests that nobody handles: the test is the service.
    app.register_handler(Callback("push", MatchXPath("{jabber:client}iq/{%s}pubsub" % PUBSUB), lambda _: None))
    alice = await Client(a, "phone", sm=True).login()
    t.ok(PUSH in await alice.disco(a), "the account says that it can")
    await alice.ask("set", f"<enable xmlns='{PUSH}' jid='{app.boundjid.full}' node='n1'/>")
    bob.text(a, "she reads this")
    await alice.expect(lambda s: s.name == "message" and s["body"] == "she reads this", "the message")
    await alice.settle()
    await app.settle()
    t.same(len(app.take(is_notification)), 0, "who reads is not woken")

    await alice.cut()
    bob.text(a, "nobody reads this")
    told = await app.expect(is_notification, "a notification for a session that waits to be resumed", 30)
    t.same(told["from"].full, a, "it comes from the account")
    t.same((field(told, "message-count"), field(told, "last-message-sender"), field(told, "last-message-body")),
           ("1", None, "New message"), "and says no more than that there is something")
    publish = told.xml.find(f".//{{{PUBSUB}}}publish")
    t.same(publish.get("node"), "n1", "to the node")
    answer(app, told)
    await app.settle()  # the server has the answer before more comes on other connections, here and below
    bob.text(a, "more 0")
    told = await app.expect(is_notification, "the next", 30)
    for n in (1, 2):
        bob.text(a, f"more {n}")
    await bob.settle()
    answer(app, told)
    told = await app.expect(is_notification, "the rest together", 30)
    t.same(field(told, "message-count"), "4", "with a count")
    answer(app, told, "error", "<error xmlns='jabber:client' type='cancel'><item-not-found xmlns='%s'/></error>" % NS["stanzas"])
    await app.settle()
    bob.text(a, "once more")
    await bob.settle()
    await app.settle()
    t.same(len(app.take(is_notification)), 0, "a service that knows the node no more is not asked again")


@scenario("the server's own push service", 60)
async def own(t):
    a, b = await accounts("carol", "dave")
    carol, dave = await Client(a, "phone").login(), await Client(b, "one").login()
    host = carol.boundjid.domain
    push = f"push.{host}"
    info = await carol.ask("get", "<query xmlns='%s'/>" % NS["info"], push)
    identity = info.find(".//{%s}identity" % NS["info"])
    t.same((identity.get("category"), identity.get("type")), ("pubsub", "push"), "it says what it is")

    form = await carol.ask("set", "<command xmlns='%s' node='register-web-push' action='execute'/>" % NS["commands"], push)
    vapid = form.find(".//{jabber:x:data}field[@var='vapid']/{jabber:x:data}value").text
    key = base64.urlsafe_b64decode(vapid + "=" * (-len(vapid) % 4))
    t.same((len(key), key[0]), (65, 4), "its key is a point on P-256")

    def register(endpoint):
        fields = {"endpoint": endpoint, "p256dh": vapid, "auth": base64.urlsafe_b64encode(bytes(16)).decode().strip("=")}
        inner = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
        return carol.ask("set", "<command xmlns='%s' node='register-web-push'><x xmlns='jabber:x:data' type='submit'>%s"
                                "</x></command>" % (NS["commands"], inner), push)

    done = await register("https://push.example.org/1")
    node = done.find(".//{jabber:x:data}field[@var='node']/{jabber:x:data}value").text
    t.ok(done.find(".//{%s}command" % NS["commands"]).get("status") == "completed" and node, "a browser is registered")
    for endpoint in ("http://push.example.org/", "https://127.0.0.1/", "https://[::1]/", "nonsense"):
        error = await refused(register(endpoint))
        t.same((error or ("", ""))[1], "not-acceptable", f"{endpoint} is not")
    publish = (f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item><notification xmlns='{PUSH}'/></item></publish>"
               "</pubsub>")
    for client, name in ((carol, "the owner's client"), (dave, "somebody else")):
        error = await refused(client.ask("set", publish, push))
        t.same((error or ("", ""))[1], "forbidden", f"{name} cannot publish to it")

    digest = base64.b64encode(bytes(32)).decode()
    got = await carol.ask("set", f"<register xmlns='{UP}' application='{digest}' instance='{digest}'/>", push)
    registered = got.find(f"{{{UP}}}registered")
    endpoint = registered.get("endpoint")
    t.ok(endpoint.startswith("https://") and "carol" not in endpoint, "a program gets an address that shows nothing", endpoint)

    def post(data, url=endpoint):
        request = urllib.request.Request(url, data=data, method="POST", headers={"TTL": "60"})
        try:
            with urllib.request.urlopen(request, context=tls_context(), timeout=30) as reply:
                return reply.status
        except urllib.error.HTTPError as reply:
            return reply.code

    came = asyncio.Queue()
    carol.register_handler(Callback("push", MatchXPath("{jabber:client}iq/{%s}push" % UP), came.put_nowait))
    posting = asyncio.create_task(asyncio.to_thread(post, b"\x00hello\xff"))
    stanza = await asyncio.wait_for(came.get(), 30)
    text = stanza.xml.find(f"{{{UP}}}push").text
    t.same((str(stanza["from"]), base64.b64decode(text)), (push, b"\x00hello\xff"), "what is posted comes as it is")
    answer(carol, stanza)
    t.same(await posting, 201, "the program hears that it has arrived")
    t.same(await asyncio.to_thread(post, b"x" * 4097), 413, "too much is refused")
    t.same(await asyncio.to_thread(post, b"x", endpoint[:-1] + ("A" if endpoint[-1] != "A" else "B")), 404,
           "an address that was changed is none")
    posting = asyncio.create_task(asyncio.to_thread(post, b"again"))
    stanza = await asyncio.wait_for(came.get(), 30)
    answer(carol, stanza, "error", "<error xmlns='jabber:client' type='cancel'><item-not-found xmlns='%s'/></error>" % NS["stanzas"])
    t.same(await posting, 404, "a client ends an address")
    t.same(await asyncio.to_thread(post, b"again"), 404, "and it stays ended")
    got = await carol.ask("set", f"<register xmlns='{UP}' application='{digest}' instance='{digest}'/>", push)
    endpoint = got.find(f"{{{UP}}}registered").get("endpoint")
    await carol.bye()
    t.same(await asyncio.to_thread(post, b"late", endpoint), 503, "without its client it answers at once")


if __name__ == "__main__":
    tap.main(close_all)
