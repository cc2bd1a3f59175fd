//! Reading `<stream:stream>`.
//!
//! RFC 6120 sections 4.7 and 4.8; XEP-0220 section 2 (the declared prefix).
//!
//! Not here: whether the domains are acceptable (`incoming.rs`, `outgoing.rs`, `component.rs`).

use address::Bare;
use stanza::{StreamCondition, ns};
use xml::Header;

use crate::Misbehaviour;
use crate::io::Fail;

/// The longest stream identifier that we take from a peer: it goes into keys and into other streams.
const ID_BYTES_MAX: usize = 256;

/// Name and namespaces of the root.
pub(crate) fn check(header: &Header, content: &str) -> Result<(), Fail> {
    let wrong =
        |text| Err(Fail::new(StreamCondition::InvalidNamespace, Misbehaviour::WrongNamespace).text(text));
    if header.ns() != ns::STREAMS {
        return wrong("the root element is not in the streams namespace");
    }
    if header.name() != "stream" {
        return Err(Fail::new(StreamCondition::BadFormat, Misbehaviour::NotOpened));
    }
    if header.content_ns() != content {
        return wrong("the default namespace is not the one of this port");
    }
    Ok(())
}

/// Whether the peer speaks at least XMPP 1.0 (RFC 6120 section 4.7.5).
pub(crate) fn check_version(header: &Header) -> Result<(), Fail> {
    match header.version().is_some_and(stanza::is_supported_version) {
        true => Ok(()),
        false => Err(Fail::new(StreamCondition::UnsupportedVersion, Misbehaviour::WrongVersion)),
    }
}

/// `to`, which must be a domain (RFC 6120 section 4.9.3.7).
pub(crate) fn to(header: &Header) -> Result<Bare, Fail> {
    let improper = |text| {
        Err(Fail::new(StreamCondition::ImproperAddressing, Misbehaviour::ImproperAddressing).text(text))
    };
    match header.attr("to") {
        None => improper("the stream header has no 'to'"),
        Some(to) => match domain(to) {
            Some(domain) => Ok(domain),
            None => improper("the stream header's 'to' is no domain"),
        },
    }
}

/// `from`, which must be a domain if it is there (RFC 6120 section 4.9.3.9).
pub(crate) fn from(header: &Header) -> Result<Option<Bare>, Fail> {
    let forged = || Fail::new(StreamCondition::InvalidFrom, Misbehaviour::ForgedFrom);
    header.attr("from").map(|from| domain(from).ok_or_else(forged)).transpose()
}

/// `id`, which whoever accepts a stream must give (RFC 6120 section 4.7.3).
pub(crate) fn id(header: &Header) -> Result<String, Fail> {
    match header.attr("id") {
        Some(id) if (1..=ID_BYTES_MAX).contains(&id.len()) => Ok(id.to_owned()),
        _ => Err(Fail::new(StreamCondition::BadFormat, Misbehaviour::NotOpened).text("no usable stream id")),
    }
}

/// A domain without anything else.
pub(crate) fn domain(text: &str) -> Option<Bare> {
    Bare::parse(text).ok().filter(|domain| domain.is_domain())
}
