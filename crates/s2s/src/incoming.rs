//! A stream from another server: its header, STARTTLS, SASL EXTERNAL.
//!
//! RFC 6120 sections 4.3 to 6; RFC 7590; XEP-0178 version 1.2 section 3; XEP-0288 section 2.
//!
//! Not here: what is offered (`features.rs`), dialback (`dialback.rs`), certificates (the shell).

use std::time::Instant;

use address::Bare;
use stanza::{StreamCondition, ns};
use xml::{Element, Header};

use crate::io::{Fail, Io, Next, State, not_authorized};
use crate::{Ask, Certificate, Misbehaviour, Output, Pair, PeerTls, Proof, Trust, features, header, wire};

/// Failed authentications after which the stream ends.
const FAILURES_MAX: u8 = 3;

/// The peer's header: checks it, answers it, and offers features as soon as it is known who the certificate proves.
pub(crate) fn handle_header(io: &mut Io, now: Instant, header: &Header) -> Next {
    let checked = check(io, header);
    open(io, header::to(header).ok(), header::from(header).ok().flatten());
    let pair = checked?;
    io.book.main = pair;
    if io.authenticated {
        // Only now: before the new header nothing could be said about it.
        accept(io, now);
    } else if let Some(pair) = io.book.main.clone()
        && io.tls.as_ref().is_some_and(|tls| tls.certificate == Certificate::Presented)
        && io.trust(&pair.remote).is_none()
    {
        io.ask(Ask::Certificate(pair));
        return Ok(State::Certificate);
    }
    features::write(io);
    Ok(State::Open)
}

/// Writes our header, also where only an error follows (RFC 6120 section 4.9.1.2).
pub(crate) fn open(io: &mut Io, to: Option<Bare>, from: Option<Bare>) {
    io.id = io.random.id();
    let to = to.filter(|to| io.serves(to));
    let (from, to) = (to.as_ref().map(|to| to.as_str()), from.as_ref().map(|from| from.as_str()));
    io.wire.open(&wire::Header { id: Some(&io.id), from, to });
}

/// The pair of the header; `None` if the peer does not say who it is.
fn check(io: &Io, header: &Header) -> Result<Option<Pair>, Fail> {
    header::check(header, io.wire.content)?;
    let local = header::to(header)?;
    if !io.serves(&local) {
        return Err(Fail::new(StreamCondition::HostUnknown, Misbehaviour::UnknownHost));
    }
    header::check_version(header)?;
    let remote = header::from(header)?;
    if remote.as_ref().is_some_and(|remote| io.serves(remote)) {
        let fail = Fail::new(StreamCondition::InvalidFrom, Misbehaviour::ForgedFrom);
        return Err(fail.text("that domain is here"));
    }
    let pair = remote.map(|remote| Pair { local, remote });
    if io.authenticated && pair != io.book.main {
        let fail = Fail::new(StreamCondition::NotAuthorized, Misbehaviour::ChangedAddress);
        return Err(fail.text("authenticated as another domain"));
    }
    if pair.as_ref().is_some_and(|pair| !io.policy(pair).allowed) {
        return Err(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::Blocked));
    }
    Ok(pair)
}

/// What the certificate proves.
pub(crate) fn handle_certificate(io: &mut Io, remote: &Bare, trust: Option<Trust>) -> Next {
    let asked = io.book.main.as_ref().is_some_and(|pair| pair.remote == *remote);
    if !asked {
        return Ok(State::Certificate);
    }
    match trust {
        Some(trust) => io.book.certify(remote.clone(), trust),
        None => {
            io.note(Misbehaviour::Certificate);
            io.book.doubted.push(remote.clone());
        }
    }
    features::write(io);
    Ok(State::Open)
}

/// `<starttls/>`.
pub(crate) fn start_tls(io: &mut Io) -> Next {
    if !features::may_start_tls(io) {
        return Err(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnexpectedStartTls).into());
    }
    // Whatever came in the same segment was written by somebody who could read and change it: it must never be taken for
    // something that came through TLS.
    if !io.parser.unread().trim_ascii().is_empty() {
        let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::BytesBeforeTls);
        return Err(fail.text("nothing may follow <starttls/> before the handshake").into());
    }
    io.wire.put_empty("proceed", ns::TLS);
    io.out(Output::StartTls);
    Ok(State::Handshake)
}

/// The handshake succeeded: a new stream begins, and what was said before it never was (RFC 6120 section 5.4.3.3).
pub(crate) fn handle_tls(io: &mut Io, tls: PeerTls) -> State {
    io.restart_in_tls(tls);
    io.book = crate::pairs::Book::default();
    io.bidi = false;
    State::Opening
}

/// `<auth/>`, and `<response/>` to our empty challenge.
pub(crate) fn handle_sasl(io: &mut Io, element: &Element, state: State) -> Next {
    match (element.name(), state) {
        ("auth", State::Open) if !io.authenticated => begin(io, element),
        ("response", State::Challenge) => finish(io, &text(element)),
        ("abort", State::Challenge) => fail(io, sasl::Condition::Aborted),
        _ => {
            let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnexpectedSasl);
            Err(fail.into())
        }
    }
}

fn begin(io: &mut Io, auth: &Element) -> Next {
    if features::must_encrypt(io) {
        io.note(Misbehaviour::EncryptionRequired);
        return fail(io, sasl::Condition::EncryptionRequired);
    }
    if auth.attr("mechanism").as_deref() != Some("EXTERNAL") {
        return fail(io, sasl::Condition::InvalidMechanism);
    }
    if !features::may_external(io) {
        return fail(io, sasl::Condition::NotAuthorized);
    }
    let initial = text(auth);
    if initial.is_empty() {
        io.wire.put_empty("challenge", ns::SASL);
        return Ok(State::Challenge);
    }
    finish(io, &initial)
}

/// The one message of EXTERNAL: an authorization identity, or nothing. Who it is was proven by the certificate; it may
/// only agree (XEP-0178 section 3).
fn finish(io: &mut Io, message: &str) -> Next {
    let authzid = match sasl::decode_sasl1(message) {
        Ok(authzid) => authzid,
        Err(condition) => return fail(io, condition),
    };
    let Some(pair) = io.book.main.clone() else { return fail(io, sasl::Condition::NotAuthorized) };
    let own = authzid.is_empty()
        || core::str::from_utf8(&authzid).ok().and_then(header::domain).is_some_and(|d| d == pair.remote);
    if !own {
        return fail(io, sasl::Condition::InvalidAuthzid);
    }
    let proven = io.trust(&pair.remote).map(Proof::Certificate);
    if !proven.is_some_and(|proof| io.suffices(pair.local.as_str(), pair.remote.as_str(), proof)) {
        return fail(io, sasl::Condition::NotAuthorized);
    }
    io.wire.put_empty("success", ns::SASL);
    io.authenticated = true;
    // A key that is being judged was for the old stream's id.
    io.book.asked.clear();
    io.restart();
    Ok(State::Opening)
}

/// After the new header of an authenticated stream.
fn accept(io: &mut Io, now: Instant) {
    let Some(pair) = io.book.main.clone() else { return };
    if let Some(trust) = io.trust(&pair.remote) {
        io.admit(now, pair, Proof::Certificate(trust));
    }
}

fn fail(io: &mut Io, condition: sasl::Condition) -> Next {
    io.note(Misbehaviour::AuthFailed(condition));
    io.failures += 1;
    let mut w = io.wire.writer();
    w.open("failure", ns::SASL).open(condition.name(), ns::SASL).close().close();
    io.wire.put(&w.finish());
    if io.failures >= FAILURES_MAX {
        return Err(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::TooManyFailures).into());
    }
    Ok(State::Open)
}

fn text(element: &Element) -> String {
    let tree = xml::Tree::parse(element.inner_bytes(), element.ns());
    tree.map(|tree| tree.top().text().trim().to_owned()).unwrap_or_default()
}

/// `<bidi/>` (XEP-0288 section 2.2).
pub(crate) fn handle_bidi(io: &mut Io, now: Instant, bidi: &Element) {
    if !io.settings.bidi || io.bidi || io.session.is_some() || features::must_encrypt(io) {
        return io.note(Misbehaviour::UnexpectedBidi);
    }
    io.bidi = true;
    io.sending.bytes_max = features::read_bidi_limits(bidi);
    // Usually there are none yet; who asks late gets what it would have got.
    let pairs: Vec<Pair> = io.book.inbound.iter().map(|(pair, _)| pair.clone()).collect();
    for pair in pairs {
        io.ready(now, pair);
    }
}

/// One element of an open incoming stream that is no stanza.
pub(crate) fn handle_element(io: &mut Io, now: Instant, element: &Element, state: State) -> Next {
    match (element.ns(), element.name()) {
        (ns::TLS, "starttls") if state == State::Open => start_tls(io),
        (ns::SASL, _) => handle_sasl(io, element, state),
        _ if state == State::Challenge => Err(not_authorized().into()),
        (ns::BIDI, "bidi") => {
            handle_bidi(io, now, element);
            Ok(State::Open)
        }
        // XEP-0138: never offered, because compression leaks what encryption hides; asking for it is answered.
        (ns::COMPRESS, "compress") => {
            let mut w = io.wire.writer();
            w.open("failure", ns::COMPRESS).open("unsupported-method", ns::COMPRESS).close().close();
            io.wire.put(&w.finish());
            Ok(State::Open)
        }
        _ if io.trusted => Err(crate::io::unsupported().into()),
        _ => Err(not_authorized().into()),
    }
}
