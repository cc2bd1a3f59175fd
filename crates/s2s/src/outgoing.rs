//! A stream that we opened: from our header to the first proven pair.
//!
//! RFC 6120 sections 4.3 to 6; RFC 7590; XEP-0178 version 1.2 section 3; XEP-0288 section 2; XEP-0368 version 1.1.0.
//!
//! Not here: dialback itself (`dialback.rs`), resumption (`manage.rs`), what to do when it ends (federation).

use std::time::Instant;

use address::Bare;
use stanza::{StreamCondition, ns};
use xml::{Element, Header};

use crate::features::{self, Offer};
use crate::io::{Fail, Io, Next, Role, State, Stop, unsupported};
use crate::{
    Ask, Certificate, End, Misbehaviour, Output, Pair, PeerTls, Proof, Purpose, Refusal, Trust, dialback,
    header, manage, wire,
};

/// Writes our header and waits for the peer's.
pub(crate) fn greet(io: &mut Io) -> State {
    if let Some(pair) = &io.book.main {
        let (from, to) = (Some(pair.local.as_str()), Some(pair.remote.as_str()));
        io.wire.open(&wire::Header { id: None, from, to });
    }
    State::Greeting
}

/// TLS is up: first of all, with whom.
pub(crate) fn handle_tls(io: &mut Io, tls: PeerTls) -> Next {
    let certificate = tls.certificate;
    io.restart_in_tls(tls);
    let Some(pair) = io.book.main.clone() else { return Ok(State::Closed) };
    match certificate {
        Certificate::Proven(trust) => handle_certificate(io, &pair.remote, Some(trust)),
        Certificate::None => handle_certificate(io, &pair.remote, None),
        Certificate::Presented => {
            io.ask(Ask::Certificate(pair));
            Ok(State::Certificate)
        }
    }
}

/// Whether the certificate is that of the domain that we want to talk to (RFC 6120 section 13.7.2).
pub(crate) fn handle_certificate(io: &mut Io, remote: &Bare, trust: Option<Trust>) -> Next {
    let Some(pair) = io.book.main.clone().filter(|pair| pair.remote == *remote) else {
        return Ok(State::Certificate);
    };
    match trust {
        Some(trust) => io.book.certify(pair.remote, trust),
        None if io.policy(&pair).require_certificate => {
            io.note(Misbehaviour::Certificate);
            io.out(Output::Refused(pair, Refusal::Certificate));
            return Err(Stop::End(End::Certificate));
        }
        None => {}
    }
    Ok(greet(io))
}

/// The peer's header.
pub(crate) fn handle_header(io: &mut Io, header: &Header) -> Next {
    header::check(header, io.wire.content)?;
    header::check_version(header)?;
    io.id = header::id(header)?;
    io.offer = Offer { dialback: header.declares(ns::DIALBACK), ..Offer::default() };
    Ok(State::Features)
}

/// The peer's features (RFC 6120 section 4.3.2).
pub(crate) fn handle_features(io: &mut Io, now: Instant, element: &Element) -> Next {
    if !element.is("features", ns::STREAMS) {
        return Err(unsupported().into());
    }
    let declared = io.offer.dialback;
    io.offer = Offer::read(element);
    io.offer.dialback |= declared;
    let Some(pair) = io.book.main.clone() else { return Err(unsupported().into()) };
    if io.authenticated {
        return proven(io, now, &pair);
    }
    if io.tls.is_none() && io.offer.starttls {
        io.wire.put_empty("starttls", ns::TLS);
        return Ok(State::Proceed);
    }
    if io.tls.is_none() && io.policy(&pair).require_tls {
        return Err(Stop::End(End::NoTls));
    }
    authenticate(io, now, &pair)
}

/// The answer to `<starttls/>` (RFC 6120 section 5.4.2).
pub(crate) fn handle_proceed(io: &mut Io, element: &Element) -> Next {
    match (element.ns(), element.name()) {
        (ns::TLS, "proceed") => {
            // Whoever could add something here was not the peer of the handshake to come.
            if !io.parser.unread().trim_ascii().is_empty() {
                let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::BytesBeforeTls);
                return Err(fail.text("nothing may follow <proceed/> before the handshake").into());
            }
            io.out(Output::StartTls);
            Ok(State::Handshake)
        }
        (ns::TLS, "failure") => Err(Stop::End(End::NoTls)),
        _ => Err(unsupported().into()),
    }
}

fn authenticate(io: &mut Io, now: Instant, pair: &Pair) -> Next {
    if io.role == Role::Outgoing(Purpose::Verify) {
        io.clock.deadline = None;
        io.clock.used = now;
        return Ok(State::Open);
    }
    if io.offer.bidi && io.settings.bidi {
        // XEP-0288 section 2.2: before SASL or dialback.
        let mut w = io.wire.writer();
        w.open("bidi", ns::BIDI);
        features::write_limits(&mut w, io);
        w.close();
        io.wire.put(&w.finish());
        io.bidi = true;
    }
    if io.offer.external && io.tls.is_some() {
        // XEP-0178 section 3: the authorization identity is not needed, but older servers want it.
        let mut w = io.wire.writer();
        w.open("auth", ns::SASL).attr("mechanism", "EXTERNAL");
        w.text(sasl::encode_sasl1(pair.local.as_str().as_bytes())).close();
        io.wire.put(&w.finish());
        return Ok(State::Sasl { challenged: false });
    }
    by_dialback(io, now, pair, Refusal::NothingOffered)
}

fn by_dialback(io: &mut Io, now: Instant, pair: &Pair, otherwise: Refusal) -> Next {
    if io.offer.dialback && io.settings.dialback.is_some() {
        return dialback::request(io, now, pair);
    }
    io.out(Output::Refused(pair.clone(), otherwise));
    Err(Stop::End(End::NotAuthenticated(otherwise)))
}

/// What the peer says to `<auth/>` (RFC 6120 section 6.4).
pub(crate) fn handle_sasl(io: &mut Io, now: Instant, element: &Element, challenged: bool) -> Next {
    let Some(pair) = io.book.main.clone() else { return Err(unsupported().into()) };
    match (element.ns(), element.name()) {
        (ns::SASL, "success") => {
            io.authenticated = true;
            io.restart();
            Ok(greet(io))
        }
        // A server that overlooks initial responses asks once more.
        (ns::SASL, "challenge") if !challenged => {
            let mut w = io.wire.writer();
            w.leaf("response", ns::SASL, sasl::encode_base64(pair.local.as_str().as_bytes()));
            io.wire.put(&w.finish());
            Ok(State::Sasl { challenged: true })
        }
        (ns::SASL, "failure") => {
            let condition = sasl_condition(element);
            io.note(Misbehaviour::AuthFailed(condition));
            io.refusal = Some(Refusal::Sasl(condition));
            by_dialback(io, now, &pair, Refusal::Sasl(condition))
        }
        _ => Err(unsupported().into()),
    }
}

fn sasl_condition(failure: &Element) -> sasl::Condition {
    use sasl::Condition as C;
    let all = [
        C::Aborted,
        C::AccountDisabled,
        C::CredentialsExpired,
        C::EncryptionRequired,
        C::IncorrectEncoding,
        C::InvalidAuthzid,
        C::InvalidMechanism,
        C::MalformedRequest,
        C::MechanismTooWeak,
        C::TemporaryAuthFailure,
    ];
    let named = |c: &C| failure.children().any(|child| child.is(c.name(), ns::SASL));
    all.into_iter().find(named).unwrap_or(C::NotAuthorized)
}

/// The peer believes that we are `pair.local`, by SASL or by dialback.
pub(crate) fn proven(io: &mut Io, now: Instant, pair: &Pair) -> Next {
    io.trust_more(now);
    // A bidirectional peer may have proven itself before.
    if io.is_outgoing() && !io.established {
        io.established = true;
        io.sending.bytes_max = io.offer.bytes_max;
        if io.bidi {
            admit_peer(io, now, pair);
        }
        if manage::begin(io, now) {
            // Ready when the peer has said how much of the old stream arrived.
            return Ok(State::Open);
        }
    }
    io.ready(now, pair.clone());
    Ok(State::Open)
}

/// On a bidirectional stream the peer may send what it was proven for by our way to it: its certificate, or, where that
/// is not required, the same DNS that dialback relies on.
fn admit_peer(io: &mut Io, now: Instant, pair: &Pair) {
    let proof = io.trust(&pair.remote).map_or(Proof::Dialback, Proof::Certificate);
    if io.suffices(pair.local.as_str(), pair.remote.as_str(), proof) {
        io.admit(now, pair.clone(), proof);
    }
}
