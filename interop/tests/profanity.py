"""profanity - Debian's profanity in a tmux of its own: login, roster, subscription, a message each way.

Not here: OMEMO (omemo_clients.py).
"""
# timeout: 60
import tap
from screen import Profanity
from tap import scenario
from xmpp import Client, accounts, close_all, message, presence


@scenario("login, roster, messages", 50)
async def conversation(t):
    a, b = await accounts("alice", "bob")
    bob = await Client(b, "one").login()
    screen = Profanity("profanity")
    try:
        await screen.open()
        await t.comes(screen.login(a), "login by STARTTLS")
        await screen.type(f"/roster add {b} Bobby")
        await t.comes(screen.shows("Roster item added", "Bobby"), "a roster push is understood")
        await screen.type(f"/sub request {b}")
        await bob.expect(presence(a, "subscribe"), "the request")
        bob.send_presence(pto=a, ptype="subscribed")
        await t.comes(screen.shows("Subscription received", "Bobby (one) is online", "Bobby is online", "is online"),
                      "the approval is shown")
        await screen.type("/roster")
        await t.comes(screen.shows(f"Bobby ({b})", b), "the roster is shown")
        await screen.type(f"/msg {b} hello from profanity, ü")
        got = await t.comes(bob.expect(message("hello from profanity, ü"), "the message"), "its message arrives")
        if got is not None:
            bob.text(got["from"].full, "hello from bob, ö")
            await t.comes(screen.shows("hello from bob, ö"), "the answer is on the screen")
        await screen.type("/quit")
    finally:
        await screen.end()


if __name__ == "__main__":
    tap.main(close_all)
