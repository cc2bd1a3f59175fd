//! What a stanza costs besides its bytes, in bytes of [`crate::Rate`].
//!
//! Eleven bytes of presence reach thousands of contacts. Paid like this, they slow their sender down before they slow
//! down the server; nothing is refused or lost.
//!
//! Not here: the bucket (`clock.rs`).

use stanza::{IqType, Kind, PresenceType, Stanza};

/// Of each stanza.
pub(crate) const STANZA_COST: usize = 64;
/// Of a presence that goes to all contacts.
pub(crate) const BROADCAST_COST: usize = 4_096;
/// Of what is likely to be stored: an iq `set`, a subscription.
pub(crate) const WRITE_COST: usize = 256;

pub(crate) fn of(stanza: &Stanza) -> usize {
    use PresenceType::{Available, Error, Probe, Unavailable};
    STANZA_COST
        + match stanza.kind {
            Kind::Presence(Available | Unavailable) if stanza.to.is_none() => BROADCAST_COST,
            Kind::Presence(Available | Unavailable | Probe | Error) => 0,
            Kind::Presence(_) | Kind::Iq(IqType::Set) => WRITE_COST,
            Kind::Iq(_) | Kind::Message(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;
    use address::Jid;
    use stanza::MessageType;

    #[test]
    fn what_clients_do_at_once_costs_less_than_may_come_at_once() {
        let room = Jid::parse("room@a.example/nick").unwrap();
        let inner = |bytes: usize| "x".repeat(bytes).into();
        let login = Stanza::presence(PresenceType::Available).with_inner(inner(300));
        let join = Stanza::presence(PresenceType::Available).to(&room).with_inner(inner(300));
        let history = Stanza::new(Kind::Iq(IqType::Set)).to(&room).with_inner(inner(500));
        let avatar = Stanza::new(Kind::Iq(IqType::Get)).to(&room).with_inner(inner(100));
        let note = Stanza::message(MessageType::Chat).to(&room).with_inner(inner(200));
        let all = [(&login, 3), (&join, 50), (&history, 51), (&avatar, 500), (&note, 50)];
        let cost: usize =
            all.iter().map(|(stanza, times)| (of(stanza) + stanza.payload.inner().len() + 100) * times).sum();
        assert!(cost < Rate::CLIENT.burst_bytes as usize, "{cost}");
    }
}
