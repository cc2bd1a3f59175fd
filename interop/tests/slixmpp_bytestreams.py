"""slixmpp_bytestreams - the proxy for bytestreams (XEP-0065): two clients find it, meet there, and bytes pass both ways.

Not here: what is refused in SOCKS5 (crates bytestreams and mediator), in-band bytestreams (slixmpp_files).
"""
import asyncio
import hashlib
import os
import socket

import tap
from tap import scenario
from xmpp import Client, accounts, close_all, pair, refused

NS = "http://jabber.org/protocol/bytestreams"


async def proxies(*clients):
    """Each with slixmpp's plugin; what the first one finds."""
    for client in clients:
        client.register_plugin("xep_0065", {"auto_accept": True})
    return await clients[0].plugin["xep_0065"].discover_proxies(clients[0].boundjid.domain)


class Taking:
    """What comes to a client by its streams."""

    def __init__(self, client):
        self.client, self.data = client, b""
        client.add_event_handler("socks5_data", self._take)

    def _take(self, data):
        self.data += data
        self.client.changed.set()

    async def all(self, count):
        await self.client.until(lambda: len(self.data) >= count, f"{count} bytes", 20)
        return self.data


@scenario("two clients meet at the proxy", 40)
async def meet(t):
    alice, bob = await pair()
    found = await proxies(alice, bob)
    t.same([str(jid) for jid in found], [f"proxy.{alice.boundjid.domain}"], "it is found by discovery")
    taken = {client: Taking(client) for client in (alice, bob)}
    streams = asyncio.get_running_loop().create_future()
    bob.add_event_handler("socks5_stream", streams.set_result, disposable=True)
    hers = await alice.plugin["xep_0065"].handshake(bob.boundjid, timeout=10)
    his = await asyncio.wait_for(streams, 10)
    t.ok(hers is not None, "the stream is activated")
    content = os.urandom(1_000_000)
    hers.transport.write(content)
    t.ok(await taken[bob].all(len(content)) == content, "a megabyte arrives, in order")
    his.transport.write(content[:70_000])
    t.ok(await taken[alice].all(70_000) == content[:70_000], "and there is a way back")
    closed = asyncio.get_running_loop().create_future()
    bob.add_event_handler("socks5_closed", lambda _: closed.done() or closed.set_result(True))
    hers.transport.close()
    t.ok(await asyncio.wait_for(closed, 10), "when one goes the other hears it")


@scenario("who is refused, and why", 30)
async def refusals(t):
    alice, bob = await pair()
    found = await proxies(alice)
    proxy, (host, port) = next(iter(found.items()))
    proxy = str(proxy)

    def activate(sid, target=bob.boundjid.full):
        sid = f" sid='{sid}'" if sid else ""
        return f"<query xmlns='{NS}'{sid}><activate>{target}</activate></query>"

    async def condition(client, payload):
        return ((await refused(client.ask("set", payload, proxy))) or ("", ""))[1]

    t.same(await condition(alice, activate("")), "bad-request", "no id")
    t.same(await condition(alice, activate("x", "@")), "bad-request", "no address")
    t.same(await condition(alice, activate("x")), "item-not-found", "nobody is there")

    def connect(name):
        """One connection that asks for that stream; whether it is let in."""
        one = socket.create_connection((host, int(port)), 10)
        one.sendall(b"\x05\x01\x00")
        assert one.recv(2) == b"\x05\x00"
        one.sendall(b"\x05\x01\x00\x03\x28" + name + b"\x00\x00")
        return one, one.recv(47)[1]

    name = hashlib.sha1(f"x{alice.boundjid.full}{bob.boundjid.full}".encode()).hexdigest().encode()
    open_ = [await asyncio.to_thread(connect, name)]
    t.same(open_[0][1], 0, "one is let in")
    t.same(await condition(alice, activate("x")), "not-allowed", "but alone it gets nowhere")
    open_.append(await asyncio.to_thread(connect, name))
    t.same(open_[1][1], 0, "so is the other")
    open_.append(await asyncio.to_thread(connect, name))
    t.same(open_[2][1], 2, "a third is refused")
    t.same(await condition(bob, activate("x")), "item-not-found", "only who made the stream activates it")
    await alice.ask("set", activate("x"), proxy)
    t.same(await condition(alice, activate("x")), "item-not-found", "once")
    for one, _ in open_:
        one.close()
    a, = await accounts("eve", domain="second.localhost")
    eve = await Client(a, "one").login()
    error = await refused(eve.ask("get", f"<query xmlns='{NS}'/>", proxy))
    t.same((error or ("", ""))[1], "forbidden", "other domains have their own")


if __name__ == "__main__":
    tap.main(close_all)
