"""matrix_peers.py - a Matrix homeserver (Synapse) for one test, people on it, and matridge, the gateway of the slidge project.

All of it listens on loopback and speaks to nobody else. The programs have a virtual environment of their own, made by setup.
Not here: what is checked (../tests/matrix.py).
"""
import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from xmpp import PASSWORD, STATE

PYTHON = Path(os.environ["INTEROP_CACHE"]) / "matrix-venv/bin/python"
COMPONENT = "matrix." + STATE.domains[0]
NAME = "hs.localhost"
START_SECONDS = 90
LIMIT = "{per_second: 1000, burst_count: 1000}"
CONFIG = """
server_name: "{name}"
listeners:
  - {{port: {port}, bind_addresses: ["127.0.0.1"], type: http, tls: false, resources: [{{names: [client], compress: false}}]}}
database: {{name: sqlite3, args: {{database: "{folder}/homeserver.db"}}}}
log_config: "{folder}/log.yaml"
media_store_path: "{folder}/media"
signing_key_path: "{folder}/signing.key"
pid_file: "{folder}/pid"
macaroon_secret_key: "interop"
form_secret: "interop"
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
enable_registration: true
enable_registration_without_verification: true
presence: {{enabled: true}}
federation_domain_whitelist: []
url_preview_enabled: false
rc_message: {limit}
rc_registration: {limit}
rc_login: {{address: {limit}, account: {limit}, failed_attempts: {limit}}}
rc_joins: {{local: {limit}}}
rc_invites: {{per_room: {limit}, per_user: {limit}, per_issuer: {limit}}}
"""
LOG = """
version: 1
formatters: {{plain: {{format: "%(asctime)s %(levelname)s %(name)s %(message)s"}}}}
handlers: {{file: {{class: logging.FileHandler, filename: "{folder}/synapse.log", formatter: plain}}}}
root: {{level: INFO, handlers: [file]}}
"""
# matridge as it is, but for its picture, which it would fetch from the project's site.
MATRIDGE = """
import sys
from matridge.gateway import Gateway
Gateway.COMPONENT_AVATAR = None
from matridge import main
main()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A process with a log in a folder."""

    def __init__(self, folder, name):
        self.folder, self.name, self.process = Path(folder), name, None

    def run(self, command, **more):
        with open(self.folder / (self.name + ".out"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **more)

    def end(self):
        """SIGTERM, and SIGKILL for who does not hear it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        return (self.folder / (self.name + ".out")).read_text(errors="replace")[-3000:]


class Synapse(Program):
    """A homeserver on a port of its own."""

    def __init__(self, folder):
        super().__init__(folder, "synapse")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def start(self):
        """Returns when it answers."""
        words = {"name": NAME, "port": self.port, "folder": self.folder, "limit": LIMIT}
        (self.folder / "hs.yaml").write_text(CONFIG.format(**words))
        (self.folder / "log.yaml").write_text(LOG.format(**words))
        base = [str(PYTHON), "-m", "synapse.app.homeserver", "-c", str(self.folder / "hs.yaml")]
        await asyncio.to_thread(subprocess.run, base + ["--generate-keys"], check=True, capture_output=True)
        self.run(base)
        end = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < end:
            if self.process.poll() is not None:
                raise RuntimeError("Synapse ended at once: " + self.last_words())
            try:
                await asyncio.to_thread(call, self.url, "GET", "versions")
                return self
            except OSError:
                await asyncio.sleep(0.1)
        raise RuntimeError("Synapse does not answer: " + self.last_words())


def call(url, method, path, body=None, token=None):
    """One request of the client-server interface; the answer's JSON."""
    prefix = "/_matrix/client/" + ("" if path == "versions" else "v3/")
    request = urllib.request.Request(url + prefix + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def quoted(text):
    return urllib.parse.quote(text, safe="")


class Person:
    """Somebody on Matrix, with one device."""

    def __init__(self, homeserver, name):
        self.url, self.name, self.id = homeserver.url, name, f"@{name}:{NAME}"
        self.token = self.since = None
        self.seen, self.sent = [], 0

    async def ask(self, method, path, body=None):
        return await asyncio.to_thread(call, self.url, method, path, body, self.token)

    async def register(self):
        body = {"username": self.name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        self.token = (await self.ask("POST", "register", body))["access_token"]
        return self

    async def room(self, name=None, invite=(), direct=False):
        """Make a room; returns its id."""
        body = {"preset": "trusted_private_chat" if direct else "private_chat", "invite": list(invite),
                "is_direct": direct}
        room = (await self.ask("POST", "createRoom", body | ({"name": name} if name else {})))["room_id"]
        if direct:
            await self.ask("PUT", f"user/{quoted(self.id)}/account_data/m.direct", {who: [room] for who in invite})
        return room

    async def join(self, room):
        await self.ask("POST", f"join/{quoted(room)}", {})

    async def say(self, room, text, replaces=None):
        """Send a message, or another in its place; returns its id."""
        self.sent += 1
        content = {"msgtype": "m.text", "body": text}
        if replaces:
            content = {"msgtype": "m.text", "body": "* " + text, "m.new_content": content,
                       "m.relates_to": {"rel_type": "m.replace", "event_id": replaces}}
        path = f"rooms/{quoted(room)}/send/m.room.message/{self.name}{self.sent}"
        return (await self.ask("PUT", path, content))["event_id"]

    async def read(self, room, event):
        await self.ask("POST", f"rooms/{quoted(room)}/receipt/m.read/{quoted(event)}", {})

    async def expect(self, match, what, seconds=60):
        """The first event (with its room as `room_id`) that matches; it is taken."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            for event in self.seen:
                if match(event):
                    self.seen.remove(event)
                    return event
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"{self.id} waited {seconds} s for {what}; last: {self.seen[-3:]}")
            answer = await self.ask("GET", "sync?timeout=2000" + (f"&since={self.since}" if self.since else ""))
            self.since = answer["next_batch"]
            for room, news in answer.get("rooms", {}).get("join", {}).items():
                for part in ("timeline", "ephemeral"):
                    self.seen += [{**event, "room_id": room} for event in news.get(part, {}).get("events", [])]


def said(text, sender=None):
    """A message with that text."""
    return lambda e: (e["type"] == "m.room.message" and e["content"].get("body") == text
                      and (sender is None or e["sender"] == sender))


class Matridge(Program):
    """The gateway."""

    def __init__(self, folder):
        super().__init__(folder, "matridge")

    def start(self):
        home = self.folder / "matridge"
        home.mkdir(exist_ok=True)
        self.run([str(PYTHON), "-c", MATRIDGE, "--jid", COMPONENT, "--secret", STATE.components["secret"],
                  "--server", STATE.host, "--port", str(STATE.components["port"]), "--home-dir", str(home),
                  "--upload-service", "upload." + STATE.domains[0], "--user-jid-validator", ".*@" + STATE.domains[0], "--quiet"],
                 env={**os.environ, "SSL_CERT_FILE": STATE.ca, "HOME": str(self.folder), "PYTHONPATH": ""})


def there():
    """Whether the programs are installed."""
    return PYTHON.exists()


if not there():
    print("# no Matrix: interop/setup", file=sys.stderr)
