"""raw.py - a client down on the wire: TLS with exported keys, elements as they come, SCRAM and HT written out.

For protocol that no stock client speaks to the full: SASL2 (XEP-0388), Bind 2 (XEP-0386), FAST (XEP-0484), the
downgrade check (XEP-0474) and channel bindings (XEP-0440, RFC 9266). Blocking, one socket, every read has an end.
Not here: what is checked (../tests/sasl2_raw.py).
"""
import base64
import hashlib
import hmac
import os
import select
import socket
import ssl
import time
import xml.etree.ElementTree as ET

from OpenSSL import SSL, crypto

import servers
from tap import TRACE, Missed

STATE = servers.State()
WAIT = 6.0
SASL2, BIND2, FAST, SM = "urn:xmpp:sasl:2", "urn:xmpp:bind:0", "urn:xmpp:fast:0", "urn:xmpp:sm:3"
CARBONS, CB = "urn:xmpp:carbons:2", "urn:xmpp:sasl-cb:0"
STREAM = "http://etherx.jabber.org/streams"


def b64(data):
    """Base64 as text."""
    return base64.b64encode(data).decode()


class Closed(Exception):
    """The server ended the stream or the connection."""


class Raw:
    """One connection with direct TLS. `read` gives the next child of the stream."""

    def __init__(self, who, domain="localhost", direct_tls=True):
        self.who, self.domain = who, domain
        self.socket = socket.create_connection((STATE.host, STATE.tls if direct_tls else STATE.c2s), WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = None
        self.parser, self.depth, self.root = ET.XMLPullParser(("start", "end")), 0, None
        self.waiting = []
        if direct_tls:
            self._handshake()

    def _handshake(self):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_alpn_protos([b"xmpp-client"])
        self.tls = SSL.Connection(context, self.socket)
        self.tls.set_tlsext_host_name(self.domain.encode())
        self.tls.set_connect_state()
        self._retry(self.tls.do_handshake)
        shown = ssl.DER_cert_to_PEM_cert(crypto.dump_certificate(crypto.FILETYPE_ASN1, self.tls.get_peer_certificate()))
        with open(STATE.ca) as trusted:
            assert shown in trusted.read(), "the server shows another certificate"

    def _retry(self, call, *args, seconds=WAIT):
        end = time.monotonic() + seconds
        while True:
            try:
                return call(*args)
            except SSL.WantReadError:
                if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                    raise Missed(f"{self.who}: nothing came within {seconds} s") from None
            except SSL.WantWriteError:
                select.select([], [self.socket], [], WAIT)
            except (SSL.ZeroReturnError, SSL.SysCallError, SSL.Error, ConnectionError) as error:
                raise Closed(f"{self.who}: connection closed {error}") from None

    def exporter(self):
        """The tls-exporter channel binding (RFC 9266)."""
        return self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")

    def end_point(self):
        """The tls-server-end-point channel binding (RFC 5929) for certificates signed with SHA-256."""
        return hashlib.sha256(crypto.dump_certificate(crypto.FILETYPE_ASN1, self.tls.get_peer_certificate())).digest()

    def send(self, text):
        """Write text in one piece."""
        TRACE.append((self.who, "SEND", text))
        data = text.encode()
        if self.tls:
            self._retry(self.tls.sendall, data)
        else:
            self.socket.sendall(data)

    def read(self, seconds=WAIT):
        """The next element. Raises Missed when none comes, Closed at the end."""
        while not self.waiting:
            self._feed(seconds)
        element = self.waiting.pop(0)
        TRACE.append((self.who, "RECV", ET.tostring(element, encoding="unicode")))
        return element

    def _feed(self, seconds):
        if self.tls:
            data = self._retry(self.tls.recv, 65536, seconds=seconds)
        else:
            self.socket.settimeout(seconds)
            data = self.socket.recv(65536)
        if not data:
            raise Closed(f"{self.who}: connection closed")
        self.parser.feed(data)
        for event, element in self.parser.read_events():
            if event == "start":
                self.depth += 1
                if self.depth == 1:
                    self.root = element
                continue
            self.depth -= 1
            if self.depth == 1:
                self.waiting.append(element)
            elif self.depth == 0:
                raise Closed(f"{self.who}: stream closed")

    def until(self, match, what, seconds=WAIT):
        """Read on to the first element that matches; what came before is lost."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Missed(f"{self.who}: no {what} within {seconds} s")
            try:
                element = self.read(left)
            except Missed:
                raise Missed(f"{self.who}: no {what} within {seconds} s") from None
            if match(element):
                return element

    def header(self, sender=None):
        """The stream header as text."""
        origin = f" from='{sender}'" if sender else ""
        return (f"<?xml version='1.0'?><stream:stream{origin} to='{self.domain}' version='1.0' xml:lang='en' "
                f"xmlns='jabber:client' xmlns:stream='{STREAM}'>")

    def open(self, sender=None):
        """Send the header; returns the features."""
        self.send(self.header(sender))
        return self.until(lambda e: e.tag == f"{{{STREAM}}}features", "features")

    def cut(self):
        """Drop the connection without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def close(self):
        """Orderly end."""
        try:
            self.send("</stream:stream>")
        except (Closed, OSError):
            pass
        self.socket.close()


class Scram:
    """The client's side of SCRAM (RFC 5802, 7677) with an optional channel binding."""

    def __init__(self, mechanism, local, password, binding=None, flag="n"):
        name = mechanism.removesuffix("-PLUS").removeprefix("SCRAM-").replace("-", "").lower()
        self.hash = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}[name]
        self.password = password.encode()
        kind, data = binding or (None, b"")
        self.gs2 = f"p={kind},," if kind else f"{flag},,"
        self.bound = self.gs2.encode() + data
        self.nonce = os.urandom(18).hex()
        self.bare = f"n={local},r={self.nonce}"
        self.server_first = {}

    def first(self):
        """client-first-message."""
        return (self.gs2 + self.bare).encode()

    def final(self, challenge):
        """client-final-message for the server's first."""
        text = challenge.decode()
        self.server_first = dict(part.split("=", 1) for part in text.split(","))
        assert self.server_first["r"].startswith(self.nonce), "the nonce is not ours"
        salt, rounds = base64.b64decode(self.server_first["s"]), int(self.server_first["i"])
        salted = hashlib.pbkdf2_hmac(self.hash().name, self.password, salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", self.hash)
        without = f"c={b64(self.bound)},r={self.server_first['r']}"
        message = f"{self.bare},{text},{without}".encode()
        signature = hmac.digest(self.hash(client_key).digest(), message, self.hash)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server = hmac.digest(hmac.digest(salted, b"Server Key", self.hash), message, self.hash)
        return f"{without},p={b64(proof)}".encode()

    def verify(self, final):
        """Is it the server that knows the password?"""
        return final.decode() == "v=" + b64(self.server)


def downgrade_hash(mechanism, mechanisms, bindings):
    """The `h` attribute of XEP-0474 for what was advertised; `bindings` None without XEP-0440."""
    text = "\x1e".join(sorted(mechanisms))
    if bindings is not None:
        text += "\x1f" + "\x1e".join(sorted(bindings))
    return b64(Scram(mechanism, "", "").hash(text.encode()).digest())


def ht(local, token, binding=b""):
    """(initial response, expected answer) of HT-SHA-256-*."""
    proof = hmac.digest(token.encode(), b"Initiator" + binding, hashlib.sha256)
    answer = hmac.digest(token.encode(), b"Responder" + binding, hashlib.sha256)
    return local.encode() + b"\0" + proof, answer


def authenticate(mechanism, initial, inside="", agent=None):
    """SASL2's <authenticate/>."""
    device = (f"<user-agent id='{agent}'><software>interop</software><device>loopback</device></user-agent>"
              if agent else "")
    return (f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'><initial-response>{b64(initial)}</initial-response>"
            f"{device}{inside}</authenticate>")
