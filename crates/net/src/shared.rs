//! What all connections of one server share, and what they do alike.
//!
//! Not here: one connection (`carrier.rs`, `bosh/session.rs`).

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
use crate::peers::{Attempt, Chance, Peers};
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

/// How long a login waits before it asks again whether it is its turn.
const LATER: Duration = Duration::from_millis(20);

/// The login that is under way on one stream, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Trial(Arc<Mutex<Option<Attempt>>>);

impl Trial {
    fn begin(&self, attempt: Attempt) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(attempt);
    }

    /// It has succeeded, or its failure was counted.
    pub(crate) fn over(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
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

    /// Asks the account store, unless the address has failed too often. What may end in a failed login is an attempt,
    /// kept in `trial` until [`Trial::over`].
    pub(crate) fn ask(self: &Arc<Self>, ask: Ask, peer: IpAddr, trial: &Trial) -> Answering {
        let refused = Answer::Refused(sasl::Condition::TemporaryAuthFailure);
        if !matches!(ask, Ask::Keys { .. } | Ask::Password { .. } | Ask::Tokens { .. }) {
            return match self.peers.may_try(peer, Instant::now()) {
                true => self.authority.answer(ask, peer),
                false => Box::pin(std::future::ready(refused)),
            };
        }
        let (shared, trial) = (self.clone(), trial.clone());
        Box::pin(async move {
            loop {
                match shared.peers.attempt(peer, Instant::now()) {
                    Chance::Now(attempt) => break trial.begin(attempt),
                    Chance::Later => tokio::time::sleep(LATER).await,
                    Chance::Never => return refused,
                }
            }
            shared.authority.answer(ask, peer).await
        })
    }

    /// Takes note of a mistake or an attack.
    pub(crate) fn note(&self, what: &Misbehaviour, peer: IpAddr, trial: &Trial) {
        let now = Instant::now();
        self.misbehaved(misbehaviour_name(what), what, peer, now);
        // A failure of ours is not theirs: it must not keep an address out for longer.
        if matches!(what, Misbehaviour::AuthFailed(condition) if *condition != sasl::Condition::TemporaryAuthFailure)
        {
            self.peers.failed(peer, now);
        }
        if let Misbehaviour::AuthFailed(_) = what {
            trial.over();
        }
    }

    /// The same for what happens beside the stream, in HTTP's forms: `name` counts it, `what` tells more.
    pub(crate) fn misbehaved(&self, name: &str, what: &dyn Debug, peer: IpAddr, now: Instant) {
        self.counters().misbehaved(name);
        // Who looks that closely wants all of them.
        if tracing::enabled!(tracing::Level::DEBUG) {
            tracing::debug!(%peer, "misbehaviour: {name} {what:?}");
        } else if let Some(left_out) = self.log.misbehaviour.write(now) {
            tracing::info!(%peer, left_out, "misbehaviour: {name} {what:?}");
        }
    }

    /// Takes note of a login.
    pub(crate) fn authenticated(&self, account: &address::Bare, peer: IpAddr, trial: &Trial) {
        trial.over();
        self.counters().authenticated.one();
        tracing::debug!(%peer, "authenticated");
        self.authority.authenticated(account, peer);
    }
}
