//! What all connections of components share.
//!
//! Not here: one connection (`carrier.rs`), what waits for a component (`seats.rs`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::Jid;
use engine::{Handle, Input};
use mailbox::Mailbox;
use model::away::{Away, Fate, Patience};
use net::{Current, Phase, Quiet, TlsStore};
use stanza::{Condition, StanzaError};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::counters::Counters;
use crate::limits;
use crate::seats::{Command, Holder, Seats, Waiting};
use crate::settings::{Component, Settings};

/// How often it is looked for what has waited too long.
const SWEEP: Duration = Duration::from_secs(1);

pub(crate) struct Shared {
    pub(crate) settings: Current<Settings>,
    pub(crate) engine: Handle,
    pub(crate) mailbox: Mailbox,
    pub(crate) tls: Arc<TlsStore>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) refused: Quiet,
    seats: Mutex<Seats>,
    open: AtomicUsize,
    closed: Notify,
    next: AtomicU64,
}

/// Counts an open connection.
pub(crate) struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.connections.less();
        if self.0.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.closed.notify_waiters();
        }
    }
}

impl Shared {
    pub(crate) fn new(
        settings: Settings,
        engine: Handle,
        mailbox: Mailbox,
        tls: Arc<TlsStore>,
        counters: Arc<Counters>,
        phase: watch::Receiver<Phase>,
    ) -> Shared {
        Shared {
            settings: Current::new(settings),
            engine,
            mailbox,
            tls,
            counters,
            phase,
            refused: Quiet::new(),
            seats: Mutex::default(),
            open: AtomicUsize::new(0),
            closed: Notify::new(),
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn seats(&self) -> MutexGuard<'_, Seats> {
        // No code panics while it holds this lock, and the maps are whole at every moment.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection is open now. `None`: there are too many.
    pub(crate) fn open(self: &Arc<Self>) -> Option<Open> {
        if self.counters.connections.value() >= limits::CONNECTIONS_MAX as u64 {
            return None;
        }
        self.counters.connections.one();
        self.open.fetch_add(1, Ordering::SeqCst);
        Some(Open(self.clone()))
    }

    /// Waits until no connection is open.
    pub(crate) async fn emptied(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            closed.await;
        }
    }

    /// A number for a connection.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn component(&self, domain: &str) -> Option<Component> {
        self.settings.now().components.get(domain).cloned()
    }

    /// A stanza for a component. It is given back if it is not worth waiting.
    pub(crate) fn take(&self, away: Away) -> Result<(), Away> {
        let settings = self.settings.now();
        let Some(domain) = away.stanza.to.as_ref().map(Jid::domain) else { return Err(away) };
        if !settings.components.contains_key(domain) {
            return Err(away);
        }
        let domain = domain.to_owned();
        self.seats().of(&domain).add(away, settings.wait, Instant::now())?;
        self.counters.waiting.one();
        Ok(())
    }

    /// The next to send to the component of that domain, for the connection that serves it.
    pub(crate) fn next(&self, domain: &str, id: u64) -> Option<Waiting> {
        let next = self.seats().of(domain).next(id)?;
        self.counters.waiting.less();
        Some(next)
    }

    /// It cannot be sent yet.
    pub(crate) fn keep(&self, domain: &str, waiting: Waiting) {
        self.counters.waiting.one();
        self.seats().of(domain).keep(waiting);
    }

    /// These have not arrived, and wait again.
    pub(crate) fn again(&self, domain: &str, back: Vec<Waiting>) {
        self.counters.waiting.add(back.len() as u64);
        self.seats().of(domain).again(back);
    }

    /// A connection that knows the secret wants the domain. It gets it, unless the component of another connection shows
    /// that it lives.
    pub(crate) async fn claim(&self, domain: &str, holder: Holder) -> bool {
        let asked = {
            let mut seats = self.seats();
            seats.of(domain).holder.as_ref().map(|other| {
                let (alive, answer) = oneshot::channel();
                let _ = other.to.send(Command::Ping(alive));
                (other.id, answer)
            })
        };
        let dead = asked.as_ref().map(|(id, _)| *id);
        if let Some((_, answer)) = asked
            && matches!(tokio::time::timeout(self.settings.now().ping, answer).await, Ok(Ok(())))
        {
            return false;
        }
        let mut seats = self.seats();
        let seat = seats.of(domain);
        match seat.holder.take() {
            Some(other) if Some(other.id) == dead => _ = other.to.send(Command::Replaced),
            // Yet another connection was quicker.
            Some(other) => {
                seat.holder = Some(other);
                return false;
            }
            None => {}
        }
        seat.holder = Some(holder);
        true
    }

    /// The neighbour has it.
    pub(crate) async fn delivered(&self, number: u64) {
        self.counters.stanzas[0].one();
        self.engine.send(Input::Fate(number, Fate::Delivered)).await;
    }

    /// It comes back to its sender, because there is nobody.
    pub(crate) async fn fail(&self, away: &Away) {
        let error = match away.patience {
            Patience::Long => StanzaError::from(Condition::RemoteServerTimeout),
            Patience::Brief => StanzaError::from(Condition::ServiceUnavailable),
        };
        self.fail_with(away, error.text("the service is not connected")).await;
    }

    /// It comes back to its sender.
    pub(crate) async fn fail_with(&self, away: &Away, error: StanzaError) {
        self.counters.bounced.one();
        self.engine.send(Input::Fate(away.number, Fate::Failed(error))).await;
    }

    /// Gives up what has waited too long, until the server stops.
    pub(crate) async fn sweep(self: Arc<Self>) {
        let mut phase = self.phase.clone();
        loop {
            tokio::select! {
                () = until(&mut phase, Phase::Closing) => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
            let settings = self.settings.now();
            let expired = {
                let mut seats = self.seats();
                seats.expired(Instant::now(), |domain| settings.components.contains_key(domain))
            };
            for away in expired {
                self.counters.waiting.less();
                self.fail(&away).await;
            }
        }
    }

    /// Tells the engine which components each of our domains has now, for service discovery.
    pub(crate) async fn list(&self, about: &Component) {
        let settings = self.settings.now();
        for domain in &about.rights.domains {
            let mut connected: Vec<(Jid, String)> = {
                let seats = self.seats();
                let there = seats.iter().filter(|(_, seat)| seat.holder.is_some());
                let known = there.filter_map(|(name, _)| settings.components.get(name));
                known
                    .filter(|component| component.rights.hold_for(domain))
                    .map(|component| (component.domain.clone(), component.name.clone()))
                    .collect()
            };
            connected.sort_unstable();
            let Ok(host) = Jid::parse(domain) else { continue };
            self.engine.send(Input::Components(host, connected)).await;
        }
    }
}

/// Waits until the server's life has come so far.
pub(crate) async fn until(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let _ = phase.wait_for(|phase| *phase == wanted).await;
}
