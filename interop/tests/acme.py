"""acme - certificates from a real authority for tests (Let's Encrypt's pebble): all three kinds of proof, renewal.

One port (`shared`) serves clients, web clients and the authority here. pebble and its DNS are built by setup where there
is Go.
Not here: what fails in one step (the crate's own tests).
"""
# timeout: 240
# own-server: yes
import base64
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import servers

CACHE = Path(os.environ.get("INTEROP_CACHE")
             or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "detente-interop")
PEBBLE, DNS = CACHE / "go/bin/pebble", CACHE / "go/bin/pebble-challtestsrv"
if os.environ["INTEROP_SERVER"] != "detente" or not PEBBLE.exists() or not DNS.exists():
    print("ok 1 - certificates from an authority # SKIP only with our server, and where setup has built pebble")
    sys.exit(0)

import tap  # noqa: E402

HOST, DOMAIN, PASSWORD = "127.0.0.1", "chat.test", "pencil"
LOST = "pubsub." + DOMAIN  # nobody listens there
FOLDER = Path(os.environ["INTEROP_FOLDER"]) / "acme"
BINARY = servers.Detente(FOLDER / "unused", 0).binary
STARTED = []


def port():
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


WEB, TLS, DIRECTORY, ROOTS, NAMES, TABLE = (port() for _ in range(6))


def run(argv, log, env=None):
    """Starts a program that ends with the test."""
    process = subprocess.Popen([str(word) for word in argv], stdout=open(FOLDER / log, "ab"), stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, env=os.environ | (env or {}))
    STARTED.append(process)
    return process


def until(what, condition, seconds=60):
    """Waits for something that nothing announces."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise tap.Missed(f"{what} does not come true in {seconds} s")


def table(path, **body):
    """Changes what DNS says."""
    request = urllib.request.Request(f"http://{HOST}:{TABLE}/{path}", data=json.dumps(body).encode())
    urllib.request.urlopen(request, timeout=10).read()


def authority(seconds):
    """Starts DNS and the authority, whose certificates hold so long."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:FALSE",
                    "-keyout", FOLDER / "directory.key", "-out", FOLDER / "directory.pem"],
                   check=True, capture_output=True)
    config = {"pebble": {
        "listenAddress": f"{HOST}:{DIRECTORY}", "managementListenAddress": f"{HOST}:{ROOTS}",
        "certificate": str(FOLDER / "directory.pem"), "privateKey": str(FOLDER / "directory.key"),
        "httpPort": WEB, "tlsPort": TLS, "ocspResponderURL": "", "externalAccountBindingRequired": False,
        "retryAfter": {"authz": 1, "order": 1},
        "profiles": {"default": {"description": "for tests", "validityPeriod": seconds}}}}
    (FOLDER / "pebble.json").write_text(json.dumps(config))
    run([DNS, "-dnsserver", f"{HOST}:{NAMES}", "-management", f"{HOST}:{TABLE}", "-defaultIPv4", HOST,
         "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""], "dns.log")
    pebble = run([PEBBLE, "-config", FOLDER / "pebble.json", "-dnsserver", f"{HOST}:{NAMES}"], "pebble.log",
                 {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20"})
    until("the authority listens", lambda: servers.answers(DIRECTORY) and servers.answers(ROOTS) and servers.answers(TABLE))
    table("add-a", host=LOST + ".", addresses=["127.0.0.66"])
    return pebble


def root():
    """Whom clients have to trust."""
    context = ssl.create_default_context(cafile=FOLDER / "directory.pem")
    with urllib.request.urlopen(f"https://{HOST}:{ROOTS}/roots/0", context=context, timeout=10) as answer:
        return answer.read().decode()


class Server:
    """One of ours, with nothing but a port for everything and one for the authority."""

    def __init__(self, name, challenge, more="", domain=DOMAIN, listen=None):
        self.folder = FOLDER / name
        self.folder.mkdir(parents=True)
        listen = listen or f'shared = ["{HOST}:{TLS}"]\nacme = ["{HOST}:{WEB}"]'
        self.config = self.folder / "detente.toml"
        self.config.write_text(f"""
[server]
domains = ["{domain}"]
[listen]
c2s = []
c2s_tls = []
http = []
https = []
s2s = []
s2s_tls = []
{listen}
[acme]
enabled = true
agree_to_terms = true
directory = "https://localhost:{DIRECTORY}/dir"
contact = ["mailto:admin@example.org"]
ca_file = "{FOLDER / "directory.pem"}"
challenge = "{challenge}"
dns_wait_seconds = 0
{more}
[limits]
connects_per_address = 1000000
""")
        self.config.chmod(0o600)
        self.process = run([BINARY, "serve", "--config", self.config], name + ".log")
        until("it listens", lambda: servers.answers(TLS) and (self.folder / "data/admin.sock").exists(), 30)

    def order(self, *words, text=None):
        """A command; gives what it says as JSON, or as text where it fails."""
        done = subprocess.run([BINARY, *words, "--config", str(self.config)], capture_output=True, text=True, input=text,
                              timeout=120)
        return json.loads(done.stdout) if done.returncode == 0 and "--json" in words else done.stdout + done.stderr

    def standing(self):
        """How it stands with the certificate."""
        return self.order("cert", "list", "--json")[0]

    def stop(self):
        """In order."""
        self.process.terminate()
        return self.process.wait(30)


def handshake(alpn, name=DOMAIN, cafile=None):
    """TLS as a client that trusts nobody but the authority, and that checks the name."""
    context = ssl.create_default_context(cadata=cafile or root())
    context.set_alpn_protocols([alpn] if alpn else [])
    raw = socket.create_connection((HOST, TLS), 10)
    return context.wrap_socket(raw, server_hostname=name)


def names(cert):
    """All names in a certificate."""
    return sorted(value for kind, value in cert["subjectAltName"] if kind == "DNS")


def served(name=DOMAIN):
    """The certificate that is shown now, if it is a good one."""
    try:
        with handshake("http/1.1", name) as tls:
            return tls.getpeercert()
    except (ssl.SSLError, OSError):
        return None


class Stream:
    """A client that is logged in."""

    def __init__(self, user):
        self.tls, self.seen = handshake("xmpp-client"), b""
        self.open()
        token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>")
        self.hear("<success")
        self.open()
        self.say("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.hear("</jid>")

    def open(self):
        self.say(f"<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' "
                 "xmlns:stream='http://etherx.jabber.org/streams'>")
        self.hear("</stream:features>")

    def say(self, text):
        self.tls.sendall(text.encode())

    def hear(self, text):
        end = time.monotonic() + 10
        while text.encode() not in self.seen:
            if time.monotonic() > end:
                raise tap.Missed(f"no {text} in {self.seen}")
            more = self.tls.recv(16384)
            if not more:
                raise tap.Missed(f"the end, without {text}")
            self.seen += more
        self.seen = self.seen.split(text.encode(), 1)[1]

    def lives(self, number):
        """Whether it still gets an answer."""
        self.say(f"<iq xmlns='jabber:client' type='get' id='p{number}'><ping xmlns='urn:xmpp:ping'/></iq>")
        self.hear(f"p{number}")
        return True


@tap.scenario("tls-alpn-01 on the port for everything", 90)
async def _(check):
    server = Server("tls", "tls-alpn-01")
    cert = until("a certificate is served", served)
    check.same(names(cert), [DOMAIN, "conference." + DOMAIN] + ["push." + DOMAIN] * (("push." + DOMAIN) in names(cert)),
               "the certificate is for the domain and its services, without the one that the authority cannot reach")
    lacks = server.standing()["lacks"]
    check.ok([one["name"] for one in lacks] == [LOST] and "port 443" in lacks[0]["why"], "which is told in plain words", lacks)
    kept = server.folder / "data/acme"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [kept, *kept.iterdir()]}
    check.same(modes, {"acme": 0o700, "accounts.json": 0o600, f"{DOMAIN}.pem": 0o600, f"{DOMAIN}.json": 0o600},
               "keys are nobody else's business")
    server.order("user", "add", "romeo@" + DOMAIN, "--password-stdin", text=PASSWORD + "\n")
    romeo = Stream("romeo")
    check.ok(romeo.lives(1), "a client logs in by the same port")
    with handshake("http/1.1") as web:
        web.sendall(f"GET /.well-known/host-meta HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode())
        check.ok(b"200 OK" in web.recv(4096), "and so does a browser")
    said = server.order("cert", "renew", DOMAIN)
    check.ok("in service" in said, "`cert renew` gets another one", said)
    check.ok(served()["serialNumber"] != cert["serialNumber"], "new connections are shown it")
    check.ok(romeo.lives(2), "the open stream has noticed nothing")
    accounts = (kept / "accounts.json").read_text()
    server.stop()
    again = run([BINARY, "serve", "--config", server.config], "tls.log")
    server.process = again
    until("it is served again", served)
    check.same((kept / "accounts.json").read_text(), accounts, "after a restart the account is the same")
    check.same(server.standing()["failures"], 0, "and nothing has failed")
    server.stop()


@tap.scenario("http-01", 60)
async def _(check):
    server = Server("http", "http-01", "subdomains = false")
    cert = until("a certificate is served", served)
    check.same(names(cert), [DOMAIN], "without subdomains the certificate is for the domain alone")
    try:
        urllib.request.urlopen(f"http://{HOST}:{WEB}/", timeout=5)
        check.ok(False, "nothing else is served on that port")
    except urllib.error.HTTPError as error:
        check.same(error.code, 404, "nothing else is served on that port")
    server.stop()


@tap.scenario("dns-01 by a program", 60)
async def _(check):
    program = FOLDER / "dns-program"
    program.write_text(f"""#!/bin/sh
echo "$1 $2" >> {FOLDER}/dns-program.log
case $1 in
  add) curl -sf -d '{{"host":"'"$2"'.","value":"'"$3"'"}}' http://{HOST}:{TABLE}/set-txt ;;
  remove) curl -sf -d '{{"host":"'"$2"'."}}' http://{HOST}:{TABLE}/clear-txt ;;
esac
""")
    program.chmod(0o700)
    server = Server("dns", "dns-01", f'dns_program = "{program}"')
    cert = until("a certificate is served", served)
    check.ok(LOST in names(cert), "names that nobody serves can be proven, too", names(cert))
    calls = sorted((FOLDER / "dns-program.log").read_text().split("\n")[:-1])
    adds = [line.split()[1] for line in calls if line.startswith("add")]
    removes = [line.split()[1] for line in calls if line.startswith("remove")]
    check.ok(adds and adds == removes, "every record is taken away again", calls)
    server.stop()


@tap.scenario("an authority that cannot reach us", 60)
async def _(check):
    server = Server("lost", "tls-alpn-01", domain=LOST, listen=f'shared = ["{HOST}:{TLS}"]')
    standing = until("it has failed", lambda: next((one for one in [server.standing()] if one["failures"]), None))
    check.ok("port 443" in standing["problem"], "what to do is said in plain words", standing)
    check.ok(standing["until"] is None and server.process.poll() is None, "the server goes on without")
    said = server.order("cert", "renew")
    check.ok("port 443" in said, "`cert renew` says it, too", said)
    server.stop()


@tap.scenario("certificates that hold for a minute", 120)
async def _(check):
    while STARTED:
        one = STARTED.pop()
        one.kill()
        one.wait()
    authority(60)
    server = Server("short", "tls-alpn-01", "subdomains = false")
    first = until("a certificate is served", served)
    server.order("user", "add", "romeo@" + DOMAIN, "--password-stdin", text=PASSWORD + "\n")
    romeo = Stream("romeo")
    second = until("it is renewed", lambda: next((c for c in [served()] if c and c["serialNumber"] != first["serialNumber"]), None), 70)
    left = ssl.cert_time_to_seconds(first["notAfter"]) - time.time()
    check.ok(left > 5, "it is renewed before the old one ends", f"{left} s were left")
    check.ok(second["notAfter"] != first["notAfter"], "the new one holds for longer")
    check.ok(romeo.lives(1), "the open stream has noticed nothing")
    server.stop()


async def end_servers():
    """After each scenario, also one that failed."""
    for process in STARTED[2:]:
        process.kill()
        process.wait()
    del STARTED[2:]


authority(7776000)
try:
    tap.main(end_servers, sys.argv[1] if len(sys.argv) > 1 else None)
finally:
    for process in STARTED:
        process.kill()
