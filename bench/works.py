"""The works that bench/run does, and what is read from their results.

Not here: starting servers (servers.py), the table (table.py).
"""

from dataclasses import dataclass, field


@dataclass
class Work:
    """One row of the table."""

    name: str
    label: str
    args: list
    # Which value of the JSON result is the main figure, and its unit.
    main: str = "server_cpu_us"
    unit: str = "µs CPU"
    # Values shown in brackets, each (key, text with one {}).
    more: list = field(default_factory=lambda: [("per_s", "{}/s")])
    # First account, and how many are needed.
    first: int = 0
    accounts: int = 0
    relay: bool = True
    plain: bool = False
    restart: bool = False
    # Done once before it counts: what the first time makes (contacts) is not what is measured.
    rehearsed: bool = False
    # Fills single archives with many messages: on a domain of its own where the server's default store cannot.
    large_archive: bool = False
    # Arguments that replace `args` from the second round on.
    again: list | None = None


LATENCY = [("per_s", "{}/s"), ("p99_us", "p99 {} ms")]


def works(size):
    """All works. `size`: quick, normal or full."""
    factor = {"quick": 0, "normal": 1, "full": 2}[size]
    seconds = str([3, 6, 15][factor])
    connections = [1000, 3000, 10000][factor]
    archived = [5000, 20000, 100000][factor]
    logins = str([200, 500, 2000][factor])

    def message(name, label, *args, **more):
        args = ["message", "--duration", seconds, *args]
        return Work(name, label, args, more=LATENCY, **{"accounts": 200, **more})

    def room(rooms, occupants):
        args = ["room", "--duration", seconds, "--rooms", str(rooms), "--occupants", str(occupants)]
        label = f"room delivery, {rooms} × {occupants}"
        return Work(f"room-{rooms}x{occupants}", label, args, accounts=rooms * occupants, more=LATENCY)

    def idle(name, label, *args, **more):
        args = ["idle", "--connections", str(connections), *args]
        shown = [("rss_kib_each", "RSS {}")]
        return Work(name, label, args, "pss_kib_each", "KiB PSS", shown, accounts=connections, restart=True, **more)

    return [
        message("message", "1:1 message, 100 pairs, 1 in flight"),
        message("message-plain", "the same without TLS", plain=True),
        message("message-window", "1:1 message, 10 pairs, 20 in flight", "--pairs", "10", "--in-flight", "20"),
        message("message-sm", "1:1 message with acks (XEP-0198)", "--sm", relay=False),
        message("message-archive", "1:1 message, archived on both sides", "--store-hint", "default", relay=False),
        message("message-calm", "1:1 message, calm 500/s", "--rate", "500"),
        room(1, 100),
        room(1, 500),
        room(100, 10),
        Work(
            "presence", "presence delivery, rosters of 50", ["presence", "--duration", seconds],
            first=20000, accounts=51, relay=False,
        ),
        Work(
            "handshake", "TLS connect and close", ["handshake", "--count", str(int(logins) * 3)],
            more=LATENCY,
        ),
        Work("login", "full login", ["login", "--count", logins], first=21000, accounts=4, relay=False, more=LATENCY),
        Work(
            "login-roster", "login with 50 online contacts",
            ["login", "--count", str(int(logins) // 4), "--roster", "50"],
            first=22000, accounts=54, relay=False, more=LATENCY,
        ),
        Work(
            "archive", f"archive page of 50 out of {archived}", ["archive", "--messages", str(archived)],
            first=23000, accounts=2, relay=False, more=[("p50_us", "p50 {} ms"), ("p99_us", "p99 {} ms")],
            again=["archive", "--messages", "0"], large_archive=True,
        ),
        Work(
            "offline", "offline: store one message", ["offline"], "store_server_cpu_us",
            more=[("fetch_server_cpu_us", "fetch {}")], first=24000, accounts=41, relay=False,
        ),
        idle("idle", f"idle TLS session ({connections})"),
        idle(
            "idle-roster", f"idle TLS session with acks and 20 contacts ({connections})",
            "--sm", "--roster", "20", first=30000, relay=False, rehearsed=True,
        ),
    ]
