//! Where a stanza goes: to a host, to an account, to a service, or away.
//!
//! RFC 6120 section 10.4 and 10.5.
//!
//! Not here: what becomes of a stanza that goes away (away).

use address::Jid;
use model::link::SessionId;
use stanza::{Kind, PresenceType, Stanza, StanzaError, ns};

use crate::device::Token;
use crate::engine::Engine;
use crate::held::Cause;
use crate::places::{Place, Waiting};
use crate::turns::{Work, head};

impl Engine {
    /// Brings a stanza to wherever its `to` says.
    pub(crate) fn route(&mut self, stanza: Stanza, cause: Cause, token: Option<Token>) {
        let Some(to) = stanza.to.clone() else {
            self.batch.tokens.extend(token);
            return;
        };
        let Some(stanza) = self.take_answer(stanza, cause).and_then(|stanza| self.take_reply(stanza)) else {
            self.batch.tokens.extend(token);
            return;
        };
        if let Some(service) = self.services.get(to.domain()) {
            let service = service.clone();
            return self.with_spot(&service, &to.bare(), stanza, cause, token);
        } else if !self.hosts.contains_key(to.domain()) {
            self.send_away(stanza, cause);
        } else if to.local().is_none() {
            let session = stanza.from.as_ref().and_then(|from| self.session_of(from));
            let mut left = Some(head(&stanza));
            self.host_turn(to.domain(), session, cause, token, |kernel, turn| {
                kernel.host(turn, stanza);
                left = None;
            });
            self.failed(left, cause);
        } else {
            let account = to.bare();
            // Presence for somebody who is not there changes nothing: it is not worth loading an account for.
            let matters = !is_fleeting(stanza.kind) || wishes(&stanza) || self.is_foreign_probe(&stanza);
            if matters || self.accounts.contains_key(&account) {
                return self.with_account(&account, Waiting::Stanza(stanza, cause, token));
            }
        }
        self.batch.tokens.extend(token);
    }

    /// A probe from elsewhere is answered in the same way whoever is asked for (RFC 6121 section 4.3.2): silence would
    /// tell a stranger who is online. Probes of our own are true, because we keep both rosters.
    fn is_foreign_probe(&self, stanza: &Stanza) -> bool {
        let from = stanza.from.as_ref().map(|from| from.domain());
        stanza.kind == Kind::Presence(PresenceType::Probe)
            && from.is_none_or(|from| !self.hosts.contains_key(from))
    }

    /// The session with that full address, if it is ours.
    fn session_of(&self, jid: &Jid) -> Option<SessionId> {
        match self.accounts.get(jid.bare_str()) {
            Some(Place::Ready(place)) => place.account.resource(jid.resource()?).map(|session| session.id),
            _ => None,
        }
    }

    pub(crate) fn refuse(&mut self, stanza: &Stanza, cause: Cause, error: StanzaError) {
        // Broadcast presence and probes to a domain that cannot be reached deserve no answer each; who wants to enter
        // a room waits for one.
        if is_fleeting(stanza.kind) && !stanza.payload.has("x", ns::MUC) {
            return;
        }
        if let Some(reply) = stanza.error(error) {
            self.work.push_back(Work::Route(reply, cause.next(), None));
        }
    }
}

/// Whether somebody comes who may want to hear of nodes: their owner need not be there for that (XEP-0163 section 4.3.3).
fn wishes(stanza: &Stanza) -> bool {
    stanza.kind == Kind::Presence(PresenceType::Available) && stanza.payload.has_ns(ns::CAPS)
}

pub(crate) fn is_fleeting(kind: Kind) -> bool {
    use PresenceType::{Available, Error, Probe, Unavailable};
    matches!(kind, Kind::Presence(Available | Unavailable | Probe | Error))
}
