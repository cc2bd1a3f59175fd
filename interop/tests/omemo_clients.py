"""omemo_clients - OMEMO (XEP-0384) between clients that people use: profanity with profanity, profanity with slixmpp-omemo, in chats
and in a room for members only. The server must carry keys and lists of devices, and never sees what is said.

What goes over the wire is looked at where the server hands it out: copies for other devices, archives, the room.
Not here: OMEMO of Dino and Gajim (desktop.py).
"""
# timeout: 90
import asyncio
import logging
import sys

import tap
from omemo.storage import Just, Nothing, Storage
from pep import PEP, Listener, event, form
from screen import Profanity
from rooms import SERVICE, in_room, make
from slixmpp import JID
from slixmpp.plugins.base import register_plugin
from slixmpp.xmlstream import ET
from slixmpp_omemo import XEP_0384, TrustLevel
from tap import scenario
from xmpp import NS, Client, account, accounts, befriend, bodies, close_all, presence, refused, whole_archive

AXOLOTL = "eu.siacs.conversations.axolotl"
DEVICES = AXOLOTL + ".devicelist"


class InMemory(Storage):
    """Keys for as long as the test runs."""

    def __init__(self):
        super().__init__()
        self.kept = {}

    async def _load(self, key):
        return Just(self.kept[key]) if key in self.kept else Nothing()

    async def _store(self, key, value):
        self.kept[key] = value

    async def _delete(self, key):
        self.kept.pop(key, None)


class Omemo(XEP_0384):
    """slixmpp-omemo, which leaves storage and trust to the program: here everybody is trusted."""

    def plugin_init(self):
        self._kept = InMemory()
        super().plugin_init()

    @property
    def storage(self):
        return self._kept

    @property
    def _btbv_enabled(self):
        return True

    async def _devices_blindly_trusted(self, blindly_trusted, identifier):
        pass

    async def _prompt_manual_trust(self, manually_trusted, identifier):
        manager = await self.get_session_manager()
        for device in manually_trusted:
            await manager.set_trust(device.bare_jid, device.identity_key, TrustLevel.TRUSTED.value)


register_plugin(Omemo)
logging.getLogger("omemo").setLevel(logging.CRITICAL)  # it tells of the moment before a device is in its own list


def encrypted(element):
    """Whether a message, as XML, is OMEMO's."""
    return element.find("{%s}encrypted/{%s}payload" % (AXOLOTL, AXOLOTL)) is not None


def said_secretly(stanza):
    """A copy of an OMEMO message for another device."""
    inner = stanza.xml.find(".//{%(forward)s}forwarded/{jabber:client}message" % NS)
    return stanza.name == "message" and inner is not None and encrypted(inner)


async def shows_secrecy(t, client, count, secrets, whose):
    """An archive has so many encrypted messages, and none of these words anywhere."""
    page = await whole_archive(client)
    t.same(len([m for _, m in page if encrypted(m)]), count, f"{whose} archive has them, encrypted")
    everything = " ".join("".join(m.itertext()) for _, m in page)
    t.ok(not any(secret in everything for secret in secrets), f"{whose} archive has no word of it", everything)


async def people():
    """Two with profanity that has made its keys, and a listening device of each."""
    a, b = await accounts("alice", "bob")
    taps = [Listener(jid, "tap", DEVICES) for jid in (a, b)]
    await asyncio.gather(*(one.login(priority=-1) for one in taps))
    await befriend(*taps)
    screens = [Profanity(jid.split("-")[0]) for jid in (a, b)]
    return taps, screens


async def make_keys(screen, jid):
    await screen.open()
    await screen.login(jid)
    await screen.type("/omemo trustmode blind")
    await screen.type("/omemo gen")
    await screen.shows("Your Device ID is")


async def open_to_all(t, owner, jid):
    """The list of devices and the keys are there for a stranger, and their nodes say so."""
    eve = await Client(await account("eve"), "one", plugins=PEP).login()
    theirs = eve.plugin["xep_0060"]
    answer = await theirs.get_items(jid, DEVICES)
    devices = [d.get("id") for d in answer.xml.iter("{%s}device" % AXOLOTL)]
    t.same(len(devices), 1, "a stranger reads the list of devices")
    node = f"{AXOLOTL}.bundles:{devices[0]}"
    answer = await theirs.get_items(jid, node)
    t.ok(len(list(answer.xml.iter("{%s}preKeyPublic" % AXOLOTL))) >= 20, "and the keys of the device")
    for name in (DEVICES, node):
        config = await owner.plugin["xep_0060"].get_node_config(jid, name)
        model = config["pubsub_owner"]["configure"]["form"].get_values()["pubsub#access_model"]
        t.same(model, "open", f"{name.split(':')[0]} is open")
    mine = ET.fromstring(f"<list xmlns='{AXOLOTL}'><device id='1'/></list>")
    t.same(await refused(theirs.publish(jid, DEVICES, "current", mine)), ("auth", "forbidden"), "nobody else writes there")


@scenario("two with profanity: a chat, and what waits for the absent", 60)
async def chat(t):
    taps, screens = await people()
    (alice, bob), (hers, his) = taps, screens
    a, b = alice.boundjid.bare, bob.boundjid.bare
    try:
        await asyncio.gather(make_keys(hers, a), make_keys(his, b))
        for tapped in taps:
            for owner in (a, b):
                await t.comes(tapped.expect(event(DEVICES, owner), "a list of devices"),
                              f"{tapped.label} hears of the devices of {owner.split('-')[0]}")
            await tapped.plugin["xep_0280"].enable()
        await open_to_all(t, alice, a)
        for screen, other in ((hers, b), (his, a)):
            await screen.type(f"/msg {other}")
            await screen.type("/omemo start")
            await screen.shows("[OMEMO]")
        await hers.type("wherefore art thou, ü?")
        await t.comes(his.shows("wherefore art thou, ü?"), "what she says is on his screen")
        await his.type("I take thee at thy word, ö")
        await t.comes(hers.shows("I take thee at thy word, ö"), "what he says is on hers")
        for tapped in taps:
            for _ in range(2):
                await tapped.expect(said_secretly, "a copy")
        t.ok(True, "other devices get copies, encrypted")
        await his.type("/quit")
        await alice.expect(presence(b, "unavailable"), "his leaving")
        await hers.type("parting is such sweet sorrow")
        await alice.expect(said_secretly, "a copy")
        again = Profanity("bob")
        try:
            await again.open()
            await again.login(b)
            await again.type(f"/msg {a}")
            await t.comes(again.shows("parting is such sweet sorrow"), "what was said while he was away, he reads")
        finally:
            await again.end()
        words = ("wherefore", "I take thee", "parting")
        await shows_secrecy(t, alice, 3, words, "her")
        await shows_secrecy(t, bob, 3, words, "his")
    finally:
        await hers.end()
        await his.end()


@scenario("two with profanity in a room for members that shows who they are", 60)
async def room(t):
    a, b, c = await accounts("anna", "bert", "cleo")
    # She makes the room and has no OMEMO: what she sees is what the server sees.
    cleo = await Client(c, "one", plugins=("xep_0045", "xep_0004")).login()
    name = f"secrets-{c.split('@')[0]}@{SERVICE}"
    await make(cleo, name, "Cleo", membersonly=True, whois="anyone")
    for member in (a, b):
        await cleo.plugin["xep_0045"].set_affiliation(name, "member", jid=member)
    hers, his = Profanity("anna"), Profanity("bert")
    try:
        await asyncio.gather(make_keys(hers, a), make_keys(his, b))
        for screen, nick in ((hers, "anna"), (his, "bert")):
            await screen.type(f"/join {name} nick {nick}")
            await cleo.expect(in_room(name, nick), "joining")
        await his.shows("-> You have joined", "You have joined")
        for screen in (hers, his):
            await screen.type("/omemo start")
            await screen.shows("OMEMO encryption enabled", "[OMEMO]")
        await hers.type("the lark, not the nightingale")
        await t.comes(his.shows("the lark, not the nightingale"), "what one says is on the other's screen")
        heard = await cleo.expect(lambda s: s.name == "message" and s["type"] == "groupchat" and encrypted(s.xml), "it")
        t.ok("lark" not in str(heard), "the room sees it encrypted", heard)
        await his.type("it is the nightingale")
        await t.comes(hers.shows("it is the nightingale"), "and the answer")
        await cleo.expect(lambda s: s.name == "message" and s["type"] == "groupchat" and encrypted(s.xml), "it")
        kept = []
        async for one in cleo.plugin["xep_0313"].iterate(jid=name):
            kept.append(one["mam_result"]["forwarded"]["stanza"].xml)
        t.same(len([m for m in kept if encrypted(m)]), 2, "the room's archive has both, encrypted")
        t.ok(not any("nightingale" in "".join(m.itertext()) for m in kept), "and no word of them")
    finally:
        await hers.end()
        await his.end()


@scenario("profanity and slixmpp-omemo", 60)
async def two_programs(t):
    a, b = await accounts("ada", "blaise")
    ada, blaise = Listener(a, "tap", DEVICES), Client(b, "one", plugins=PEP)
    blaise.register_plugin("xep_0384", module=sys.modules[__name__])
    omemo = blaise.plugin["xep_0384"]
    await asyncio.gather(ada.login(priority=-1), blaise.login())
    await befriend(ada, blaise)
    hers = Profanity("ada")
    try:
        await make_keys(hers, a)
        await ada.expect(event(DEVICES, a), "her list of devices")
        await omemo.get_session_manager()
        await t.comes(ada.expect(event(DEVICES, b), "his list of devices"), "each program publishes its list of devices")
        await hers.type(f"/msg {b}")
        await hers.type("/omemo start")
        await hers.shows("[OMEMO]")
        await hers.type("a note from one engine")
        got = await blaise.expect(lambda s: s.name == "message" and encrypted(s.xml), "her message")
        plain, device = await omemo.decrypt_message(got)
        t.same((plain["body"], device.bare_jid), ("a note from one engine", a), "what profanity says slixmpp reads")
        said = blaise.make_message(mto=a, mtype="chat", mbody="a note to another")
        made, errors = await omemo.encrypt_message(said, {JID(a)})
        t.same(list(errors), [], "slixmpp finds her keys")
        made.send()
        await t.comes(hers.shows("a note to another"), "what slixmpp says is on profanity's screen")
        await shows_secrecy(t, ada, 2, ("a note",), "her")
        await shows_secrecy(t, blaise, 2, ("a note",), "his")
    finally:
        await hers.end()


if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
