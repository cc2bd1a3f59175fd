"""slixmpp_pubsub - personal eventing and nodes, with slixmpp's own plugins: XEP-0060, 0163, 0115, 0402, 0049, 0084, 0153,
0118, 0490.

An argument picks the scenarios whose name contains it.
Not here: malformed requests (the server's own tests).
"""
# timeout: 120
import asyncio
import base64
import hashlib
import sys

import tap
from pep import PEP, Listener, event, form
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from tap import scenario
from xmpp import Client, account, accounts, befriend, close_all, refused

TUNE = "http://jabber.org/protocol/tune"
PUBSUB = "{http://jabber.org/protocol/pubsub}"
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
HASH = hashlib.sha1(PICTURE).hexdigest()


def payload(text="", name="entry", namespace="http://www.w3.org/2005/Atom"):
    element = ET.Element("{%s}%s" % (namespace, name))
    element.text = text
    return element


def ids(answer):
    return [item.get("id") for item in answer.xml.iter(PUBSUB + "item")]


async def special(awaitable):
    """(condition, pubsub-specific condition) of the error that an IQ gets."""
    try:
        await awaitable
    except IqError as error:
        found = [child.tag for child in error.iq.xml.iter() if "pubsub#errors}" in child.tag]
        return error.iq["error"]["condition"], found[0].split("}")[1] if found else None
    return None


@scenario("personal events: last item, contacts, own devices (XEP-0163)")
async def events(t):
    a, b = await accounts("alice", "bob")
    alice, bob = Client(a, "one", plugins=PEP + ("xep_0118",)), Listener(b, "one", TUNE)
    await asyncio.gather(alice.login(), bob.login())
    await befriend(alice, bob)
    info = await alice.plugin["xep_0030"].get_info(a)
    t.ok(("pubsub", "pep", None, None) in info["disco_info"]["identities"], "the account is pubsub/pep", info)
    await alice.plugin["xep_0118"].publish_tune(artist="Yes", title="Heart of the Sunrise", length=686)
    got = await t.comes(bob.expect(event(TUNE, a), "the tune"), "a contact with +notify hears of it")
    t.same(got and got["type"], "headline", "as a headline")
    late = Listener(b, "two", TUNE)
    await late.login()
    got = await t.comes(late.expect(event(TUNE, a), "the last tune"), "a device that comes later gets the last one")
    t.ok(got is not None and got.xml.find("{urn:xmpp:delay}delay") is not None, "with its time")
    second = Listener(a, "two", TUNE)
    await second.login()
    await t.comes(second.expect(event(TUNE, a), "the own tune"), "so does another device of the owner")
    await alice.bye()
    await second.bye()
    absent = Listener(b, "three", TUNE)
    await absent.login()
    await t.comes(absent.expect(event(TUNE, a), "the tune of the absent"), "even when the owner is away")
    deaf = Client(b, "deaf", plugins=PEP)
    await deaf.login()
    await deaf.settle()
    t.same(deaf.take(event(TUNE)), [], "a device without +notify hears nothing")


@scenario("publish-options, access and discovery of nodes")
async def access(t):
    a, e = await accounts("alice", "eve")
    alice, eve = Client(a, "one", plugins=PEP), Client(e, "one", plugins=PEP)
    await asyncio.gather(alice.login(), eve.login())
    mine, hers = alice.plugin["xep_0060"], eve.plugin["xep_0060"]
    await mine.publish(a, "urn:test:open", "1", payload("1"), form(alice, "publish-options", access_model="open"))
    again = mine.publish(a, "urn:test:open", "1", payload("1"), form(alice, "publish-options", access_model="whitelist"))
    t.same(await special(again), ("conflict", "precondition-not-met"), "a precondition that is not met")
    await mine.publish(a, "urn:test:closed", "1", payload("1"), form(alice, "publish-options", access_model="whitelist"))
    t.same(ids(await hers.get_items(a, "urn:test:open")), ["1"], "a stranger reads an open node")
    t.same(await special(hers.get_items(a, "urn:test:closed")), ("not-allowed", "closed-node"), "not a closed one")
    items = await eve.plugin["xep_0030"].get_items(a)
    t.same([i[1] for i in items["disco_items"]["items"]], ["urn:test:open"], "and finds only what is open")
    t.same(await special(hers.publish(a, "urn:test:open", "2", payload())), ("forbidden", None), "nor publishes")
    await mine.set_node_config(a, "urn:test:closed", form(alice, "node_config", access_model="open", max_items="2"))
    for n in range(3):
        await mine.publish(a, "urn:test:closed", f"n{n}", payload(str(n)))
    t.same(ids(await hers.get_items(a, "urn:test:closed")), ["n1", "n2"], "reconfigured, it is open and keeps two items")
    config = await mine.get_node_config(a, "urn:test:closed")
    values = config["pubsub_owner"]["configure"]["form"].get_values()
    t.same((values["pubsub#max_items"], values["pubsub#access_model"]), ("2", "open"), "the form shows it")


@scenario("bookmarks of old and new clients (XEP-0402, XEP-0049)")
async def bookmarks(t):
    a = await account("alice")
    new = Listener(a, "new", "urn:xmpp:bookmarks:1", plugins=("xep_0402",))
    old = Client(a, "old", plugins=("xep_0048",))
    await asyncio.gather(new.login(), old.login())
    t.ok("urn:xmpp:bookmarks:1#compat" in await new.disco(a), "the conversion is advertised")
    conference = ET.fromstring("<conference xmlns='urn:xmpp:bookmarks:1' name='Play' autojoin='true'><nick>JC</nick></conference>")
    options = form(new, "publish-options", persist_items="true", max_items="max", send_last_published_item="never",
                   access_model="whitelist")
    await new.plugin["xep_0060"].publish(a, "urn:xmpp:bookmarks:1", "play@rooms.example", conference, options)
    await t.comes(new.expect(event("urn:xmpp:bookmarks:1"), "the bookmark"), "the own device hears of it")
    found = await old.plugin["xep_0048"].get_bookmarks(method="xep_0049")
    rooms = [(str(c["jid"]), c["name"], c["nick"]) for c in found["private"]["bookmarks"]["conferences"]]
    t.same(rooms, [("play@rooms.example", "Play", "JC")], "the old client sees it")
    storage = ("<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>"
               "<conference jid='tea@rooms.example' name='Tea'/></storage></query>")
    await old.ask("set", storage)
    await t.comes(new.expect(event("urn:xmpp:bookmarks:1", inside="retract"), "the retraction"), "what it removes is retracted")
    await t.comes(new.expect(event("urn:xmpp:bookmarks:1"), "the publication"), "what it adds is published")
    t.same(ids(await new.plugin["xep_0060"].get_items(a, "urn:xmpp:bookmarks:1")), ["tea@rooms.example"], "and is an item")


@scenario("avatars and vCard photos (XEP-0084, XEP-0153, XEP-0398)")
async def avatars(t):
    a, b = await accounts("alice", "bob")
    alice, bob = Client(a, "one", plugins=PEP + ("xep_0084",)), Client(b, "one", plugins=PEP + ("xep_0084",))
    await asyncio.gather(alice.login(), bob.login())
    await befriend(alice, bob)
    options = form(alice, "publish-options", access_model="open")
    await alice.plugin["xep_0084"].publish_avatar(PICTURE, options=options)
    metadata = {"id": HASH, "type": "image/png", "bytes": len(PICTURE)}
    await alice.plugin["xep_0084"].publish_avatar_metadata(metadata, options=options)
    await t.comes(bob.expect(event("urn:xmpp:avatar:metadata", a), "the metadata"), "a contact hears of the avatar")
    answer = await bob.plugin["xep_0084"].retrieve_avatar(a, HASH)
    t.same(answer["pubsub"]["items"]["item"]["avatar_data"]["value"], PICTURE, "and fetches it")
    card = await bob.ask("get", "<vCard xmlns='vcard-temp'/>", a)
    binval = card.findtext("{vcard-temp}vCard/{vcard-temp}PHOTO/{vcard-temp}BINVAL") or ""
    t.same(base64.b64decode(binval), PICTURE, "it is the photo of the vCard")
    alice.send_presence(pshow="away")
    away = await bob.expect(lambda s: s.name == "presence" and s["show"] == "away", "the change")
    t.same(away.xml.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo"), HASH, "presence has its hash")
    photo = base64.b64encode(PICTURE + b"x").decode()
    await bob.ask("set", f"<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>{photo}</BINVAL></PHOTO></vCard>")
    await t.comes(alice.expect(event("urn:xmpp:avatar:metadata", b), "the metadata"), "a photo becomes an avatar")


@scenario("read states with the server's assistance (XEP-0490)")
async def displayed(t):
    a, b = await accounts("alice", "bob")
    alice, other = Client(a, "one", plugins=PEP), Listener(a, "two", "urn:xmpp:mds:displayed:0")
    bob = Client(b, "one")
    await asyncio.gather(alice.login(), other.login(), bob.login())
    message = alice.make_message(mto=b, mtype="chat", mbody="read")
    message.append(ET.fromstring("<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' id='7' by='x'/></displayed>"))
    message.send()
    got = await bob.expect(lambda s: s.name == "message" and s["body"] == "read", "the message")
    t.ok(got.xml.find("{urn:xmpp:mds:displayed:0}displayed") is None, "it is not passed on")
    await t.comes(other.expect(event("urn:xmpp:mds:displayed:0"), "the state"), "the other device hears how far")


@scenario("the service (XEP-0060)", 30)
async def service(t):
    a, b = await accounts("alice", "bob")
    alice, bob = Client(a, "one", plugins=PEP), Client(b, "one", plugins=PEP)
    await asyncio.gather(alice.login(), bob.login())
    found = await alice.plugin["xep_0030"].get_items("localhost")
    service = next((str(i[0]) for i in found["disco_items"]["items"] if str(i[0]).startswith("pubsub.")), None)
    t.need(service is not None, "the service is among the domain's items", found)
    info = await alice.plugin["xep_0030"].get_info(service)
    t.ok(any(i[:2] == ("pubsub", "service") for i in info["disco_info"]["identities"]), "it is pubsub/service")
    mine, his = alice.plugin["xep_0060"], bob.plugin["xep_0060"]
    node = alice.new_id()
    await mine.create_node(service, node, form(alice, "node_config", title="News", send_last_published_item="on_sub"))
    t.same(await special(mine.create_node(service, node)), ("conflict", None), "a node is made once")
    instant = await mine.create_node(service, None)
    t.ok(instant["pubsub"]["create"]["node"], "an instant node has a name")
    await mine.publish(service, node, "1", payload("one"))
    await his.subscribe(service, node)
    await t.comes(bob.expect(event(node, service), "the last item"), "a new subscriber gets the last item")
    made = await mine.publish(service, node, None, payload("two"))
    new = made["pubsub"]["publish"]["item"]["id"]
    got = await t.comes(bob.expect(event(node, service), "the item"), "and the next")
    t.same(got and got["pubsub_event"]["items"]["item"]["publisher"], a, "with its publisher")
    t.same(ids(await his.get_items(service, node)), ["1", new], "the items are there in order")
    t.same(ids(await his.get_items(service, node, max_items=1)), [new], "the newest alone")
    t.same(await special(his.publish(service, node, "x", payload())), ("forbidden", None), "a subscriber may not publish")
    await mine.modify_affiliations(service, node, [(b, "publisher")])
    await his.publish(service, node, "3", payload("three"))
    t.ok(True, "a publisher may")
    t.same(await special(his.retract(service, node, "1")), ("forbidden", None), "but not retract what others published")
    bob.seen.clear()
    await mine.retract(service, node, "1", notify="1")
    await t.comes(bob.expect(event(node, service, "retract"), "the retraction"), "the owner may, and subscribers hear of it")
    who = await mine.get_node_affiliations(service, node)
    affiliations = {str(x["jid"]): x["affiliation"] for x in who["pubsub_owner"]["affiliations"]}
    t.same(affiliations, {a: "owner", b: "publisher"}, "the list of affiliations")
    who = await mine.get_node_subscriptions(service, node)
    t.same([str(s["jid"]) for s in who["pubsub_owner"]["subscriptions"]], [b], "the list of subscriptions")
    who = await his.get_subscriptions(service)
    t.same([s["node"] for s in who["pubsub"]["subscriptions"]], [node], "the subscriber's own list")
    await his.unsubscribe(service, node)
    again = await special(his.unsubscribe(service, node))
    t.same(again, ("unexpected-request", "not-subscribed"), "unsubscribing, and once more")
    await mine.purge(service, node)
    t.same(ids(await mine.get_items(service, node)), [], "a purged node is empty")
    t.same(await refused(his.delete_node(service, node)), ("auth", "forbidden"), "only the owner deletes")
    await mine.delete_node(service, node)
    t.same(await special(mine.get_items(service, node)), ("item-not-found", None), "a deleted node is gone")


if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
