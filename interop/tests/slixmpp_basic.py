"""slixmpp_basic - the everyday life of an account, with slixmpp: RFC 6120, RFC 6121 and the XEPs named below.

Not here: two domains (slixmpp_multi_domain), SASL2 (sasl2_raw), anything over HTTP (xmpp_js, strophe).
"""
# timeout: 150
import asyncio
import ssl
import sys
from datetime import datetime, timedelta, timezone

from slixmpp.exceptions import IqError

import tap
from tap import scenario
from xmpp import (NS, PASSWORD, STATE, WAIT, Client, account, accounts, archive, befriend, bodies, carbon, close_all,
                  error_of, message, presence, refused, roster_push)


async def pair(sm=False):
    """Alice and Bob, logged in and each in the other's roster."""
    a, b = await accounts("alice", "bob")
    alice, bob = Client(a, "one", sm=sm), Client(b, "one", sm=sm)
    await asyncio.gather(alice.login(), bob.login())
    await befriend(alice, bob)
    return alice, bob


@scenario("ways to log in")
async def ways_in(t):
    jid = await account("alice")
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        for direct in (False, True):
            way = "direct TLS" if direct else "STARTTLS"
            client = Client(jid, "r", direct_tls=direct, mechanism=mechanism)
            try:
                await client.login()
            except ConnectionError as error:
                t.ok(False, f"{way} with {mechanism} binds the wanted resource", error)
                continue
            t.same(client.boundjid.full, f"{jid}/r", f"{way} with {mechanism} binds the wanted resource")
            await client.bye()
    client = Client(jid, "best")
    await client.login()
    t.ok(client.transport.get_extra_info("ssl_object").version() == "TLSv1.3", "TLS 1.3 is what a modern client gets")
    chosen = client.plugin["feature_mechanisms"].mech.name
    t.ok(chosen.startswith("SCRAM-"), f"the client's own choice is a SCRAM mechanism ({chosen})")
    unnamed = await Client(jid).login()
    t.ok(unnamed.boundjid.resource not in ("", "best"), "no resource asked: the server makes one up")
    t.ok(await refused(unnamed.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "localhost")) is None, "ping (XEP-0199)")


@scenario("an old client on TLS 1.2")
async def tls12(t):
    # With TLS 1.2 slixmpp binds SCRAM-*-PLUS to tls-unique and to nothing else.
    jid = await account("alice")
    client = Client(jid, "old", tls_max=ssl.TLSVersion.TLSv1_2)
    await client.login()
    t.ok(True, "TLS 1.2 logs in, with " + client.plugin["feature_mechanisms"].mech.name)


@scenario("wrong credentials")
async def wrong(t):
    jid = await account("alice")
    bad = Client(jid, "r", password="wrong")
    await bad.login(wait_for=("refused",))
    t.ok("start" not in bad.states, "a wrong password is refused")
    nobody = Client("nobody-at-all@localhost", "r")
    await nobody.login(wait_for=("refused",))
    t.ok("start" not in nobody.states, "an unknown account is refused")


@scenario("roster, subscription and presence (RFC 6121)")
async def roster(t):
    a, b = await accounts("alice", "bob")
    alice, second, bob = Client(a, "one"), Client(a, "two"), Client(b, "one")
    await asyncio.gather(alice.login(), second.login(), bob.login())
    await alice.ask("set", f"<query xmlns='jabber:iq:roster'><item jid='{b}' name='Bob &amp; Co'>"
                           "<group>Friends</group></item></query>")
    await alice.expect(roster_push(b, subscription="none", name="Bob & Co"), "the push to the device that asked")
    await second.expect(roster_push(b, subscription="none", name="Bob & Co"), "the push to the other device")
    t.ok(True, "a roster set is pushed to both devices")
    alice.send_presence(pto=b, ptype="subscribe")
    await second.expect(roster_push(b, ask="subscribe"), "ask=subscribe")
    await bob.expect(presence(a, "subscribe"), "the request")
    t.ok(True, "a subscription request reaches the contact, the other device learns of ask=subscribe")
    bob.send_presence(pto=a, ptype="subscribed")
    await alice.expect(presence(b, "subscribed"), "the approval")
    await alice.expect(presence(bob.boundjid.full), "presence")
    await second.expect(presence(bob.boundjid.full), "presence on the second device")
    await second.expect(roster_push(b, subscription="to"), "subscription=to")
    await bob.expect(roster_push(a, subscription="from"), "subscription=from")
    t.ok(True, "approval: pushes with to/from, presence on both devices")
    bob.send_presence(pto=a, ptype="subscribe")
    await alice.expect(presence(b, "subscribe"), "the request back")
    alice.send_presence(pto=b, ptype="subscribed")
    await bob.expect(presence(alice.boundjid.full), "presence of the first device")
    await bob.expect(presence(second.boundjid.full), "presence of the second device")
    await alice.expect(roster_push(b, subscription="both", name="Bob & Co"), "subscription=both")
    t.ok(True, "both ways: every device is seen, the item keeps its name")
    alice.send_presence(pshow="away", pstatus="tea")
    away = await bob.expect(lambda s: s.name == "presence" and s["show"] == "away", "the change")
    t.same(away["status"], "tea", "a change of presence reaches the contact with its status")
    await second.bye()
    await bob.expect(presence(f"{a}/two", "unavailable"), "unavailable")
    t.ok(True, "the end of a device's session is seen as unavailable")
    answer = await bob.ask("get", "<query xmlns='jabber:iq:roster'/>")
    items = {i.get("jid"): i.get("subscription") for i in answer.iter("{jabber:iq:roster}item")}
    t.same(items, {a: "both"}, "the roster holds just this contact")
    alice.send_presence(pto=b, ptype="unsubscribe")
    await bob.expect(presence(a, "unsubscribe"), "unsubscribe")
    await bob.expect(roster_push(a, subscription="to"), "subscription=to")
    await alice.expect(presence(b, "unavailable"), "unavailable after unsubscribing")
    t.ok(True, "unsubscribing ends presence")
    await alice.ask("set", f"<query xmlns='jabber:iq:roster'><item jid='{b}' subscription='remove'/></query>")
    await alice.expect(roster_push(b, subscription="remove"), "removal")
    await bob.expect(roster_push(a, subscription="none"), "subscription=none")
    t.ok(True, "removing a contact ends what was left of the subscription")


@scenario("subscription while the other is offline (RFC 6121, 3.1.3)")
async def subscription_offline(t):
    a, b = await accounts("alice", "bob")
    alice = await Client(a, "one").login()
    alice.send_presence(pto=b, ptype="subscribe")
    await alice.expect(roster_push(b, ask="subscribe"), "ask=subscribe")
    bob = await Client(b, "one").login()
    await bob.expect(presence(a, "subscribe"), "the stored request")
    await bob.bye()
    bob = await Client(b, "two").login()
    await bob.expect(presence(a, "subscribe"), "the request again")
    t.ok(True, "a request waits for the contact and is repeated until it is answered")
    await alice.bye()
    bob.send_presence(pto=a, ptype="subscribed")
    await bob.expect(roster_push(a, subscription="from"), "subscription=from")
    alice = await Client(a, "one").login()
    await alice.expect(presence(bob.boundjid.full), "presence at login")
    answer = await alice.ask("get", "<query xmlns='jabber:iq:roster'/>")
    item = answer.find("{jabber:iq:roster}query/{jabber:iq:roster}item")
    t.same((item.get("subscription"), item.get("ask")), ("to", None), "an approval given meanwhile is in the roster")
    await bob.bye()
    await alice.expect(presence(f"{b}/two", "unavailable"), "unavailable")
    bob = await Client(b, "three").login()
    await alice.expect(presence(bob.boundjid.full), "presence again")
    await bob.settle()
    t.same(bob.take(presence(a, "subscribe")), [], "an answered request does not come back")


@scenario("roster versioning (RFC 6121, 2.6)")
async def roster_versioning(t):
    a, b = await accounts("alice", "bob")
    alice = await Client(a, "one").login()
    t.ok("rosterver" in alice.features, "the stream feature is offered")

    async def fetch(version):
        return (await alice.ask("get", f"<query xmlns='jabber:iq:roster' ver='{version}'/>")).find(
            "{jabber:iq:roster}query")
    full = await fetch("")
    t.ok(full is not None and full.get("ver") is not None, "an empty version gets the roster and its version")
    t.ok(await fetch(full.get("ver")) is None, "the current version gets an empty result")
    await alice.ask("set", f"<query xmlns='jabber:iq:roster'><item jid='{b}'/></query>")
    push = await alice.expect(roster_push(b), "the push")
    version = push.xml.find("{jabber:iq:roster}query").get("ver")
    t.ok(version not in (None, full.get("ver")), "a push carries a new version")
    t.ok(await fetch(version) is None, "the version of the push is then the current one")
    unknown = await fetch("no-such-version")
    t.ok(unknown is not None and len(unknown) == 1, "an unknown version gets the whole roster")


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


@scenario("archive (XEP-0313)", 30)
async def archive_query(t):
    a, b, c = await accounts("alice", "bob", "carol")
    alice, bob, carol = Client(a, "one"), Client(b, "one"), Client(c, "one")
    await asyncio.gather(alice.login(), bob.login(), carol.login())
    t.ok(NS["mam"] in await alice.disco(a), "disco#info of the account names the archive")
    for number in range(12):
        alice.text(b, f"to bob {number}")
    await bob.expect(message("to bob 11"), "the last")
    bob.text(a, "from bob")
    live = await alice.expect(message("from bob"), "the answer")
    stanza_id = live.xml.find("{%(sid)s}stanza-id" % NS)
    t.ok(stanza_id is not None and stanza_id.get("by") == a, "a live message carries its stanza-id (XEP-0359)")
    # The archive's clock may have whole seconds: the middle is a second of its own on both sides.
    middle = datetime.now(timezone.utc) + timedelta(seconds=1)
    await asyncio.sleep((middle - datetime.now(timezone.utc)).total_seconds() + 1.0)
    carol.text(a, "from carol")
    await alice.expect(message("from carol"), "carol's message")
    page, fin = await archive(alice)
    want = [f"to bob {n}" for n in range(12)] + ["from bob", "from carol"]
    t.same(bodies(page), want, "the whole archive, in order")
    t.same(fin.get("complete"), "true", "and it is complete")
    t.ok(len({i for i, _ in page}) == len(page) and all(i for i, _ in page), "archive ids are unique")
    t.ok(stanza_id is not None and page[12][0] == stanza_id.get("id"), "the stanza-id seen live is the archive id")
    theirs, _ = await archive(carol)
    t.same(bodies(theirs), ["from carol"], "the sender's archive has it too")
    first, fin = await archive(alice, maximum=5)
    rsm = fin.find("{%(rsm)s}set" % NS)
    t.same((bodies(first), fin.get("complete")), (want[:5], None), "the first page of five, not complete")
    t.same((rsm.findtext("{%(rsm)s}first" % NS), rsm.findtext("{%(rsm)s}last" % NS)), (first[0][0], first[4][0]),
           "its RSM names the first and last id")
    second, _ = await archive(alice, maximum=5, after=first[4][0])
    t.same(bodies(second), want[5:10], "the next page")
    third, fin = await archive(alice, maximum=5, after=second[4][0])
    t.same((bodies(third), fin.get("complete")), (want[10:], "true"), "the last page is complete")
    last, _ = await archive(alice, maximum=3, before="")
    t.same(bodies(last), want[-3:], "an empty `before` pages backwards from the end")
    earlier, _ = await archive(alice, maximum=3, before=last[0][0])
    t.same(bodies(earlier), want[-6:-3], "and on from there")
    with_carol, _ = await archive(alice, with_jid=c)
    t.same(bodies(with_carol), ["from carol"], "`with` picks a contact")
    stamp = middle.strftime("%Y-%m-%dT%H:%M:%SZ")
    t.same(bodies((await archive(alice, start=stamp))[0]), ["from carol"], "`start`")
    t.same(bodies((await archive(alice, end=stamp))[0]), want[:-1], "`end`")
    seen = []
    async for found in alice.plugin["xep_0313"].iterate(rsm={"max": "4"}, with_jid=b):
        seen.append(found["mam_result"]["forwarded"]["stanza"]["body"])
    t.same(seen, want[:-1], "slixmpp's own iterator walks the pages")
    t.same((await refused(archive(alice, after="no-such-id", maximum=2)) or ("", ""))[1], "item-not-found",
           "an unknown id in `after` is item-not-found")
    t.same((await refused(bob.ask("set", "<query xmlns='urn:xmpp:mam:2'/>", a)) or ("", ""))[1] in
           ("forbidden", "service-unavailable", "not-allowed", "not-authorized", "subscription-required"), True,
           "somebody else's archive is refused")


@scenario("archive preferences (XEP-0441)")
async def archive_preferences(t):
    a, b = await accounts("alice", "bob")
    alice, bob = await Client(a, "one").login(), await Client(b, "one").login()
    await alice.plugin["xep_0441"].set_preferences(default="always", never=[b])
    answer = await alice.ask("get", "<prefs xmlns='urn:xmpp:mam:2'/>")
    prefs = answer.find("{%(mam)s}prefs" % NS)
    never = [j.text for j in prefs.findall("{%(mam)s}never/{%(mam)s}jid" % NS)]
    t.same((prefs.get("default"), never), ("always", [b]), "preferences are kept")
    bob.text(a, "not to be archived")
    await alice.expect(message("not to be archived"), "the message")
    await alice.plugin["xep_0441"].set_preferences(default="always", never=[])
    bob.text(a, "to be archived")
    await alice.expect(message("to be archived"), "the message")
    t.same(bodies((await archive(alice))[0]), ["to be archived"], "and obeyed")


@scenario("stream management (XEP-0198)", 30)
async def stream_management(t):
    alice, bob = await pair(sm=True)
    t.ok(alice.plugin["xep_0198"].sm_id, "enabled, with an id to resume with")
    alice.plugin["xep_0198"].request_ack()
    sm = alice.plugin["xep_0198"]
    await alice.until(lambda: not sm.unacked_queue, "the ack of all that was sent")
    t.same(len(sm.unacked_queue), 0, "the server acknowledges what it has")
    before = alice.boundjid.full
    bob.take(lambda s: s.name == "presence")
    # Written on a connection that is lost at once: the server has seen some of these, or none; the client sends
    # again what was not acknowledged.
    counted = sm.seq
    for number in range(5):
        alice.text(bob.boundjid.full, f"into the void {number}")
    while sm.seq < counted + 5:
        await asyncio.sleep(0)
    await alice.cut()
    for number in range(3):
        bob.text(before, f"while away {number}")
    await bob.settle()
    await alice.login(presence=False, wait_for=("resumed",))
    t.ok(True, "the stream is resumed")
    await alice.expect(message("while away 2"), "what came meanwhile")
    got = [s["body"] for s in alice.take(lambda s: s.name == "message")]
    t.same(got, ["while away 0", "while away 1"], "what was sent meanwhile arrives in order")
    alice.text(bob.boundjid.full, "after the resume")
    await bob.expect(message("after the resume"), "a message after the resume")
    t.same(alice.boundjid.full, before, "the full JID is the same")
    void = [s["body"] for s in bob.take(lambda s: s.name == "message")]
    t.same(void, [f"into the void {n}" for n in range(5)], "what was written into the void arrives once")
    await alice.settle()
    t.same(alice.take(lambda s: s.name == "message"), [], "and nothing came twice")
    t.same(bob.take(presence(before, "unavailable")), [], "the contact saw no unavailable")


@scenario("a dead device's messages (XEP-0198, section 5)", 30)
async def lost_for_good(t):
    a, b = await accounts("alice", "bob")
    bob = await Client(b, "one").login()
    dead = await Client(a, "dead", sm=True).login()
    await dead.cut()
    bob.text(dead.boundjid.full, "to the dead device")
    await bob.settle()
    fresh = await Client(a, "dead", sm=True).login()  # the same resource takes the place of the dead one
    await fresh.expect(message("to the dead device"), "the message that the dead device never had")
    t.ok(True, "what a dead device never acknowledged reaches the next one")


@scenario("resume that cannot be")
async def resume_refused(t):
    jid = await account("alice")
    client = await Client(jid, "one", sm=True).login()
    await client.cut()
    client.plugin["xep_0198"].sm_id = "no-such-stream"
    await client.login(wait_for=("start",))
    t.ok(client.plugin["xep_0198"].sm_id != "no-such-stream", "an unknown id is refused, and the stream goes on to bind")


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


@scenario("vCard (XEP-0054)")
async def vcard(t):
    alice, bob = await pair()
    card = alice.plugin["xep_0054"].make_vcard()
    card["FN"], card["NICKNAME"] = "Alice Örtlich", "al"
    await alice.plugin["xep_0054"].publish_vcard(card)
    answer = await bob.ask("get", "<vCard xmlns='vcard-temp'/>", alice.boundjid.bare)
    t.same(answer.findtext("{vcard-temp}vCard/{vcard-temp}FN"), "Alice Örtlich", "a contact reads it")
    own = await alice.ask("get", "<vCard xmlns='vcard-temp'/>")
    t.same(own.findtext("{vcard-temp}vCard/{vcard-temp}NICKNAME"), "al", "its owner reads it")
    refusal = await refused(bob.ask("set", "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>", alice.boundjid.bare))
    t.ok(refusal is not None, "nobody else writes it")


@scenario("private XML (XEP-0049)")
async def private(t):
    alice = await Client(await account("alice"), "one").login()
    await alice.ask("set", "<query xmlns='jabber:iq:private'><s xmlns='x:y' n='1'><t>ü</t></s></query>")
    answer = await alice.ask("get", "<query xmlns='jabber:iq:private'><s xmlns='x:y'/></query>")
    kept = answer.find("{jabber:iq:private}query/{x:y}s")
    t.ok(kept is not None and kept.get("n") == "1" and kept.findtext("{x:y}t") == "ü", "what was stored comes back")
    empty = await alice.ask("get", "<query xmlns='jabber:iq:private'><none xmlns='x:z'/></query>")
    t.same(len(empty.find("{jabber:iq:private}query/{x:z}none")), 0, "what was not is empty")


@scenario("last activity (XEP-0012)")
async def last_activity(t):
    alice, bob = await pair()
    uptime = await alice.plugin["xep_0012"].get_last_activity("localhost")
    t.ok(uptime["last_activity"]["seconds"] >= 0, "the server's uptime")
    await bob.bye()
    await alice.expect(presence(bob.boundjid.full, "unavailable"), "unavailable")
    gone = await alice.plugin["xep_0012"].get_last_activity(bob.boundjid.bare)
    t.ok(0 <= gone["last_activity"]["seconds"] < 60, "an offline contact's last activity")
    stranger = await Client(await account("carol"), "one").login()
    t.same((await refused(stranger.plugin["xep_0012"].get_last_activity(bob.boundjid.bare)) or ("", "nothing"))[1] in
           ("forbidden", "service-unavailable", "subscription-required"), True, "a stranger does not learn it")


@scenario("what the server says of itself")
async def server_info(t):
    alice = await Client(await account("alice"), "one").login()
    version = await alice.plugin["xep_0092"].get_version("localhost")
    t.ok(version["software_version"]["name"], f"version (XEP-0092): {version['software_version']['name']}")
    answer = await alice.ask("get", "<time xmlns='urn:xmpp:time'/>", "localhost")
    there = datetime.fromisoformat(answer.findtext("{urn:xmpp:time}time/{urn:xmpp:time}utc"))
    t.ok(abs((there - datetime.now(timezone.utc)).total_seconds()) < 5, "entity time (XEP-0202)")
    info = await alice.plugin["xep_0030"].get_info(jid="localhost")
    kinds = {(i[0], i[1]) for i in info["disco_info"]["identities"]}
    t.ok(("server", "im") in kinds, "disco#info: identity server/im")
    have = await alice.disco("localhost")
    for feature in ("http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "urn:xmpp:ping",
                    "jabber:iq:version", "urn:xmpp:time", "jabber:iq:last", "urn:xmpp:blocking", "urn:xmpp:carbons:2",
                    "vcard-temp", "jabber:iq:private", "http://jabber.org/protocol/commands"):
        t.ok(feature in have, f"disco#info of the server names {feature}")
    own = await alice.ask("get", "<query xmlns='%s'/>" % NS["info"], alice.boundjid.bare)
    kinds = {(i.get("category"), i.get("type")) for i in own.iter("{%s}identity" % NS["info"])}
    t.ok(("account", "registered") in kinds, "disco#info of the account: identity account/registered")
    await alice.ask("get", "<query xmlns='%s'/>" % NS["items"], "localhost")
    t.ok(True, "disco#items of the server answers")


@scenario("client state (XEP-0352)")
async def client_state(t):
    alice, bob = await pair()
    t.ok("{urn:xmpp:csi:0}csi" in alice.offered, "the stream feature is offered")
    alice.plugin["xep_0352"].send_inactive()
    await alice.settle()
    for show in ("away", "dnd", "xa"):
        bob.send_presence(pshow=show)
    bob.text(alice.boundjid.bare, "important")
    await alice.expect(message("important"), "a message while inactive")
    t.ok(True, "a message reaches an inactive client at once")
    alice.plugin["xep_0352"].send_active()
    await alice.expect(lambda s: s.name == "presence" and s["show"] == "xa", "the newest presence")
    t.ok(True, "after `active` the newest presence is there")


@scenario("password change (XEP-0077)")
async def password_change(t):
    jid = await account("alice")
    alice = await Client(jid, "one", plugins=()).login()
    local = jid.split("@")[0]
    await alice.ask("set", f"<query xmlns='jabber:iq:register'><username>{local}</username>"
                           "<password>another one 8</password></query>", "localhost")
    await alice.bye()
    await Client(jid, "two", password="another one 8").login()
    t.ok(True, "the new password logs in")
    old = Client(jid, "three")
    await old.login(wait_for=("refused",))
    t.ok("start" not in old.states, "the old one does not")


@scenario("ad-hoc commands (XEP-0050)")
async def adhoc(t):
    alice = await Client(await account("alice"), "one").login()
    answer = await alice.ask("get", "<query xmlns='%(items)s' node='%(commands)s'/>" % NS, "localhost")
    query = answer.find("{%(items)s}query" % NS)
    t.ok(query is not None and query.get("node") == NS["commands"], "the list of commands answers")
    refusal = await refused(alice.ask("set", "<command xmlns='%(commands)s' node='no-such' action='execute'/>" % NS,
                                      "localhost"))
    t.ok(refusal is not None and refusal[1] in ("item-not-found", "service-unavailable", "forbidden"),
         f"an unknown command is an error ({refusal})")


@scenario("two devices with one resource (RFC 6120, 7.7.2.2)")
async def conflict(t):
    jid = await account("alice")
    first = await Client(jid, "same").login()
    second = await Client(jid, "same").login()
    if second.boundjid.full == first.boundjid.full:
        await first.until(lambda: "disconnected" in first.states, "the end of the older one")
        t.ok(True, "the newer replaces the older")
    else:
        t.ok(second.boundjid.bare == jid, "the newer gets another resource")
    await second.settle()


if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
