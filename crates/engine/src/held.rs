//! What leaves the engine, in order, and not before what was written with it is stored.
//!
//! Not here: deciding what leaves (turns).

use std::collections::VecDeque;
use std::sync::Arc;

use address::Bare;
use model::away::Away;
use model::link::{Bound, Enable, SessionId};
use model::query::Query;
use model::storage::{Owner, Write};
use stanza::{Stanza, StreamError};

use crate::away::Returned;
use crate::device::Token;
use crate::engine::{Asked, Ticket};
use crate::requests::Asker;

/// Something that leaves.
pub(crate) enum Out {
    /// A stanza for a session.
    Send(SessionId, Parcel),
    /// A stanza for a neighbour.
    Away(usize, Away),
    /// A new session's address.
    Bound(SessionId, Box<Bound>),
    /// Stream management begins.
    Enable(SessionId, Enable),
    /// Messages for a session wait from here on.
    Hold(SessionId),
    /// And go on.
    Release(SessionId),
    /// A session ends.
    Close(SessionId, Option<StreamError>),
    /// A question.
    Ask(Box<Query>, Asked),
    /// A question whose ticket is known already.
    AskAs(Ticket, Box<Query>),
    /// The answer to a request of an operator.
    Reply(Asker, Box<Stanza>),
}

/// Why something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    /// The id of the input that began it.
    pub(crate) id: u64,
    /// How many stanzas lie between.
    pub(crate) hops: u8,
    /// The session that began it, if one did.
    pub(crate) session: Option<SessionId>,
}

impl Cause {
    /// The beginning.
    pub(crate) fn new(id: u64) -> Cause {
        Cause { id, hops: 0, session: None }
    }

    /// One stanza later.
    pub(crate) fn next(self) -> Cause {
        Cause { hops: self.hops.saturating_add(1), ..self }
    }
}

/// A stanza on its way to a client.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) stanza: Arc<Stanza>,
    /// What its feature wants to hear when it has arrived.
    pub(crate) token: Option<u64>,
    /// The id of the input that it comes from.
    pub(crate) id: u64,
}

/// All that one batch wrote, sends, and settles.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) writes: Vec<Write>,
    /// How many bytes they were when they went to storage.
    pub(crate) bytes: usize,
    pub(crate) outs: Vec<Out>,
    pub(crate) tokens: Vec<Token>,
    /// The commit it waits for.
    pub(crate) waits: Option<Ticket>,
    /// The sessions whose input is in it: they end if it cannot be stored.
    pub(crate) sessions: Vec<SessionId>,
    /// Whose documents and maps it writes: what is in memory of them is wrong if it cannot be stored. What is added
    /// to logs is not counted; nobody holds it in memory.
    pub(crate) changed: Vec<Bare>,
    /// The places of services that had a turn in it: who is in them, and what was said there last, may be wrong too.
    pub(crate) spots: Vec<Bare>,
    /// What came back from neighbours in it.
    pub(crate) returned: Vec<Returned>,
    /// What neighbours have got, and it takes out of the spool.
    pub(crate) gone: Vec<(Owner, Vec<u64>)>,
    /// What sessions have left behind and found its way in it. Nobody would send it again.
    pub(crate) left: Vec<(Bare, SessionId, Parcel)>,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.outs.is_empty() && self.tokens.is_empty()
    }
}

impl Held {
    /// Takes the writes, and notes whom they change.
    pub(crate) fn take_writes(&mut self) -> Vec<Write> {
        for write in &self.writes {
            let owner = match write {
                Write::DocPut { owner, .. }
                | Write::DocDelete { owner, .. }
                | Write::MapPut { owner, .. }
                | Write::MapDelete { owner, .. }
                | Write::MapClear { owner, .. }
                // What is taken out of a log is counted as gone in memory (features, offline).
                | Write::LogDelete { owner, .. }
                | Write::Purge { owner } => owner.as_str(),
                Write::LogAppend { .. } | Write::LogReplace { .. } => continue,
            };
            if self.changed.last().is_none_or(|last| last.as_str() != owner) {
                self.changed.extend(Bare::parse(owner).ok());
            }
        }
        std::mem::take(&mut self.writes)
    }
}

/// Batches in order.
pub(crate) type Line = VecDeque<Held>;
