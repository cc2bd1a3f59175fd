"""matrix - a gateway to Matrix (matridge, of the slidge project) with a homeserver (Synapse): XEP-0114 and 0356 as a
program of others uses them, XEP-0077, 0100, 0045, 0308, 0333, 0280, 0313.

Not here: biboumi (components.py); what Matrix people see of each other.
"""
# timeout: 120
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import matrix_peers
import tap
from matrix_peers import COMPONENT, Matridge, Person, Synapse, said
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from tap import scenario
from xmpp import PASSWORD, STATE, Client, account, close_all, presence, roster_push

SECONDS = 30


def about(stanza, namespace, name):
    """The id that a receipt, marker or correction in a message is about."""
    found = stanza.xml.find("{%s}%s" % (namespace, name))
    return None if found is None else found.get("id")


async def listed(client):
    """Wait until the gateway has logged in."""
    while True:
        items = await client.plugin["xep_0030"].get_items(jid=STATE.domains[0])
        if COMPONENT in [str(item[0]) for item in items["disco_items"]["items"]]:
            try:
                await client.ask("get", "<query xmlns='jabber:iq:register'/>", COMPONENT)
                return
            except IqError:
                pass
        await asyncio.sleep(0.1)


async def register(client, homeserver, name):
    """Link an account of Matrix, as a client's form does (XEP-0077)."""
    fields = {"homeserver": homeserver.url, "username": name, "password": PASSWORD, "device": "interop"}
    inner = "".join(f"<field var='{k}'><value>{v}</value></field>" for k, v in fields.items())
    await client.ask("set", "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
                            f"{inner}</x></query>", COMPONENT)


def in_room(room, body, sender=None):
    """What is said in a room."""
    return lambda s: (s.name == "message" and s["type"] == "groupchat" and s["body"] == body and s["from"].bare == room
                      and (sender is None or s["from"].resource == sender))


class Story:
    """The programs, and everybody on both sides; a room of two and one of three."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="interop-matrix-"))
        self.homeserver, self.matridge = Synapse(self.folder), Matridge(self.folder)

    async def begin(self):
        await self.homeserver.start()
        self.romeo, self.juliet, self.nurse = [await Person(self.homeserver, name).register()
                                               for name in ("romeo", "juliet", "nurse")]
        self.balcony = await self.juliet.room(name="balcony", invite=[self.romeo.id], direct=True)
        self.verona = await self.juliet.room(name="verona", invite=[self.romeo.id, self.nurse.id])
        await self.romeo.join(self.balcony)
        await self.romeo.join(self.verona)
        await self.nurse.join(self.verona)
        self.matridge.start()
        jid = await account("romeo")
        self.phone, self.desk = [Client(jid, name, plugins=("xep_0045",)) for name in ("phone", "desk")]
        await asyncio.gather(self.phone.login(), self.desk.login())
        await asyncio.wait_for(listed(self.phone), 90)

    async def end(self, failed):
        await asyncio.to_thread(self.matridge.end)
        await asyncio.to_thread(self.homeserver.end)
        if failed:
            print("\n".join("#   matridge: " + line for line in self.matridge.last_words().splitlines()[-40:]))
        shutil.rmtree(self.folder, ignore_errors=True)


async def registration(t, story):
    """An account of Matrix is linked, and the gateway does what its privileges allow."""
    phone = story.phone
    await register(phone, story.homeserver, "romeo")
    push = roster_push(COMPONENT, subscription="both")
    await t.comes(phone.expect(push, "a roster push", 30), "the gateway is a contact, subscribed both ways, by its privilege")
    logged_in = lambda s: presence(COMPONENT)(s) and "@romeo" in s["status"]  # noqa: E731
    await t.comes(phone.expect(logged_in, "its login", 60), "its presence says that it is logged in at Matrix")
    t.same(phone.take(presence(COMPONENT, "subscribe")), [], "nobody is asked for anything")
    items = await phone.plugin["xep_0030"].get_items(jid=COMPONENT)
    rooms = {name: str(jid) for jid, _, name in items["disco_items"]["items"]}
    t.need({"balcony", "verona"} <= set(rooms), "it lists the rooms", rooms)
    return rooms


async def talk(t, story, room):
    """Words, corrections, and who has read them, both ways."""
    phone, desk, juliet, there = story.phone, story.desk, story.juliet, story.verona
    for device in (phone, desk):
        await device.plugin["xep_0045"].join_muc_wait(room, "romeo", timeout=30)
    t.ok(True, "both devices join a room")
    event = await juliet.say(there, "art thou not Romeo?")
    heard = await t.comes(phone.expect(in_room(room, "art thou not Romeo?", "juliet"), "her words", SECONDS), "her words come")
    await juliet.say(there, "wherefore art thou Romeo?", replaces=event)
    edited = await t.comes(phone.expect(in_room(room, "wherefore art thou Romeo?", "juliet"), "her edit", SECONDS), "her edit comes")
    t.same(edited and about(edited, "urn:xmpp:message-correct:0", "replace"), heard and heard["id"], "as a correction of them")
    spoken = phone.text(room, "call me but love", "groupchat")
    event = await juliet.expect(said("call me but love", story.romeo.id), "his words")
    t.ok(True, "his words go there, in his name")
    for device in (phone, desk):
        await t.comes(device.expect(in_room(room, "call me but love", "romeo"), "his words", SECONDS), f"his {device.boundjid.resource} sees them")
    change = phone.make_message(mto=room, mtype="groupchat", mbody="call me but love, and I'll be new baptized")
    change.append(ET.fromstring(f"<replace xmlns='urn:xmpp:message-correct:0' id='{spoken}'/>"))
    change.send()
    replaces = lambda e: e.get("content", {}).get("m.relates_to", {}).get("event_id") == event["event_id"]  # noqa: E731
    got = await juliet.expect(replaces, "his edit")
    t.same(got["content"]["m.relates_to"]["rel_type"], "m.replace", "his edit is one there")
    await juliet.read(there, got["event_id"])
    marked = lambda s: (s.name == "message" and s["from"] == f"{room}/juliet"  # noqa: E731
                        and about(s, "urn:xmpp:chat-markers:0", "displayed") is not None)
    await t.comes(phone.expect(marked, "a marker", SECONDS), "that she has read it comes")
    marker = phone.make_message(mto=room, mtype="groupchat")
    by = edited.xml.find("{urn:xmpp:sid:0}stanza-id")
    marker.append(ET.fromstring(f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{by.get('id') if by is not None else edited['id']}'/>"))
    marker.send()
    receipt = lambda e: e["type"] == "m.receipt" and story.romeo.id in str(e["content"])  # noqa: E731
    await juliet.expect(receipt, "his receipt")
    t.ok(True, "and that he has goes there")


async def elsewhere(t, story, room):
    """What he says with another program of Matrix."""
    await story.romeo.say(story.verona, "with love's light wings")
    for device in (story.phone, story.desk):
        await t.comes(device.expect(in_room(room, "with love's light wings", "romeo"), "it", SECONDS),
                      f"what he says elsewhere comes to his {device.boundjid.resource} as his own")
    kept = []
    async for one in story.phone.plugin["xep_0313"].iterate(jid=room):
        kept.append(one["mam_result"]["forwarded"]["stanza"]["body"])
    t.ok("with love's light wings" in kept and "call me but love" in kept, "the room's archive has it all", kept)


async def restart(t, story, room):
    """The gateway is away for a while."""
    phone = story.phone
    await asyncio.to_thread(story.matridge.end)
    gone = lambda s: (s.name == "presence" and s["from"].bare == room and s["from"].resource == "romeo"  # noqa: E731
                      and s["type"] == "unavailable")
    try:
        await phone.expect(gone, "the end of the room", 30)
    except tap.Missed:
        # On a busy machine it ends without a word now and then; what follows tells of its manners, not of ours.
        return t.skip("back after a restart", "matridge ended without leaving its rooms")
    phone.text(COMPONENT, "help")
    lost = phone.text(room, "parting is such sweet sorrow", "groupchat")
    await phone.settle()
    await story.juliet.say(story.verona, "till it be morrow")
    story.matridge.start()
    # matridge sends its people out of their rooms when it ends, and then takes nothing of theirs before they are back.
    answer = phone.expect(lambda s: s.name == "message" and s["id"] == lost and s["type"] == "error", "an answer", 60)
    got = await t.comes(answer, "who spoke to a room of a gateway that was away hears from it when it is back")
    t.same(got and got["error"]["text"], "You are not connected to this chat", "what it has to say")
    helps = lambda s: s.name == "message" and s["from"].bare == COMPONENT and "Available commands" in s["body"]  # noqa: E731
    await t.comes(phone.expect(helps, "the help", 60), "what was said to the gateway while it was away it answers when it is back")
    await phone.plugin["xep_0045"].join_muc_wait(room, "romeo", timeout=60)
    phone.text(room, "good night, good night", "groupchat")
    await story.juliet.expect(said("good night, good night", story.romeo.id), "his words")
    t.ok(True, "back in the room, his words go there")

    async def has():
        async for one in phone.plugin["xep_0313"].iterate(jid=room):
            if one["mam_result"]["forwarded"]["stanza"]["body"] == "till it be morrow":
                return True
    end = asyncio.get_running_loop().time() + SECONDS
    while not (found := await has()) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.2)
    t.ok(found, "what was said there meanwhile is in the room's archive")
    roster = await phone.ask("get", "<query xmlns='jabber:iq:roster'/>")
    items = {i.get("jid"): i.get("subscription") for i in roster.iter("{jabber:iq:roster}item")}
    t.same(items, {COMPONENT: "both"}, "the contact is as it was")


@scenario("a linked account: rooms, edits, read marks, own words from elsewhere, a restart", 110)
async def gateway(t):
    story = Story()
    failed = t.failed
    try:
        await story.begin()
        rooms = await registration(t, story)
        await talk(t, story, rooms["verona"])
        await elsewhere(t, story, rooms["verona"])
        await restart(t, story, rooms["verona"])
    except BaseException:
        failed = -1
        raise
    finally:
        await story.end(failed != t.failed)


if __name__ == "__main__":
    if not getattr(STATE, "components", None) or not matrix_peers.there():
        print("ok 1 - matrix # SKIP no components here, or no Synapse")
        sys.exit(0)
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
