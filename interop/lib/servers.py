"""servers.py - the servers under test behind one small adapter, and the state file that tests read.

A test never asks which server it talks to. It reads the JSON file named by $INTEROP_STATE: address, ports, domains,
trust anchor, log file and the command that makes an account. What a foreign server is known to lack stands in its
adapter (`skip`, `expected`), never in a test.
Not here: Prosody (prosody.py), the order of tests and the counting (runner.py), anything that speaks XMPP (xmpp.py).
"""
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOMAINS = ["localhost", "second.localhost"]
HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 15


def free_offset(first=20000, step=10, tries=200):
    """The first port offset from `first` on with all of our ports free on loopback."""
    for offset in range(first, first + step * tries, step):
        try:
            for base in (5222, 5223, 5269, 5270, 5280, 5281, 5347):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((HOST, base + offset))
            return offset
        except OSError:
            continue
    raise SystemExit("no free port offset found")


class Server:
    """One server process with its own folder. `start` returns when clients can connect."""

    name = ""
    skip = {}      # test name -> reason: not run at all
    expected = {}  # test name -> {regular expression on the check's text: reason}: may fail

    def __init__(self, folder, offset):
        self.dir = Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.offset = offset
        self.process = None
        self.log = self.dir / "server.log"

    # What each server says for itself.
    def init(self):
        """Write configuration, keys and certificate."""
        raise NotImplementedError

    def command(self):
        """The foreground command."""
        raise NotImplementedError

    def user_add(self):
        """Command that makes an account: {jid} {local} {domain} {password} are replaced; password on stdin too."""
        raise NotImplementedError

    environment = {}  # added to that of the runner
    own_group = True  # of processes: a Ctrl-C at the runner must not race with the orderly stop
    ready = None  # a text in the log that says it listens; None: the ports decide

    def state(self):
        """What tests need to know, as in the state file."""
        return {
            "server": self.name, "host": HOST, "domains": DOMAINS,
            "ports": {"c2s": 5222 + self.offset, "tls": 5223 + self.offset,
                      "http": 5280 + self.offset, "https": 5281 + self.offset},
            "ca": str(self.dir / "trusted.pem"), "log": str(self.log), "user_add": self.user_add(),
            "offset": self.offset,
        }

    def write_state(self, path):
        """Write the state file."""
        Path(path).write_text(json.dumps(self.state(), indent=1))

    def start(self):
        """Start, wait until it listens, and fetch the certificates to trust."""
        log = open(self.log, "ab")
        seen = self.log.stat().st_size
        self.process = subprocess.Popen(self.command(), env=os.environ | self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        start_new_session=self.own_group)
        log.close()
        end = time.monotonic() + START_SECONDS
        ports = self.state()["ports"].values()
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended at once with {self.process.returncode}:\n{self.log_tail()}")
            said = self.ready is None or self.ready in self.log.read_bytes()[seen:].decode(errors="replace")
            if said and all(answers(port) for port in ports):
                self.trust()
                return
            time.sleep(0.02)
        raise SystemExit(f"{self.name} not ready within {START_SECONDS} s:\n{self.log_tail()}")

    def trust(self):
        """Pin the certificates that the server shows for its domains: clients then verify for real."""
        path = self.dir / "trusted.pem"
        if path.exists():
            return
        found = []
        for domain in DOMAINS:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with socket.create_connection((HOST, 5223 + self.offset), 5) as raw, \
                    context.wrap_socket(raw, server_hostname=domain) as tls:
                pem = ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))
            if pem not in found:
                found.append(pem)
        path.write_text("".join(found))

    def stop(self):
        """SIGTERM; returns the exit code."""
        return self.end(signal.SIGTERM)

    def kill(self):
        """SIGKILL in the middle of whatever it does."""
        return self.end(signal.SIGKILL)

    def end(self, sig):
        """Send a signal and wait for the end."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(sig)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def log_tail(self, lines=30):
        """The last lines of the server's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"


def answers(port):
    """Does anything listen there?"""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


SECRET = "the suite's own secret of components"
COMPONENTS = """
[component."irc.localhost"]
secret = "{secret}"
[component."echo.localhost"]
secret = "{secret}"
[component."echo.localhost".privileges]
roster = "both"
message = "outgoing"
[component."matrix.localhost"]
secret = "{secret}"
[component."matrix.localhost".privileges]
roster = "both"
message = "outgoing"
iq = ["http://jabber.org/protocol/pubsub", "set http://jabber.org/protocol/pubsub#owner", "get urn:xmpp:http:upload:0"]
"""


class Detente(Server):
    """Ours."""

    name = "detente"
    ready = "ready"
    expected = {}

    def __init__(self, folder, offset):
        super().__init__(folder, offset)
        candidates = [os.environ.get("INTEROP_DETENTE"), ROOT / "target/release/detente", ROOT / "target/debug/detente"]
        self.binary = next((str(c) for c in candidates if c and Path(c).is_file()), None)
        if self.binary is None:
            raise SystemExit("no detente binary: build it, or set INTEROP_DETENTE")
        self.config = self.dir / "detente.toml"
        self.environment = {**self.environment, "DETENTE_LISTEN__COMPONENTS": f"{HOST}:{5347 + offset}",
                            "DETENTE_LISTEN__BYTESTREAMS": f"{HOST}:{7777 + offset}",
                            "DETENTE_BYTESTREAMS__HOST": HOST}

    def init(self):
        if self.config.exists():
            return
        args = [self.binary, "init", str(self.dir)]
        for domain in DOMAINS:
            args += ["--domain", domain]
        subprocess.run(args + ["--port-offset", str(self.offset)], check=True, stdin=subprocess.DEVNULL)
        with self.config.open("a") as config:
            config.write(COMPONENTS.format(secret=SECRET))

    def state(self):
        return {**super().state(), "components": {"port": 5347 + self.offset, "secret": SECRET}}

    # The suite logs in wrongly on purpose, connects often, and shows a page from another origin, all from one address.
    environment = {"DETENTE_LIMITS__FAILURES_PER_ADDRESS": "10000", "DETENTE_LIMITS__CONNECTS_PER_ADDRESS": "100000",
                   "DETENTE_HTTP__ORIGINS": "*"}

    def command(self):
        return [self.binary, "serve", "--config", str(self.config)]

    def user_add(self):
        return [self.binary, "user", "add", "{jid}", "--password-stdin", "--config", str(self.config)]


def kinds():
    """Every server there is, by name."""
    from prosody import Prosody, ProsodySasl2  # here: that file builds on this one
    return {kind.name: kind for kind in (Detente, Prosody, ProsodySasl2)}


class State:
    """The state file as a test sees it."""

    def __init__(self, path=None):
        data = json.loads(Path(path or os.environ["INTEROP_STATE"]).read_text())
        self.__dict__.update(data)
        self.c2s, self.tls = self.ports["c2s"], self.ports["tls"]
        self.http, self.https = self.ports["http"], self.ports["https"]

    def door(self, domain):
        """Where accounts of a domain log in and how they are made: several servers may be there (federation.py)."""
        one = {"host": self.host, "c2s": self.c2s, "tls": self.tls, "user_add": self.user_add}
        return getattr(self, "doors", {}).get(domain, one)

    def add_user(self, jid, password):
        """Make an account."""
        local, domain = jid.split("@")
        words = {"jid": jid, "local": local, "domain": domain, "password": password}
        argv = [word.format(**words) for word in self.door(domain)["user_add"]]
        done = subprocess.run(argv, input=password + "\n", text=True, capture_output=True, timeout=30)
        if done.returncode:
            raise RuntimeError(f"account {jid} not made: {done.stdout}{done.stderr}")
