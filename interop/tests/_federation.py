"""_federation - what people of two servers do with one another; each check goes both ways.

Not here: starting servers (lib/federation.py), servers that die or lie (federation_trouble.py).
"""
import asyncio
import itertools
import ssl
import urllib.request

from federation import PROSODY
from slixmpp.exceptions import IqError, IqTimeout
from tap import scenario
from xmpp import (NS, STATE, Client, account, befriend, carbon, message, presence, refused, whole_archive)

MOOD = "http://jabber.org/protocol/mood"
MUC = "http://jabber.org/protocol/muc"
MANY = 100
PLUGINS = ("xep_0184", "xep_0045", "xep_0004", "xep_0060", "xep_0115", "xep_0163", "xep_0363")
EVENT = "{http://jabber.org/protocol/pubsub#event}"
RECEIPT = "{urn:xmpp:receipts}received"


def register(pairs):
    """Make scenarios for pairs of domains (ours, the other's)."""
    for (here, there), (text, seconds, function) in itertools.product(pairs, ALL):
        async def run(t, function=function, here=here, there=there):
            await function(t, here, there)
        scenario(f"{here} and {there}: {text}", seconds)(run)


ALL = []


def between(text, seconds=90):
    """Registers `async def f(tap, here, there)`."""
    def keep(function):
        ALL.append((text, seconds, function))
        return function
    return keep


async def couple(here, there, notify=False):
    """Somebody on each side, logged in."""
    jids = await asyncio.gather(account("alice", here), account("bob", there))
    clients = [Client(jid, "one", plugins=PLUGINS) for jid in jids]
    await asyncio.gather(*(login(client, notify) for client in clients))
    return clients


async def login(client, notify):
    """With an interest in moods from the first presence on, if wanted."""
    if not notify:
        return await client.login()
    await client.login(presence=False)
    client.plugin["xep_0163"].add_interest(MOOD)
    await client.plugin["xep_0115"].update_caps(broadcast=False)
    await client.get_roster()
    client.send_presence()
    await client.expect(lambda s: s.name == "presence" and s["from"] == client.boundjid, "its own presence")


def ways(one, other):
    """Both directions, with words for the checks."""
    for a, b in ((one, other), (other, one)):
        yield a, b, f"{a.boundjid.domain} to {b.boundjid.domain}"


@between("messages")
async def messages(t, here, there):
    alice, bob = await couple(here, there)
    await befriend(alice, bob)  # strangers are held back
    second = {}
    for client in (alice, bob):
        second[client] = Client(client.boundjid.bare, "two", plugins=PLUGINS)
        await second[client].login()
        await second[client].plugin["xep_0280"].enable()
    for a, b, way in ways(alice, bob):
        first = a.make_message(mto=b.boundjid.full, mbody="first", mtype="chat")
        first["request_receipt"] = True
        first["id"] = a.new_id()
        first.send()
        await t.comes(b.expect(message("first", a.boundjid.full), "the message"), f"{way}: a message")
        await t.comes(a.expect(lambda s: s.name == "message" and s.xml.find(RECEIPT) is not None
                               and s.xml.find(RECEIPT).get("id") == first["id"], "the receipt"), f"{way}: its receipt")
        await t.comes(second[b].expect(carbon("received", "first"), "the carbon"), f"{way}: a carbon of it there")
        await t.comes(second[a].expect(carbon("sent", "first"), "the carbon"), f"{way}: a carbon of it here")
    await burst(t, alice, bob)
    for a, b, way in ways(alice, bob):
        want = ["first"] + [f"{a.boundjid.domain} {n}" for n in range(MANY)]
        for owner, other in ((a, b), (b, a)):
            everything = await whole_archive(owner, with_jid=other.boundjid.bare)
            mine = [m.findtext("{jabber:client}body") for _, m in everything
                    if (m.get("from") or "").startswith(a.boundjid.bare)]
            t.same([body for body in mine if body], want, f"{way}: the archive of {owner.boundjid.domain} has all, in order")


async def burst(t, alice, bob):
    """Many at once in both directions."""
    for a, b, _ in ways(alice, bob):
        for n in range(MANY):
            a.text(b.boundjid.full, f"{a.boundjid.domain} {n}")
    for a, b, way in ways(alice, bob):
        mine = message(sender=a.boundjid.full)
        def got():
            return [s["body"] for s in b.seen if mine(s) and s["body"].startswith(a.boundjid.domain)]
        await b.until(lambda: f"{a.boundjid.domain} {MANY - 1}" in got(), "the last of many", 40)
        t.same(got(), [f"{a.boundjid.domain} {n}" for n in range(MANY)], f"{way}: {MANY} in a row, in order, each once")


@between("contacts")
async def contacts(t, here, there):
    alice, bob = await couple(here, there, notify=True)
    await befriend(alice, bob)
    t.ok(True, f"{here} and {there}: ask, approve and see, both ways")
    for a, b, way in ways(alice, bob):
        a.send_presence(pshow="dnd", pstatus=f"busy at {a.boundjid.domain}")
        await t.comes(b.expect(lambda s: presence(a.boundjid.full)(s) and s["status"].startswith("busy"), "the change"),
                      f"{way}: a change of presence")
        await a.ask("set", f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{MOOD}'><item id='current'>"
                    f"<mood xmlns='{MOOD}'><happy/></mood></item></publish></pubsub>")
        await t.comes(b.expect(lambda s: s.name == "message" and s["from"].bare == a.boundjid.bare
                               and s.xml.find(f"{EVENT}event/{EVENT}items/{EVENT}item/{{{MOOD}}}mood") is not None, "the mood"),
                      f"{way}: an event for who wants moods")
        answer = await b.ask("get", f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{MOOD}'/></pubsub>",
                             a.boundjid.bare)
        t.ok(answer.find(f".//{{{MOOD}}}happy") is not None, f"{way}: the mood is there for contacts who ask")
    later = Client(alice.boundjid.bare, "later", plugins=PLUGINS)
    await login(later, True)
    await t.comes(later.expect(presence(bob.boundjid.full), "presence"), f"{there} to {here}: a probe finds who is there")
    await later.bye()
    await t.comes(bob.expect(presence(f"{alice.boundjid.bare}/later", "unavailable"), "unavailable"),
                  f"{here} to {there}: unavailable")
    for a, b, way in ways(alice, bob):
        a.send_presence(pto=b.boundjid.bare, ptype="unsubscribe")
        await t.comes(b.expect(presence(a.boundjid.bare, "unsubscribe"), "unsubscribe"), f"{way}: unsubscribe")
        text = f"{way}: who unsubscribes sees the other no more"
        if b.boundjid.domain == PROSODY:
            t.skip(text, "Prosody 0.12 sends no unavailable presence then, although RFC 6121 section 3.3.3 wants it")
        else:
            await t.comes(a.expect(presence(b.boundjid.full, "unavailable"), "unavailable"), text)


@between("questions")
async def questions(t, here, there):
    alice, bob = await couple(here, there)
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    for a, b, way in ways(alice, bob):
        theirs = b.boundjid.domain
        t.ok(await refused(a.ask("get", ping, theirs)) is None, f"{way}: ping of the server")
        t.ok(await refused(a.ask("get", ping, b.boundjid.full)) is None, f"{way}: ping of a full JID")
        t.ok("urn:xmpp:ping" in await a.disco(theirs), f"{way}: disco#info of the server")
        items = await a.ask("get", f"<query xmlns='{NS['items']}'/>", theirs)
        rooms = [i.get("jid") for i in items.iter("{%s}item" % NS["items"])]
        t.ok(f"conference.{theirs}" in rooms, f"{way}: disco#items of the server", rooms)
        t.ok(MUC in await a.disco(f"conference.{theirs}"), f"{way}: disco#info of the rooms")
        t.ok("jabber:iq:version" in await a.disco(b.boundjid.full), f"{way}: disco#info of a full JID")
        got = await refused(a.ask("get", ping, f"{b.boundjid.bare}/away"))
        t.same(got and got[1], "service-unavailable", f"{way}: a device that is not there")
        lost = a.text(f"nobody-at-all@{theirs}", "anybody?")
        error = await t.comes(a.expect(lambda s: s.name == "message" and s["type"] == "error" and s["id"] == lost, "the error"),
                              f"{way}: an error for an account that is not there")
        t.ok(error and error["error"]["condition"] in ("service-unavailable", "item-not-found"), f"{way}: the right one",
             error)
        await b.ask("set", "<vCard xmlns='vcard-temp'><FN>Somebody Else</FN></vCard>")
        card = await a.ask("get", "<vCard xmlns='vcard-temp'/>", b.boundjid.bare)
        t.same(card.findtext(".//{vcard-temp}FN"), "Somebody Else", f"{way}: the vCard")
        await upload(t, a, b, way)


async def upload(t, a, b, way):
    """A file goes up on one side, its link to the other, and comes down there."""
    content = f"from {way}".encode() * 100
    service = (await a.plugin["xep_0363"].find_upload_service())["from"]
    slot = await a.plugin["xep_0363"].request_slot(service, "file.txt", len(content), "text/plain")
    headers = {h["name"]: h["value"] for h in slot["http_upload_slot"]["put"]["headers"]}
    put, get = slot["http_upload_slot"]["put"]["url"], slot["http_upload_slot"]["get"]["url"]
    await asyncio.to_thread(fetch, "PUT", put, content, headers | {"Content-Type": "text/plain"})
    link = a.make_message(mto=b.boundjid.bare, mbody=get, mtype="chat")
    link.send()
    got = await t.comes(b.expect(message(get, a.boundjid.full), "the link"), f"{way}: the link of a file")
    t.ok(got and await asyncio.to_thread(fetch, "GET", got["body"]) == content, f"{way}: the file behind it")


def fetch(method, url, body=None, headers=None):
    """One HTTP request. Hosts are addresses here, and no certificate has these."""
    context = ssl.create_default_context(cafile=STATE.ca)
    context.check_hostname = False
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(request, context=context, timeout=20) as answer:
        return answer.read()


@between("rooms")
async def rooms(t, here, there):
    alice, bob = await couple(here, there)
    for a, b, way in ways(alice, bob):
        room = f"room-{a.boundjid.user}@conference.{b.boundjid.domain}"
        await enter(b, room, "owner")
        form = await b.plugin["xep_0045"].get_room_config(room)
        form.reply()
        form["type"] = "submit"
        await b.plugin["xep_0045"].set_room_config(room, form)
        b.text(room, "before", "groupchat")
        await b.expect(message("before", f"{room}/owner", "groupchat"), "its own message")
        got = await t.comes(enter(a, room, "guest"), f"{way}: into the other's room")
        if got is None:
            continue
        await t.comes(a.expect(message("before", f"{room}/owner", "groupchat"), "the history"), f"{way}: with its history")
        await t.comes(b.expect(inside(room, "guest"), "the guest"), f"{way}: the owner sees the guest")
        for speaker, hearer, words in ((a, b, "hello"), (b, a, "welcome")):
            speaker.text(room, words, "groupchat")
            for one in (speaker, hearer):
                await t.comes(one.expect(message(words, kind="groupchat"), words), f"{way}: {one.boundjid.domain} hears {words}")
        a.text(f"{room}/owner", "psst", "chat")
        await t.comes(b.expect(message("psst", f"{room}/guest"), "the private message"), f"{way}: a private message")
        t.ok(await pinged(a, f"{room}/guest"), f"{way}: a ping of oneself in the room (XEP-0410)")
        await b.plugin["xep_0045"].set_role(room, "guest", "none", reason="enough")
        gone = await t.comes(a.expect(inside(room, "guest", "unavailable"), "the kick"), f"{way}: a kick")
        t.ok(gone and gone.xml.find(f".//{{{MUC}#user}}status[@code='307']") is not None, f"{way}: told as one")
        await enter(a, room, "again")
        a.send_presence(pto=f"{room}/again", ptype="unavailable")
        await t.comes(b.expect(inside(room, "again", "unavailable"), "the leaving"), f"{way}: leaving")


async def enter(client, room, nick):
    """Join with slixmpp's own means; the own presence."""
    await client.plugin["xep_0045"].join_muc_wait(room, nick, timeout=20)
    return await client.expect(inside(room, nick), "its own presence in the room")


def inside(room, nick, kind="available"):
    """Presence of an occupant."""
    return lambda s: s.name == "presence" and s["from"] == f"{room}/{nick}" and (s.xml.get("type") or "available") == kind


async def pinged(client, jid):
    """Whether an answer comes that says "you are in"."""
    try:
        await client.ask("get", "<ping xmlns='urn:xmpp:ping'/>", jid)
    except IqTimeout:
        return False
    except IqError as error:
        return error.iq["error"]["condition"] in ("service-unavailable", "feature-not-implemented")
    return True
