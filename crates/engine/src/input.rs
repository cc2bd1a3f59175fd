//! What the engine is told.
//!
//! Not here: what it does then.

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{HostFacts, Now, Service};
use model::away::Fate;
use model::link::Up;
use model::query::{AccountFound, AccountQuery, Found, SessionFilter, SessionFound};
use stanza::{Stanza, StanzaError};

use crate::engine::Ticket;

/// Two clocks: one for people, one for waiting.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Unix time. It may jump.
    pub now: Now,
    /// Milliseconds of a clock that never goes back.
    pub mono_ms: u64,
}

/// How busy the engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Sessions, those that wait to be resumed included.
    pub sessions: usize,
    /// Accounts in memory.
    pub accounts: usize,
    /// Batches that wait to be stored.
    pub batches: usize,
    /// Questions that wait for an answer.
    pub questions: usize,
    /// Stanzas on their way to neighbours.
    pub away: usize,
}

/// An input.
pub enum Input {
    /// From a client's stream.
    Up(Up),
    /// A commit is on stable storage, or failed.
    Committed(Ticket, Result<(), StanzaError>),
    /// The answer to a question.
    Found(Ticket, Result<Found, StanzaError>),
    /// What became of a stanza that a neighbour took, by its number.
    Fate(u64, Fate),
    /// A domain can be reached again after its stream broke: what either side knows of the other's presence may be old.
    Restored(String),
    /// An operator (or the sign-up page) wants something of accounts.
    Account(AccountQuery, Box<dyn FnOnce(AccountFound) + Send>),
    /// An operator wants to know who is connected.
    Sessions(SessionFilter, Box<dyn FnOnce(Vec<SessionFound>) + Send>),
    /// An operator asks something of a place of a service of ours: an iq of a domain of ours, with `from` and `to`. The answer
    /// comes when what it speaks of is stored.
    Request(Box<Stanza>, Box<dyn FnOnce(Result<Stanza, StanzaError>) + Send>),
    /// A stanza from the server itself or an operator; `from` and `to` are set.
    Inject(Stanza),
    /// An account's right to be here has changed: its sessions end.
    EndSessions(Bare),
    /// An operator wants to know how busy the engine is.
    Standing(Box<dyn FnOnce(Standing) + Send>),
    /// What the operator says of a host has changed. A host that is not ours is passed over.
    Facts(Jid, Arc<HostFacts>),
    /// A domain of ours, perhaps a new one, what the operator says of it, and its services if it is new.
    Domain(Jid, Arc<HostFacts>, Vec<Arc<dyn Service>>),
    /// A domain is served no longer, nor are its services at these domains. What is stored stays.
    DomainGone(Jid, Vec<Jid>),
    /// The components that a host has now, by address and name, for service discovery.
    Components(Jid, Vec<(Jid, String)>),
    /// Time has passed.
    Timeout,
    /// The server stops: sessions are told, nothing new is accepted.
    Shutdown,
}
