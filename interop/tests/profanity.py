"""profanity - Debian's profanity in a tmux of its own: login, roster, subscription, a message each way.

Not here: OMEMO and rooms.
"""
# timeout: 60
import asyncio
import os
from pathlib import Path

import tap
from tap import TRACE, Missed, scenario
from xmpp import PASSWORD, STATE, Client, accounts, close_all, message, presence


class Screen:
    """A terminal program in a detached tmux with a socket and a home of its own."""

    def __init__(self, command, home):
        self.home = Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.socket = str(self.home / "tmux")
        self.command = command

    async def _tmux(self, *args):
        env = dict(os.environ, HOME=str(self.home), LC_ALL="C.UTF-8", TERM="screen-256color")
        for name in ("TMUX", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            env.pop(name, None)
        process = await asyncio.create_subprocess_exec(
            "tmux", "-u", "-S", self.socket, "-f", "/dev/null", *args, env=env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        return (await process.communicate())[0].decode(errors="replace")

    async def start(self):
        """Start the program."""
        await self._tmux("new-session", "-d", "-x", "160", "-y", "50", self.command)

    async def type(self, line):
        """Type a line and press Enter."""
        await self._tmux("send-keys", "-l", line)
        await self._tmux("send-keys", "Enter")

    async def shows(self, *texts, seconds=10.0):
        """Wait until one of the texts is on the screen; returns it."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            screen = await self._tmux("capture-pane", "-p")
            found = next((t for t in texts if t in screen), None)
            if found is not None:
                return found
            if asyncio.get_running_loop().time() > end:
                for line in (s for s in screen.splitlines() if s.strip()):
                    TRACE.append(("screen", "|", line))
                raise Missed(f"the screen shows none of {texts} within {seconds} s")
            await asyncio.sleep(0.05)

    async def end(self):
        """Whatever still runs in there ends."""
        await self._tmux("kill-server")


@scenario("login, roster, messages", 50)
async def conversation(t):
    a, b = await accounts("alice", "bob")
    bob = await Client(b, "one").login()
    screen = Screen("exec profanity", Path(os.environ["INTEROP_FOLDER"]) / "profanity")
    await screen.start()
    try:
        await screen.shows("Type '/help'", "Console")
        await screen.type("/wintitle hide")
        await screen.type("/occupants default hide")
        await screen.type("/roster hide")
        await screen.type(f"/connect {a} server {STATE.host} port {STATE.c2s} tls trust")
        await screen.shows("Enter password:")
        await screen.type(PASSWORD)
        await t.comes(screen.shows("logged in successfully", "fully connected"), "login by STARTTLS")
        await screen.type(f"/roster add {b} Bobby")
        await t.comes(screen.shows("Roster item added", "Bobby"), "a roster push is understood")
        await screen.type(f"/sub request {b}")
        await bob.expect(presence(a, "subscribe"), "the request")
        bob.send_presence(pto=a, ptype="subscribed")
        await t.comes(screen.shows("Subscription received", "Bobby (one) is online", "Bobby is online", "is online"),
                      "the approval is shown")
        await screen.type("/roster")
        await t.comes(screen.shows(f"Bobby ({b})", b), "the roster is shown")
        await screen.type(f"/msg {b} hello from profanity, ü")
        got = await t.comes(bob.expect(message("hello from profanity, ü"), "the message"), "its message arrives")
        if got is not None:
            bob.text(got["from"].full, "hello from bob, ö")
            await t.comes(screen.shows("hello from bob, ö"), "the answer is on the screen")
        await screen.type("/quit")
    finally:
        await screen.end()


if __name__ == "__main__":
    tap.main(close_all)
