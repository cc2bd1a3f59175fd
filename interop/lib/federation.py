"""federation.py - servers that nobody here wrote, and ours among them: Prosody, ejabberd, up to two of ours, in a network
with names and an authority of their own (../peers).

    net = Net(auth="certificate", direct_tls=True)   # writes the state file and sets $INTEROP_STATE; starts everything

Every network has addresses of its own, so that several may run beside one another.
Not here: how the peers are configured (../peers), what is checked (../tests/federation_*.py).
"""
import atexit
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import servers

PEERS = servers.ROOT / "interop" / "peers"
PROSODY, EJABBERD, WRONG, BLOCKED = "prosody.example", "ejabberd.example", "wrong.example", "blocked.example"
OURS = ["ours.example", "second.example", "third.example"]
OTHER = "other.example"  # a second server of ours
UNKNOWN = "nowhere.example"
LOCKS = []  # of networks
PACKAGES = {"prosody": "Prosody", "erl": "Erlang", "dnsmasq": "dnsmasq"}


def missing():
    """What keeps these tests from running, in words; None if nothing does."""
    for program, name in PACKAGES.items():
        if not shutil.which(program):
            return f"no {name} here (interop/peers/setup)"
    if not list(Path("/usr/lib").glob("*/ejabberd-*/ebin")):
        return "no ejabberd here (interop/peers/setup)"
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return None if probe.returncode == 0 else "no mount namespaces here (needs root)"


def free_network():
    """The first 127.0.N that nobody else has; it is this process's until it ends."""
    for number in range(42, 250):
        lock = open(Path(tempfile.gettempdir()) / f"detente-interop-127.0.{number}.lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
                names.bind((f"127.0.{number}.53", 53))
            LOCKS.append(lock)
            return f"127.0.{number}"
        except OSError:
            lock.close()
    raise SystemExit("no free network found")


def connections():
    """TCP connections on loopback, as (from, to, port) of those that opened them."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        ends, state = line.split()[1:3], line.split()[3]
        (local, _), (remote, port) = (end.split(":") for end in ends)
        if state == "01":
            found.add((*(socket.inet_ntoa(bytes.fromhex(ip)[::-1]) for ip in (local, remote)), int(port, 16)))
    return found


class Ours(servers.Detente):
    """Ours, with certificates of the peers' authority, among their names."""

    ports = {"c2s": 5222, "c2s_tls": 5223, "s2s": 5269, "s2s_tls": 5270, "https": 5281, "metrics": 5290}
    own_group = False

    def __init__(self, net, name, ip, domains):
        super().__init__(net.dir / name, 0)
        self.net, self.name, self.ip, self.domains = net, name, ip, domains
        log = os.environ.get("INTEROP_LOG", "info,federation=debug,s2s=debug")
        self.environment = net.environment | {"DETENTE_LOG__LEVEL": log}

    def init(self):
        lines = ["[server]", f"domains = {self.domains}", "[listen]"]
        lines += [f'{door} = ["{self.ip}:{port}"]' for door, port in self.ports.items()] + ["http = []"]
        lines += ["[limits]", "connects_per_address = 100000", "failures_per_address = 10000",
                  "[http]", f'public_url = "https://{self.ip}:5281"', "[federation]", 'enabled = "on"',
                  "private_addresses = true", f'block = ["{BLOCKED}"]']
        if self.net.auth == "certificate":
            lines.append(f'ca_file = "{self.net.ca}"')
        else:
            lines += [f'[federation.domain."{peer}"]\nauth = "dialback"' for peer in (PROSODY, EJABBERD)]
        for domain in self.domains:
            for kind in ("pem", "key"):
                shutil.copy(self.net.dir / "peers/certs" / f"{domain}.{kind}", self.dir)
                (self.dir / f"{domain}.{kind}").chmod(0o600)
            lines += [f'[domain."{domain}"]', f'certificate = "{domain}.pem"', f'key = "{domain}.key"']
        self.config.write_text("\n".join(lines).replace("'", '"') + "\n")

    def command(self):
        return [str(PEERS / "in-net"), *super().command()]

    def state(self):
        return {"ports": {}}  # the log says when it is ready

    def trust(self):
        """The peers' authority is what clients trust."""

    def door(self):
        """For the state file."""
        return {"host": self.ip, "c2s": 5222, "tls": 5223, "user_add": self.user_add()}

    def measure(self, name, **labels):
        """The sum of a measure's values with those labels."""
        with urllib.request.urlopen(f"http://{self.ip}:5290/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        total = 0
        for line in lines:
            found = re.match(r"(\w+?)(?:_total)?(?:\{(.*)\})? ([0-9.e+]+)$", line)
            if found and found[1] == "detente_" + name and all(f'{k}="{v}"' in (found[2] or "") for k, v in labels.items()):
                total += float(found[3])
        return int(total)


    def spooled(self):
        """How many stanzas are kept for other servers, of which it is not known that they have them."""
        store = sqlite3.connect(f"file:{self.dir}/data/detente.db?mode=ro", uri=True)
        rows = store.execute("SELECT count(*) FROM log JOIN slot ON slot.id = log.slot "
                             "WHERE slot.space = 'spool' AND log.id > slot.floor").fetchone()[0]
        store.close()
        return rows


class Net:
    """The whole network. `auth`: certificate or dialback; `direct_tls`: whether DNS has records for it."""

    def __init__(self, auth="certificate", direct_tls=True, other=False):
        why = missing()
        if why:
            print(f"ok 1 - federation with Prosody and ejabberd # SKIP {why}", flush=True)
            sys.exit(0)
        self.auth, self.dir = auth, Path(os.environ["INTEROP_FOLDER"]) / Path(sys.argv[0]).stem
        self.ca = self.dir / "peers/certs/ca.pem"
        net = free_network()
        self.prosody_ip, self.ejabberd_ip, self.ip, other_ip = (f"{net}.{n}" for n in (1, 2, 3, 4))
        self.environment = {
            "PEERS_DIR": str(self.dir / "peers"), "DNS_IP": f"{net}.53", "PROSODY_IP": self.prosody_ip,
            "EJABBERD_IP": self.ejabberd_ip, "OURS_DOMAIN": OURS[0], "OURS_IP": self.ip,
            "MORE_OURS": " ".join([f"{d}={self.ip}" for d in OURS[1:]] + [f"{OTHER}={other_ip}"]),
            "PROSODY_MORE": BLOCKED, "PROSODY_WRONG": WRONG, "S2S_AUTH": auth,
            "S2S_DIRECT_TLS": "yes" if direct_tls else "no", "PEERS_LOG": os.environ.get("PEERS_LOG", "info"),
        }
        self.ours = Ours(self, "ours", self.ip, OURS)
        self.other = Ours(self, "other", other_ip, [OTHER]) if other else None
        atexit.register(self.stop)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        began = time.monotonic()
        self.peers("start")
        for one in self.all_ours():
            one.init()
            one.start()
        print(f"# the network is up after {time.monotonic() - began:.1f} s", flush=True)
        self.write_state()

    def all_ours(self):
        return [one for one in (self.ours, self.other) if one]

    def write_state(self):
        """The state file for `xmpp`, with a door for each domain."""
        prosody = {"host": self.prosody_ip, "c2s": 5222, "tls": 5223, "user_add": [
            "prosodyctl", "--config", f"{self.dir}/peers/prosody/prosody.cfg.lua", "register",
            "{local}", "{domain}", "{password}"]}
        body = '{{"user":"{local}","host":"{domain}","password":"{password}"}}'
        ejabberd = {"host": self.ejabberd_ip, "c2s": 5222, "tls": 5223, "user_add": [
            "curl", "-sf", "-m", "20", "-H", "Content-Type: application/json", "-d", body,
            f"http://{self.ejabberd_ip}:5280/api/register"]}
        doors = {PROSODY: prosody, WRONG: prosody, BLOCKED: prosody, EJABBERD: ejabberd}
        doors |= {domain: one.door() for one in self.all_ours() for domain in one.domains}
        state = {"server": "federation", "host": self.ip, "domains": OURS, "doors": doors, "ca": str(self.ca),
                 "ports": {"c2s": 5222, "tls": 5223, "http": 0, "https": 5281}, "log": str(self.ours.log),
                 "user_add": self.ours.user_add(), "offset": 0}
        path = self.dir / "state.json"
        path.write_text(json.dumps(state))
        os.environ |= {"INTEROP_STATE": str(path), "INTEROP_WAIT": os.environ.get("INTEROP_WAIT", "20")}

    def peers(self, *arguments):
        """`peers` with this network's settings."""
        with open(self.dir / "peers.log", "ab") as log:
            done = subprocess.run([str(PEERS / "peers"), *arguments], env=os.environ | self.environment,
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode:
            raise SystemExit(f"peers {arguments} failed:\n" + (self.dir / "peers.log").read_text()[-2000:])

    def ejabberd_keeps(self, jid):
        """Whether ejabberd has written an account to disk: Mnesia does that when it likes to."""
        entry = re.compile(b"passwd.{1,40}" + re.escape(jid.split("@")[0].encode()), re.DOTALL)
        folder = self.dir / "peers/ejabberd/mnesia"
        return any(entry.search(path.read_bytes()) for path in folder.iterdir() if path.is_file())

    def went(self, ip, port):
        """Whether ours is connected to that port."""
        return any((to, at) == (ip, port) for _, to, at in connections())

    def stop(self):
        """End everything."""
        for one in self.all_ours():
            one.stop()
        self.peers("stop")
        keep = os.environ.get("INTEROP_KEEP")
        if keep:
            shutil.copytree(self.dir, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock", "admin*"))
