"""_basic_session - scenarios of slixmpp_basic: login, credentials, password change, the server's own answers.

Not here: the other scenarios (the files named in slixmpp_basic.py).
"""
import ssl
from datetime import datetime, timezone

from tap import scenario
from xmpp import NS, Client, account, message, pair, refused


@scenario("ways to log in")
async def ways_in(t):
    jid = await account("alice")
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        for direct in (False, True):
            way = "direct TLS" if direct else "STARTTLS"
            client = Client(jid, "r", direct_tls=direct, mechanism=mechanism)
            try:
                await client.login()
            except ConnectionError as error:
                t.ok(False, f"{way} with {mechanism} binds the wanted resource", error)
                continue
            t.same(client.boundjid.full, f"{jid}/r", f"{way} with {mechanism} binds the wanted resource")
            await client.bye()
    client = Client(jid, "best")
    await client.login()
    t.ok(client.transport.get_extra_info("ssl_object").version() == "TLSv1.3", "TLS 1.3 is what a modern client gets")
    chosen = client.plugin["feature_mechanisms"].mech.name
    t.ok(chosen.startswith("SCRAM-"), f"the client's own choice is a SCRAM mechanism ({chosen})")
    unnamed = await Client(jid).login()
    t.ok(unnamed.boundjid.resource not in ("", "best"), "no resource asked: the server makes one up")
    t.ok(await refused(unnamed.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "localhost")) is None, "ping (XEP-0199)")


@scenario("an old client on TLS 1.2")
async def tls12(t):
    # With TLS 1.2 slixmpp binds SCRAM-*-PLUS to tls-unique and to nothing else.
    jid = await account("alice")
    client = Client(jid, "old", tls_max=ssl.TLSVersion.TLSv1_2)
    await client.login()
    t.ok(True, "TLS 1.2 logs in, with " + client.plugin["feature_mechanisms"].mech.name)


@scenario("wrong credentials")
async def wrong(t):
    jid = await account("alice")
    bad = Client(jid, "r", password="wrong")
    await bad.login(wait_for=("refused",))
    t.ok("start" not in bad.states, "a wrong password is refused")
    nobody = Client("nobody-at-all@localhost", "r")
    await nobody.login(wait_for=("refused",))
    t.ok("start" not in nobody.states, "an unknown account is refused")


@scenario("two devices with one resource (RFC 6120, 7.7.2.2)")
async def conflict(t):
    jid = await account("alice")
    first = await Client(jid, "same").login()
    second = await Client(jid, "same").login()
    if second.boundjid.full == first.boundjid.full:
        await first.until(lambda: "disconnected" in first.states, "the end of the older one")
        t.ok(True, "the newer replaces the older")
    else:
        t.ok(second.boundjid.bare == jid, "the newer gets another resource")
    await second.settle()


@scenario("password change (XEP-0077)")
async def password_change(t):
    jid = await account("alice")
    alice = await Client(jid, "one", plugins=()).login()
    local = jid.split("@")[0]
    await alice.ask("set", f"<query xmlns='jabber:iq:register'><username>{local}</username>"
                           "<password>another one 8</password></query>", "localhost")
    await alice.bye()
    await Client(jid, "two", password="another one 8").login()
    t.ok(True, "the new password logs in")
    old = Client(jid, "three")
    await old.login(wait_for=("refused",))
    t.ok("start" not in old.states, "the old one does not")


@scenario("what the server says of itself")
async def server_info(t):
    alice = await Client(await account("alice"), "one").login()
    version = await alice.plugin["xep_0092"].get_version("localhost")
    t.ok(version["software_version"]["name"], f"version (XEP-0092): {version['software_version']['name']}")
    answer = await alice.ask("get", "<time xmlns='urn:xmpp:time'/>", "localhost")
    there = datetime.fromisoformat(answer.findtext("{urn:xmpp:time}time/{urn:xmpp:time}utc"))
    t.ok(abs((there - datetime.now(timezone.utc)).total_seconds()) < 5, "entity time (XEP-0202)")
    info = await alice.plugin["xep_0030"].get_info(jid="localhost")
    kinds = {(i[0], i[1]) for i in info["disco_info"]["identities"]}
    t.ok(("server", "im") in kinds, "disco#info: identity server/im")
    have = await alice.disco("localhost")
    for feature in ("http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "urn:xmpp:ping",
                    "jabber:iq:version", "urn:xmpp:time", "jabber:iq:last", "urn:xmpp:blocking", "urn:xmpp:carbons:2",
                    "vcard-temp", "jabber:iq:private", "http://jabber.org/protocol/commands"):
        t.ok(feature in have, f"disco#info of the server names {feature}")
    own = await alice.ask("get", "<query xmlns='%s'/>" % NS["info"], alice.boundjid.bare)
    kinds = {(i.get("category"), i.get("type")) for i in own.iter("{%s}identity" % NS["info"])}
    t.ok(("account", "registered") in kinds, "disco#info of the account: identity account/registered")
    await alice.ask("get", "<query xmlns='%s'/>" % NS["items"], "localhost")
    t.ok(True, "disco#items of the server answers")


@scenario("ad-hoc commands (XEP-0050)")
async def adhoc(t):
    alice = await Client(await account("alice"), "one").login()
    answer = await alice.ask("get", "<query xmlns='%(items)s' node='%(commands)s'/>" % NS, "localhost")
    query = answer.find("{%(items)s}query" % NS)
    t.ok(query is not None and query.get("node") == NS["commands"], "the list of commands answers")
    refusal = await refused(alice.ask("set", "<command xmlns='%(commands)s' node='no-such' action='execute'/>" % NS,
                                      "localhost"))
    t.ok(refusal is not None and refusal[1] in ("item-not-found", "service-unavailable", "forbidden"),
         f"an unknown command is an error ({refusal})")


@scenario("client state (XEP-0352)")
async def client_state(t):
    alice, bob = await pair()
    t.ok("{urn:xmpp:csi:0}csi" in alice.offered, "the stream feature is offered")
    alice.plugin["xep_0352"].send_inactive()
    await alice.settle()
    for show in ("away", "dnd", "xa"):
        bob.send_presence(pshow=show)
    bob.text(alice.boundjid.bare, "important")
    await alice.expect(message("important"), "a message while inactive")
    t.ok(True, "a message reaches an inactive client at once")
    alice.plugin["xep_0352"].send_active()
    await alice.expect(lambda s: s.name == "presence" and s["show"] == "xa", "the newest presence")
    t.ok(True, "after `active` the newest presence is there")
