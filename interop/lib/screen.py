"""screen.py - a terminal program in a tmux of its own: type lines, wait for what its screen shows; profanity in one.

Not here: what is checked (../tests).
"""
import asyncio
import os
from pathlib import Path

from tap import TRACE, Missed
from xmpp import PASSWORD, STATE


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

    async def shows(self, *texts, seconds=30.0):
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


class Profanity(Screen):
    """Debian's profanity with an empty home, one window, and nothing beside the messages."""

    def __init__(self, name):
        super().__init__("exec profanity", Path(os.environ["INTEROP_FOLDER"]) / name)

    async def open(self):
        """Start it and make its screen plain."""
        await self.start()
        await self.shows("Type '/help'", "Console")
        for line in ("/wintitle hide", "/occupants default hide", "/roster hide"):
            await self.type(line)

    async def login(self, jid):
        """Log in by STARTTLS."""
        await self.type(f"/connect {jid} server {STATE.host} port {STATE.c2s} tls trust")
        await self.shows("Enter password:")
        await self.type(PASSWORD)
        await self.shows("logged in successfully", "fully connected")
