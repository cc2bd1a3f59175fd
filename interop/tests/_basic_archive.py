"""_basic_archive - scenarios of slixmpp_basic: the archive and its preferences.

Not here: the other scenarios (the files named in slixmpp_basic.py).
"""
import asyncio
from datetime import datetime, timedelta, timezone

from tap import scenario
from xmpp import NS, Client, accounts, archive, bodies, message, refused


@scenario("archive (XEP-0313)", 30)
async def archive_query(t):
    a, b, c = await accounts("alice", "bob", "carol")
    alice, bob, carol = Client(a, "one"), Client(b, "one"), Client(c, "one")
    await asyncio.gather(alice.login(), bob.login(), carol.login())
    t.ok(NS["mam"] in await alice.disco(a), "disco#info of the account names the archive")
    for number in range(12):
        alice.text(b, f"to bob {number}")
    await bob.expect(message("to bob 11"), "the last")
    bob.text(a, "from bob")
    live = await alice.expect(message("from bob"), "the answer")
    stanza_id = live.xml.find("{%(sid)s}stanza-id" % NS)
    t.ok(stanza_id is not None and stanza_id.get("by") == a, "a live message carries its stanza-id (XEP-0359)")
    # The archive's clock may have whole seconds: the middle is a second of its own on both sides.
    middle = datetime.now(timezone.utc) + timedelta(seconds=1)
    await asyncio.sleep((middle - datetime.now(timezone.utc)).total_seconds() + 1.0)
    carol.text(a, "from carol")
    await alice.expect(message("from carol"), "carol's message")
    page, fin = await archive(alice)
    want = [f"to bob {n}" for n in range(12)] + ["from bob", "from carol"]
    t.same(bodies(page), want, "the whole archive, in order")
    t.same(fin.get("complete"), "true", "and it is complete")
    t.ok(len({i for i, _ in page}) == len(page) and all(i for i, _ in page), "archive ids are unique")
    t.ok(stanza_id is not None and page[12][0] == stanza_id.get("id"), "the stanza-id seen live is the archive id")
    theirs, _ = await archive(carol)
    t.same(bodies(theirs), ["from carol"], "the sender's archive has it too")
    first, fin = await archive(alice, maximum=5)
    rsm = fin.find("{%(rsm)s}set" % NS)
    t.same((bodies(first), fin.get("complete")), (want[:5], None), "the first page of five, not complete")
    t.same((rsm.findtext("{%(rsm)s}first" % NS), rsm.findtext("{%(rsm)s}last" % NS)), (first[0][0], first[4][0]),
           "its RSM names the first and last id")
    second, _ = await archive(alice, maximum=5, after=first[4][0])
    t.same(bodies(second), want[5:10], "the next page")
    third, fin = await archive(alice, maximum=5, after=second[4][0])
    t.same((bodies(third), fin.get("complete")), (want[10:], "true"), "the last page is complete")
    last, _ = await archive(alice, maximum=3, before="")
    t.same(bodies(last), want[-3:], "an empty `before` pages backwards from the end")
    earlier, _ = await archive(alice, maximum=3, before=last[0][0])
    t.same(bodies(earlier), want[-6:-3], "and on from there")
    with_carol, _ = await archive(alice, with_jid=c)
    t.same(bodies(with_carol), ["from carol"], "`with` picks a contact")
    stamp = middle.strftime("%Y-%m-%dT%H:%M:%SZ")
    t.same(bodies((await archive(alice, start=stamp))[0]), ["from carol"], "`start`")
    t.same(bodies((await archive(alice, end=stamp))[0]), want[:-1], "`end`")
    seen = []
    async for found in alice.plugin["xep_0313"].iterate(rsm={"max": "4"}, with_jid=b):
        seen.append(found["mam_result"]["forwarded"]["stanza"]["body"])
    t.same(seen, want[:-1], "slixmpp's own iterator walks the pages")
    t.same((await refused(archive(alice, after="no-such-id", maximum=2)) or ("", ""))[1], "item-not-found",
           "an unknown id in `after` is item-not-found")
    t.same((await refused(bob.ask("set", "<query xmlns='urn:xmpp:mam:2'/>", a)) or ("", ""))[1] in
           ("forbidden", "service-unavailable", "not-allowed", "not-authorized", "subscription-required"), True,
           "somebody else's archive is refused")


@scenario("archive preferences (XEP-0441)")
async def archive_preferences(t):
    a, b = await accounts("alice", "bob")
    alice, bob = await Client(a, "one").login(), await Client(b, "one").login()
    await alice.plugin["xep_0441"].set_preferences(default="always", never=[b])
    answer = await alice.ask("get", "<prefs xmlns='urn:xmpp:mam:2'/>")
    prefs = answer.find("{%(mam)s}prefs" % NS)
    never = [j.text for j in prefs.findall("{%(mam)s}never/{%(mam)s}jid" % NS)]
    t.same((prefs.get("default"), never), ("always", [b]), "preferences are kept")
    bob.text(a, "not to be archived")
    await alice.expect(message("not to be archived"), "the message")
    await alice.plugin["xep_0441"].set_preferences(default="always", never=[])
    bob.text(a, "to be archived")
    await alice.expect(message("to be archived"), "the message")
    t.same(bodies((await archive(alice))[0]), ["to be archived"], "and obeyed")
