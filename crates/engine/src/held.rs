//! What leaves the engine, in order, and not before what was written with it is stored.
//!
//! Not here: deciding what leaves (turns).

use std::collections::VecDeque;
use std::sync::Arc;

use model::link::{Bound, Enable, SessionId};
use model::query::Query;
use model::storage::Write;
use stanza::{Stanza, StreamError};

use crate::device::Token;
use crate::engine::{Asked, Ticket};

/// Something that leaves.
pub(crate) enum Out {
    /// A stanza for a session.
    Send(SessionId, Arc<Stanza>, Option<u64>),
    /// A new session's address.
    Bound(SessionId, Box<Bound>),
    /// Stream management begins.
    Enable(SessionId, Enable),
    /// A session ends.
    Close(SessionId, Option<StreamError>),
    /// A question.
    Ask(Query, Asked),
}

/// All that one batch wrote, sends, and settles.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) writes: Vec<Write>,
    pub(crate) outs: Vec<Out>,
    pub(crate) tokens: Vec<Token>,
    /// The commit it waits for.
    pub(crate) waits: Option<Ticket>,
    /// The sessions whose input is in it: they end if it cannot be stored.
    pub(crate) sessions: Vec<SessionId>,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.outs.is_empty() && self.tokens.is_empty()
    }
}

/// Batches in order.
pub(crate) type Line = VecDeque<Held>;
