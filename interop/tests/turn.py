"""turn - coturn's own client finds the relay by XEP-0215 and moves data through it, by UDP, TCP and TLS.

Not here: what is refused in detail (crate turn), calls between clients (they meet by this).
"""
# timeout: 90
# own-server: yes
import asyncio
import os
import shutil
import socket
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import servers

FOLDER = Path(os.environ["INTEROP_FOLDER"]) / "turn"
SERVER = servers.kinds()[os.environ["INTEROP_SERVER"]](FOLDER, servers.free_offset(23000))
SERVER.own_group = False  # so that it ends with this test even when the runner has to end it
PLAIN, SECURE = 3478 + SERVER.offset, 5349 + SERVER.offset
# Peers on loopback: .1 is the relay itself, .2 is allowed, .3 stays denied.
RELAY, PEER, DENIED = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SERVER.environment = {
    "DETENTE_TURN__EXTERNAL_ADDRESS": RELAY, "DETENTE_TURN__ALLOWED_PEERS": PEER, "DETENTE_TURN__HOST": RELAY,
    "DETENTE_LISTEN__TURN": f"{RELAY}:{PLAIN}", "DETENTE_LISTEN__TURN_TLS": f"{RELAY}:{SECURE}"}
SERVER.init()
SERVER.start()
SERVER.write_state(FOLDER / "state.json")
os.environ["INTEROP_STATE"] = str(FOLDER / "state.json")

import tap  # noqa: E402
from tap import scenario  # noqa: E402
from xmpp import Client, accounts, close_all  # noqa: E402

NS = "urn:xmpp:extdisco:2"


async def services(client):
    """What the server tells."""
    iq = client.make_iq_get(ito=client.boundjid.domain)
    iq.append(ET.Element(f"{{{NS}}}services"))
    answer = await iq.send(timeout=10)
    return [service.attrib for service in answer.xml.iter(f"{{{NS}}}service")]


async def uclient(credentials, port, peer, peer_port, *flags):
    """What coturn's client says of 20 messages there and back."""
    command = ["turnutils_uclient", "-c", "-n", "20", "-u", credentials["username"], "-w", credentials["password"],
               "-p", str(port), "-e", peer, "-r", str(peer_port), *flags, RELAY]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 25)
    except asyncio.TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    return said.decode(errors="replace")


def free_port(address):
    """A UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


@scenario("a relay is told, with credentials that work by all ways", 80)
async def relay(t):
    (alice,) = await accounts("alice")
    client = await Client(alice, "one").login()
    told = await services(client)
    kinds = {(s["type"], s["transport"], s["port"]) for s in told}
    t.same(kinds, {("stun", "udp", str(PLAIN)), ("turn", "udp", str(PLAIN)), ("turn", "tcp", str(PLAIN)),
                   ("turns", "tcp", str(SECURE))}, "STUN and TURN by UDP, TCP and TLS are told")
    credentials = next(s for s in told if s["type"] == "turn")
    t.ok(credentials.get("expires", "").endswith("Z"), "credentials say when they expire", credentials)
    port = free_port(PEER)
    echo = subprocess.Popen(["turnutils_peer", "-L", PEER, "-p", str(port)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        for name, at, flags in [
                ("UDP, channels", PLAIN, []), ("UDP, indications", PLAIN, ["-s"]), ("TCP", PLAIN, ["-t"]),
                ("TLS", SECURE, ["-t", "-S"]), ("two clients of ours", PLAIN, ["-y"])]:
            said = await uclient(credentials, at, PEER, port, *flags)
            t.ok("tot_recv_msgs=20" in said or "tot_recv_msgs=40" in said, f"{name}: all comes back", said[-600:])
        said = await uclient(credentials, PLAIN, DENIED, port)
        t.ok("403" in said and "tot_recv_msgs" not in said, "a denied peer is refused", said[-600:])
        said = await uclient(dict(credentials, password="x"), PLAIN, PEER, port)
        t.ok("Cannot complete Allocation" in said, "a wrong password opens nothing", said[-600:])
    finally:
        echo.terminate()
        echo.wait(10)
    if t.failed:
        print("\n".join("#   server: " + line for line in SERVER.log_tail().splitlines()))


if __name__ == "__main__":
    try:
        if not shutil.which("turnutils_uclient"):
            raise SystemExit("turnutils_uclient is missing: interop/setup installs it")
        tap.main(close_all)
    finally:
        SERVER.stop()
