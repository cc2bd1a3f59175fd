"""sasl2_raw - SASL2 (XEP-0388) with Bind 2 (XEP-0386), FAST (XEP-0484), inline resumption (XEP-0198), the downgrade
check (XEP-0474) and channel binding (XEP-0440), on the wire.

Not here: SASL of RFC 6120 (slixmpp_basic).
"""
# timeout: 60
import base64
import os
import uuid
from datetime import datetime, timezone

import tap
from raw import (BIND2, CARBONS, CB, FAST, SASL2, SM, STATE, STREAM, Closed, Raw, Scram, authenticate, downgrade_hash,
                 ht)
from tap import Missed, scenario

PASSWORD = "Pencil and päper 7"
RUN = os.urandom(3).hex()


def account(name):
    """A new account; returns (local part, bare JID)."""
    local = f"{name}-sasl2-{uuid.uuid4().hex[:6]}-{RUN}"
    STATE.add_user(f"{local}@localhost", PASSWORD)
    return local, f"{local}@localhost"


class Offer:
    """What the stream features offer."""

    def __init__(self, features):
        self.sasl2 = features.find(f"{{{SASL2}}}authentication")
        self.here = self.sasl2 is not None
        self.mechanisms = [m.text for m in self.sasl2.findall(f"{{{SASL2}}}mechanism")] if self.here else []
        inline = self.sasl2.find(f"{{{SASL2}}}inline") if self.here else None
        self.inline = {c.tag for c in inline} if inline is not None else set()
        self.bind = {f.get("var") for f in inline.iter(f"{{{BIND2}}}feature")} if inline is not None else set()
        self.fast = [m.text for m in inline.iter(f"{{{FAST}}}mechanism")] if inline is not None else []
        bindings = features.find(f"{{{CB}}}sasl-channel-binding")
        self.bindings = None if bindings is None else [b.get("type") for b in bindings]

    def best(self, plus=False):
        """The best SCRAM there is."""
        names = [f"SCRAM-{h}{'-PLUS' if plus else ''}" for h in ("SHA-256", "SHA-512", "SHA-1")]
        return next((n for n in names if n in self.mechanisms), None)


def data_of(element):
    """additional-data of a <success/>."""
    return base64.b64decode("".join((element.findtext(f"{{{SASL2}}}additional-data") or "").split()))


def outcome(raw):
    """<success/> or <failure/>."""
    return raw.until(lambda e: e.tag in (f"{{{SASL2}}}success", f"{{{SASL2}}}failure"), "an outcome")


def condition(failure):
    """The SASL error condition."""
    return next((c.tag.split("}")[1] for c in failure if c.tag.startswith("{urn:ietf:params:xml:ns:xmpp-sasl}")), None)


def challenged(raw, scram):
    """Answer the challenge; returns the outcome."""
    first = raw.until(lambda e: e.tag in (f"{{{SASL2}}}challenge", f"{{{SASL2}}}failure"), "a challenge")
    if first.tag.endswith("failure"):
        return first
    raw.send(f"<response xmlns='{SASL2}'>"
             f"{base64.b64encode(scram.final(base64.b64decode(''.join(first.text.split())))).decode()}</response>")
    return outcome(raw)


def bind(inside="", tag="interop"):
    """Bind 2's request."""
    return f"<bind xmlns='{BIND2}'><tag>{tag}</tag>{inside}</bind>"


FULL = f"<enable xmlns='{CARBONS}'/><enable xmlns='{SM}' resume='true'/>"


def login(name, local, inside, agent=None, plus=None, flag="n", password=PASSWORD):
    """Log in with SCRAM over SASL2: (connection, scram, outcome, offer)."""
    raw = Raw(name)
    offer = Offer(raw.open(f"{local}@localhost"))
    binding = (plus, {"tls-exporter": raw.exporter, "tls-server-end-point": raw.end_point}[plus]()) if plus else None
    mechanism = offer.best(plus is not None)
    scram = Scram(mechanism, local, password, binding, flag)
    raw.send(authenticate(mechanism, scram.first(), inside, agent))
    return raw, scram, challenged(raw, scram), offer


def succeeded(t, element, text):
    """Stop the scenario unless it is a success."""
    t.need(element.tag == f"{{{SASL2}}}success", text, condition(element))


@scenario("the offer")
async def offer_check(t):
    raw = Raw("offer", direct_tls=False)
    clear = raw.open()
    t.ok(not Offer(clear).here, "no SASL2 before TLS")
    raw.close()
    raw = Raw("offer")
    offer = Offer(raw.open("nobody@localhost"))
    t.need(offer.here, "SASL2 is offered")
    t.ok(offer.best(), f"with SCRAM among {offer.mechanisms}")
    t.ok({f"{{{BIND2}}}bind", f"{{{SM}}}sm", f"{{{FAST}}}fast"} <= offer.inline, "inline: Bind 2, SM and FAST", offer.inline)
    t.ok({CARBONS, SM, "urn:xmpp:csi:0"} <= offer.bind, "Bind 2 inline: carbons, SM and CSI", offer.bind)
    t.ok("HT-SHA-256-NONE" in offer.fast, "FAST offers HT-SHA-256-NONE", offer.fast)
    t.ok(not any(m.startswith("HT-") for m in offer.mechanisms), "FAST's mechanisms stay out of the ordinary list")
    t.ok(offer.bindings, "channel bindings are announced (XEP-0440)", offer.bindings)
    t.ok(offer.best(plus=True), "with SCRAM-*-PLUS", offer.mechanisms)
    raw.close()


@scenario("a whole session")
async def whole_session(t):
    local, jid = account("alice")
    agent = str(uuid.uuid4())
    raw, scram, success, offer = login("alice", local, bind(FULL) + f"<request-token xmlns='{FAST}' "
                                       "mechanism='HT-SHA-256-NONE'/>", agent)
    succeeded(t, success, "SCRAM over SASL2")
    t.ok(scram.verify(data_of(success)), "the server proves that it knows the password")
    t.same(scram.server_first.get("h"), downgrade_hash(offer.best(), offer.mechanisms, offer.bindings),
           "the downgrade hash (XEP-0474) is that of the offer")
    full = success.findtext(f"{{{SASL2}}}authorization-identifier")
    t.ok(full.startswith(f"{jid}/interop"), "the full JID carries the tag", full)
    t.ok(agent not in full, "and not the user agent's id")
    enabled = success.find(f"{{{BIND2}}}bound/{{{SM}}}enabled")
    sm = t.ok(enabled is not None and enabled.get("id") and enabled.get("resume") in ("1", "true"),
              "SM is on, to be resumed")
    token = success.find(f"{{{FAST}}}token")
    t.need(token is not None, "a FAST token comes")
    t.ok(datetime.fromisoformat(token.get("expiry")) > datetime.now(timezone.utc), "it expires in the future")
    features = raw.read()
    t.same(features.tag, f"{{{STREAM}}}features", "features follow at once, without a new stream")

    # Carbons are on from the first moment: bob writes to a second session of alice.
    other, _, second, _ = login("alice2", local, bind(tag="second"))
    other_jid = second.findtext(f"{{{SASL2}}}authorization-identifier")
    blocal, bjid = account("bob")
    bob, _, _, _ = login("bob", blocal, bind())
    other.send("<presence/>")
    raw.send("<presence/>")
    other.send("<iq type='get' id='o1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    other.until(lambda e: e.get("id") == "o1", "the ping's answer")
    bob.send(f"<message to='{other_jid}' type='chat' id='c1'><body>carbon please</body></message>")
    copy = raw.until(lambda e: e.find(f"{{{CARBONS}}}received") is not None, "a carbon")
    t.ok("carbon please" in "".join(copy.itertext()), "carbons are on")
    if sm:
        raw.send(f"<message to='{bjid}' type='chat' id='s1'><body>one</body></message><r xmlns='{SM}'/>")
        ack = raw.until(lambda e: e.tag == f"{{{SM}}}a", "an ack")
        t.same(ack.get("h"), "2", "SM counts from the bind on: presence and one message")

    # A lost connection; then header, FAST and resumption in one write, before reading anything.
    # What was handled is said to be nothing: the server has to send everything since the bind again.
    raw.cut()
    bob.send(f"<message to='{full}' type='chat' id='w1'><body>while away</body></message>")
    resume = f"<resume xmlns='{SM}' h='0' previd='{enabled.get('id')}'/>" if sm else ""
    back = Raw("alice")
    proof, answer = ht(local, token.get("token"))
    back.send(back.header(jid) + authenticate(
        "HT-SHA-256-NONE", proof, f"<fast xmlns='{FAST}'/>{resume}{bind(FULL)}", agent))
    success = outcome(back)
    succeeded(t, success, "FAST with pipelined header")
    t.same(data_of(success), answer, "the server proves that it knows the token")
    resumed = success.find(f"{{{SM}}}resumed")
    if not t.ok(resumed is not None, "resumed inline"):
        return
    t.same(resumed.get("previd"), enabled.get("id"), "it is the old stream")
    t.ok(success.find(f"{{{BIND2}}}bound") is None, "a resumed stream is not bound again")
    again = back.until(lambda e: e.find(f"{{{CARBONS}}}received") is not None, "the carbon again")
    t.ok("carbon please" in "".join(again.itertext()), "what was not handled is sent again")
    away = back.until(lambda e: e.findtext("{jabber:client}body") == "while away", "what came meanwhile")
    t.same(away.get("to"), full, "what came meanwhile is delivered")
    for connection in (back, other, bob):
        connection.close()


@scenario("tokens")
async def tokens(t):
    local, jid = account("alice")
    agent = str(uuid.uuid4())
    request = f"<request-token xmlns='{FAST}' mechanism='HT-SHA-256-NONE'/>"
    raw, _, success, offer = login("alice", local, bind() + request, agent)
    succeeded(t, success, "a token is asked for")
    token = success.find(f"{{{FAST}}}token").get("token")

    def fast(inside="", with_token=token, mechanism="HT-SHA-256-NONE", device=agent, binding=None):
        again = Raw("fast")
        again.open(jid)
        proof, _ = ht(local, with_token, binding(again) if binding else b"")
        again.send(authenticate(mechanism, proof, f"<fast xmlns='{FAST}'{inside}/>" + bind(), device))
        return again, outcome(again)

    again, success = fast()
    t.ok(success.find(f"{{{BIND2}}}bound") is not None, "a token logs in and binds")
    try:
        error = raw.until(lambda e: e.tag == f"{{{STREAM}}}error", "the end of the older session", 2)
        t.ok(error.find("{urn:ietf:params:xml:ns:xmpp-streams}conflict") is not None,
             "the same device's older session ends with conflict")
    except Closed:
        t.ok(True, "the same device's older session ends")
    except Missed as missed:
        t.ok(False, "the same device's older session ends with conflict", missed)
    again.close()
    again, failure = fast(with_token="not-the-token")
    t.same(condition(failure), "not-authorized", "a wrong token is refused")
    mechanism = offer.best()
    scram = Scram(mechanism, local, PASSWORD)
    again.send(authenticate(mechanism, scram.first(), bind(), agent))
    success = challenged(again, scram)
    t.ok(success.tag.endswith("success"), "after which the password works on the same stream", condition(success))
    again.close()
    again, failure = fast(device=str(uuid.uuid4()))
    t.ok(condition(failure), "the token of another device is refused")
    again.close()
    again = Raw("stale")
    again.open(jid)
    proof, _ = ht(local, token)
    again.send(authenticate("HT-SHA-256-NONE", proof, f"<fast xmlns='{FAST}'/><resume xmlns='{SM}' h='0' previd='none'/>"
                            + bind(FULL), agent))
    success = outcome(again)
    t.ok(success.find(f"{{{SM}}}failed") is not None and success.find(f"{{{BIND2}}}bound") is not None,
         "a resumption that fails ends in a bind")
    again.close()
    again, success = fast(" invalidate='true'")
    t.ok(success.tag.endswith("success"), "a token can be invalidated with its last use")
    again.close()
    again, failure = fast()
    t.ok(condition(failure) in ("not-authorized", "credentials-expired"), "and is worth nothing then")
    again.close()

    if "HT-SHA-256-EXPR" not in offer.fast:
        t.ok(False, "HT-SHA-256-EXPR: a token bound to the channel", offer.fast)
        return
    raw, _, success, _ = login("alice", local, bind() + request.replace("NONE", "EXPR"), agent)
    token = success.find(f"{{{FAST}}}token").get("token")
    raw.close()
    again, success = fast(with_token=token, mechanism="HT-SHA-256-EXPR", binding=Raw.exporter)
    t.ok(success.tag.endswith("success"), "HT-SHA-256-EXPR: a token bound to the channel")
    again.close()
    again, failure = fast(with_token=token, mechanism="HT-SHA-256-NONE")
    t.ok(condition(failure), "the same token without the binding is refused")
    again.close()


@scenario("channel binding")
async def channel_binding(t):
    local, _ = account("alice")
    probe = Raw("probe")
    offer = Offer(probe.open())
    probe.close()
    if not offer.best(plus=True):
        t.ok(False, "SCRAM-*-PLUS with tls-exporter", offer.mechanisms)
        return
    for kind in (offer.bindings or ["tls-exporter"]):
        if kind in ("tls-exporter", "tls-server-end-point"):
            raw, scram, success, _ = login("alice", local, bind(), plus=kind)
            t.ok(success.tag.endswith("success") and scram.verify(data_of(success)), f"SCRAM-*-PLUS with {kind}")
            raw.close()
    raw, _, failure, _ = login("alice", local, bind(), flag="y")
    t.ok(condition(failure), "a client that thinks there is no PLUS (flag y) is stopped: downgrade")
    raw.close()


@scenario("failures")
async def failures(t):
    local, jid = account("alice")
    raw, _, failure, offer = login("alice", local, bind(), password="wrong")
    t.same(condition(failure), "not-authorized", "a wrong password")
    t.ok(failure.find(f"{{{BIND2}}}bound") is None, "nothing inline happens after a failure")
    raw.close()
    best = offer.best()
    for text, wrong, want in (
            ("an unknown mechanism", authenticate("NO-SUCH-MECHANISM", b"x"), "invalid-mechanism"),
            ("an initial response that is no Base64", f"<authenticate xmlns='{SASL2}' mechanism='{best}'>"
             "<initial-response>!!!</initial-response></authenticate>", "incorrect-encoding"),
            ("an initial response that is no SCRAM", authenticate(best, b"x"), "malformed-request")):
        raw = Raw("wrong")
        raw.open(jid)
        raw.send(wrong)
        t.same(condition(outcome(raw)), want, text)
        raw.close()
    raw = Raw("alice")
    raw.open(jid)
    scram = Scram(best, local, PASSWORD)
    raw.send(authenticate(best, scram.first()))
    raw.until(lambda e: e.tag == f"{{{SASL2}}}challenge", "a challenge")
    raw.send(f"<abort xmlns='{SASL2}'/>")
    t.same(condition(outcome(raw)), "aborted", "abort")
    raw.close()


@scenario("the classic bind after SASL2")
async def classic_bind(t):
    local, jid = account("alice")
    raw, _, success, _ = login("alice", local, "")
    succeeded(t, success, "SASL2 without a bind")
    t.same(success.findtext(f"{{{SASL2}}}authorization-identifier"), jid, "gives the bare JID")
    features = raw.read()
    t.ok(features.find("{urn:ietf:params:xml:ns:xmpp-bind}bind") is not None, "the features then offer the classic bind")
    raw.send("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>old</resource></bind></iq>")
    bound = raw.until(lambda e: e.get("id") == "b1", "the classic bind's answer")
    t.same(bound.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid"), f"{jid}/old", "and it works")
    raw.close()


if __name__ == "__main__":
    tap.main()
