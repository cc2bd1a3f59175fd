//! Waiting for the peer's header, checking it, answering it with ours and the features.
//!
//! RFC 6120 sections 4.2, 4.3, 4.7 and 4.8; RFC 7395 section 3.4; XEP-0388 section 2.1 (`from`).
//!
//! Not here: which features there are (features.rs).

use std::time::Instant;

use address::{Bare, Jid};
use stanza::{StreamCondition, ns};
use xml::{Element, Header};

use crate::features;
use crate::offered::Offered;
use crate::peer::Peer;
use crate::state::{Fail, Io, Next, State};
use crate::unbound::Unbound;
use crate::{Misbehaviour, Open, Opened};

/// The language of all our texts.
pub(crate) const LANG: &str = "en";

/// Nothing was said yet, or a restart is due after TLS or SASL.
pub(crate) struct Opening {
    pub(crate) peer: Box<Peer>,
}

impl Open {
    /// Reads `<stream:stream>` (RFC 6120 section 4.8).
    pub(crate) fn of_header(header: &Header) -> Result<Open, Fail> {
        let wrong =
            |text| Err(Fail::new(StreamCondition::InvalidNamespace, Misbehaviour::WrongNamespace).text(text));
        if header.ns() != ns::STREAMS {
            return wrong("the root element is not in the streams namespace");
        }
        if header.name() != "stream" {
            return Err(Fail::new(StreamCondition::BadFormat, Misbehaviour::NotOpened));
        }
        if header.content_ns() != ns::CLIENT {
            return wrong("the default namespace is not that of clients");
        }
        let text = |value: Option<&str>| value.map(str::to_owned);
        Ok(Open {
            to: text(header.attr("to")),
            from: text(header.attr("from")),
            version: text(header.version()),
            lang: text(header.lang()),
        })
    }

    /// Reads `<open/>` (RFC 7395 section 3.4).
    pub(crate) fn of_frame(element: &Element) -> Open {
        let text = |name: &str| element.attr(name).map(|value| value.into_owned());
        Open {
            to: text("to"),
            from: text("from"),
            version: text("version"),
            lang: element.lang().map(|value| value.into_owned()),
        }
    }
}

impl Opening {
    /// The peer's header.
    pub(crate) fn handle_open(mut self, io: &mut Io, now: Instant, open: &Open) -> Next {
        let checked = self.check(io, open);
        let header = Opened {
            id: self.peer.random.id(),
            from: self.peer.domain.as_ref().map(|domain| domain.as_str().to_owned()),
            to: self.peer.from.as_ref().map(|from| from.as_str().to_owned()),
            lang: LANG,
        };
        io.wire.open(header);
        checked?;
        if self.peer.login.is_some() {
            io.clock.deadline = Some(now + io.settings.timeouts.bind);
            features::write_unbound(io, &self.peer);
            return Ok(State::Unbound(Unbound { peer: self.peer }));
        }
        features::write_offered(io, &self.peer);
        Ok(State::Offered(Offered { peer: self.peer }))
    }

    /// Something else came, or time is over: the error needs a header before it (RFC 6120 section 4.9.1.2).
    pub(crate) fn open_for_error(&mut self, io: &mut Io) {
        let from = self.peer.domain.as_ref().map(|domain| domain.as_str().to_owned());
        io.wire.open(Opened { id: self.peer.random.id(), from, to: None, lang: LANG });
    }

    /// Takes over what is right; the first thing that is wrong ends the stream.
    fn check(&mut self, io: &Io, open: &Open) -> Result<(), Fail> {
        let domain = domain(open.to.as_deref())?;
        if !io.settings.domains.serves(domain.domain()) {
            return Err(Fail::new(StreamCondition::HostUnknown, Misbehaviour::UnknownHost));
        }
        if self.peer.login.is_some() && self.peer.domain.as_ref() != Some(&domain) {
            let fail = Fail::new(StreamCondition::NotAuthorized, Misbehaviour::ChangedAddress);
            return Err(fail.text("authenticated at another domain"));
        }
        self.peer.from = None;
        self.peer.domain = Some(domain);
        // RFC 6120 section 4.7.5: a higher version than ours is answered with ours.
        if !open.version.as_deref().is_some_and(stanza::is_supported_version) {
            return Err(Fail::new(StreamCondition::UnsupportedVersion, Misbehaviour::WrongVersion));
        }
        self.check_from(open.from.as_deref())
    }

    fn check_from(&mut self, from: Option<&str>) -> Result<(), Fail> {
        let Some(from) = from else { return Ok(()) };
        let forged = || Fail::new(StreamCondition::InvalidFrom, Misbehaviour::ForgedFrom);
        let from = Jid::parse(from).map_err(|_| forged())?.bare();
        let at_home = self.peer.domain.as_ref().is_some_and(|domain| domain.domain() == from.domain());
        let same = self.peer.login.as_ref().is_none_or(|login| login.account == from);
        if !at_home || !same {
            return Err(forged());
        }
        self.peer.from = Some(from);
        Ok(())
    }
}

/// `to` must be a domain (RFC 6120 section 4.9.3.7).
fn domain(to: Option<&str>) -> Result<Bare, Fail> {
    let improper = |text| {
        Err(Fail::new(StreamCondition::ImproperAddressing, Misbehaviour::ImproperAddressing).text(text))
    };
    let Some(to) = to else { return improper("the stream header has no 'to'") };
    match Bare::parse(to) {
        Ok(domain) if domain.is_domain() => Ok(domain),
        _ => improper("the stream header's 'to' is no domain"),
    }
}
