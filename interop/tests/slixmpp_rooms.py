"""slixmpp_rooms - rooms as slixmpp's plugin for them sees them (XEP-0045 and what belongs to it).

An argument picks the scenarios whose name contains it.
Not here: other servers' rooms.
"""
# timeout: 90
import asyncio
import sys

import tap
from rooms import MUC, SERVICE, codes, in_room, item, join, make
from slixmpp.exceptions import PresenceError
from tap import scenario
from xmpp import NS, STATE, Client, accounts, close_all, message, refused

PLUGINS = ("xep_0045", "xep_0004", "xep_0249", "xep_0421", "xep_0410")


async def people(*names):
    """Clients with the plugins, logged in."""
    clients = [Client(jid, "one", plugins=PLUGINS) for jid in await accounts(*names)]
    await asyncio.gather(*(client.login() for client in clients))
    return clients


def room_name(client, name):
    """A room that nobody else has."""
    return f"{name}-{client.boundjid.user}@{SERVICE}"


@scenario("make, join, talk, leave", 40)
async def everyday(t):
    alice, bob = await people("alice", "bob")
    room = room_name(alice, "talk")
    found = await alice.plugin["xep_0030"].get_items(jid=STATE.domains[0])
    t.ok(SERVICE in {str(i[0]) for i in found["disco_items"]["items"]}, "the domain lists the service")
    own = await make(alice, room, "Alice", roomname="Talk", persistentroom=True)
    t.ok({110, 201} <= codes(own), "the room is new")
    own = await join(bob, room, "Bob")
    t.same(item(own).get("affiliation"), "none", "the second one is nobody in particular")
    seen = await alice.expect(in_room(room, "Bob"), "the newcomer")
    t.same(item(seen).get("jid"), bob.boundjid.full, "the moderator sees who it is")
    sent = bob.text(room, "hello all", "groupchat")
    heard = await alice.expect(message("hello all", f"{room}/Bob", "groupchat"), "the message")
    echo = await bob.expect(message("hello all", f"{room}/Bob", "groupchat"), "its own message")
    t.same((heard["id"], echo["id"]), (sent, sent), "the id stays")
    by = heard.xml.find("{%(sid)s}stanza-id" % NS)
    t.ok(by is not None and by.get("by") == room, "it has the room's stanza-id")
    t.ok(heard.xml.find("{urn:xmpp:occupant-id:0}occupant-id") is not None, "and an occupant id")
    alice.text(f"{room}/Bob", "psst", "chat")
    await bob.expect(message("psst", f"{room}/Alice", "chat"), "the private message")
    t.ok(True, "private messages pass")
    alice.make_message(mto=room, msubject="weather", mtype="groupchat").send()
    await bob.expect(lambda s: s.name == "message" and s["subject"] == "weather" and s["type"] == "groupchat",
                     "the subject")
    t.ok(True, "the subject is told")
    bob.send_presence(pto=f"{room}/Robert")
    renamed = await alice.expect(in_room(room, "Bob", "unavailable"), "the old nickname goes")
    t.ok(303 in codes(renamed) and item(renamed).get("nick") == "Robert", "and says the new one")
    await alice.expect(in_room(room, "Robert"), "the new nickname comes")
    bob.plugin["xep_0045"].leave_muc(room, "Robert")
    await alice.expect(in_room(room, "Robert", "unavailable"), "the leaving")
    t.ok(True, "leaving is told")
    await join(bob, room, "Bob")
    old = await bob.expect(message("hello all", f"{room}/Bob", "groupchat"), "the history")
    t.ok(old.xml.find("{%(delay)s}delay" % NS) is not None, "who comes back is shown what was said, with its time")
    t.ok(await refused(bob.ask("get", "<ping xmlns='urn:xmpp:ping'/>", f"{room}/Bob")) is None, "self-ping says: here")
    await bob.cut()
    await alice.expect(in_room(room, "Bob", "unavailable"), "the lost one", 40)
    t.ok(True, "a lost connection is a leaving")


@scenario("kicks, bans, affiliations", 40)
async def moderation(t):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = room_name(alice, "rules")
    await make(alice, room, "Alice")
    await asyncio.gather(join(bob, room, "Bob"), join(carol, room, "Carol"))
    muc = alice.plugin["xep_0045"]
    t.same((await refused(bob.plugin["xep_0045"].set_role(room, "Carol", "none")) or ("", ""))[1], "forbidden",
           "a participant kicks nobody")
    await muc.set_role(room, "Bob", "none", reason="enough")
    gone = await bob.expect(in_room(room, "Bob", "unavailable"), "the kick")
    t.ok({110, 307} <= codes(gone), "the kicked one is told")
    t.ok(307 in codes(await carol.expect(in_room(room, "Bob", "unavailable"), "the kick")), "and the others")
    await join(bob, room, "Bob")
    t.ok(True, "and may come back")
    await muc.set_affiliation(room, "member", jid=carol.boundjid.bare)
    seen = await bob.expect(lambda s: in_room(room, "Carol")(s) and item(s).get("affiliation") == "member", "membership")
    t.same(item(seen).get("role"), "participant", "a member has a voice")
    members = await muc.get_affiliation_list(room, "member")
    t.same([str(member) for member in members], [carol.boundjid.bare], "the list of members has her")
    await muc.set_affiliation(room, "outcast", jid=bob.boundjid.bare, reason="spam")
    t.ok(301 in codes(await bob.expect(in_room(room, "Bob", "unavailable"), "the ban")), "the banned one is told")
    try:
        await bob.plugin["xep_0045"].join_muc_wait(room, "Bob", timeout=30)
        t.ok(False, "the banned one stays out")
    except PresenceError as error:
        t.same(error.presence["error"]["condition"], "forbidden", "the banned one stays out")
    t.same((await refused(muc.set_affiliation(room, "none", jid=alice.boundjid.bare)) or ("", ""))[1], "conflict",
           "the last owner stays")
    await muc.destroy(room, reason="over", altroom=f"new@{SERVICE}")
    end = await carol.expect(in_room(room, "Carol", "unavailable"), "the end")
    destroy = end.xml.find(f".//{{{MUC}#user}}destroy")
    t.ok(destroy is not None and destroy.get("jid") == f"new@{SERVICE}", "the end says where it goes on")


@scenario("rooms for members, passwords, invitations", 30)
async def doors(t):
    alice, bob = await people("alice", "bob")
    room = room_name(alice, "door")
    await make(alice, room, "Alice", membersonly=True)
    try:
        await bob.plugin["xep_0045"].join_muc_wait(room, "Bob", timeout=30)
        t.ok(False, "strangers stay out")
    except PresenceError as error:
        t.same(error.presence["error"]["condition"], "registration-required", "strangers stay out")
    alice.plugin["xep_0045"].invite(room, bob.boundjid.bare, reason="come")
    invited = await bob.expect(lambda s: s.name == "message" and s["from"] == room
                               and s.xml.find(f"{{{MUC}#user}}x/{{{MUC}#user}}invite") is not None, "the invitation")
    t.ok(invited is not None, "the invitation comes from the room")
    await join(bob, room, "Bob")
    t.ok(True, "and makes a member")
    locked = room_name(alice, "lock")
    await make(alice, locked, "Alice", passwordprotectedroom=True, roomsecret="toad")
    try:
        await bob.plugin["xep_0045"].join_muc_wait(locked, "Bob", timeout=30)
        t.ok(False, "without the password nobody enters")
    except PresenceError as error:
        t.same(error.presence["error"]["condition"], "not-authorized", "without the password nobody enters")
    await join(bob, locked, "Bob", password="toad")
    t.ok(True, "with it one does")


@scenario("archive, withdrawal, moderation", 30)
async def archive_of_a_room(t):
    alice, bob = await people("alice", "bob")
    room = room_name(alice, "kept")
    await make(alice, room, "Alice")
    await join(bob, room, "Bob")
    for number in range(5):
        bob.text(room, f"word {number}", "groupchat")
    last = await alice.expect(message("word 4", None, "groupchat"), "the last word")
    archive_id = last.xml.find("{%(sid)s}stanza-id" % NS).get("id")
    features = await alice.disco(room)
    t.ok({NS["mam"], "urn:xmpp:occupant-id:0", f"{MUC}#self-ping-optimization"} <= features, "the room says what it can")
    found = []
    async for one in alice.plugin["xep_0313"].iterate(jid=room, rsm={"max": "2"}):
        inner = one["mam_result"]["forwarded"]["stanza"]
        found.append((one["mam_result"]["id"], inner["body"]))
    t.same([body for _, body in found], [f"word {n}" for n in range(5)], "the archive has all, in order")
    t.same(found[-1][0], archive_id, "under the ids that were told live")
    payload = (f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{archive_id}'>"
               "<retract xmlns='urn:xmpp:message-retract:1'/></moderate>")
    t.same((await refused(bob.ask("set", payload, room)) or ("", ""))[1], "forbidden", "only moderators moderate")
    await alice.ask("set", payload, room)
    told = await bob.expect(lambda s: s.name == "message" and s["from"] == room
                            and s.xml.find("{urn:xmpp:message-retract:1}retract") is not None, "the withdrawal")
    t.same(told.xml.find("{urn:xmpp:message-retract:1}retract").get("id"), archive_id, "all hear of it")
    bodies = []
    async for one in alice.plugin["xep_0313"].iterate(jid=room):
        bodies.append(one["mam_result"]["forwarded"]["stanza"]["body"])
    t.ok("word 4" not in bodies and "word 3" in bodies, "and the archive has it no longer")


if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
