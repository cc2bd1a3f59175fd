"""tap.py - prints TAP-like lines for a test script, keeps the last XML for the moment when a check fails.

Not here: counting over scripts and expected failures (runner.py).
"""
import asyncio
import collections
import os
import sys
import time
import traceback

TRACE = collections.deque(maxlen=400)  # (who, direction, text), oldest first
SHOWN = 16                             # XML lines printed with a failure
VERBOSE = bool(os.environ.get("INTEROP_TIMES"))  # say how long each scenario takes
WIDTH = 600                            # characters of each
# What tests say that they take at most is for a machine with nothing else to do.
PATIENCE = float(os.environ.get("INTEROP_PATIENCE", 3))


class Stop(Exception):
    """Ends a scenario after a failed check that the rest stands on."""


class Missed(Exception):
    """A condition that did not come true in time."""


class Tap:
    """Numbers and prints checks; `finish` gives the exit code."""

    def __init__(self):
        self.number = self.failed = 0

    def ok(self, passed, text, detail=""):
        """One check. Returns its truth, so that a caller may stop."""
        self.number += 1
        print(f"{'ok' if passed else 'not ok'} {self.number} - {text}", flush=True)
        if not passed:
            self.failed += 1
            for line in str(detail).splitlines():
                print(f"#   {line}")
            self.show_trace()
        return bool(passed)

    def need(self, passed, text, detail=""):
        """A check that the rest of the scenario stands on."""
        if not self.ok(passed, text, detail):
            raise Stop(text)

    def same(self, got, want, text):
        """Equality, with both sides printed when it fails."""
        return self.ok(got == want, text, f"got  {got!r}\nwant {want!r}")

    async def comes(self, awaitable, text):
        """A check that something awaited arrives; the scenario goes on when it doesn't. Returns what came."""
        try:
            got = await awaitable
        except Missed as late:
            self.ok(False, text, late)
            return None
        self.ok(True, text)
        return got

    def skip(self, text, reason):
        """A check that does not apply to this server or client."""
        self.number += 1
        print(f"ok {self.number} - {text} # SKIP {reason}", flush=True)

    def show_trace(self):
        """The last XML that went over any connection of this script."""
        for who, way, text in list(TRACE)[-SHOWN:]:
            print(f"#   xml: {who} {way} {text[:WIDTH]}")
        sys.stdout.flush()

    def finish(self):
        """Exit code of the script."""
        return 1 if self.failed else 0


SCENARIOS = []


def scenario(text, seconds=20):
    """Registers `async def f(tap)`; scenarios run one after another, each with its own time-out and accounts."""
    def register(function):
        SCENARIOS.append((text, seconds * PATIENCE, function))
        return function
    return register


def main(around=None, only=None):
    """Run every scenario (or those whose text contains `only`), and exit."""
    tap = Tap()

    async def run_all():
        for text, seconds, function in SCENARIOS:
            if only and only not in text:
                continue
            TRACE.clear()
            began = time.monotonic()
            try:
                await asyncio.wait_for(function(tap), seconds)
            except Stop:
                pass
            except asyncio.TimeoutError:
                tap.ok(False, f"{text}: ends within {seconds:.0f} s")
            except Exception as error:  # whatever it is, the other scenarios still run
                where = traceback.format_exc().strip().splitlines()[-6:]
                tap.ok(False, f"{text}: {type(error).__name__}: {error}", "\n".join(where))
            finally:
                if around:
                    await around()
                if VERBOSE:
                    print(f"# {text}: {time.monotonic() - began:.1f} s", flush=True)

    asyncio.run(run_all())
    sys.exit(tap.finish())
