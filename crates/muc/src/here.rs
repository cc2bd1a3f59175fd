//! A room in one turn: what all parts of this crate work on.
//!
//! Not here: any rule.

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Effects, Spot, Turn};
use model::storage::Owner;
use stanza::{Condition, ErrorType, Kind, MessageType, Payload, Stanza, StanzaError, ns};
use xml::Writer;

use crate::affiliation::Affiliation;
use crate::room::{ROOM, Room, Standing};
use crate::service::Shared;

/// A room in one turn.
pub(crate) struct Here<'t> {
    pub(crate) shared: &'t Shared,
    /// The room's address.
    pub(crate) at: &'t Bare,
    pub(crate) room: &'t mut Room,
    pub(crate) fx: &'t mut Effects,
    /// Unix time in milliseconds.
    pub(crate) now_ms: u64,
    /// The id of the input.
    pub(crate) id: u64,
}

impl<'t> Here<'t> {
    pub(crate) fn of(shared: &'t Shared, turn: &'t mut Turn<'_, Spot>) -> Here<'t> {
        let (now_ms, id) = (turn.now.unix_ms, turn.id);
        let Spot { address, slots } = &mut *turn.place;
        Here { shared, at: address, room: slots.of::<Room>(), fx: turn.fx, now_ms, id }
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner::from(self.at.text())
    }

    /// An id for the archive: greater than all before.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.room.last_id = self.id.max(self.room.last_id + 1);
        self.room.last_id
    }

    /// Stores the room's document and how it is listed.
    pub(crate) fn save(&mut self) {
        let document = self.room.document(self.shared.settings.started_ms);
        let owner = self.owner();
        self.fx.put_doc(ROOM, owner, document);
        self.list();
    }

    /// Answers a stanza with an error, if it may have one.
    pub(crate) fn refuse(&mut self, stanza: &Stanza, error: impl Into<StanzaError>) {
        self.fx.refuse(stanza, error);
    }

    /// Tells a client that its presence is not taken.
    pub(crate) fn refuse_entry(&mut self, stanza: &Stanza, error: impl Into<StanzaError>) {
        let error = error.into();
        if let Some(reply) = refused_entry(stanza, |w| error.write(w)) {
            self.fx.route(reply);
        }
    }

    /// What somebody is to the room.
    pub(crate) fn affiliation(&self, jid: &Jid) -> Affiliation {
        if self.shared.is_operator(jid) {
            return Affiliation::Owner;
        }
        self.room.affiliation(jid)
    }

    /// Sends the same content to everybody's clients, from `from`.
    pub(crate) fn send_all(
        &mut self,
        kind: Kind,
        from: &Jid,
        id: Option<&Arc<str>>,
        lang: Option<&Arc<str>>,
        payload: &Payload,
    ) {
        let head = Stanza {
            from: Some(from.clone()),
            id: id.cloned(),
            lang: lang.cloned(),
            payload: payload.clone(),
            ..Stanza::new(kind)
        };
        for visit in self.room.occupants.iter().flat_map(|occupant| &occupant.visits) {
            self.fx.route(head.clone().to(&visit.jid));
        }
    }

    /// Tells everybody something about the room (section 10.2.1).
    pub(crate) fn announce(&mut self, codes: &[u16]) {
        let mut w = Writer::new(ns::CLIENT);
        w.open("x", ns::MUC_USER);
        for code in codes {
            w.open("status", ns::MUC_USER).attr_of("code", code).close();
        }
        w.close();
        let payload = Payload::canonical(w.finish());
        let from = self.at.jid().clone();
        self.send_all(Kind::Message(MessageType::Groupchat), &from, None, None, &payload);
    }

    /// Whether the room is there for that person: open, or being configured by him.
    pub(crate) fn is_there_for(&self, jid: &Jid) -> bool {
        match self.room.standing {
            Standing::Open => true,
            Standing::Locked(_) => self.affiliation(jid) == Affiliation::Owner,
            Standing::Absent | Standing::Gone(_) => false,
        }
    }
}

/// The error for a presence that wanted something of the room. Clients know it by the `<x/>` in it (section 7.2); what was
/// in theirs, a password, is not sent back.
pub(crate) fn refused_entry(stanza: &Stanza, error: impl FnOnce(&mut Writer)) -> Option<Stanza> {
    let mut w = Writer::new(ns::CLIENT);
    w.open("x", ns::MUC).close();
    error(&mut w);
    let reply = stanza.error(Condition::UndefinedCondition.into())?;
    Some(reply.with_inner(w.finish()))
}

/// Too much at once.
pub(crate) fn too_much(text: &'static str) -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint, ErrorType::Wait).text(text)
}

/// Text of a child element, cut off nowhere: too long is an error.
pub(crate) fn bounded(text: Option<String>, bytes_max: usize) -> Result<Option<String>, StanzaError> {
    match text {
        Some(text) if text.len() > bytes_max => {
            Err(StanzaError::from(Condition::NotAcceptable).text("a text is too long"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}
