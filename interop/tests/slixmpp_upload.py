"""slixmpp_upload - HTTP File Upload (XEP-0363): a slot by slixmpp, the file by Python's own HTTP client.

Not here: headers, ranges and refusals of HTTP (the tests of crate net).
"""
import asyncio
import io
import os
import urllib.error
import urllib.request

import servers
import tap
from tap import scenario

os.environ["SSL_CERT_FILE"] = servers.State().ca  # aiohttp reads it once, when it is imported
from xmpp import Client, accounts, close_all, refused, tls_context


def http(method, url, body=None, headers=None):
    """One request; gives status, headers and body, whatever the status."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=tls_context(), timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


async def fetch(*args, **named):
    return await asyncio.to_thread(http, *args, **named)


@scenario("upload (XEP-0363)", 30)
async def upload(t):
    a, b = await accounts("alice", "bob")
    alice, bob = await Client(a, "one").login(), await Client(b, "one").login()
    for client in (alice, bob):
        client.register_plugin("xep_0363")
    plugin = alice.plugin["xep_0363"]
    info = await plugin.find_upload_service()
    t.ok(info is not None, "slixmpp finds the service")
    service = info["from"]
    form = info["disco_info"].xml.find(".//{jabber:x:data}field[@var='max-file-size']/{jabber:x:data}value")
    t.ok(form is not None and int(form.text) >= 1_000_000, "it says how large a file may be")
    content = bytes(range(256)) * 2_000
    slot = await plugin.request_slot(service, "très cool.png", len(content), "image/png")
    put, get = slot["http_upload_slot"]["put"]["url"], slot["http_upload_slot"]["get"]["url"]
    t.ok(put.startswith("https://") and get.startswith("https://") and get.endswith("/tr%C3%A8s%20cool.png"),
         "the slot has two addresses with the file's name", f"{put} {get}")
    t.same((await fetch("GET", get))[0], 404, "before the upload there is nothing")
    t.same((await fetch("PUT", put, content[1:], {"Content-Type": "image/png"}))[0], 413, "another length is refused")
    t.same((await fetch("PUT", put, content, {"Content-Type": "text/html"}))[0], 415, "another type is refused")
    t.same((await fetch("PUT", put, content, {"Content-Type": "image/png"}))[0], 201, "the file is taken")
    t.same((await fetch("PUT", put, content, {"Content-Type": "image/png"}))[0], 409, "but not twice")
    status, headers, body = await fetch("GET", get)
    t.same((status, body == content, headers["Content-Type"]), (200, True, "image/png"), "and given back as it was")
    t.same((await fetch("GET", get, headers={"Range": "bytes=-10"}))[2], content[-10:], "or a part of it")
    t.same((await fetch("GET", get + "x"))[0], 404, "another name is another file")
    url = await plugin.upload_file("note.txt", input_file=io.BytesIO(b"hello"), size=5, content_type="text/plain")
    status, headers, body = await fetch("GET", url)
    t.same((status, body), (200, b"hello"), "slixmpp's own upload arrives")
    t.ok(headers["Content-Disposition"].startswith("attachment"), "text is saved, not shown")
    error = await refused(plugin.request_slot(service, "a", 10 ** 12))
    t.same((error or ("", ""))[1], "not-acceptable", "a file that is too large")
    largest = int(form.text)
    errors = []
    for _ in range(12):
        errors.append(await refused(bob.plugin["xep_0363"].request_slot(service, "a", largest)))
    t.ok(errors[0] is None and errors[-1] is not None and errors[-1][1] == "resource-constraint",
         "the quota of a day ends", errors)


if __name__ == "__main__":
    tap.main(close_all)
