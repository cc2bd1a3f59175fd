"""_basic_stream_management - scenarios of slixmpp_basic: acknowledgements and resumption.

Not here: the other scenarios (the files named in slixmpp_basic.py).
"""
import asyncio

from slixmpp.plugins.xep_0198.stanza import Ack
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from tap import scenario
from xmpp import Client, account, accounts, message, pair, presence


async def all_acked(client):
    """Ask for acks until nothing is left without one.

    One question would not do: slixmpp writes it at once, past the stanzas that still wait in its own queue, and
    answers to roster pushes may follow it.
    """
    sm, answers = client.plugin["xep_0198"], []

    def answered(ack):
        answers.append(ack)
        client.changed.set()

    client.register_handler(Callback("ack", MatchXPath(Ack.tag_name()), answered, instream=True))
    while sm.unacked_queue:
        answers.clear()
        sm.request_ack()
        await client.until(lambda: answers, "an ack")
    client.remove_handler("ack")


@scenario("stream management (XEP-0198)", 30)
async def stream_management(t):
    alice, bob = await pair(sm=True)
    t.ok(alice.plugin["xep_0198"].sm_id, "enabled, with an id to resume with")
    sm = alice.plugin["xep_0198"]
    await all_acked(alice)
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
