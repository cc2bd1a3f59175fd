"""Starts and stops the servers that bench/run compares. Only loopback; ends only what it started.

Each server keeps its files in a directory of its own; its accounts survive a restart.
Not here: the works (works.py). Facts about the configuration are in README.md.
"""

import glob
import os
import shutil
import socket
import sqlite3
import subprocess
import time

DOMAIN = "localhost"
# Where Debian puts ejabberd's tables for SQLite.
SCHEMA = "/usr/share/ejabberd/sql/lite.sql"


def certificate(directory):
    """One P-256 certificate for all servers, because an RSA key would dominate the handshake."""
    chain, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    if not os.path.exists(chain):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", chain, "-days", "30", "-subj", f"/CN={DOMAIN}",
             "-addext", f"subjectAltName=DNS:{DOMAIN},DNS:conference.{DOMAIN},DNS:archive.{DOMAIN}"],
            check=True, capture_output=True)
    with open(os.path.join(directory, "all.pem"), "w") as both:
        for part in (chain, key):
            with open(part) as file:
                both.write(file.read())
    return chain, key


class Server:
    """A server that can be started and stopped."""

    name = ""
    tls_port = 5223
    plain_port = 5222
    register_in_band = True
    extra = []
    # Where works that need large archives go.
    archive_domain = DOMAIN

    def __init__(self, run, address):
        self.run, self.address = run, address
        self.directory = os.path.join(run, self.name)
        os.makedirs(self.directory, exist_ok=True)
        self.process = None

    def available(self):
        """Why it cannot run, or nothing."""

    def command(self):
        """(arguments, environment)"""
        raise NotImplementedError

    def prepare(self):
        """Writes configuration; once."""

    def version(self):
        """What exactly is measured."""
        return ""

    def packaged(self, package):
        out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
        return out.stdout

    def start(self):
        arguments, environment = self.command()
        log = open(os.path.join(self.directory, "server.log"), "a")
        self.process = subprocess.Popen(
            arguments, env={**os.environ, **environment}, cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        begin = time.monotonic()
        while time.monotonic() - begin < 60:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at once; see {log.name}")
            try:
                socket.create_connection((self.address, self.tls_port), 1).close()
                time.sleep(1)
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not listen on {self.address}:{self.tls_port}")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def client(self, plain=False, domain=DOMAIN):
        """Arguments of detente-bench that say where this server is."""
        port, security = (self.plain_port, "--plain") if plain else (self.tls_port, "--direct-tls")
        where = ["--host", self.address, "--port", str(port), security, "--domain", domain]
        return [*where, "--server-pid", str(self.process.pid), *self.extra]

    def add_accounts(self, bench, first, count, domain=DOMAIN):
        subprocess.run(
            [bench, *self.client(domain=domain), "--first-account", str(first), "register", "--accounts", str(count)],
            check=True, stdout=subprocess.DEVNULL)


class Relay(Server):
    name = "relay"
    extra = ["--relay"]

    def __init__(self, run, address, bench):
        super().__init__(run, address)
        self.bench = bench
        self.plain = None

    def command(self):
        base = [self.bench, "--host", self.address, "--port"]
        cert, key = certificate(self.run)
        return [*base, str(self.tls_port), "relay", "--cert", cert, "--key", key], {}

    def client(self, plain=False, domain=DOMAIN):
        if not plain:
            return super().client()
        # The relay has one port per process: a second one without TLS, for this one work.
        if self.plain is None:
            self.plain = subprocess.Popen(
                [self.bench, "--host", self.address, "--port", str(self.plain_port), "--plain", "relay"],
                stdout=subprocess.DEVNULL)
            time.sleep(0.5)
        arguments = super().client(True)
        arguments[arguments.index("--server-pid") + 1] = str(self.plain.pid)
        return arguments

    def stop(self):
        if self.plain is not None:
            self.plain.terminate()
            self.plain.wait()
            self.plain = None
        super().stop()

    def add_accounts(self, bench, first, count, domain=DOMAIN):
        pass


class Prosody(Server):
    name = "prosody"
    archive_domain = f"archive.{DOMAIN}"

    def available(self):
        return None if shutil.which("prosody") else "prosody is not installed (bench/install-peers)"

    def version(self):
        return self.packaged("prosody")

    def prepare(self):
        certificate(self.run)
        os.makedirs(os.path.join(self.directory, "data"), exist_ok=True)
        template(self, "prosody.cfg.lua")

    def command(self):
        return ["prosody", "--config", os.path.join(self.directory, "prosody.cfg.lua"), "-F"], {}


class Ejabberd(Server):
    name = "ejabberd"
    archive_domain = f"archive.{DOMAIN}"

    def available(self):
        return None if ebin() and shutil.which("erl") else "ejabberd is not installed (bench/install-peers)"

    def version(self):
        return self.packaged("ejabberd")

    def prepare(self):
        certificate(self.run)
        os.makedirs(os.path.join(self.directory, "log"), exist_ok=True)
        template(self, "ejabberd.yml")
        with open(SCHEMA) as file, sqlite3.connect(os.path.join(self.directory, "archive.sqlite")) as database:
            # One sync per message instead of three: the kindest durable setting.
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(file.read())

    def command(self):
        # Started without Erlang distribution, so there is no epmd to leave behind.
        arguments = ["erl", "+K", "true", "+P", "250000", "-noinput",
                     "-mnesia", "dir", f'"{self.directory}/mnesia"', "-s", "ejabberd"]
        environment = {
            "EJABBERD_CONFIG_PATH": os.path.join(self.directory, "ejabberd.yml"),
            "EJABBERD_LOG_PATH": os.path.join(self.directory, "log", "ejabberd.log"),
            "ERL_LIBS": os.path.dirname(os.path.dirname(ebin())),
            "ERL_CRASH_DUMP": os.path.join(self.directory, "log", "erl_crash.dump"),
            "ERL_MAX_PORTS": "65536",
            "HOME": self.directory,
        }
        return arguments, environment


class Detente(Server):
    """Ours, by the contract of its command line (README.md)."""

    name = "detente"

    def __init__(self, run, address, binary, offset):
        super().__init__(run, address)
        self.binary, self.offset = binary, offset
        self.tls_port, self.plain_port = 5223 + offset, 5222 + offset
        self.config = os.path.join(self.directory, "server", "detente.toml")

    def available(self):
        return None if self.binary and os.path.exists(self.binary) else "no detente binary (--detente PATH)"

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True).stdout.strip()

    def prepare(self):
        if not os.path.exists(self.config):
            subprocess.run(
                [self.binary, "init", os.path.dirname(self.config), "--domain", DOMAIN,
                 "--port-offset", str(self.offset)],
                check=True, stdout=subprocess.DEVNULL)

    def command(self):
        # As for the others: no limits on rates and addresses; everything else as it comes.
        limits = {"RATE_BYTES_PER_SECOND": "0", "CONNECTS_PER_ADDRESS": "1000000",
                  "CONNECTIONS_PER_ADDRESS": "100000", "FAILURES_PER_ADDRESS": "1000000"}
        rooms = {"OCCUPANTS": "5000", "MESSAGES_PER_5_SECONDS": "100000000", "JOINS_PER_10_SECONDS": "100000"}
        return [self.binary, "serve", "--config", self.config], {
            **{f"DETENTE_LIMITS__{name}": value for name, value in limits.items()},
            **{f"DETENTE_ROOMS__{name}": value for name, value in rooms.items()}}

    def add_accounts(self, bench, first, count, domain=DOMAIN):
        for n in range(first, first + count):
            subprocess.run(
                [self.binary, "user", "add", f"user{n}@{domain}", "--password-stdin", "--config", self.config],
                input=f"pw{n}\n", text=True, check=True, stdout=subprocess.DEVNULL)


def ebin():
    """ejabberd's compiled code."""
    found = sorted(glob.glob("/usr/lib/*/ejabberd-*/ebin"))
    return found[-1] if found else None


def template(server, name):
    """Writes peers/NAME into the server's directory with its places filled in."""
    with open(os.path.join(os.path.dirname(__file__), "peers", name)) as file:
        text = file.read()
    for place, value in {"@DIR@": server.directory, "@RUN@": server.run, "@IP@": server.address}.items():
        text = text.replace(place, value)
    with open(os.path.join(server.directory, name), "w") as file:
        file.write(text)
