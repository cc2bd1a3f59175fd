"""_basic_messages - scenarios of slixmpp_basic: delivery, priorities, errors, carbons, offline storage,
blocking.

Not here: the other scenarios (the files named in slixmpp_basic.py).
"""
import asyncio

from tap import scenario
from xmpp import NS, Client, accounts, carbon, error_of, message, pair, presence, refused


@scenario("chat messages")
async def chat(t):
    alice, bob = await pair()
    alice.text(bob.boundjid.full, "to the full JID", id="m1")
    got = await bob.expect(message("to the full JID"), "the message")
    t.same((got["from"].full, got["type"], got["id"]), (alice.boundjid.full, "chat", "m1"), "from, type and id arrive")
    alice.text(bob.boundjid.bare, "to the bare JID")
    await bob.expect(message("to the bare JID"), "the message")
    tricky = "Grüße 😀 <&>\"' ]]> \t end"
    bob.text(alice.boundjid.bare, tricky)
    t.same((await alice.expect(message(sender=bob.boundjid.bare), "the answer"))["body"], tricky,
           "markup, emoji and white space arrive unharmed")
    for number in range(50):
        alice.text(bob.boundjid.bare, f"burst {number}")
    await bob.expect(message("burst 49"), "the last of a burst")
    rest = [s["body"] for s in bob.take(lambda s: s.name == "message" and s["body"].startswith("burst"))]
    t.same(rest, [f"burst {n}" for n in range(49)], "a burst of 50 arrives in order, once each")
    big = "x" * 60000
    alice.text(bob.boundjid.bare, big)
    t.ok(await bob.expect(message(big), "the big one"), "a body of 60000 characters arrives")


@scenario("priorities and the bare JID (RFC 6121, 8.5.2.1)")
async def priorities(t):
    a, b = await accounts("alice", "bob")
    alice = await Client(a, "one").login()
    high, low = Client(b, "high"), Client(b, "low")
    negative = Client(b, "negative")
    await high.login(priority=5)
    await low.login(priority=1)
    await negative.login(priority=-1)
    alice.text(b, "to the bare JID")
    await high.expect(message("to the bare JID"), "the message at the highest priority")
    alice.text(f"{b}/negative", "to the full JID")
    await negative.expect(message("to the full JID"), "a message to the full JID of a negative resource")
    t.ok(True, "a negative resource gets what is sent to its full JID")
    t.same(negative.take(message("to the bare JID")), [], "and nothing that is sent to the bare JID")
    alice.text(b, "a headline", kind="headline")
    await high.expect(message("a headline"), "the headline")
    await low.expect(message("a headline"), "the headline")
    await negative.settle()
    t.same(negative.take(message("a headline")), [], "a headline goes to all non-negative resources")
    await high.bye()
    await low.bye()
    alice.text(b, "only negative is left")
    later = Client(b, "later")
    await later.login(priority=0)
    await later.expect(message("only negative is left"), "the stored message")
    t.same(negative.take(message("only negative is left")), [], "with only negative resources a message is stored")


@scenario("messages to nobody")
async def nobody(t):
    a, b = await accounts("alice", "bob")
    alice, bob = await Client(a, "one").login(), await Client(b, "one").login()
    ident = alice.text("nobody-at-all@localhost", "hello?")
    answer = await alice.expect(lambda s: s.name == "message" and s["type"] == "error", "an error")
    t.same((answer["id"], answer["from"].bare) + error_of(answer),
           (ident, "nobody-at-all@localhost", "cancel", "service-unavailable"), "unknown account: service-unavailable")
    t.same(await refused(alice.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "nobody-at-all@localhost")),
           ("cancel", "service-unavailable"), "IQ to an unknown account: service-unavailable")
    t.same(await refused(alice.ask("get", "<ping xmlns='urn:xmpp:ping'/>", f"{b}/gone")),
           ("cancel", "service-unavailable"), "IQ to an absent resource: service-unavailable")
    t.same(await refused(alice.ask("get", "<query xmlns='no:such:thing'/>", "localhost")),
           ("cancel", "service-unavailable"), "IQ with an unknown payload to the server: service-unavailable")
    alice.text(f"{b}/gone", "chat to an absent resource")
    await bob.expect(message("chat to an absent resource"), "the message at another resource")
    t.ok(True, "chat to an absent resource is delivered as if to the bare JID")
    alice.text("not a jid@@localhost", "x")
    await alice.expect(lambda s: s.name == "message" and s["type"] == "error", "an error")
    t.ok(True, "a malformed address gets an error and the stream lives") if alice.transport else t.ok(False, "alive")
    await alice.settle()


@scenario("carbons (XEP-0280)")
async def carbons(t):
    a, b = await accounts("alice", "bob")
    one, two, bob = Client(a, "one"), Client(a, "two"), Client(b, "one")
    await asyncio.gather(one.login(), two.login(), bob.login())
    t.ok(NS["carbons"] in await two.disco("localhost") | await two.disco(a), "disco names carbons")
    await two.plugin["xep_0280"].enable()
    one.text(bob.boundjid.full, "from one")
    await bob.expect(message("from one"), "the message itself")
    copy = await two.expect(carbon("sent", "from one"), "the sent carbon")
    t.same(copy["from"].full, a, "a sent message is copied, from the bare account")
    bob.text(one.boundjid.full, "for one")
    await one.expect(message("for one"), "the message itself")
    await two.expect(carbon("received", "for one"), "the received carbon")
    t.ok(True, "a received message is copied")
    bob.send_raw(f"<message to='{one.boundjid.full}' type='chat'><body>secret</body>"
                 f"<private xmlns='{NS['carbons']}'/><no-copy xmlns='urn:xmpp:hints'/></message>")
    await one.expect(message("secret"), "the private message")
    bob.text(one.boundjid.full, "marker")
    await two.expect(carbon("received", "marker"), "the next carbon")
    t.same(two.take(carbon("received", "secret")), [], "a private message is not copied")
    await two.plugin["xep_0280"].disable()
    bob.text(one.boundjid.full, "after")
    await one.expect(message("after"), "the message")
    await two.settle()
    t.same(two.take(carbon("received", "after")), [], "no copies after disable")
    t.same(one.take(lambda s: s.name == "message" and s.xml.find(".//{%s}received" % NS["carbons"]) is not None), [],
           "the device that did not ask gets none")


@scenario("offline messages (XEP-0160)")
async def offline(t):
    a, b = await accounts("alice", "bob")
    alice = await Client(a, "one").login()
    for number in range(3):
        alice.text(b, f"offline {number}")
    await alice.settle()
    t.same(alice.take(lambda s: s.name == "message" and s["type"] == "error"), [], "no error for an offline contact")
    bob = await Client(b, "one").login()
    first = await bob.expect(message("offline 0"), "the first stored message")
    t.ok(first.xml.find("{%(delay)s}delay" % NS) is not None, "it says when it was sent (XEP-0203)")
    await bob.expect(message("offline 2"), "the last")
    t.same([s["body"] for s in bob.take(lambda s: s.name == "message")], ["offline 1"], "all, in order")
    await bob.bye()
    again = await Client(b, "two").login()
    await again.settle()
    t.same(again.take(lambda s: s.name == "message" and s["body"].startswith("offline")), [], "only once")


@scenario("blocking (XEP-0191)")
async def blocking(t):
    alice, bob = await pair()
    other = await Client(alice.boundjid.bare, "two").login()
    await other.plugin["xep_0191"].get_blocked()
    await alice.plugin["xep_0191"].block([bob.boundjid.bare])
    await other.expect(lambda s: s.name == "iq" and s.xml.find("{%(blocking)s}block" % NS) is not None, "the push")
    t.ok(True, "the other device is told")
    t.same({j.full for j in await alice.plugin["xep_0191"].get_blocked_jids()}, {bob.boundjid.bare}, "the list holds it")
    await bob.expect(presence(alice.boundjid.full, "unavailable"), "unavailable")
    t.ok(True, "the blocked contact sees unavailable")
    bob.text(alice.boundjid.bare, "blocked")
    answer = await bob.expect(lambda s: s.name == "message" and s["type"] == "error", "an error")
    t.same(error_of(answer), ("cancel", "service-unavailable"), "its message is refused as if nobody was there")
    bob.text(alice.boundjid.full, "blocked")
    await t.comes(bob.expect(lambda s: s.name == "message" and s["type"] == "error", "an error"),
                  "so is one to the full JID")
    alice.text(bob.boundjid.bare, "outbound")
    refusal = await alice.expect(lambda s: s.name == "message" and s["type"] == "error", "an error")
    t.same(error_of(refusal)[1], "not-acceptable", "writing to a blocked contact is not-acceptable")
    t.ok(refusal.xml.find(".//{urn:xmpp:blocking:errors}blocked") is not None, "with the error that says blocked")
    await alice.plugin["xep_0191"].unblock([bob.boundjid.bare])
    await bob.expect(presence(alice.boundjid.full), "presence after unblocking")
    bob.text(alice.boundjid.bare, "unblocked")
    await alice.expect(message("unblocked"), "a message after unblocking")
    t.same(alice.take(message("blocked")), [], "what was refused never came")
