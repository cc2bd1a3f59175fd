//! A turn: all that a feature may touch while it runs.
//!
//! Not here: the shell that carries the effects out (engine).

use model::link::SessionId;
use stanza::{Stanza, StanzaError};

use crate::Effects;

/// The time of the turn, as the shell knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Unix time in milliseconds. It may jump: order comes from ids, never from this.
    pub unix_ms: u64,
}

/// One place, one input.
pub struct Turn<'a, P> {
    /// When.
    pub now: Now,
    /// The id of the input that is being handled: greater than all before, the same on both halves of a stanza's
    /// way, so that a message has one id in every archive.
    pub id: u64,
    /// The place: an account or a host.
    pub place: &'a mut P,
    /// On [`crate::Way::Leave`] and for own requests: the session that acts.
    pub session: Option<SessionId>,
    /// On [`crate::Step::Copy`] of [`crate::Way::Arrive`]: which sessions got the original.
    pub delivered: Vec<SessionId>,
    /// After [`crate::Step::Keep`]: the id under which the place's archive has the message, if it is kept there.
    pub archived: Option<u64>,
    /// When the stanza of this turn came (Unix milliseconds), if it could not be delivered then.
    pub late: Option<u64>,
    /// What shall happen.
    pub fx: &'a mut Effects,
}

impl<'a, P> Turn<'a, P> {
    /// A turn for an input with that id.
    pub fn new(
        now: Now,
        id: u64,
        place: &'a mut P,
        session: Option<SessionId>,
        fx: &'a mut Effects,
    ) -> Turn<'a, P> {
        Turn { now, id, place, session, delivered: Vec::new(), archived: None, late: None, fx }
    }
}

impl Turn<'_, crate::Account> {
    /// Answers a stanza with an error, if it may have one. A session of this account hears it directly: on the way
    /// in it could be taken for the word of whom it was sent to, and be screened out.
    pub fn refuse(&mut self, stanza: &Stanza, error: impl Into<StanzaError>) {
        let Some(reply) = stanza.error(error.into()) else { return };
        match self.session.filter(|session| self.place.session(*session).is_some()) {
            Some(session) => self.fx.send(session, reply.into()),
            None => self.fx.route(reply),
        }
    }
}
