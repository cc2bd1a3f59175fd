//! What is said between the engine and its neighbours: other servers, components, gateways.
//!
//! RFC 6120 section 10.4, docs/decisions/016-neighbours.md
//!
//! Not here: how a neighbour is reached (federation), what is kept until it has been (engine).

use std::fmt;
use std::sync::Arc;

use address::Jid;
use stanza::{Stanza, StanzaError};

use crate::rights::Rights;

/// Somebody who takes stanzas for domains that are not ours.
pub trait Neighbours: Send + Sync {
    /// Whether stanzas for this domain are for this neighbour. The engine asks all in order and takes the first.
    fn owns(&self, domain: &str) -> bool;

    /// Takes a stanza; never blocks. Whoever takes it owes the engine exactly one [`Fate`] for its number.
    /// How much may be on its way at once is bounded by the engine.
    fn send(&self, away: Away);

    /// What whoever serves this domain may do, if it is one of our own domains and only served elsewhere: a component.
    fn rights(&self, domain: &str) -> Option<Arc<Rights>> {
        let _ = domain;
        None
    }

    /// Components that are connected now and are to be told of what changes (XEP-0356).
    fn watchers(&self) -> Arc<[(Jid, Arc<Rights>)]> {
        Arc::new([])
    }
}

/// A stanza on its way out.
#[derive(Clone, Debug)]
pub struct Away {
    /// Names it; unique, and greater than those before.
    pub number: u64,
    /// It has a `from` at a domain of ours and a `to` elsewhere.
    pub stanza: Arc<Stanza>,
    /// How long it may wait.
    pub patience: Patience,
}

/// How long a stanza may wait for a neighbour that cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Somebody sits and waits, or it is soon worth nothing: requests, presence.
    Brief,
    /// Messages, and what changes subscriptions.
    Long,
}

/// What became of a stanza.
#[derive(Debug)]
pub enum Fate {
    /// The neighbour has it.
    Delivered,
    /// It will not get it: why.
    Failed(StanzaError),
}

/// A stanza from a neighbour, that has been found to speak for the domain of its `from`.
pub struct Arrived {
    /// It has both addresses; `to` is at a domain of ours, unless it comes from inside.
    pub stanza: Stanza,
    /// Whether it comes from a component, whose domain is ours: then it may go anywhere.
    pub inside: bool,
    /// Called once, when all that it caused is stored (`true`), or could not be (`false`): then it has to come again,
    /// and must not be acknowledged.
    pub receipt: Receipt,
}

/// See [`Arrived::receipt`]. It must not block.
pub type Receipt = Box<dyn FnOnce(bool) + Send>;

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived").field("stanza", &self.stanza).finish_non_exhaustive()
    }
}
