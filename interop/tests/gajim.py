"""gajim - Debian's Gajim on a display that nobody sees: login, contacts, messages both ways, a room, avatars, a file.

It is driven by its own D-Bus interface, and by a little plugin for what that has no words for.
INTEROP_SCREENSHOT=FILE keeps a picture of how it looks at the end (needs ImageMagick).
Not here: OMEMO.
"""
# timeout: 90
import asyncio
import os
import ssl
import struct
import sys
import urllib.request
import zlib
from pathlib import Path

import gajim_window
import tap
from gajim_window import ACCOUNT, OURS, Gajim
from pep import PEP, Listener, event, form
from rooms import SERVICE, in_room, make
from slixmpp.xmlstream import ET
from tap import scenario
from xmpp import STATE, Client, accounts, befriend, close_all, message, presence, tls_context

AVATAR = "urn:xmpp:avatar:metadata"


def picture(red, green, blue):
    """A PNG of one colour, 64 by 64."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = b"".join(b"\0" + bytes((red, green, blue)) * 64 for _ in range(64))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


async def bookmark(client, room, nick):
    """A room that the account's devices enter by themselves (XEP-0402)."""
    conference = ET.fromstring(f"<conference xmlns='urn:xmpp:bookmarks:1' name='Hall' autojoin='true'><nick>{nick}</nick></conference>")
    options = form(client, "publish-options", persist_items="true", max_items="max", access_model="whitelist",
                   send_last_published_item="never")
    await client.plugin["xep_0060"].publish(client.boundjid.bare, "urn:xmpp:bookmarks:1", room, conference, options)


async def chat(t, window, bob, a):
    """Login, contacts, messages."""
    await t.comes(window.until("get_status", [ACCOUNT], lambda said: "online" in said, "login"), "login by STARTTLS")
    b = bob.boundjid.bare
    shown = lambda said: b in said and "'online'" in said  # noqa: E731
    await t.comes(window.until("list_contacts", [ACCOUNT], shown, "contact"), "the contact is there, and online")
    await bob.expect(presence(a + "/gajim"), "its presence")
    await window.call("send_chat_message", b, "hello from Gajim, ü", ACCOUNT)
    got = await t.comes(bob.expect(message("hello from Gajim, ü"), "the message"), "its message arrives")
    if got is not None:
        bob.text(got["from"].full, "hello from Bob, ö")
    await t.comes(window.tells("NewMessage", "hello from Bob, ö"), "the answer is shown")
    receipt = lambda s: s.name == "message" and s.xml.find("{urn:xmpp:receipts}received") is not None  # noqa: E731
    asking = bob.make_message(mto=a, mtype="chat", mbody="did you get it?")
    asking["id"] = bob.new_id()
    asking.append(ET.fromstring("<request xmlns='urn:xmpp:receipts'/>"))
    asking.send()
    await t.comes(bob.expect(receipt, "a receipt"), "it says that it has got something")


async def hall(t, window, bob, room):
    """A room that it enters because a bookmark says so."""
    await t.comes(bob.expect(in_room(room, "Alice"), "her joining"), "it enters a room that another device has bookmarked")
    bob.text(room, "welcome to the hall", "groupchat")
    await t.comes(window.tells("GCMessage", "welcome to the hall"), "what is said there is shown")
    await window.call("send_groupchat_message", room, "thank you, ß", ACCOUNT)
    await t.comes(bob.expect(message("thank you, ß", f"{room}/Alice", "groupchat"), "her words"), "and what it says arrives")


async def pictures(t, window, bob, a):
    """Avatars both ways."""
    mine, hers = picture(200, 30, 30), picture(30, 30, 200)
    options = form(bob, "publish-options", access_model="open")
    answer = await bob.plugin["xep_0084"].publish_avatar(mine, options=options)
    name = answer["pubsub"]["publish"]["item"]["id"]
    await bob.plugin["xep_0084"].publish_avatar_metadata({"id": name, "type": "image/png", "bytes": len(mine)}, options=options)
    kept = window.home / ".cache/gajim/avatars" / name
    end = asyncio.get_running_loop().time() + 30
    while not kept.exists() and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.1)
    t.ok(kept.exists() and kept.read_bytes() == mine, "it fetches a contact's avatar")
    path = window.home / "hers.png"
    path.write_bytes(hers)
    await window.call("avatar", ACCOUNT, str(path), of=OURS)
    got = await t.comes(bob.expect(event(AVATAR, a), "her avatar"), "its own is published, and a contact hears of it")
    if got is not None:
        name = got.xml.find(".//{%s}info" % AVATAR).get("id")
        answer = await bob.plugin["xep_0084"].retrieve_avatar(a, name)
        t.same(answer["pubsub"]["items"]["item"]["avatar_data"]["value"], hers, "and fetches it")


async def files(t, window, bob):
    """Upload from its side; a link from the other."""
    path = window.home / "letter.txt"
    path.write_text("a letter, é\n")
    await window.call("upload", ACCOUNT, bob.boundjid.bare, str(path), of=OURS)
    shared = lambda s: s.name == "message" and s.xml.find("{jabber:x:oob}x/{jabber:x:oob}url") is not None  # noqa: E731
    got = await t.comes(bob.expect(shared, "a link"), "a file of it is uploaded, and the contact gets the link")
    if got is not None:
        url = got.xml.findtext("{jabber:x:oob}x/{jabber:x:oob}url")
        content = await asyncio.to_thread(lambda: urllib.request.urlopen(url, context=tls_context(), timeout=30).read())
        t.same(content.decode(), "a letter, é\n", "and the file behind it")


@scenario("an afternoon with Gajim", 80)
async def afternoon(t):
    a, b = await accounts("alice", "bob")
    tapped = Client(a, "tap", plugins=PEP)
    bob = Listener(b, "one", AVATAR, plugins=("xep_0045", "xep_0084"))
    await asyncio.gather(tapped.login(priority=-1), bob.login())
    await befriend(tapped, bob)
    room = f"hall-{a.split('@')[0]}@{SERVICE}"
    await make(bob, room, "Bob")
    await bookmark(tapped, room, "Alice")
    window = Gajim(a)
    try:
        await window.start()
        await window.listen()
        await chat(t, window, bob, a)
        await hall(t, window, bob, room)
        await pictures(t, window, bob, a)
        await files(t, window, bob)
        if os.environ.get("INTEROP_SCREENSHOT"):
            await window.screenshot(os.environ["INTEROP_SCREENSHOT"])
    except BaseException:
        print("\n".join("#   gajim: " + line for line in window.log().splitlines()[-20:]))
        raise
    finally:
        await window.end()


if __name__ == "__main__":
    if not gajim_window.there():
        print("ok 1 - gajim # SKIP not installed")
        sys.exit(0)
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
