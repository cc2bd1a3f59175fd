"""slixmpp_multi_domain - accounts of two domains of one server talk with one another (slixmpp).

Not here: federation with other servers.
"""
# timeout: 40
import asyncio

import tap
from tap import scenario
from xmpp import (Client, account, archive, befriend, bodies, carbon, close_all, message, presence, refused)


@scenario("two domains, one server", 25)
async def two_domains(t):
    a, b = await asyncio.gather(account("alice"), account("bob", "second.localhost"))
    alice, bob, other = Client(a, "one"), Client(b, "one"), Client(b, "two", direct_tls=True)
    await asyncio.gather(alice.login(), bob.login(), other.login())
    t.ok(True, "the second domain logs in with its own certificate, by STARTTLS and by direct TLS")
    await befriend(alice, bob)
    t.ok(True, "subscription both ways")
    await other.plugin["xep_0280"].enable()
    alice.text(b, "hello second")
    await bob.expect(message("hello second", a), "the message")
    bob.text(a, "hello first")
    await alice.expect(message("hello first", b), "the answer")
    await other.expect(carbon("sent", "hello first"), "the carbon")
    t.ok(True, "messages both ways, carbons at the second domain")
    for client, peer in ((alice, b), (bob, a)):
        page, _ = await archive(client, with_jid=peer)
        t.same(bodies(page), ["hello second", "hello first"], f"the archive of {client.boundjid.domain} has both")
    t.ok(await refused(alice.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "second.localhost")) is None,
         "ping of the other domain")
    t.ok("urn:xmpp:ping" in await alice.disco("second.localhost"), "disco#info of the other domain")
    await bob.bye()
    await alice.expect(presence(f"{b}/one", "unavailable"), "unavailable")
    t.ok(True, "unavailable crosses domains")
    await other.bye()
    alice.text(b, "stored")
    await alice.settle()
    back = await Client(b, "three").login()
    await back.expect(message("stored"), "the stored message")
    t.ok(True, "offline messages cross domains")


@scenario("the same name in both domains")
async def same_name(t):
    one = await account("twin")
    local = one.split("@")[0]
    two = f"{local}@second.localhost"
    wrong = Client(two, "r")
    await wrong.login(wait_for=("refused",))
    t.ok("start" not in wrong.states, "an account of one domain does not log in at the other")


if __name__ == "__main__":
    tap.main(close_all)
