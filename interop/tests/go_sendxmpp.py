"""go_sendxmpp - Debian's go-sendxmpp sends one message, and listens for one; slixmpp is the other end.

Not here: its chat rooms, file upload and OpenPGP.
"""
# timeout: 40
import asyncio
import os

import tap
from tap import TRACE, scenario
from xmpp import PASSWORD, STATE, Client, accounts, close_all


async def start(jid, *args, direct=False, stdin=asyncio.subprocess.DEVNULL):
    """go-sendxmpp as that account. It verifies the certificate against the file we hand to Go."""
    port = STATE.tls if direct else STATE.c2s
    return await asyncio.create_subprocess_exec(
        "go-sendxmpp", "-u", jid, "-p", PASSWORD, "-j", f"{STATE.host}:{port}", *(("-t",) if direct else ()),
        *args, stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ, SSL_CERT_FILE=STATE.ca, HOME=os.environ["INTEROP_FOLDER"]))


async def send(t, direct):
    a, b = await accounts("alice", "bob")
    bob = await Client(b, "one").login()
    way = "direct TLS" if direct else "STARTTLS"
    process = await start(a, b, direct=direct, stdin=asyncio.subprocess.PIPE)
    said = await process.communicate(f"hello by {way} – ü\n".encode())
    for text in said:
        TRACE.append(("go-sendxmpp", "says", text.decode(errors="replace")))
    t.same(process.returncode, 0, f"{way}: it ends with 0")
    got = await bob.expect(lambda s: s.name == "message" and s["body"].strip() == f"hello by {way} – ü", "the message")
    t.same(got["from"].bare, a, f"{way}: the message arrives")


@scenario("send by STARTTLS")
async def starttls(t):
    await send(t, False)


@scenario("send by direct TLS")
async def direct_tls(t):
    await send(t, True)


@scenario("listen")
async def listen(t):
    a, b = await accounts("alice", "bob")
    bob = await Client(b, "one").login()
    process = await start(a, "-l")
    try:
        # It tells nobody that it is online, so the message waits for it if need be.
        bob.text(a, "are you listening?")
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        TRACE.append(("go-sendxmpp", "says", line.decode(errors="replace")))
        t.ok(b"are you listening?" in line and b.encode() in line, "it prints what it receives", line)
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    tap.main(close_all)
