"""runner.py - start one server, run the chosen tests against it, count, and say what failed.

Tests print TAP-like lines. This file numbers nothing and knows no protocol: it rewrites `not ok` to `# TODO` where the
server's adapter expects the failure, adds the server's log to a failure, and enforces each test's own time-out.
Not here: starting servers (servers.py); what the tests check (../tests).
"""
import argparse
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servers
from tap import PATIENCE

INTEROP = Path(__file__).resolve().parents[1]
TESTS = INTEROP / "tests"
LINE = re.compile(r"^(not ok|ok)\s+(\d+)?\s*-?\s*(.*)$")
HEADER = re.compile(r"^\s*(?:#|//)\s*(timeout|own-server):\s*(\S+)", re.M)


def cache():
    """Where setup put the clients."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(os.environ.get("INTEROP_CACHE") or os.path.join(base, "detente-interop"))


class Test:
    """One script of the tests folder with what its header says (`timeout: SECONDS`, `own-server: yes`)."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        header = dict(HEADER.findall(path.read_text()[:2000]))
        self.timeout = PATIENCE * int(header.get("timeout", 60))
        self.own_server = header.get("own-server") == "yes"

    def argv(self):
        """The command that runs it."""
        if self.path.suffix == ".mjs":
            return ["node", "--no-warnings", str(self.path)]
        return [str(cache() / "venv/bin/python"), str(self.path)]


def all_tests():
    """Every test, in order of the file order below, then by name."""
    order = ["slixmpp_basic", "slixmpp_multi_domain", "profanity", "go_sendxmpp", "xmpp_js", "strophe", "sasl2_raw",
             "host_meta", "durability"]
    tests = [Test(p) for p in TESTS.iterdir() if p.suffix in (".py", ".mjs") and not p.name.startswith("_")]
    return sorted(tests, key=lambda t: (order.index(t.name) if t.name in order else len(order), t.name))


class Counts:
    """What the closing line says."""

    passed = failed = expected = skipped = 0
    failures = []
    surprises = []


def run_test(test, server, counts, env):
    """Run one test and pass its lines on. True when nothing failed against expectation."""
    known = {re.compile(k, re.I): v for k, v in server.expected.get(test.name, {}).items()}
    before, before_all = counts.failed, counts.failed + counts.expected
    log_from = server.log.stat().st_size if server.log.exists() else 0
    began = time.monotonic()
    process = subprocess.Popen(test.argv(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               env=env, start_new_session=True)
    lines, late = 0, False
    for line in lines_until(process, began + test.timeout):
        if line is None:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
            break
        lines += report(line, test, known, counts)
    code = process.wait()
    end_group(process.pid)
    seconds = time.monotonic() - began
    if late:
        fail(counts, test, {}, f"{test.name} ends within {test.timeout:.0f} s")
    elif code and counts.failed + counts.expected == before_all:
        fail(counts, test, {}, f"{test.name} ends with code 0, not {code}")
    elif not lines:
        fail(counts, test, {}, f"{test.name} checks something")
    print(f"# {test.name}: {seconds:.1f} s", flush=True)
    if counts.failed > before:
        text = server.log.read_bytes()[log_from:].decode(errors="replace") if server.log.exists() else ""
        for line in text.splitlines()[-40:]:
            print("#   server: " + line)
    return counts.failed == before


def survived(test, server, counts):
    """A server that has died in a test is a failure of its own; it comes back for the next test."""
    if server.process is None or server.process.poll() is None:
        return
    fail(counts, test, {}, f"the server survives it (it ended with {server.process.returncode})")
    for line in server.log_tail(60).splitlines():
        print("#   server: " + line)
    server.start()


def lines_until(process, end):
    """The process's output line by line; None once when the time is up."""
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    rest = b""
    while True:
        if not selector.select(max(0, end - time.monotonic())):
            yield None
            return
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def end_group(pgid):
    """Whatever a test left running ends with it."""
    try:
        os.killpg(pgid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def report(line, test, known, counts):
    """Print one line of a test; 1 if it was a check."""
    match = LINE.match(line)
    if not match:
        print(line, flush=True)
        return 0
    verdict, _, text = match.groups()
    if verdict == "not ok":
        fail(counts, test, known, text)
        return 1
    if "# SKIP" in text:
        counts.skipped += 1
        print(f"ok - {test.name}: {text}", flush=True)
        return 1
    counts.passed += 1
    reason = next((why for pattern, why in known.items() if pattern.search(text)), None)
    if reason and ".*" not in [p.pattern for p in known]:
        counts.surprises.append(f"{test.name}: {text}")
    print(f"ok {counts.passed + counts.failed + counts.expected} - {test.name}: {text}", flush=True)
    return 1


def fail(counts, test, known, text):
    """Count one failure, as expected or not."""
    reason = next((why for pattern, why in known.items() if pattern.search(text)), None)
    if reason:
        counts.expected += 1
    else:
        counts.failed += 1
        counts.failures.append(f"{test.name}: {text}")
    number = counts.passed + counts.failed + counts.expected
    print(f"not ok {number} - {test.name}: {text}" + (f" # TODO {reason}" if reason else ""), flush=True)


def arguments():
    """The command line."""
    names = [t.name for t in all_tests()]
    parser = argparse.ArgumentParser(prog="interop/run", description="Drive real XMPP clients against a server.")
    parser.add_argument("--server", choices=sorted(servers.kinds()), default="detente")
    parser.add_argument("--port-offset", type=int, help="default: the first free one from 20000 on")
    parser.add_argument("--keep", action="store_true", help="keep the server's folder and print its path")
    parser.add_argument("--list", action="store_true", help="print the tests' names")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of " + " ".join(names))
    options = parser.parse_args()
    options.names = [n.replace(".", "_") for n in options.names]
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error("no such test: " + " ".join(unknown))
    return options


def main():
    """Everything; returns the exit code."""
    options = arguments()
    tests = [t for t in all_tests() if not options.names or t.name in options.names]
    if options.list:
        print("\n".join(t.name for t in tests))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    offset = servers.free_offset() if options.port_offset is None else options.port_offset
    server = servers.kinds()[options.server](folder / "server", offset)
    state = folder / "state.json"
    env = dict(os.environ, INTEROP_STATE=str(state), INTEROP_FOLDER=str(folder), INTEROP_SERVER=options.server,
               INTEROP_CACHE=str(cache()), PYTHONPATH=str(INTEROP / "lib"), PYTHONDONTWRITEBYTECODE="1",
               PYTHONUNBUFFERED="1", NODE_EXTRA_CA_CERTS=str(server.dir / "trusted.pem"))
    counts = Counts()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if any(not t.own_server and t.name not in server.skip for t in tests):
            server.init()
            server.start()
        server.write_state(state)
        for test in tests:
            if test.name in server.skip:
                counts.skipped += 1
                print(f"ok - {test.name} # SKIP {server.skip[test.name]}", flush=True)
            else:
                run_test(test, server, counts, env)
                survived(test, server, counts)
        if server.process:
            code = server.stop()
            if options.server == "detente":
                verdict = LINE.match(f"{'ok' if code == 0 else 'not ok'} 0 - exit code 0 on SIGTERM (got {code})")
                report(verdict.group(0), type("End", (), {"name": "server"}), {}, counts)
    finally:
        server.kill()
        if options.keep:
            print(f"# kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for line in counts.failures:
        print(f"# failed: {line}")
    for line in counts.surprises:
        print(f"# passes although expected to fail: {line}")
    print(f"# {counts.expected} failed as expected, {counts.skipped} skipped, {time.monotonic() - began:.0f} s")
    print(f"{counts.passed} passed, {counts.failed} failed")
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
