//! What shall happen later.
//!
//! Not here: clocks; time is an argument.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use address::Bare;
use model::link::SessionId;

/// What is due. A timer that no longer applies is recognised by its epoch and ignored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A detached session can no longer be resumed.
    Resume(SessionId, u64),
    /// A client may not have answered `<r/>`.
    Ack(SessionId),
    /// A connection was slow.
    Slow(SessionId),
    /// An inactive client may not have read what it was sent.
    Unread(SessionId),
    /// A place of a service wanted to be woken; the number tells its wishes apart.
    Wake(Bare, u64),
    /// A host wanted to be woken; the number tells its wishes apart.
    WakeHost(String, u64),
    /// An account wanted to be woken at that time.
    WakeAccount(Bare, u64),
    /// What sessions left behind could not be stored.
    Left,
    /// What neighbours have got is to be taken out of the spool.
    Spool,
    /// What came back from neighbours could not be stored.
    Returned,
    /// A request in somebody's name may not have been answered.
    Commission(String),
    /// A request of an operator has waited long enough for its answer.
    Request(String),
}

/// Timers by time.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(u64, Due)>>);

impl Timers {
    pub(crate) fn set(&mut self, at_ms: u64, due: Due) {
        self.0.push(Reverse((at_ms, due)));
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<Due> {
        match self.0.peek() {
            Some(Reverse((at, _))) if *at <= now_ms => self.0.pop().map(|Reverse((_, due))| due),
            _ => None,
        }
    }
}
