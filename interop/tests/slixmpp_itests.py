"""slixmpp_itests - slixmpp's own integration tests, as its authors wrote them for their Prosody: each of them is one check.

They come with slixmpp's source (setup unpacks it). Only names and ports of that Prosody are replaced by ours, and the
lookup of SRV records answers with our ports.
Not here: our own tests with slixmpp (slixmpp_*.py).
"""
# timeout: 90
import asyncio
import importlib
import os
import shutil
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

import servers

STATE = servers.State()
os.environ["SSL_CERT_FILE"] = STATE.ca  # read when something is imported

import slixmpp  # noqa: E402
from slixmpp.xmlstream import resolver  # noqa: E402
from tap import Tap  # noqa: E402
from xmpp import PASSWORD, Client, accounts, befriend, close_all  # noqa: E402

SOURCE = Path(os.environ["INTEROP_CACHE"]) / "slixmpp-source/itests"
DOMAIN = STATE.domains[0]
# What cannot pass here, and why: name -> reason. It is not run.
LEFT_OUT = {
    "test_sos.TestSos.test_sos": "the server has no XEP-0455",
    "test_moderate.TestModerate.test_moderate_msg": "it looks for XEP-0425 as it was before 0.3 (slixmpp_rooms has 0.3)",
}


def ours():
    """What is replaced in the sources."""
    found = {"5222": str(STATE.c2s), "5223": str(STATE.tls)}
    if getattr(STATE, "components", None):
        found.update({"slixmpp.prosody": "echo.localhost", '"secret"': repr(STATE.components["secret"]),
                      '"prosody"': repr(DOMAIN), "5347": str(STATE.components["port"])})
    return found


def sources(folder):
    """A copy that knows our addresses; returns the names of its tests."""
    package = folder / "itests"
    package.mkdir()
    for path in sorted(SOURCE.glob("*.py")):
        text = path.read_text()
        for theirs, mine in ours().items():
            text = text.replace(theirs, mine)
        (package / path.name).write_text(text)
    return [path.stem for path in sorted(package.glob("test_*.py"))]


async def records(host, port, services, *_, **__):
    """The SRV records of our domain."""
    ports = {"xmpps-client": STATE.tls, "xmpp-client": STATE.c2s}
    return [(service, "localhost", ports[service]) for service in services if service in ports]


async def one_address(*_, **__):
    return [STATE.host]


async def no_address(*_, **__):
    return []


class Result(unittest.TestResult):
    """Prints each test as a check."""

    def __init__(self, t):
        super().__init__()
        self.t = t

    def _text(self, test):
        name = test.id().removeprefix("itests.")
        return f"{name}: {(test.shortDescription() or name).lower()}"

    def addSuccess(self, test):
        self.t.ok(True, self._text(test))

    def addSkip(self, test, reason):
        self.t.skip(self._text(test), reason)

    def _bad(self, test, error):
        super().addError(test, error)
        self.t.ok(False, self._text(test), self._exc_info_to_string(error, test))

    addError = addFailure = _bad


def each(suite):
    """The tests of a suite."""
    for test in suite:
        yield from each(test) if isinstance(test, unittest.TestSuite) else [test]


async def contacts():
    """Two accounts that see each other's presence: else the server must not tell of last activity (XEP-0012, 4)."""
    both = [Client(jid, "first") for jid in await accounts("one", "other")]
    await asyncio.gather(*(client.login() for client in both))
    await befriend(*both)
    await close_all()
    return [client.boundjid.bare for client in both]


def main():
    t = Tap()
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    one, other = asyncio.run(contacts())
    os.environ.update(CI_ACCOUNT1=one, CI_ACCOUNT1_PASSWORD=PASSWORD, CI_ACCOUNT2=other, CI_ACCOUNT2_PASSWORD=PASSWORD,
                      CI_MUC_SERVER=f"conference.{DOMAIN}")
    if getattr(STATE, "components", None):
        os.environ["CI"] = "woodpecker"  # or its test of components skips itself
    resolver.get_SRV, resolver.get_A, resolver.get_AAAA = records, one_address, no_address
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="interop-itests-"))
    sys.path.insert(0, str(folder))
    try:
        for name in sources(folder):
            for test in each(importlib.import_module("itests." + name).suite):
                reason = LEFT_OUT.get(test.id().removeprefix("itests."))
                if reason:
                    t.skip(test.id(), reason)
                elif only in test.id():
                    test.run(Result(t))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"# slixmpp {slixmpp.__version__}")
    sys.exit(t.finish())


if __name__ == "__main__":
    main()
