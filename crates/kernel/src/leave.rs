//! The way out: what a client sends climbs the stairs of its own account.
//!
//! RFC 6120 section 10.3 (no `to`), RFC 6121 section 8.
//!
//! Not here: what the recipient's account does (`arrive.rs`).

use std::sync::Arc;

use address::Jid;
use model::link::{About, SessionId};
use stanza::{Condition, IqType, Kind, PresenceType, Stanza};

use crate::feature::Event;
use crate::{Account, Kernel, Session, Step, Turn, Way};

impl Kernel {
    /// A resource was bound; `carbons` if it wants them from the start (XEP-0386).
    pub fn open(
        &self,
        turn: &mut Turn<'_, Account>,
        id: SessionId,
        jid: Jid,
        about: Arc<About>,
        carbons: bool,
    ) {
        // Most accounts have one, and a session is large.
        turn.place.sessions.reserve_exact(1);
        turn.place.sessions.push(Session::new(id, jid, about));
        self.tell(turn, &Event::SessionOpened { session: id, carbons });
    }

    /// A session has ended for good: if it was available, it no longer is (RFC 6121 section 4.5.3).
    pub fn close(&self, turn: &mut Turn<'_, Account>, id: SessionId) {
        let Some(session) = turn.place.session(id) else { return };
        let seen = session.available.is_some() || !session.directed.is_empty();
        if seen && !zoo::is(zoo::Fault::GhostSession) {
            let jid = session.jid.clone();
            self.unavailable(turn, id, Stanza::presence(PresenceType::Unavailable).from(&jid));
        }
        self.tell(turn, &Event::SessionClosed(id));
        turn.place.sessions.retain(|session| session.id != id);
    }

    /// A client has got stanzas for sure that features wanted to know about.
    pub fn acknowledged(&self, turn: &mut Turn<'_, Account>, session: SessionId, tokens: Vec<u64>) {
        self.tell(turn, &Event::Acknowledged { session, tokens });
    }

    /// Nobody reads what a session was sent.
    pub fn unread(&self, turn: &mut Turn<'_, Account>, session: SessionId, stanzas: Vec<Arc<Stanza>>) {
        self.tell(turn, &Event::Unread { session, stanzas });
    }

    /// Somebody reads it again.
    pub fn attentive(&self, turn: &mut Turn<'_, Account>, session: SessionId) {
        self.tell(turn, &Event::Attentive(session));
    }

    /// The time that [`crate::Effects::wake`] asked for has come.
    pub fn woken(&self, turn: &mut Turn<'_, Account>) {
        self.tell(turn, &Event::Woken);
    }

    /// A stanza from the session `turn.session`. Its `from` is the session's full address.
    pub fn leave(&self, turn: &mut Turn<'_, Account>, mut stanza: Stanza) {
        if !self.step(Way::Leave, Step::Screen, turn, &mut stanza)
            || !self.step(Way::Leave, Step::Stamp, turn, &mut stanza)
        {
            return;
        }
        match stanza.kind {
            Kind::Message(_) => self.message_leaves(turn, stanza),
            Kind::Presence(ty) => self.presence_leaves(turn, ty, stanza),
            Kind::Iq(ty) => self.iq_leaves(turn, ty, stanza),
        }
    }

    fn message_leaves(&self, turn: &mut Turn<'_, Account>, mut stanza: Stanza) {
        // RFC 6120 section 10.3.1: without `to` it is for the sender's own bare address.
        if stanza.to.is_none() {
            stanza.to = Some(turn.place.jid.jid().clone());
        }
        if !self.step(Way::Leave, Step::Keep, turn, &mut stanza) {
            return;
        }
        let mut copy = stanza.clone();
        turn.fx.route(stanza);
        self.step(Way::Leave, Step::Copy, turn, &mut copy);
    }

    fn iq_leaves(&self, turn: &mut Turn<'_, Account>, ty: IqType, stanza: Stanza) {
        let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == turn.place.jid.as_str());
        match ty {
            _ if !own => turn.fx.route(stanza),
            IqType::Get | IqType::Set => self.answer_for_account(turn, stanza),
            // An answer to a request of ours to the client (a push): nobody waits for it.
            IqType::Result | IqType::Error => {}
        }
    }

    fn presence_leaves(&self, turn: &mut Turn<'_, Account>, ty: PresenceType, stanza: Stanza) {
        let Some(session) = turn.session else { return };
        match (ty, stanza.to.is_some()) {
            (PresenceType::Available, false) => self.available(turn, session, stanza),
            (PresenceType::Unavailable, false) => self.unavailable(turn, session, stanza),
            (PresenceType::Available | PresenceType::Unavailable, true) => {
                self.directed(turn, session, ty, stanza)
            }
            (PresenceType::Error, true) => turn.fx.route(stanza),
            // RFC 6121 section 4.3: only servers probe; a client's probe would not be answered truthfully.
            (PresenceType::Probe | PresenceType::Error, _) => {}
            (_, true) => self.subscription_leaves(turn, ty, stanza),
            (_, false) => turn.refuse(&stanza, Condition::BadRequest),
        }
    }
}
