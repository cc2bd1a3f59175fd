//! What tasks of this crate say to one another.
//!
//! Not here: what they do then (`lane.rs`, `carrier.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use mailbox::Ledger;
use model::away::{Away, Patience};
use s2s::{Resumption, Verdict, Verification};
use stanza::StreamCondition;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::counters::Failure;
use crate::standing::{StreamStanding, Told};

/// A stanza that waits, or is on its way.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) away: Away,
    /// When it came.
    pub(crate) since: Instant,
    /// When it is given up.
    pub(crate) until: Instant,
}

impl Waiting {
    pub(crate) fn is_brief(&self) -> bool {
        self.away.patience == Patience::Brief
    }
}

/// What has left and is not acknowledged, by its number, which is the order of sending.
pub(crate) type InFlight = BTreeMap<u64, Waiting>;

/// A way to a stream.
#[derive(Clone, Debug)]
pub(crate) struct Courier {
    /// Tells streams apart.
    pub(crate) id: u64,
    pub(crate) to: mpsc::UnboundedSender<Command>,
}

/// To a stream.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send this.
    Send(Waiting),
    /// Ask the peer about a key.
    Verify(Verification, oneshot::Sender<Verdict>),
    /// The peer has answered that question.
    Answered(u64),
    /// Another connection resumes it.
    Detach,
    /// The operator no longer wants it, and why.
    Close(StreamCondition),
    /// The operator wants to know what it is.
    Tell(oneshot::Sender<StreamStanding>),
}

/// To the lane of a pair of domains.
pub(crate) enum Word {
    /// The engine wants this sent.
    Away(Away),
    /// These may not have arrived, and are to be sent before what came later.
    Again(Vec<Waiting>),
    /// A stream takes stanzas of the pair now.
    Up(Courier),
    /// It no longer does. Whether it broke, and what is left of it if it may be resumed.
    Down { id: u64, broken: bool, kept: Option<Box<Kept>> },
    /// The other end has just proven on a stream of its own that it lives.
    Alive,
    /// The operator may have changed his mind about the domain.
    Enforce,
    /// The operator wants to know how it stands.
    Tell(oneshot::Sender<Told>),
    /// An attempt to reach the domain is over.
    Dialled(Result<(), Failure>),
}

/// A broken stream that may be resumed.
pub(crate) struct Kept {
    pub(crate) resumption: Box<Resumption>,
    pub(crate) in_flight: InFlight,
    pub(crate) ledger: Arc<Ledger>,
}
