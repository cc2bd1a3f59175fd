//! The seam: what a feature is.
//!
//! Not here: any feature.

use model::link::SessionId;
use model::storage::{Loaded, Space};
use stanza::Stanza;

use crate::{Account, Answer, Card, Host, Iq, Turn};

/// Which half of the way: at the sender's account, or at the recipient's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of the sender's account.
    Leave,
    /// Into the recipient's account.
    Arrive,
}

/// The steps of each half, in the order in which a stanza takes them. Features on the same step commute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// May it pass at all? Blocking, spam rules, rates.
    Screen,
    /// Make it true: strip what the sender may not claim.
    Stamp,
    /// Keep it: archives. On `Arrive` only if it is going to be delivered or kept.
    Keep,
    /// After routing or delivery: copies for other devices, wake-ups.
    Copy,
    /// On `Arrive`: no device takes it. Who keeps it returns [`Flow::Stop`]; if nobody does, it bounces.
    Miss,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Step; 5] = [Step::Screen, Step::Stamp, Step::Keep, Step::Copy, Step::Miss];
}

/// Whether a stanza goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    On,
    /// It ends here, silently (or the feature has already answered).
    Stop,
    /// It ends here, and its sender is told why.
    Refuse(stanza::StanzaError),
}

/// Something happened to the account.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session was bound.
    SessionOpened {
        /// Which.
        session: SessionId,
        /// Whether it wants carbons from the start (XEP-0386).
        carbons: bool,
    },
    /// A session broadcast available presence; `initial` if it was not available before.
    BecameAvailable {
        /// Which.
        session: SessionId,
        /// Whether it was not available before.
        initial: bool,
    },
    /// A session is no longer available. Its last presence is given, whose status may be of interest.
    BecameUnavailable {
        /// Which.
        session: SessionId,
        /// What it (or we for it) sent.
        presence: Stanza,
    },
    /// A session has ended for good.
    SessionClosed(SessionId),
    /// A client has acknowledged a stanza that was sent with a token (see [`crate::Effects::send_kept`]).
    Acknowledged {
        /// Which session.
        session: SessionId,
        /// The tokens, in order.
        tokens: Vec<u64>,
    },
    /// Nobody reads what a session was sent: it waits to be resumed (XEP-0198), or says that it is inactive (XEP-0352)
    /// and acknowledges nothing. Each stanza is told of once.
    Unread {
        /// Which session.
        session: SessionId,
        /// Messages and requests, in order.
        stanzas: Vec<std::sync::Arc<Stanza>>,
    },
    /// A session of which that was said reads again.
    Attentive(SessionId),
    /// The time that [`crate::Effects::wake`] asked for has come.
    Woken,
}

/// A feature of accounts or hosts. All functions are pure but for the turn that they are given.
pub trait Feature: Send + Sync {
    /// What it is, as data.
    fn card(&self) -> &'static Card;

    /// Takes over what was stored, for each [`crate::Kept`] of the card, when an account is loaded. Broken data is to
    /// be treated as absent, after saying so.
    fn hydrate(&self, account: &mut Account, space: Space, stored: Loaded) {
        let _ = (account, space, stored);
    }

    /// Looks at, changes or stops a stanza on a step of the card.
    fn step(&self, way: Way, step: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let _ = (way, step, turn, stanza);
        Flow::On
    }

    /// Answers an iq request of the card with [`crate::Target::Account`].
    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        let _ = (turn, iq);
        Answer::Refuse(stanza::Condition::ServiceUnavailable.into())
    }

    /// Answers an iq request of the card with [`crate::Target::Host`].
    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let _ = (turn, iq);
        Answer::Refuse(stanza::Condition::ServiceUnavailable.into())
    }

    /// Looks at a message or an answer that came for a hosted domain. `true` if it was for this feature.
    fn host_heard(&self, turn: &mut Turn<'_, Host>, stanza: &Stanza) -> bool {
        let _ = (turn, stanza);
        false
    }

    /// The time that [`crate::Effects::wake`] asked for has come. A domain that follows lists of banned addresses is also
    /// woken when the server starts, and when the lists are others.
    fn host_woken(&self, turn: &mut Turn<'_, Host>) {
        let _ = turn;
    }

    /// Answers a request of service discovery to an account, if it is about something of this feature (XEP-0030): the
    /// items of the account, a node of it. `None` leaves it to others.
    fn discover(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Option<Answer<Account>> {
        let _ = (turn, iq);
        None
    }

    /// A message that came at `since` (Unix milliseconds) to a session that has ended is about to be given to another.
    fn late(&self, turn: &mut Turn<'_, Account>, stanza: &mut Stanza, since: u64) {
        let _ = (turn, stanza, since);
    }

    /// Whether this address must not see the account's presence, whatever the roster says (XEP-0191).
    fn hides(&self, account: &Account, from: &address::Jid) -> bool {
        let _ = (account, from);
        false
    }

    /// Something happened.
    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        let _ = (turn, event);
    }
}
