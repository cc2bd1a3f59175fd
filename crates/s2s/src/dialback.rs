//! Server dialback, all four roles of one element or another, and several pairs on one stream.
//!
//! XEP-0220 version 1.1.1, XEP-0185 version 1.0, XEP-0288 version 1.0.1 section 2.2.
//!
//! Whoever sends stanzas asks with `<db:result>key</db:result>`; whoever gets it lets a third party judge the key with
//! `<db:verify>`, on another connection. On a bidirectional stream both may ask.
//!
//! Not here: keys (`keys.rs`), the other connection (federation).

use std::time::Instant;

use address::Bare;
use stanza::{Condition, StanzaError, ns};
use xml::{Element, Tree, Writer};

use crate::io::{Io, Next, Role, State, Stop};
use crate::pairs::Verifying;
use crate::{
    Ask, End, Misbehaviour, Output, Pair, Proof, Purpose, Refusal, Trust, Verdict, Verification, header, keys,
};

/// The longest key that is passed on; those of XEP-0185 have 64 characters.
const KEY_BYTES_MAX: usize = 256;

/// A dialback element, its addresses turned so that `local` is ours.
struct Message {
    pair: Pair,
    id: Option<String>,
    key: String,
    /// `type`, for answers.
    kind: Option<String>,
    /// The condition of a `type='error'`.
    condition: Condition,
}

fn read(element: &Element) -> Option<Message> {
    let attr = |name: &str| element.attr(name).map(|value| value.into_owned());
    let pair = Pair {
        local: header::domain(&element.attr("to")?)?,
        remote: header::domain(&element.attr("from")?)?,
    };
    let tree = Tree::parse(element.inner_bytes(), element.ns()).ok()?;
    let key = tree.top().text().trim().to_owned();
    let error = tree.roots().find(|child| child.name() == "error");
    let condition = error.and_then(|error| {
        error
            .children()
            .filter(|child| child.ns() == ns::STANZAS)
            .find_map(|child| Condition::parse(child.name()))
    });
    let condition = condition.unwrap_or(Condition::UndefinedCondition);
    Some(Message { pair, id: attr("id"), key, kind: attr("type"), condition })
}

/// Any element of `jabber:server:dialback` on an open stream.
pub(crate) fn handle(io: &mut Io, now: Instant, element: &Element) -> Next {
    // Only whoever accepted the stream hears requests, unless both do.
    let hears = io.role == Role::Incoming || io.bidi;
    let Some(message) = read(element) else {
        io.note(Misbehaviour::MalformedDialback);
        return Ok(State::Open);
    };
    match (element.name(), message.kind.as_deref()) {
        ("result", None) if hears => handle_request(io, now, message),
        ("verify", None) if hears => {
            handle_verify(io, &message);
            Ok(State::Open)
        }
        ("result", Some(_)) => handle_result(io, now, &message),
        ("verify", Some(_)) => {
            handle_verified(io, now, &message);
            Ok(State::Open)
        }
        ("result" | "verify", None) => {
            io.note(Misbehaviour::UnsolicitedDialback);
            Ok(State::Open)
        }
        _ => Err(crate::io::unsupported().into()),
    }
}

/// Step 1, as receiving server: the peer wants to be believed.
fn handle_request(io: &mut Io, now: Instant, message: Message) -> Next {
    let pair = message.pair;
    if io.book.is_inbound(&pair) {
        put_result(io, &pair, "valid", &[]);
        return Ok(State::Open);
    }
    if io.book.is_asked(&pair) {
        io.note(Misbehaviour::UnsolicitedDialback);
        return Ok(State::Open);
    }
    if let Err((condition, note)) = acceptable(io, &pair, &message.key) {
        io.note(note);
        put_error(io, "result", &pair, None, condition);
        return Ok(State::Open);
    }
    // The certificate is worth more than any key, and spares a connection.
    if let Some(trust) = io.trust(&pair.remote) {
        return accept(io, now, &pair, Proof::Certificate(trust));
    }
    let number = io.book.ask(pair.clone(), now + io.settings.timeouts.dialback);
    // On a stream that we opened the peer has chosen the id, and could choose one for which it has seen a key.
    let dial = io.role == Role::Incoming && !io.policy(&pair).require_certificate;
    io.ask(Ask::Verify(number, Verification { pair, stream: io.id.clone(), key: message.key, dial }));
    Ok(State::Open)
}

/// Whether the pair and its key are worth a question (XEP-0220 section 2.4).
fn acceptable(io: &Io, pair: &Pair, key: &str) -> Result<(), (Condition, Misbehaviour)> {
    let policy = io.policy(pair);
    if policy.require_tls && io.tls.is_none() {
        return Err((Condition::PolicyViolation, Misbehaviour::EncryptionRequired));
    }
    if !io.serves(&pair.local) {
        return Err((Condition::ItemNotFound, Misbehaviour::UnknownHost));
    }
    if io.serves(&pair.remote) {
        return Err((Condition::NotAcceptable, Misbehaviour::ForgedFrom));
    }
    if !policy.allowed {
        return Err((Condition::PolicyViolation, Misbehaviour::Blocked));
    }
    if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Err((Condition::NotAcceptable, Misbehaviour::MalformedDialback));
    }
    let pairs = io.book.inbound.len() + io.book.asked.len();
    if pairs >= io.settings.pairs_max || io.book.asked.len() >= io.settings.verifications_max {
        return Err((Condition::ResourceConstraint, Misbehaviour::TooManyPairs));
    }
    let hopeless = !io.has_certificate() || io.book.doubted.contains(&pair.remote);
    if hopeless && (policy.require_certificate || io.is_outgoing()) {
        return Err((Condition::NotAuthorized, Misbehaviour::Certificate));
    }
    Ok(())
}

/// The shell has judged a key.
pub(crate) fn handle_verdict(io: &mut Io, now: Instant, number: u64, verdict: Verdict) -> Next {
    let Some(pair) = io.book.answered(number) else { return Ok(State::Open) };
    match verdict {
        Verdict::Valid(proof) if io.suffices(pair.local.as_str(), pair.remote.as_str(), proof) => {
            accept(io, now, &pair, proof)
        }
        Verdict::Valid(_) => {
            io.note(Misbehaviour::Certificate);
            put_error(io, "result", &pair, None, Condition::NotAuthorized);
            Ok(State::Open)
        }
        Verdict::Failed(condition) => {
            put_error(io, "result", &pair, None, condition);
            Ok(State::Open)
        }
        Verdict::Invalid => {
            io.note(Misbehaviour::WrongKey);
            // XEP-0220 section 2.2.1: other pairs of the stream shall not suffer; without any it is of no use.
            if io.book.inbound.is_empty() && io.book.outbound.is_empty() {
                put_result(io, &pair, "invalid", &[]);
                return Err(Stop::End(End::NotAuthenticated(Refusal::Invalid)));
            }
            put_error(io, "result", &pair, None, Condition::Forbidden);
            Ok(State::Open)
        }
    }
}

fn accept(io: &mut Io, now: Instant, pair: &Pair, proof: Proof) -> Next {
    put_result(io, pair, "valid", &[]);
    io.admit(now, pair.clone(), proof);
    Ok(State::Open)
}

/// Step 2, as authoritative server: did we make this key? Answered from the secret alone.
fn handle_verify(io: &mut Io, message: &Message) {
    let Some(id) = &message.id else { return io.note(Misbehaviour::MalformedDialback) };
    let pair = &message.pair;
    let refused = if io.policy(pair).require_tls && io.tls.is_none() {
        Some((Condition::PolicyViolation, Misbehaviour::EncryptionRequired))
    } else if !io.serves(&pair.local) {
        Some((Condition::ItemNotFound, Misbehaviour::UnknownHost))
    } else {
        None
    };
    if let Some((condition, note)) = refused {
        io.note(note);
        return put_error(io, "verify", pair, Some(id), condition);
    }
    let valid = match &io.settings.dialback {
        Some(secret) => keys::same(&keys::own_key(secret, pair, id), &message.key),
        None => false,
    };
    if !valid {
        io.note(Misbehaviour::WrongKey);
    }
    put(io, "verify", pair, Some(id), if valid { "valid" } else { "invalid" }, &[]);
}

/// Step 4, as initiating server: whether we are believed.
fn handle_result(io: &mut Io, now: Instant, message: &Message) -> Next {
    let refusal = match message.kind.as_deref() {
        Some("valid") => None,
        Some("invalid") => Some(Refusal::Invalid),
        Some("error") => Some(Refusal::Failed(message.condition)),
        _ => {
            io.note(Misbehaviour::MalformedDialback);
            return Ok(State::Open);
        }
    };
    if !io.book.requested(&message.pair) {
        io.note(Misbehaviour::UnsolicitedDialback);
        return Ok(State::Open);
    }
    match refusal {
        None => crate::outgoing::proven(io, now, &message.pair),
        Some(refusal) => refuse(io, &message.pair, refusal),
    }
}

/// The peer does not believe us. If that leaves nothing to do, the stream ends.
pub(crate) fn refuse(io: &mut Io, pair: &Pair, refusal: Refusal) -> Next {
    io.out(Output::Refused(pair.clone(), refusal));
    io.refusal = Some(refusal);
    let useless = io.book.outbound.is_empty() && io.book.inbound.is_empty() && io.book.is_idle();
    match useless && io.is_outgoing() {
        true => Err(Stop::End(End::NotAuthenticated(refusal))),
        false => Ok(State::Open),
    }
}

/// Step 3, as receiving server: what the authoritative server says.
fn handle_verified(io: &mut Io, now: Instant, message: &Message) {
    let token = io.book.verified(&message.pair, message.id.as_deref().unwrap_or_default());
    let Some(token) = token else { return io.note(Misbehaviour::UnsolicitedDialback) };
    io.clock.used = now;
    let verdict = match message.kind.as_deref() {
        Some("valid") => Verdict::Valid(Proof::Dialback),
        Some("invalid") => Verdict::Invalid,
        // XEP-0220 section 2.4: whatever the error, this is what the initiating server shall hear.
        _ => Verdict::Failed(Condition::RemoteServerNotFound),
    };
    io.out(Output::Verified(token, verdict));
}

/// Sends our key for a pair.
pub(crate) fn request(io: &mut Io, now: Instant, pair: &Pair) -> Next {
    let Some(secret) = &io.settings.dialback else { return refuse(io, pair, Refusal::NothingOffered) };
    let key = keys::own_key(secret, pair, &io.id);
    io.book.requested.push((pair.clone(), now + io.settings.timeouts.dialback));
    io.clock.used = now;
    let attrs = [("from", pair.local.as_str()), ("to", pair.remote.as_str())];
    io.wire.put_dialback("result", &attrs, key.as_bytes());
    Ok(State::Open)
}

/// The shell wants to use the stream for another pair.
pub(crate) fn add_pair(io: &mut Io, now: Instant, pair: &Pair, certificate: Option<Trust>) -> Next {
    if io.book.is_outbound(pair) || io.book.is_requested(pair) {
        return Ok(State::Open);
    }
    let policy = io.policy(pair);
    let main = io.book.main.as_ref();
    let same_remote = main.is_some_and(|main| main.remote == pair.remote);
    // On a bidirectional stream the peer has named the remote domains itself.
    let known_remote = same_remote || io.book.inbound.iter().any(|(known, _)| known.remote == pair.remote);
    if let Some(trust) = certificate {
        io.book.certify(pair.remote.clone(), trust);
    }
    let possible = match io.role {
        Role::Outgoing(Purpose::Stanzas) => io.established && (known_remote || io.offer.errors),
        Role::Incoming => io.bidi && known_remote,
        Role::Outgoing(Purpose::Verify) | Role::Component => false,
    };
    let pairs = io.book.outbound.len() + io.book.requested.len();
    if !possible
        || pairs >= io.settings.pairs_max
        || !policy.allowed
        || (policy.require_tls && io.tls.is_none())
    {
        return refuse(io, pair, Refusal::NothingOffered);
    }
    if policy.require_certificate && io.trust(&pair.remote).is_none() {
        return refuse(io, pair, Refusal::Certificate);
    }
    request(io, now, pair)
}

/// The shell wants the peer to judge a key.
pub(crate) fn verify(io: &mut Io, now: Instant, token: u64, verification: Verification) {
    // Only of its own domains a server has the secret, and only of this one we know where it is.
    let authority = io.book.main.as_ref().map(|main| &main.remote) == Some(&verification.pair.remote);
    let full = io.book.verifying.len() >= io.settings.verifications_max;
    if !io.is_outgoing() || !authority || full {
        return io.out(Output::Verified(token, Verdict::Failed(Condition::ResourceConstraint)));
    }
    let until = now + io.settings.timeouts.dialback;
    io.book.verifying.push(Verifying { token, verification, until, sent: false });
}

/// Asks the peer what waits to be asked, once the stream is up.
pub(crate) fn flush(io: &mut Io, now: Instant) {
    let Io { book, wire, clock, .. } = io;
    for verifying in book.verifying.iter_mut().filter(|verifying| !verifying.sent) {
        verifying.sent = true;
        clock.used = now;
        let Verification { pair, stream, key, .. } = &verifying.verification;
        let attrs = [("from", pair.local.as_str()), ("id", stream), ("to", pair.remote.as_str())];
        let mut inner = Vec::new();
        xml::escape_text(&mut inner, key);
        wire.put_dialback("verify", &attrs, &inner);
    }
}

/// The stream is over: whoever waits is told.
pub(crate) fn give_up(io: &mut Io) {
    for verifying in std::mem::take(&mut io.book.verifying) {
        let verdict = Verdict::Failed(Condition::RemoteServerTimeout);
        io.out(Output::Verified(verifying.token, verdict));
    }
    io.book.requested.clear();
    io.book.asked.clear();
}

/// What was not answered in time.
pub(crate) fn expire(io: &mut Io, now: Instant) -> Next {
    let verifying = std::mem::take(&mut io.book.verifying);
    let (late, rest) = verifying.into_iter().partition(|verifying| verifying.until <= now);
    io.book.verifying = rest;
    let late: Vec<Verifying> = late;
    for verifying in late {
        io.out(Output::Verified(verifying.token, Verdict::Failed(Condition::RemoteServerTimeout)));
    }
    while let Some(number) = io.book.asked.iter().find(|asked| asked.until <= now).map(|asked| asked.number) {
        handle_verdict(io, now, number, Verdict::Failed(Condition::RemoteServerTimeout))?;
    }
    while let Some((pair, _)) = io.book.requested.iter().find(|(_, until)| *until <= now).cloned() {
        io.book.requested(&pair);
        refuse(io, &pair, Refusal::Timeout)?;
    }
    Ok(State::Open)
}

fn put_result(io: &mut Io, pair: &Pair, kind: &str, inner: &[u8]) {
    put(io, "result", pair, None, kind, inner);
}

fn put_error(io: &mut Io, name: &str, pair: &Pair, id: Option<&str>, condition: Condition) {
    let mut w = Writer::new(ns::CLIENT);
    StanzaError::from(condition).write(&mut w);
    // `<error/>` is content, whose namespace needs not be said.
    put(io, name, pair, id, "error", &w.finish());
}

fn put(io: &mut Io, name: &str, pair: &Pair, id: Option<&str>, kind: &str, inner: &[u8]) {
    let (from, to): (&Bare, &Bare) = (&pair.local, &pair.remote);
    let mut attrs = vec![("from", from.as_str()), ("to", to.as_str())];
    attrs.extend(id.map(|id| ("id", id)));
    attrs.push(("type", kind));
    io.wire.put_dialback(name, &attrs, inner);
}
