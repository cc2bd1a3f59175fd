//! A stream from a component.
//!
//! XEP-0114 version 1.6 (`jabber:component:accept`).
//!
//! Not here: what a component may do besides speaking for its domain (kernel), its listener and TLS (federation).

use std::time::Instant;

use address::Bare;
use stanza::{StreamCondition, ns};
use xml::{Element, Header};

use crate::io::{Fail, Io, Next, State, not_authorized, unsupported};
use crate::{Ask, Misbehaviour, Output, Pair, Proof, Secret, header, keys, wire};

/// The component's header: `to` is its own domain.
pub(crate) fn handle_header(io: &mut Io, header: &Header) -> Next {
    let checked = header::check(header, io.wire.content).and_then(|()| header::to(header));
    let domain = match checked {
        Ok(domain) => domain,
        Err(fail) => {
            open(io, None);
            return Err(fail.into());
        }
    };
    io.book.main = Some(Pair { local: domain.clone(), remote: domain.clone() });
    io.ask(Ask::Secret(domain));
    Ok(State::Secret)
}

/// Writes our header, also where only an error follows (RFC 6120 section 4.9.1.2).
pub(crate) fn open(io: &mut Io, domain: Option<&Bare>) {
    io.id = io.random.id();
    let from = domain.map(|domain| domain.as_str());
    io.wire.open(&wire::Header { id: Some(&io.id), from, to: None });
}

/// The secret of the component, if there is such a component.
pub(crate) fn handle_secret(io: &mut Io, secret: Option<Secret>) -> Next {
    let domain = io.book.main.as_ref().map(|pair| pair.remote.clone());
    open(io, domain.as_ref());
    if secret.is_none() {
        return Err(Fail::new(StreamCondition::HostUnknown, Misbehaviour::UnknownHost).into());
    }
    io.secret = secret;
    Ok(State::Open)
}

/// Everything but stanzas and stream management.
pub(crate) fn handle_element(io: &mut Io, element: &Element) -> Next {
    if io.trusted {
        return Err(unsupported().into());
    }
    if !element.is("handshake", ns::COMPONENT) {
        return Err(not_authorized().into());
    }
    let given = xml::unescape(core::str::from_utf8(element.inner_bytes()).unwrap_or_default()).into_owned();
    let secret = io.secret.take();
    let known = secret.is_some_and(|secret| keys::same(&keys::handshake(&secret, &io.id), given.trim()));
    let (true, Some(pair)) = (known, io.book.main.as_ref()) else {
        return Err(Fail::new(StreamCondition::NotAuthorized, Misbehaviour::WrongHandshake).into());
    };
    // Only who knows the secret learns whether the domain is taken.
    let domain = pair.remote.clone();
    io.ask(Ask::Attach(domain));
    Ok(State::Attaching)
}

/// Whether the component may have the domain now.
pub(crate) fn handle_attached(io: &mut Io, now: Instant, free: bool) -> Next {
    let Some(pair) = io.book.main.clone().filter(|_| free) else {
        return Err(Fail::new(StreamCondition::Conflict, Misbehaviour::Conflict).into());
    };
    io.wire.put_empty("handshake", ns::COMPONENT);
    io.trust_more(now);
    io.out(Output::Authenticated(pair.clone(), Proof::Secret));
    io.ready(now, pair);
    Ok(State::Open)
}
