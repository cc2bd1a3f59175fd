"""durability - what the server has acknowledged (XEP-0198) survives SIGKILL: in both archives, in order, once.

Each round: a conversation with acks runs, the server is killed at a random moment, started again, and both archives
are compared with the messages whose ack had come.
Not here: losing the power (the machine's caches survive a killed process).
"""
# timeout: 100
# own-server: yes
import asyncio
import os
import random
from pathlib import Path

import servers

ROUNDS = 5
IN_FLIGHT = 20  # messages without an ack, per direction
FOLDER = Path(os.environ["INTEROP_FOLDER"]) / "durability"
SERVER = servers.kinds()[os.environ["INTEROP_SERVER"]](FOLDER, servers.free_offset(21000))
SERVER.own_group = False  # so that it ends with this test even when the runner has to end it
SERVER.init()
SERVER.start()
SERVER.write_state(FOLDER / "state.json")
os.environ["INTEROP_STATE"] = str(FOLDER / "state.json")

import tap  # noqa: E402
from tap import scenario  # noqa: E402
from xmpp import Client, accounts, close_all, whole_archive  # noqa: E402


class Side:
    """One end of the conversation: sends numbered messages, remembers which were acknowledged."""

    def __init__(self, client, peer, name):
        self.client, self.peer, self.name = client, peer, name
        self.sent, self.acked, self.room = 0, [], asyncio.Event()
        self.room.set()
        sm = client.plugin["xep_0198"]
        sm.window = sm.window_counter = 1
        client.add_event_handler("stanza_acked", self._acked)

    def _acked(self, stanza):
        if stanza.name == "message" and stanza["body"].startswith(self.name):
            self.acked.append(stanza["body"])
            if self.sent - len(self.acked) < IN_FLIGHT:
                self.room.set()

    async def talk(self):
        """Send until the connection is gone."""
        while "disconnected" not in self.client.states:
            await self.room.wait()
            self.sent += 1
            if self.sent - len(self.acked) >= IN_FLIGHT:
                self.room.clear()
            self.client.text(self.peer, f"{self.name} {self.sent}")
            await asyncio.sleep(0)


async def one_round(t, number):
    a, b = await accounts("alice", "bob")
    alice, bob = Client(a, "one", sm=True), Client(b, "one", sm=True)
    await asyncio.gather(alice.login(), bob.login())
    sides = [Side(alice, b, "alice says"), Side(bob, a, "bob says")]
    talk = [asyncio.ensure_future(side.talk()) for side in sides]
    await alice.until(lambda: sides[0].acked, "the first ack")
    await bob.until(lambda: sides[1].acked, "the first ack")
    await asyncio.sleep(random.uniform(0.05, 1.0))  # the random moment
    await asyncio.to_thread(SERVER.kill)
    for side in sides:
        await side.client.until(lambda: "disconnected" in side.client.states, "the loss of the connection")
        side.client.cancel_connection_attempt()
        side.room.set()
        side.client.waiting_queue._queue.clear()
    await asyncio.gather(*talk, return_exceptions=True)
    await asyncio.to_thread(SERVER.start)
    again = [Client(a, "after"), Client(b, "after")]
    await asyncio.gather(*(c.login() for c in again))
    archives = [[m.findtext("{jabber:client}body") for _, m in await whole_archive(c)] for c in again]
    for side in sides:
        for owner, everything in zip(("alice", "bob"), archives):
            kept = [body for body in everything if body and body.startswith(side.name)]
            numbers = [int(body.rsplit(" ", 1)[1]) for body in kept]
            lost = [body for body in side.acked if body not in set(kept)]
            text = f"round {number}: {side.name.split()[0]}'s {len(side.acked)} acknowledged messages in {owner}'s archive"
            t.ok(side.acked and not lost, f"{text}: none lost", f"{len(lost)} lost: {lost[:5]} ... of {len(kept)} kept")
            t.ok(numbers == sorted(set(numbers)), f"{text}: in order, once", numbers[-30:])


@scenario("SIGKILL in the middle", 90)
async def rounds(t):
    seed = int(os.environ.get("INTEROP_SEED", random.randrange(10**6)))
    random.seed(seed)
    print(f"# INTEROP_SEED={seed}")
    for number in range(1, ROUNDS + 1):
        await one_round(t, number)
        await close_all()
    if t.failed:
        print("\n".join("#   server: " + line for line in SERVER.log_tail().splitlines()))


if __name__ == "__main__":
    try:
        tap.main(close_all)
    finally:
        SERVER.stop()
