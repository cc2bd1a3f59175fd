"""gajim_window.py - Debian's Gajim on a display that nobody sees, with a bus of its own, driven by its D-Bus interface.

Its configuration is written before it starts: one account, our server's certificate among those it has accepted.
Not here: what is checked (../tests/gajim.py), what our plugin does in it (gajim_plugin).
"""
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from tap import TRACE, Missed
from xmpp import PASSWORD, STATE

ACCOUNT = "interop"
PLUGIN = Path(__file__).parent / "gajim_plugin"
GAJIM = ("/org/gajim/dbus/RemoteObject", "org.gajim.dbus.RemoteInterface")
OURS = ("/interop", "interop.Hand")
NEEDED = ("gajim", "Xvfb", "dbus-daemon", "gdbus")
# Gajim's own words for a new file of settings, so that they are those of its version; run by the system's Python.
SETTINGS = """
import json, sqlite3, sys
from gajim.common.settings import CREATE_SQL
path, app, account, settings, plugins = sys.argv[1:]
con = sqlite3.connect(path)
con.executescript(CREATE_SQL)
con.execute("UPDATE settings SET settings = ? WHERE name = 'app'", (app,))
con.execute("UPDATE settings SET settings = ? WHERE name = 'plugins'", (plugins,))
con.execute("INSERT INTO account_settings(account, settings) VALUES (?, ?)", (account, settings))
con.commit()
"""
APP = {"remote_control": True, "use_keyring": False, "check_for_update": False, "plugins_update_check": False,
       "plugins_repository_enabled": False, "trayicon": "never", "notification_preview_message": False}


def there():
    """Whether all of it is installed."""
    return all(shutil.which(name, path=os.environ["PATH"] + ":/usr/bin") for name in NEEDED)


class Gajim:
    """One Gajim."""

    def __init__(self, jid):
        self.jid = jid
        self.home = Path(tempfile.mkdtemp(prefix="interop-gajim-"))
        # Gajim does not run as root: there all of it is nobody's.
        self.who = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        self.started, self.heard, self.changed = [], [], asyncio.Event()
        self.env = {**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1",
                    "GSETTINGS_BACKEND": "memory", "LIBGL_ALWAYS_SOFTWARE": "1"}
        for name in ("PYTHONPATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "WAYLAND_DISPLAY", "VIRTUAL_ENV"):
            self.env.pop(name, None)
        self.env.update(PATH="/usr/bin:/bin", INTEROP_CA=str(self.home / "trusted.pem"))

    def _configure(self):
        if self.who:
            os.chown(self.home, self.who["user"], self.who["group"])
        config, data = self.home / ".config/gajim", self.home / ".local/share/gajim"
        subprocess.run(["mkdir", "-p", str(config), str(data / "cert_store")], check=True, **self.who)
        local, domain = self.jid.split("@")
        account = {"name": local, "hostname": domain, "password": PASSWORD, "savepass": True, "active": True,
                   "use_custom_host": True, "custom_host": STATE.host, "custom_port": STATE.c2s,
                   "custom_type": "START TLS", "resource": "gajim", "account_label": "Interop"}
        subprocess.run(["/usr/bin/python3", "-c", SETTINGS, str(config / "settings.sqlite"), json.dumps(APP), ACCOUNT,
                        json.dumps({"account": account, "contact": {}, "group_chat": {}}),
                        json.dumps({"interop": {"active": True}})], check=True, env=self.env, capture_output=True, cwd="/", **self.who)
        pems = re.findall("-----BEGIN.*?-----END CERTIFICATE-----\n?", Path(STATE.ca).read_text(), re.S)
        shutil.copytree(PLUGIN, data / "plugins/interop")
        shutil.copy(STATE.ca, self.env["INTEROP_CA"])
        for number, pem in enumerate(pems):
            (data / f"cert_store/{number}").write_text(pem)

    def _spawn(self, *command, **more):
        log = (self.home / (Path(command[0]).name + ".log")).open("wb")
        process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stderr=log, cwd="/",
                                   **{"stdout": log, **self.who, **more})
        self.started.append(process)
        return process

    async def start(self):
        """Display, bus, program; returns when its D-Bus interface answers."""
        await asyncio.to_thread(self._configure)
        read, write = os.pipe()
        self._spawn("Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp",
                    pass_fds=(write,))
        os.close(write)
        with os.fdopen(read) as pipe:
            self.env["DISPLAY"] = ":" + (await asyncio.to_thread(pipe.readline)).strip()
        bus = self._spawn("dbus-daemon", "--session", "--nofork", "--print-address=1", stdout=subprocess.PIPE)
        self.env["DBUS_SESSION_BUS_ADDRESS"] = (await asyncio.to_thread(bus.stdout.readline)).decode().strip()
        self.program = self._spawn("gajim", "--verbose")
        end = asyncio.get_running_loop().time() + 90
        while ACCOUNT not in (await self.call("list_accounts") or ""):
            if self.program.poll() is not None or asyncio.get_running_loop().time() > end:
                raise Missed("Gajim does not answer: " + self.log()[-2000:])
            await asyncio.sleep(0.1)

    async def call(self, method, *arguments, of=GAJIM):
        """A method of its interface, or our plugin's; the answer as gdbus prints it, None if there is none."""
        process = await asyncio.create_subprocess_exec(
            "gdbus", "call", "--session", "--dest", "org.gajim.Gajim", "--object-path", of[0],
            "--method", f"{of[1]}.{method}", *arguments, env=self.env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd="/", **self.who)
        out, errors = await process.communicate()
        TRACE.append(("gajim", method, (out or errors).decode(errors="replace").strip()))
        return out.decode() if process.returncode == 0 else None

    async def listen(self):
        """From now on what it tells by signals (messages that it shows, presence) is in `heard`."""
        process = self._spawn("gdbus", "monitor", "--session", "--dest", "org.gajim.Gajim", "--object-path", GAJIM[0],
                              stdout=subprocess.PIPE)
        loop = asyncio.get_running_loop()

        def follow():
            for line in process.stdout:
                loop.call_soon_threadsafe(self._take, line.decode(errors="replace").strip())

        threading.Thread(target=follow, daemon=True).start()
        await self.tells("is owned by")  # then it listens

    def _take(self, line):
        TRACE.append(("gajim", "tells", line))
        self.heard.append(line)
        self.changed.set()

    async def tells(self, *words, seconds=30):
        """Wait for a signal with all these words."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            for line in self.heard:
                if all(word in line for word in words):
                    self.heard.remove(line)
                    return line
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), max(end - asyncio.get_running_loop().time(), 0.001))
            except asyncio.TimeoutError:
                raise Missed(f"Gajim tells nothing of {words} within {seconds} s") from None

    async def until(self, method, arguments, condition, what, seconds=30):
        """Ask again until the answer is as it should be."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            answer = await self.call(method, *arguments)
            if answer is not None and condition(answer):
                return answer
            if asyncio.get_running_loop().time() > end:
                raise Missed(f"Gajim: no {what} within {seconds} s: {answer}")
            await asyncio.sleep(0.1)

    def log(self):
        return (self.home / "gajim.log").read_text(errors="replace")

    async def screenshot(self, path):
        """For people who wish to see it; needs ImageMagick."""
        process = await asyncio.create_subprocess_exec("import", "-window", "root", str(path), env=self.env)
        await process.wait()

    async def end(self):
        """In the order in which they need each other."""
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.to_thread(process.wait, 10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if not os.environ.get("INTEROP_GAJIM_KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)
