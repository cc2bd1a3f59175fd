"""_basic_roster - scenarios of slixmpp_basic: roster, subscriptions, presence, and who may know of it.

Not here: the other scenarios (the files named in slixmpp_basic.py).
"""
import asyncio

from tap import scenario
from xmpp import Client, account, accounts, pair, presence, refused, roster_push


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
