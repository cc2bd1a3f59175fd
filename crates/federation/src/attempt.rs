//! What an attempt to reach a domain found out, step by step: DNS, connections, TLS, certificate, authentication.
//!
//! Not here: what to do about it (`advice.rs`), making attempts (`dial.rs`, `trial.rs`).

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use s2s::{End, Refusal};

use crate::certificate::Doubt;
use crate::counters::Failure;
use crate::resolve::{Resolve, Resolving, Srv, Unanswered};
use crate::shown::Shown;

/// All of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Service records that were asked for: for direct TLS and for STARTTLS.
    pub srv: Vec<(String, Result<Vec<Srv>, Unanswered>)>,
    /// Addresses of hosts that were asked for.
    pub hosts: Vec<(String, Result<Vec<IpAddr>, Unanswered>)>,
    /// What was tried, in that order.
    pub tried: Vec<Tried>,
    /// What it came to.
    pub outcome: Result<(), Failure>,
}

/// One address.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Which.
    pub address: SocketAddr,
    /// Whether TLS came first.
    pub direct_tls: bool,
    /// Why there was no connection.
    pub unconnected: Option<String>,
    /// What was seen on it.
    pub seen: Seen,
    /// Whether it took stanzas in the end.
    pub up: bool,
    /// How it ended, if it did not.
    pub why: Option<End>,
    /// Why the peer refused us, or we the peer.
    pub refusal: Option<Refusal>,
}

impl Tried {
    /// One that was not connected to.
    pub(crate) fn unconnected(address: SocketAddr, direct_tls: bool, why: String) -> Tried {
        let seen = Seen::default();
        Tried { address, direct_tls, unconnected: Some(why), seen, up: false, why: None, refusal: None }
    }
}

/// What a connection showed of the peer.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Version and cipher, or why the handshake failed; `None`: there was none.
    pub tls: Option<Result<String, String>>,
    /// The peer's certificate.
    pub certificate: Option<Shown>,
    /// Why that proves nothing.
    pub doubt: Option<Doubt>,
    /// Whether the peer took our certificate (SASL EXTERNAL).
    pub external: bool,
}

/// Asks another resolver, and remembers the answers.
pub(crate) struct Noting<'a> {
    inner: &'a dyn Resolve,
    notes: Mutex<Notes>,
}

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) srv: Vec<(String, Result<Vec<Srv>, Unanswered>)>,
    pub(crate) hosts: Vec<(String, Result<Vec<IpAddr>, Unanswered>)>,
}

impl<'a> Noting<'a> {
    pub(crate) fn new(inner: &'a dyn Resolve) -> Noting<'a> {
        Noting { inner, notes: Mutex::default() }
    }

    pub(crate) fn into_notes(self) -> Notes {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        // Nothing panics while it holds the lock.
        note(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Resolve for Noting<'_> {
    fn srv<'a>(&'a self, name: &'a str) -> Resolving<'a, Vec<Srv>> {
        Box::pin(async move {
            let answer = self.inner.srv(name).await;
            self.note(|notes| notes.srv.push((name.to_owned(), answer.clone())));
            answer
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Resolving<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let answer = self.inner.addresses(host).await;
            self.note(|notes| notes.hosts.push((host.to_owned(), answer.clone())));
            answer
        })
    }
}
