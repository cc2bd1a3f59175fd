"""federation_trouble - servers that die and come back, that lie, that are not there or not wanted; several domains of one
server; ours with ours.

An argument picks the scenarios whose name contains it.
Not here: what goes well (_federation.py).
"""
# timeout: 400
# own-server: yes
import asyncio
import sys
import time

import federation
from federation import BLOCKED, EJABBERD, OTHER, OURS, PROSODY, UNKNOWN, WRONG

NET = federation.Net(auth="certificate", direct_tls=True, other=True)

import _federation  # noqa: E402
import tap  # noqa: E402
from _federation import couple, inside  # noqa: E402
from tap import scenario  # noqa: E402
from xmpp import Client, account, befriend, close_all, message, presence, refused, whole_archive  # noqa: E402

_federation.register([(OURS[0], OTHER)])


def error_for(identity):
    """An error for that message."""
    return lambda s: s.name == "message" and s["type"] == "error" and s["id"] == identity


async def condition(client, to):
    """Send a message; the condition of the error that comes, its text, and the seconds it took."""
    began = time.monotonic()
    error = await client.expect(error_for(client.text(to, "hello?")), "an error")
    return error["error"]["condition"], error["error"]["text"], time.monotonic() - began


@scenario("refused", 60)
async def refused_ones(t):
    jids = await asyncio.gather(*(account("alice", domain) for domain in (OURS[0], WRONG, BLOCKED)))
    alice, liar, blocked = (Client(jid, "one") for jid in jids)
    liar.ssl_context.check_hostname = False  # it shows its people the same certificate
    await asyncio.gather(alice.login(), liar.login(), blocked.login())
    why, text, seconds = await condition(alice, f"somebody@{UNKNOWN}")
    t.same(why, "remote-server-not-found", "an unknown domain")
    t.ok(seconds < 5, "is known at once", seconds)
    why, text, _ = await condition(alice, liar.boundjid.bare)
    t.same((why, "certificate" in text), ("remote-server-timeout", True), "a certificate for another domain: the sender is told")
    why, text, _ = await condition(alice, blocked.boundjid.bare)
    t.same(why, "not-allowed", "a domain that is blocked: the sender is told")
    for client, name in ((liar, "whose certificate is for another domain"), (blocked, "that is blocked")):
        await t.comes(client.expect(error_for(client.text(alice.boundjid.bare, "let me in")), "an error"),
                      f"from a domain {name}: its sender is told")
    await alice.settle()
    t.same([s["body"] for s in alice.take(message()) if s["type"] != "error"], [], "and nothing arrives")
    t.ok(NET.ours.measure("s2s_doubts") > 0, "the doubt is counted")


@scenario("three domains of one server", 60)
async def three(t):
    for peer in (PROSODY, EJABBERD):
        bob = await Client(await account("bob", peer), "one").login()
        all_three = [Client(jid, "one") for jid in await asyncio.gather(*(account("alice", d) for d in OURS))]
        await asyncio.gather(*(client.login() for client in all_three))
        for alice in all_three:
            alice.text(bob.boundjid.bare, f"from {alice.boundjid.domain}")
            bob.text(alice.boundjid.bare, f"to {alice.boundjid.domain}")
        for alice in all_three:
            domain = alice.boundjid.domain
            await t.comes(bob.expect(message(f"from {domain}", alice.boundjid.full), "it"), f"{domain} to {peer}")
            await t.comes(alice.expect(message(f"to {domain}", bob.boundjid.full), "it"), f"{peer} to {domain}")
        await befriend(all_three[2], bob)
        t.ok(True, f"{OURS[2]} and {peer}: contacts")


def numbered(client, word):
    """The numbers of the messages that came with that word, in the order they came."""
    return [int(s["body"].split()[1]) for s in client.seen if s.name == "message" and s["type"] != "error"
            and s["body"].startswith(word + " ")]


async def delivered(server):
    """Nothing is kept for other servers any more: where streams have no acknowledgements that takes some seconds, and
    what is kept when somebody dies is sent again."""
    end = time.monotonic() + 30
    while await asyncio.to_thread(server.spooled):
        if time.monotonic() > end:
            raise tap.Missed("stanzas are still kept for other servers")
        await asyncio.sleep(0.1)


async def reachable(client, domain):
    """Until it answers: requests are not kept for a server that was away a moment ago."""
    end = time.monotonic() + 30
    while (why := await refused(client.ask("get", "<ping xmlns='urn:xmpp:ping'/>", domain))) is not None:
        if time.monotonic() > end:
            raise tap.Missed(f"{domain} still answers {why}")
        await asyncio.sleep(0.2)


async def peer_dies(t, name, domain):
    """Messages that are sent while the other server is dead."""
    alice, bob = await couple(OURS[0], domain)
    alice.text(bob.boundjid.bare, "before 0")
    await bob.expect(message("before 0"), "the first")
    bob.text(alice.boundjid.bare, "before 0")
    await alice.expect(message("before 0"), "the answer")
    await delivered(NET.ours)
    while name == "ejabberd" and not NET.ejabberd_keeps(bob.boundjid.bare):
        await asyncio.sleep(0.1)
    await asyncio.to_thread(NET.peers, "kill", name)
    for n in range(10):
        alice.text(bob.boundjid.bare, f"meanwhile {n}")
    await alice.settle()
    await asyncio.to_thread(NET.peers, "again", name)
    bob = await Client(bob.boundjid.bare, "later").login()
    await bob.until(lambda: 9 in numbered(bob, "meanwhile"), "what was sent meanwhile", 75)
    alice.text(bob.boundjid.bare, "after 0")
    await bob.expect(message("after 0"), "what is sent later")
    await delivered(NET.ours)
    t.same(numbered(bob, "meanwhile"), list(range(10)), f"{name} is killed and comes back: all there, in order, once")
    t.same(numbered(bob, "before"), [], f"{name} is killed and comes back: nothing comes again")
    bob.text(alice.boundjid.bare, "from the dead")
    await t.comes(alice.expect(message("from the dead"), "it"), f"{name} is killed and comes back: and it can send")
    t.same([s["body"] for s in alice.seen if s.name == "message" and s["type"] == "error"], [],
           f"{name} is killed and comes back: no errors")


@scenario("Prosody dies", 120)
async def prosody_dies(t):
    await peer_dies(t, "prosody", PROSODY)


@scenario("ejabberd dies", 120)
async def ejabberd_dies(t):
    await peer_dies(t, "ejabberd", EJABBERD)


@scenario("ours dies", 120)
async def ours_dies(t):
    bobs = [await Client(await account("bob", peer), "one").login() for peer in (PROSODY, EJABBERD, OTHER)]
    a = await account("alice", OURS[0])
    alice = await Client(a, "one", sm=True).login()
    for bob in bobs:
        await befriend(alice, bob)
        alice.text(bob.boundjid.bare, "before 0")
        await bob.expect(message("before 0"), "the first")
    await delivered(NET.ours)
    # What waits for a dead server survives a death of our own.
    await asyncio.to_thread(NET.peers, "kill", "prosody")
    for n in range(10):
        alice.text(bobs[0].boundjid.bare, f"meanwhile {n}")
    await alice.settle()
    await asyncio.to_thread(NET.ours.kill)
    await alice.until(lambda: "disconnected" in alice.states, "the loss of its connection")
    alice.cancel_connection_attempt()
    await asyncio.to_thread(NET.peers, "again", "prosody")
    await asyncio.to_thread(NET.ours.start)
    bobs[0] = await Client(bobs[0].boundjid.bare, "later").login()
    await bobs[0].until(lambda: 9 in numbered(bobs[0], "meanwhile"), "what waited", 75)
    t.same(numbered(bobs[0], "meanwhile"), list(range(10)), "what waited for another server survives SIGKILL: in order, once")
    alice = await Client(a, "later").login()
    for bob in bobs:
        domain = bob.boundjid.domain
        await t.comes(alice.expect(presence(bob.boundjid.full), "presence"), f"{domain} is asked who is there")
        await t.comes(bob.expect(presence(alice.boundjid.full), "presence"), f"{domain} is told who is here")
        bob.text(alice.boundjid.bare, "after 0")
        await t.comes(alice.expect(message("after 0", bob.boundjid.full), "it"), f"{domain} can send again")
        alice.text(bob.boundjid.bare, "after 0")
        await t.comes(bob.expect(message("after 0", alice.boundjid.full), "it"), f"{domain} can be sent to again")
        t.same(numbered(bob, "before"), [], f"{domain} gets nothing twice")


@scenario("ours dies, with ours", 120)
async def resumed(t):
    alice, bob = await couple(OURS[0], OTHER)
    alice.text(bob.boundjid.bare, "before 0")
    await bob.expect(message("before 0"), "the first")
    await delivered(NET.ours)
    await asyncio.to_thread(NET.other.kill)
    for n in range(10):
        alice.text(bob.boundjid.bare, f"meanwhile {n}")
    await alice.settle()
    await asyncio.to_thread(NET.other.start)
    bob = await Client(bob.boundjid.bare, "later").login()
    await bob.until(lambda: 9 in numbered(bob, "meanwhile"), "what was sent meanwhile", 75)
    t.same(numbered(bob, "meanwhile"), list(range(10)), "a server of ours is killed and comes back: in order, once")
    kept = [m.findtext("{jabber:client}body") for _, m in await whole_archive(bob)]
    t.same(kept, ["before 0"] + [f"meanwhile {n}" for n in range(10)], "and so it is in its archive")


async def stream_of_words(t, peer, kill, again):
    """Somebody talks without a pause while one of the servers is killed. Whatever the own server has acknowledged arrives,
    in order. What was on its way at that moment may come twice: it is sent again where nobody has acknowledged it."""
    a, b = await asyncio.gather(account("alice", OURS[0]), account("bob", peer))
    alice, bob = await asyncio.gather(Client(a, "one", sm=True).login(), Client(b, "one").login())
    await befriend(alice, bob)  # strangers are held back
    while peer == EJABBERD and not NET.ejabberd_keeps(b):
        await asyncio.sleep(0.1)
    acked, window = [], asyncio.Semaphore(20)
    alice.plugin["xep_0198"].window = alice.plugin["xep_0198"].window_counter = 1

    def heard(stanza):
        if stanza.name == "message":
            acked.append(int(stanza["body"].split()[1]))
            window.release()
    alice.add_event_handler("stanza_acked", heard)
    dead = asyncio.ensure_future(after(lambda: len(numbered(bob, "word")) > 60, kill))
    for n in range(200):
        if "disconnected" in alice.states:
            break
        try:
            await asyncio.wait_for(window.acquire(), 5)
        except asyncio.TimeoutError:
            break
        alice.text(b, f"word {n}")
        await asyncio.sleep(0.005)
    await dead
    live = "disconnected" not in alice.states
    if live:
        await alice.until(lambda: len(acked) >= 199, "their acknowledgements")
    else:
        alice.cancel_connection_attempt()
    await asyncio.to_thread(again)
    before = numbered(bob, "word")
    if "disconnected" in bob.states:
        bob = await Client(b, "later").login()
    else:
        before = []
    last = max(acked)
    await bob.until(lambda: last in numbered(bob, "word") or last in before, "the last that was acknowledged", 75)
    got = before + numbered(bob, "word")
    lost = sorted(set(acked) - set(got))
    firsts = list(dict.fromkeys(got))
    text = f"{'the other' if live else 'our'} server is killed in the middle, with {peer}"
    t.same(lost, [], f"{text}: none of {len(acked)} acknowledged messages is lost")
    t.same(firsts, sorted(firsts), f"{text}: in order")
    print(f"# {text}: {len(got) - len(firsts)} came twice", flush=True)


async def after(condition, act):
    """When it is so, do that."""
    while not condition():
        await asyncio.sleep(0.01)
    await asyncio.to_thread(act)


async def hangs(t, name, peer):
    """A server that does nothing any more, with its connections open, and then dies."""
    alice, bob = await couple(OURS[0], peer)
    alice.text(bob.boundjid.bare, "before 0")
    await bob.expect(message("before 0"), "the first")
    while peer == EJABBERD and not NET.ejabberd_keeps(bob.boundjid.bare):
        await asyncio.sleep(0.1)
    await asyncio.to_thread(NET.peers, "hang", name)
    for n in range(10):
        alice.text(bob.boundjid.bare, f"meanwhile {n}")
    await alice.settle()
    await asyncio.sleep(8)  # longer than what counts as delivered without an acknowledgement
    await asyncio.to_thread(NET.peers, "kill", name)
    await asyncio.to_thread(NET.peers, "again", name)
    bob = await Client(bob.boundjid.bare, "later").login()
    alice.text(bob.boundjid.bare, "after 0")
    await bob.expect(message("after 0"), "what is sent later", 75)
    kept = [m.findtext("{jabber:client}body") or "" for _, m in await whole_archive(bob)]
    t.same([body for body in kept if body.startswith("meanwhile")], [f"meanwhile {n}" for n in range(10)],
           f"{name} hangs, and dies: all in its archive, in order, once")


@scenario("Prosody hangs", 100)
async def prosody_hangs(t):
    await hangs(t, "prosody", PROSODY)


@scenario("ejabberd hangs", 100)
async def ejabberd_hangs(t):
    await hangs(t, "ejabberd", EJABBERD)


@scenario("words while Prosody dies", 100)
async def words_prosody(t):
    await stream_of_words(t, PROSODY, lambda: NET.peers("kill", "prosody"), lambda: NET.peers("again", "prosody"))


@scenario("words while ejabberd dies", 100)
async def words_ejabberd(t):
    await stream_of_words(t, EJABBERD, lambda: NET.peers("kill", "ejabberd"), lambda: NET.peers("again", "ejabberd"))


@scenario("words while another of ours dies", 100)
async def words_other(t):
    await stream_of_words(t, OTHER, NET.other.kill, NET.other.start)


@scenario("words while ours dies", 200)
async def words_ours(t):
    for peer in (PROSODY, EJABBERD, OTHER):
        await stream_of_words(t, peer, NET.ours.kill, NET.ours.start)


@scenario("a room on a server that dies", 120)
async def room_dies(t):
    alice, bob = await couple(OURS[0], OTHER)
    room = f"room-{bob.boundjid.user}@conference.{OTHER}"
    await _federation.enter(bob, room, "owner")
    await bob.plugin["xep_0045"].set_room_config(room, submitted(await bob.plugin["xep_0045"].get_room_config(room)))
    await reachable(alice, f"conference.{OTHER}")
    await _federation.enter(alice, room, "guest")
    await asyncio.to_thread(NET.ours.kill)
    await asyncio.to_thread(NET.ours.start)
    bob.text(room, "still there?", "groupchat")
    await t.comes(bob.expect(inside(room, "guest", "unavailable"), "the guest's end"),
                  "a guest whose server has died leaves the room")


def submitted(form):
    """The form as an answer."""
    form.reply()
    form["type"] = "submit"
    return form


if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
