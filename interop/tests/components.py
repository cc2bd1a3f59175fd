"""components - programs that serve a domain: slixmpp's component, and biboumi with an IRC server behind it. XEP-0114, 0356.

biboumi and ngircd are used where they are installed.
Not here: bad handshakes and floods (the server's own tests).
"""
# timeout: 120
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import slixmpp
import tap
from tap import scenario
from xmpp import STATE, Client, account, bodies, carbon, close_all, message, roster_push, whole_archive

ECHO = "echo.localhost"
IRC = "irc.localhost"


class Echo(slixmpp.ComponentXMPP):
    """Says back what it hears."""

    def __init__(self):
        super().__init__(ECHO, STATE.components["secret"], "127.0.0.1", STATE.components["port"])
        self.there = asyncio.Event()
        self.advertised = asyncio.Event()
        for plugin in ("xep_0030", "xep_0199", "xep_0297", "xep_0356"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: self.there.set())
        self.add_event_handler("privileges_advertised", lambda _: self.advertised.set())
        self.add_event_handler("message", self.say_back)

    def say_back(self, heard):
        if heard["type"] == "chat":
            heard.reply(heard["body"]).send()

    async def begin(self):
        self.connect()
        await asyncio.wait_for(self.there.wait(), 30)
        await asyncio.wait_for(self.advertised.wait(), 30)

    async def end(self):
        await self.disconnect()


@scenario("a component is listed, hears and answers")
async def _(check):
    echo = Echo()
    await echo.begin()
    romeo = Client(await account("romeo"), "garden")
    await romeo.login()
    items = await romeo.plugin["xep_0030"].get_items(jid="localhost")
    check.ok(ECHO in [item[0] for item in items["disco_items"]["items"]], "service discovery lists it")
    romeo.text("bot@" + ECHO, "hello, hello")
    await check.comes(romeo.expect(message("hello, hello", "bot@" + ECHO), "its own words"), "its words come back")
    pong = await romeo.plugin["xep_0199"].send_ping(ECHO)
    check.ok(pong["type"] == "result", "its answer to a ping comes back")
    await echo.end()


@scenario("a component with privileges acts for a user")
async def _(check):
    echo = Echo()
    await echo.begin()
    jid, other = await account("romeo"), await account("juliet")
    romeo, juliet = Client(jid, "garden"), Client(other, "balcony")
    await romeo.login()
    await juliet.login()
    await romeo.plugin["xep_0280"].enable()
    privileged = echo.plugin["xep_0356"]
    contact = "friend@" + ECHO
    await privileged.set_roster(jid, {contact: {"name": "Friend", "subscription": "both", "groups": ["Echo"]}})
    push = roster_push(contact, name="Friend", subscription="both")
    await check.comes(romeo.expect(push, "a roster push"), "a contact of the component's is there, subscribed both ways")
    roster = await privileged.get_roster(jid)
    check.ok(contact in map(str, roster["roster"]["items"]), "and in the roster that the component reads")
    said = echo.make_message(mto=other, mfrom=jid, mbody="not from here", mtype="chat")
    privileged.send_privileged_message(said)
    await check.comes(juliet.expect(message("not from here", jid), "the message"), "a message comes in her name")
    await check.comes(romeo.expect(carbon("sent", "not from here"), "a copy"), "her own device gets a copy")
    kept = await whole_archive(romeo)
    check.ok("not from here" in bodies(kept), "and it is in her archive")
    await echo.end()


def irc_server(folder, port):
    config = folder / "ngircd.conf"
    config.write_text(f"""[Global]
  Name = irc.test.local
  Info = test
  AdminInfo1 = test
  Listen = 127.0.0.1
  Ports = {port}
  ServerUID = {os.getuid() or 65534}
  ServerGID = {os.getgid() or 65534}
[Options]
  DNS = no
  Ident = no
  PAM = no
  ChrootDir =
""")
    return ["ngircd", "-n", "-f", str(config)]


def biboumi(folder, irc_port):
    config = folder / "biboumi.cfg"
    config.write_text(f"""hostname={IRC}
password={STATE.components["secret"]}
xmpp_server_ip=127.0.0.1
port={STATE.components["port"]}
db_name={folder}/biboumi.sqlite
log_level=1
fixed_irc_server=127.0.0.1
""")
    return ["biboumi", str(config)]


async def reads(reader, word):
    """A line of IRC with that word in it."""
    while line := (await asyncio.wait_for(reader.readline(), 20)).decode(errors="replace"):
        if word in line:
            return line


@scenario("biboumi brings people of an IRC channel and of XMPP together", seconds=60)
async def _(check):
    path = os.environ["PATH"] + ":/usr/sbin"
    if not (shutil.which("biboumi", path=path) and shutil.which("ngircd", path=path)):
        return check.skip("biboumi and ngircd", "not installed")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    port = 6667  # the only port without TLS that biboumi tries by itself
    started = []
    try:
        for command in (irc_server(folder, port), biboumi(folder, port)):
            log = (folder / (command[0] + ".log")).open("wb")
            started.append(subprocess.Popen(command, env={**os.environ, "PATH": path}, stdout=log, stderr=log))
        romeo = Client(await account("romeo"), "garden", plugins=("xep_0045",))
        await romeo.login()
        for _ in range(100):
            items = await romeo.plugin["xep_0030"].get_items(jid="localhost")
            if IRC in [item[0] for item in items["disco_items"]["items"]]:
                break
            await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"NICK mercutio\r\nUSER mercutio 0 * :Mercutio\r\nJOIN #verona\r\n")
        await reads(reader, "366")
        room = "#verona@" + IRC
        romeo.plugin["xep_0045"].join_muc(room, "romeo")
        joined = romeo.expect(lambda s: s.name == "presence" and str(s["from"]) == room + "/romeo", "joining", 30)
        await check.comes(joined, "joining the channel")
        check.ok(await reads(reader, "JOIN"), "the IRC user sees him come")
        writer.write(b"PRIVMSG #verona :ask for me tomorrow\r\n")
        heard = lambda s: s.name == "message" and s["body"] == "ask for me tomorrow" and s["type"] == "groupchat"  # noqa: E731
        await check.comes(romeo.expect(heard, "words of IRC", 20), "IRC's words come")
        romeo.send_message(mto=room, mbody="a grave man", mtype="groupchat")
        check.ok(await reads(reader, "a grave man"), "and his go there")
        writer.close()
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if not getattr(STATE, "components", None):
        print("ok 1 - components # SKIP this server has none here\n1..1")
        sys.exit(0)
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
