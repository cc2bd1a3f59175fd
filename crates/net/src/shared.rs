//! What all connections of one server share, and what they do alike.
//!
//! Not here: one connection (`carrier.rs`, `bosh/session.rs`).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mailbox::{Mailbox, Share};
use model::link::{StreamId, Transport};
use stream::{Answer, Ask, Connection, Misbehaviour, Stream};
use tokio::sync::watch;

use crate::Phase;
use crate::authority::{Answering, Authority};
use crate::bosh::Sessions;
use crate::config::{Current, HttpSettings, Limits, NetConfig};
use crate::counters::{Counters, misbehaviour_name};
use crate::link::Line;
use crate::peers::Peers;
use crate::quiet::Quiet;
use crate::roll::{Place, Roll};

/// One server's connections.
pub(crate) struct Shared {
    /// As it was at the start: what a reload can change of it is in `http` and `limits`.
    pub(crate) config: NetConfig,
    pub(crate) http: Current<HttpSettings>,
    pub(crate) limits: Current<Limits>,
    pub(crate) engine: Mailbox,
    pub(crate) authority: Arc<dyn Authority>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) roll: Arc<Roll>,
    pub(crate) bosh: Sessions,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) log: Logs,
    next: AtomicU64,
}

/// Lines that peers can cause.
pub(crate) struct Logs {
    pub(crate) handshake: Quiet,
    pub(crate) misbehaviour: Quiet,
    pub(crate) refused: Quiet,
    pub(crate) accept: Quiet,
}

/// A new stream with its line and its place on the roll.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) line: Arc<Line>,
    /// The way to the engine.
    pub(crate) mailbox: Share,
    pub(crate) presence: Presence,
}

/// Keeps a stream on the roll and in the count of open streams.
pub(crate) struct Presence {
    _place: Place,
    counters: Arc<Counters>,
    transport: Transport,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.counters.streams(self.transport).less();
    }
}

impl Shared {
    pub(crate) fn new(
        config: NetConfig,
        engine: Mailbox,
        authority: Arc<dyn Authority>,
        phase: watch::Receiver<Phase>,
    ) -> Shared {
        let limits = Current::new(config.limits.clone());
        Shared {
            peers: Peers::new(limits.clone()),
            http: Current::new(config.http.clone()),
            limits,
            bosh: Sessions::default(),
            roll: Arc::default(),
            log: Logs {
                handshake: Quiet::new(),
                misbehaviour: Quiet::new(),
                refused: Quiet::new(),
                accept: Quiet::new(),
            },
            next: AtomicU64::new(1),
            config,
            engine,
            authority,
            phase,
        }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.config.counters
    }

    /// Opens a stream. `None` if the system gives no random numbers.
    pub(crate) fn open(&self, transport: Transport, peer: IpAddr, now: Instant) -> Option<Opened> {
        let mut seed = [0; 32];
        if let Err(error) = getrandom::fill(&mut seed) {
            tracing::error!("no random numbers: {error}");
            return None;
        }
        let id = StreamId(self.next.fetch_add(1, Ordering::Relaxed));
        let line = Arc::new(Line::default());
        let connection = Connection { id, transport, peer, link: line.clone(), seed };
        let counters = self.counters().clone();
        counters.streams(transport).one();
        let presence = Presence { _place: self.roll.enter(id, line.clone()), counters, transport };
        let stream = Stream::new(self.config.stream.now(), connection, now);
        Some(Opened { stream, line, mailbox: self.engine.share(), presence })
    }

    /// Asks the account store, unless the address has failed too often.
    pub(crate) fn ask(&self, ask: Ask, peer: IpAddr) -> Answering {
        if self.peers.may_try(peer, Instant::now()) {
            return self.authority.answer(ask, peer);
        }
        Box::pin(std::future::ready(Answer::Refused(sasl::Condition::TemporaryAuthFailure)))
    }

    /// Takes note of a mistake or an attack.
    pub(crate) fn note(&self, what: &Misbehaviour, peer: IpAddr) {
        let now = Instant::now();
        self.counters().misbehaved(misbehaviour_name(what));
        // A failure of ours is not theirs: it must not keep an address out for longer.
        if matches!(what, Misbehaviour::AuthFailed(condition) if *condition != sasl::Condition::TemporaryAuthFailure)
        {
            self.peers.failed(peer, now);
        }
        if let Some(left_out) = self.log.misbehaviour.write(now) {
            tracing::info!(%peer, left_out, "misbehaviour: {what:?}");
        }
    }

    /// Takes note of a login.
    pub(crate) fn authenticated(&self, account: &address::Bare, peer: IpAddr) {
        self.counters().authenticated.one();
        tracing::debug!(%peer, "authenticated");
        self.authority.authenticated(account, peer);
    }
}
