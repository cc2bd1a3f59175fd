"""slixmpp_files - files between two clients: links (XEP-0066, XEP-0447), in-band (XEP-0047, Jingle with XEP-0234, XEP-0261),
and one's own uploads: commands that list and delete them, deletion with a retracted message (XEP-0424).

Not here: uploading itself (slixmpp_upload).
"""
import asyncio
import io
import os
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

import servers
import tap
from tap import scenario

os.environ["SSL_CERT_FILE"] = servers.State().ca  # aiohttp reads it once, when it is imported
from xmpp import NS, Client, accounts, archive, bodies, close_all, pair, refused, tls_context  # noqa: E402

OOB = "<x xmlns='jabber:x:oob'><url>{url}</url><desc>a &amp; b</desc></x>"
SHARED = ("<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline' id='f'><file xmlns='urn:xmpp:file:metadata:0'>"
          "<media-type>image/jpeg</media-type><name>très.jpg</name><size>5</size>"
          "<hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash></file>"
          "<sources><url-data xmlns='http://jabber.org/protocol/url-data' target='{url}'/></sources></file-sharing>")


async def status(url):
    """What HTTP says to whoever asks for it."""
    def get():
        try:
            return urllib.request.urlopen(url, context=tls_context(), timeout=10).status
        except urllib.error.HTTPError as answer:
            return answer.code
    return await asyncio.to_thread(get)


def send(client, to, *payloads, body=None, identifier=None):
    """A chat message with these elements as text; returns its id."""
    message = client.make_message(mto=to, mbody=body, mtype="chat")
    message["id"] = identifier or client.new_id()
    for payload in payloads:
        message.append(ET.fromstring(payload))
    message.send()
    return message["id"]


def same(one, other):
    """Equal elements, whatever the prefixes."""
    return (one.tag, one.attrib, one.text or "", [ET.tostring(c) for c in one]) == \
           (other.tag, other.attrib, other.text or "", [ET.tostring(c) for c in other])


@scenario("links pass as they are (XEP-0066, XEP-0447)")
async def links(t):
    alice, bob = await pair()
    url = "https://files.example/a?b=1&amp;c=%C3%A9#frag"
    for name, payload in (("out-of-band data", OOB), ("a shared file", SHARED)):
        payload = payload.format(url=url)
        body = f"look: {name}"
        send(alice, bob.boundjid.bare, payload, body=body)
        got = await t.comes(bob.expect(lambda s: s.name == "message" and s["body"] == body, body), f"{name} arrives")
        want = ET.fromstring(payload)
        t.ok(got is not None and any(same(want, child) for child in got.xml), "as it was sent",
             got is not None and ET.tostring(got.xml))
        page, _ = await archive(bob, alice.boundjid.bare)
        t.ok(body in bodies(page), "and is in the archive", bodies(page))


@scenario("in-band bytestreams (XEP-0047)", 30)
async def in_band(t):
    alice, bob = await pair()
    for client in (alice, bob):
        client.register_plugin("xep_0047", {"auto_accept": True})
    content = os.urandom(40_000)
    for messages in (False, True):
        name = "messages" if messages else "requests"
        started = asyncio.get_running_loop().create_future()
        bob.add_event_handler("ibb_stream_start", started.set_result, disposable=True)
        stream = await alice.plugin["xep_0047"].open_stream(bob.boundjid, block_size=4096, use_messages=messages)
        far = await asyncio.wait_for(started, 30)
        taking = asyncio.ensure_future(far.gather(max_data=len(content) - 1, timeout=20))
        await stream.sendall(content)
        t.ok(await taking == content, f"40 kB arrive by {name}, in order")
        await stream.close()
    a, = await accounts("carol")
    carol = await Client(a, "one").login()
    error = await refused(alice.ask("set", "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='x'/>",
                                    carol.boundjid.full + "-not-there"))
    t.same((error or ("", ""))[1], "service-unavailable", "nobody at that resource: the sender hears it")


@scenario("Jingle file transfer in-band (XEP-0166, XEP-0234, XEP-0261)")
async def jingle(t):
    alice, bob = await pair()
    sid = "a73sjjvkla37jfea"
    offer = (f"<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='{alice.boundjid.full}' sid='{sid}'>"
             "<content creator='initiator' name='a-file-offer' senders='initiator'>"
             "<description xmlns='urn:xmpp:jingle:apps:file-transfer:5'><file><date>1969-07-21T02:56:15Z</date>"
             "<media-type>text/plain</media-type><name>test.txt</name><range/><size>6144</size>"
             "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash></file></description>"
             "<transport xmlns='urn:xmpp:jingle:transports:ibb:1' block-size='4096' sid='ch3d9s71'/></content></jingle>")
    accept = offer.replace("session-initiate", "session-accept").replace("initiator='alice", "responder='alice")
    end = (f"<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='{sid}'>"
           "<reason><success/></reason></jingle>")

    async def pass_on(one, other, payload, text):
        """One asks, the other sees it as it was and answers; the answer comes back."""
        asking = asyncio.ensure_future(one.ask("set", payload, other.boundjid.full))
        want = ET.fromstring(payload)
        seen = await t.comes(other.expect(lambda s: s.name == "iq" and s["type"] == "set" and len(s.xml)
                                          and same(s.xml[0], want), text), text)
        if seen is not None:
            seen.reply().send()
            t.same((await asking).get("type"), "result", "and its answer comes back")

    await pass_on(alice, bob, offer, "the offer arrives as it was")
    await pass_on(bob, alice, accept, "so does the acceptance")
    await pass_on(alice, bob, "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='ch3d9s71'/>",
                  "the stream is opened")
    await pass_on(alice, bob, "<data xmlns='http://jabber.org/protocol/ibb' seq='0' sid='ch3d9s71'>%s</data>"
                  % ("qANQR1DB" * 512), "a block of 4 kB arrives")
    await pass_on(alice, bob, end, "and the end")


async def upload(client, name):
    """A small file; returns its address."""
    client.register_plugin("xep_0363")
    return await client.plugin["xep_0363"].upload_file(name, input_file=io.BytesIO(b"hello"), size=5,
                                                       content_type="text/plain")


@scenario("own files by commands (XEP-0050)", 30)
async def own_files(t):
    a, b = await accounts("alice", "bob")
    alice, bob = await Client(a, "one").login(), await Client(b, "one").login()
    one, two = await upload(alice, "one.txt"), await upload(alice, "two.txt")
    command = "<command xmlns='%s' node='%s' action='execute'/>"
    domain = alice.boundjid.domain

    def values(answer):
        return [value.text for value in answer.iter("{jabber:x:data}value")]

    answer = await alice.ask("set", command % (NS["commands"], "files"), domain)
    lines = values(answer)[1:]
    t.ok(len(lines) == 2 and one in lines[1] and two in lines[0], "both are listed, the newest first", lines)
    answer = await bob.ask("set", command % (NS["commands"], "files"), domain)
    t.same(values(answer), [], "somebody else has none")
    answer = await alice.ask("set", command % (NS["commands"], "delete-files"), domain)
    ids = [option.findtext("{jabber:x:data}value") for option in answer.iter("{jabber:x:data}option")]
    t.same(len(ids), 2, "both are offered")

    async def delete(client, identifier):
        form = await client.ask("set", command % (NS["commands"], "delete-files"), domain)
        session = form.find("{%s}command" % NS["commands"]).get("sessionid")
        if session is None or form.find(".//{jabber:x:data}x") is None:
            return None
        filled = (f"<command xmlns='{NS['commands']}' node='delete-files' sessionid='{session}' action='complete'>"
                  f"<x xmlns='jabber:x:data' type='submit'><field var='files'><value>{identifier}</value></field></x>"
                  "</command>")
        answer = await client.ask("set", filled, domain)
        return answer.find(".//{%s}note" % NS["commands"]).get("type")

    await upload(bob, "three.txt")
    t.same(await delete(bob, ids[0]), "error", "nobody deletes what is another's")
    t.same(await status(two), 200, "it is still there")
    t.same(await delete(alice, ids[0]), "info", "its owner does")
    t.same((await status(two), await status(one)), (404, 200), "and it is gone, and only it")


@scenario("files go with a retracted message (XEP-0424)", 30)
async def retracted(t):
    alice, bob = await pair()
    shared, linked, other = [await upload(alice, name) for name in ("a.txt", "b.txt", "c.txt")]
    theirs = await upload(bob, "d.txt")
    retract = "<retract xmlns='urn:xmpp:message-retract:1' id='{}'/>"
    to = bob.boundjid.bare
    first = send(alice, to, OOB.format(url=shared), body=shared, identifier="m1")
    second = send(alice, to, SHARED.format(url=linked), body="a picture", identifier="m2")
    third = send(alice, to, body=theirs, identifier="m3")
    send(bob, alice.boundjid.bare, retract.format(first), body="gone")
    await bob.settle()
    t.same(await status(shared), 200, "who did not send it cannot take it back")
    for identifier in (first, second, third):
        send(alice, to, retract.format(identifier), body="gone")
    await alice.settle()

    async def gone(url):
        for _ in range(50):
            if await status(url) == 404:
                return True
            await asyncio.sleep(0.1)
        return False

    t.ok(await gone(shared), "the file of a link is gone")
    t.ok(await gone(linked), "and that of a shared file")
    t.same((await status(other), await status(theirs)), (200, 200), "others stay, those of others too")


if __name__ == "__main__":
    tap.main(close_all)
