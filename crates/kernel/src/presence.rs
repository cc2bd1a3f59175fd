//! Presence of the account's own resources: who is told, and when.
//!
//! RFC 6121 sections 4.2 to 4.6.
//!
//! Not here: subscriptions (`subscriptions.rs`), presence that comes in from others (`arrive.rs`).

use std::sync::Arc;

use address::Jid;
use model::link::SessionId;
use stanza::{PresenceType, Stanza};

use crate::effects::Watched;
use crate::feature::Event;
use crate::{Account, Available, Kernel, Step, Turn, Way, limits};

impl Kernel {
    /// A resource broadcasts available presence (section 4.2 the first time, 4.4 later).
    pub(crate) fn available(&self, turn: &mut Turn<'_, Account>, id: SessionId, stanza: Stanza) {
        let priority = priority(&stanza);
        let stanza = Arc::new(stanza);
        let Some(session) = turn.place.session_mut(id) else { return };
        let jid = session.jid.clone();
        let initial = session.available.replace(Available { stanza: stanza.clone(), priority }).is_none();
        self.broadcast(turn, &stanza);
        for (session, _) in turn.place.available() {
            turn.fx.send(session.id, stanza.clone());
        }
        if initial {
            turn.fx.watch(&turn.place.jid, Watched::Own(stanza.clone()));
            // Section 4.2.2: it hears of the account's other resources, and of the contacts.
            let others: Vec<_> = turn.place.available().filter(|(session, _)| session.id != id).collect();
            for (_, presence) in others {
                turn.fx.send(id, presence.stanza.clone());
            }
            for (contact, item) in turn.place.roster.iter() {
                if self.hidden(turn.place, contact) {
                    continue;
                }
                if item.seen() {
                    turn.fx.route(Stanza::presence(PresenceType::Probe).from(&jid).to(contact));
                }
                if let Some(request) = &item.request {
                    turn.fx.send(
                        id,
                        crate::subscriptions::kept_request(contact, turn.place.jid.jid(), request).into(),
                    );
                }
            }
        }
        // A copy of the account's own presence, for features that hand it on.
        let mut copy = Stanza::clone(&stanza);
        self.step(Way::Leave, Step::Copy, turn, &mut copy);
        self.tell(turn, &Event::BecameAvailable { session: id, initial });
    }

    /// A resource is no longer available (section 4.5).
    pub(crate) fn unavailable(&self, turn: &mut Turn<'_, Account>, id: SessionId, stanza: Stanza) {
        let Some(session) = turn.place.session_mut(id) else { return };
        let directed = std::mem::take(&mut session.directed);
        let was_available = session.available.take().is_some();
        for to in &directed {
            // Section 4.6.3: those who see it anyway hear it below.
            if !(was_available && turn.place.shows_presence_to(to)) {
                turn.fx.route(stanza.clone().to(to));
            }
        }
        if !was_available {
            return;
        }
        let shared = Arc::new(stanza);
        turn.fx.watch(&turn.place.jid, Watched::Own(shared.clone()));
        self.broadcast(turn, &shared);
        for (session, _) in turn.place.available() {
            turn.fx.send(session.id, shared.clone());
        }
        let presence = Arc::unwrap_or_clone(shared);
        self.tell(turn, &Event::BecameUnavailable { session: id, presence });
    }

    /// Presence to one entity (section 4.6): remembered, so that it hears of the end too.
    pub(crate) fn directed(
        &self,
        turn: &mut Turn<'_, Account>,
        id: SessionId,
        ty: PresenceType,
        stanza: Stanza,
    ) {
        let (Some(session), Some(to)) = (turn.place.session_mut(id), stanza.to.clone()) else { return };
        match ty {
            PresenceType::Unavailable => {
                session.directed.remove(&to);
            }
            _ if session.directed.len() >= limits::DIRECTED_MAX && !session.directed.contains(&to) => {
                return turn.refuse(&stanza, stanza::Condition::ResourceConstraint);
            }
            _ => {
                session.directed.insert(to);
            }
        }
        turn.fx.route(stanza);
    }

    /// A contact's server wants to know (section 4.3.2).
    pub(crate) fn probed(&self, turn: &mut Turn<'_, Account>, probe: &Stanza) {
        let Some(from) = &probe.from else { return };
        if !turn.place.shows_presence_to(from) {
            // Rule 1. It tells a stranger no more than that it is not subscribed, which it knows.
            let reply = Stanza::presence(PresenceType::Unsubscribed);
            return turn.fx.route(reply.from(&turn.place.jid).to(&from.bare()));
        }
        show(turn, from);
    }

    /// A domain can be reached again after its stream broke: the account asks who is there of those whom it may see
    /// (section 4.3), and tells them who is here (section 4.2.2), since either may have been lost.
    pub fn reconnected(&self, turn: &mut Turn<'_, Account>, domain: &str) {
        if turn.place.available().next().is_none() {
            return;
        }
        let there = |contact: &Jid| contact.domain() == domain && !self.hidden(turn.place, contact);
        let contacts = turn.place.roster.iter().filter(|(contact, _)| there(contact));
        let contacts: Vec<_> =
            contacts.map(|(contact, item)| (contact.clone(), item.seen(), item.shown_to())).collect();
        for (contact, seen, shown) in contacts {
            if seen {
                turn.fx.route(Stanza::presence(PresenceType::Probe).from(&turn.place.jid).to(&contact));
            }
            if shown {
                show(turn, &contact);
            }
        }
    }

    /// Shows a component with a right to it who is available (XEP-0356 section 7, rule 1).
    pub fn present(&self, turn: &mut Turn<'_, Account>, to: &Jid) {
        show(turn, to);
    }

    fn broadcast(&self, turn: &mut Turn<'_, Account>, stanza: &Stanza) {
        for (contact, item) in turn.place.roster.iter() {
            if item.shown_to() && !self.hidden(turn.place, contact) {
                turn.fx.route(stanza.clone().to(contact));
            }
        }
    }
}

/// Sends `to` the presence of all available resources.
pub(crate) fn show(turn: &mut Turn<'_, Account>, to: &Jid) {
    for (_, presence) in turn.place.available() {
        turn.fx.route(Stanza::clone(&presence.stanza).to(to));
    }
}

/// Tells `to` that no resource is available any more.
pub(crate) fn hide(turn: &mut Turn<'_, Account>, to: &Jid) {
    for (session, _) in turn.place.available() {
        turn.fx.route(Stanza::presence(PresenceType::Unavailable).from(&session.jid).to(to));
    }
}

/// `<priority/>`: 0 if there is none or it is no number from -128 to 127 (section 4.7.2.3).
fn priority(stanza: &Stanza) -> i8 {
    stanza
        .payload
        .text_of("priority", stanza::ns::CLIENT)
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}
