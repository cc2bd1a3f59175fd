//! Stanzas from the peer: whose they may be, and how many are stored.
//!
//! RFC 6120 sections 8.1.1.2 and 8.1.2.2 (addresses on streams between servers), 4.9.3.6, 4.9.3.7 and 4.9.3.9; XEP-0114
//! section 3; XEP-0288 section 2.2.
//!
//! Not here: the elements of stream management (`manage.rs`).

use std::time::Instant;

use address::{Bare, Jid};
use stanza::{Stanza, StreamCondition};
use xml::Element;

use crate::io::{Fail, Io, Role, not_authorized};
use crate::{Misbehaviour, Output, content};

/// The incoming direction.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// The peer counts with us (XEP-0198).
    pub(crate) managed: bool,
    /// Handed to the shell and not yet stored; those at the front that came before counting began.
    pub(crate) unstored: usize,
    uncounted: usize,
    /// `h`: counted and stored.
    pub(crate) stored: u32,
    /// The peer has asked for an acknowledgement of so many.
    pub(crate) due: Option<u32>,
}

impl Receiving {
    /// Counting begins.
    pub(crate) fn manage(&mut self) {
        *self = Receiving {
            managed: true,
            unstored: self.unstored,
            uncounted: self.unstored,
            ..Receiving::default()
        };
    }

    /// The count goes on where that of another stream stopped. What was not stored by then comes again, so it does not
    /// count.
    pub(crate) fn go_on(&mut self, stored: u32) {
        self.manage();
        self.stored = stored;
    }

    /// How many came that count.
    pub(crate) fn passed(&self) -> u32 {
        self.stored.wrapping_add((self.unstored - self.uncounted) as u32)
    }

    /// So many more are stored.
    pub(crate) fn store(&mut self, stanzas: usize) {
        let stanzas = stanzas.min(self.unstored);
        let before = stanzas.min(self.uncounted);
        self.unstored -= stanzas;
        self.uncounted -= before;
        self.stored = self.stored.wrapping_add((stanzas - before) as u32);
    }
}

impl Io {
    /// Whether the peer may send any stanzas at all.
    fn may_receive(&self) -> bool {
        match self.role {
            Role::Incoming => !self.book.inbound.is_empty(),
            Role::Outgoing(_) => self.bidi && !self.book.inbound.is_empty(),
            Role::Component => self.trusted,
        }
    }

    /// A message, presence or iq in the content namespace.
    pub(crate) fn receive(&mut self, now: Instant, element: &Element) -> Result<(), Fail> {
        if !self.may_receive() {
            return Err(not_authorized());
        }
        let (from, to) = (required(element, "from")?, required(element, "to")?);
        let Ok(sender) = Jid::parse(&from) else {
            let domain = domain_of(domain_text(&from)).ok_or_else(improper)?;
            self.check(domain.as_str(), None)?;
            // Nobody to whom an error could be sent.
            self.unusable(now, None);
            return Ok(());
        };
        let Ok(recipient) = Jid::parse(&to) else {
            self.check(sender.domain(), None)?;
            self.malformed_recipient(now, element, &sender);
            return Ok(());
        };
        self.check(sender.domain(), Some(&recipient))?;
        match Stanza::from_element(element) {
            Ok(mut stanza) => {
                stanza.payload = content::from_wire(stanza.payload, self.wire.content);
                self.count(now);
                self.out(Output::Stanza(stanza));
            }
            Err(unusable) => {
                let reply = unusable.reply.map(|reply| Box::new(reply.from(&recipient).to(&sender)));
                self.unusable(now, reply);
            }
        }
        Ok(())
    }

    /// Whether the peer may speak for `domain`, and to `recipient`.
    fn check(&self, domain: &str, recipient: Option<&Jid>) -> Result<(), Fail> {
        let forged = || Fail::new(StreamCondition::InvalidFrom, Misbehaviour::ForgedFrom);
        if self.role == Role::Component {
            let own = self.book.main.as_ref().is_some_and(|pair| pair.remote.as_str() == domain);
            return if own { Ok(()) } else { Err(forged()) };
        }
        let local = recipient.map_or("", |recipient| recipient.domain());
        let (proof, exact) = self.book.proof(local, domain).ok_or_else(forged)?;
        if recipient.is_none() {
            return Ok(());
        }
        if !self.settings.domains.serves(local) {
            return Err(Fail::new(StreamCondition::HostUnknown, Misbehaviour::UnknownHost));
        }
        // RFC 6120 section 8.1.1.2 lets any domain of ours be addressed once the sender is proven; but it must have been
        // proven well enough for this one.
        if !exact && !self.suffices(local, domain, proof) {
            return Err(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::Blocked));
        }
        Ok(())
    }

    /// The error for it comes from the domain of ours that the sender was proven to.
    fn malformed_recipient(&mut self, now: Instant, element: &Element, sender: &Jid) {
        let pair = self.book.inbound.iter().find(|(pair, _)| pair.remote.as_str() == sender.domain());
        let local = pair.map(|(pair, _)| pair.local.jid().clone());
        let reply = Stanza::from_element(element).err().and_then(|unusable| unusable.reply);
        let reply = reply.zip(local).map(|(reply, local)| Box::new(reply.from(&local).to(sender)));
        self.unusable(now, reply);
    }

    fn unusable(&mut self, now: Instant, reply: Option<Box<Stanza>>) {
        self.count(now);
        self.note(Misbehaviour::UnusableStanza);
        self.out(Output::Unusable(reply));
    }

    fn count(&mut self, now: Instant) {
        self.receiving.unstored += 1;
        self.clock.used = now;
    }
}

/// An address that must be there (RFC 6120 section 4.9.3.7).
fn required(element: &Element, name: &str) -> Result<String, Fail> {
    match element.attr(name) {
        Some(value) if !value.is_empty() => Ok(value.into_owned()),
        _ => Err(improper()),
    }
}

fn improper() -> Fail {
    let fail = Fail::new(StreamCondition::ImproperAddressing, Misbehaviour::ImproperAddressing);
    fail.text("a stanza between servers needs 'from' and 'to'")
}

/// The part of a malformed address that would be its domain.
fn domain_text(address: &str) -> &str {
    let bare = address.split_once('/').map_or(address, |(bare, _)| bare);
    bare.rsplit_once('@').map_or(bare, |(_, domain)| domain)
}

fn domain_of(text: &str) -> Option<Bare> {
    Bare::parse(text).ok().filter(|domain| domain.is_domain())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_stored() {
        let mut receiving = Receiving { unstored: 2, ..Receiving::default() };
        receiving.manage();
        assert_eq!((receiving.passed(), receiving.stored), (0, 0));
        receiving.unstored += 2;
        assert_eq!(receiving.passed(), 2);
        receiving.store(3);
        assert_eq!((receiving.passed(), receiving.stored, receiving.unstored), (2, 1, 1));
        receiving.store(100);
        assert_eq!((receiving.passed(), receiving.stored, receiving.unstored), (2, 2, 0));
        receiving.unstored = 1;
        receiving.go_on(u32::MAX);
        receiving.unstored += 1;
        receiving.store(1);
        assert_eq!(receiving.stored, u32::MAX, "that came before the resumption");
        receiving.store(1);
        assert_eq!(receiving.stored, 0);
    }

    #[test]
    fn the_domain_of_what_is_no_address() {
        for (address, domain) in [
            ("a b@x.example/r", "x.example"),
            ("x.example/\u{0}", "x.example"),
            ("a@b@x.example", "x.example"),
            ("", ""),
        ] {
            assert_eq!(domain_text(address), domain);
        }
    }
}
