"""slixmpp_s3 - uploaded files in an object storage: moto's S3 (Python), which checks signatures and rights.

Not here: uploading in general (slixmpp_upload).
"""
# timeout: 90
# own-server: yes
import asyncio
import http.client
import io
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import servers

CACHE = Path(os.environ.get("INTEROP_CACHE")
             or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "detente-interop")
MOTO = CACHE / "s3-venv/bin/moto_server"
if os.environ["INTEROP_SERVER"] != "detente" or not MOTO.exists():
    print("ok 1 - object storage # SKIP only with our server, and where setup has installed moto")
    sys.exit(0)

FOLDER = Path(os.environ["INTEROP_FOLDER"]) / "s3"
SERVER = servers.Detente(FOLDER, servers.free_offset(22000))
SERVER.own_group = False
PORT = 9000 + SERVER.offset
URL = f"http://127.0.0.1:{PORT}"
FREE = 4  # requests that moto takes before it wants signatures: a user, a right, a key, the bucket


def ask(path="/", body=None, method=None, service="iam"):
    """A request without a signature that counts."""
    scope = f"AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
    request = urllib.request.Request(URL + path, data=body and body.encode(), method=method,
                                     headers={"Authorization": scope})
    return urllib.request.urlopen(request, timeout=10).read().decode()


def moto():
    """Starts it."""
    process = subprocess.Popen([str(MOTO), "-H", "127.0.0.1", "-p", str(PORT)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(FREE)})
    end = time.monotonic() + 30
    while not servers.answers(PORT):
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit("moto does not start")
        time.sleep(0.05)
    return process


def prepare():
    """A bucket, and who may use it; returns the keys."""
    policy = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject",'
              '"s3:DeleteObject","s3:ListBucket"],"Resource":"*"}]}')
    call = "Version=2010-05-08&UserName=chat&Action="
    ask(body=call + "CreateUser")
    ask(body=call + "PutUserPolicy&PolicyName=files&PolicyDocument=" + urllib.request.quote(policy))
    answer = ask(body=call + "CreateAccessKey")
    ask("/chat-files", method="PUT", service="s3")
    return [re.search(f"<{name}>(.*?)</{name}>", answer).group(1) for name in ("AccessKeyId", "SecretAccessKey")]


STORAGE = moto()
ACCESS, SECRET = prepare()
SERVER.environment = SERVER.environment | {
    "DETENTE_S3__BUCKET": "chat-files", "DETENTE_S3__ENDPOINT": URL, "DETENTE_S3__ACCESS_KEY": ACCESS,
    "DETENTE_S3__SECRET_KEY": SECRET, "DETENTE_S3__PREFIX": "a/"}
SERVER.init()
SERVER.start()
SERVER.write_state(FOLDER / "state.json")
os.environ["INTEROP_STATE"] = str(FOLDER / "state.json")
os.environ["SSL_CERT_FILE"] = str(FOLDER / "trusted.pem")

import tap  # noqa: E402
from tap import scenario  # noqa: E402
from xmpp import Client, account, close_all, refused, tls_context  # noqa: E402


def fetch(url, part=None):
    """Status and body."""
    request = urllib.request.Request(url, headers={"Range": part} if part else {})
    try:
        with urllib.request.urlopen(request, context=tls_context(), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, b""
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()


def kept():
    """Files that lie in the data folder."""
    return [path for name in ("blobs", "uploads-on-their-way") for path in (FOLDER / "data" / name).rglob("*")
            if path.is_file()]


@scenario("files in a bucket", 80)
async def bucket(t):
    log = SERVER.log.read_text(errors="replace")
    t.ok("files are kept in the object storage" in log, "the bucket is found, and the keys are good", log[-600:])
    t.ok(SECRET not in log, "the secret is not in the log")
    alice = await Client(await account("alice"), "one").login()
    alice.register_plugin("xep_0363")
    plugin = alice.plugin["xep_0363"]
    content = os.urandom(3_300_000)

    async def upload(content):
        return await plugin.upload_file("a.bin", input_file=io.BytesIO(content), size=len(content),
                                        content_type="application/octet-stream", timeout=20)

    url = await upload(content)
    t.same(kept(), [], "nothing of it stays in the data folder")
    answer = await asyncio.to_thread(fetch, url)
    t.ok(answer == (200, content), "it is given back as it was", answer[0])
    answer = await asyncio.to_thread(fetch, url, "bytes=1048570-1048585")
    t.same(answer, (206, content[1048570:1048586]), "and a part over the edge of two chunks")
    command = "<command xmlns='http://jabber.org/protocol/commands' node='delete-files' {}>{}</command>"
    form = await alice.ask("set", command.format("", ""), alice.boundjid.domain)
    identifier = form.findtext(".//{jabber:x:data}option/{jabber:x:data}value")
    session = form.find("{http://jabber.org/protocol/commands}command").get("sessionid")
    filled = f"<x xmlns='jabber:x:data' type='submit'><field var='files'><value>{identifier}</value></field></x>"
    await alice.ask("set", command.format(f"sessionid='{session}' action='complete'", filled), alice.boundjid.domain)
    t.same((await asyncio.to_thread(fetch, url))[0], 404, "deleted, it is gone")
    other = await upload(b"other")
    STORAGE.send_signal(signal.SIGKILL)
    STORAGE.wait()
    t.ok((await asyncio.to_thread(fetch, other))[1] != b"other", "without the storage nothing is given out")
    t.same((await asyncio.to_thread(fetch, other))[0], 503, "as soon as it is known, that is told")
    service = (await plugin.find_upload_service())["from"]
    slot = await refused(plugin.request_slot(service, "b.bin", 5))
    t.same(slot, ("wait", "resource-constraint"), "and slots are refused, for now")
    t.ok(SERVER.process.poll() is None, "the server goes on")
    await alice.settle()


async def end():
    """Everything of ours ends."""
    await close_all()


if __name__ == "__main__":
    try:
        tap.main(end)
    finally:
        for process in (STORAGE, SERVER.process):
            if process and process.poll() is None:
                process.terminate()
