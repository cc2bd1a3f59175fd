//! What all tasks of this crate share, and how they find one another.
//!
//! Not here: what the tasks do (`lane.rs`, `carrier.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use address::Bare;
use engine::{Handle, Input};
use mailbox::Mailbox;
use model::away::{Away, Fate};
use net::{Current, Phase, Quiet, TlsStore};
use rustls::pki_types::{CertificateDer, UnixTime};
use s2s::{Pair, Trust};
use stanza::{Stanza, StreamCondition};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::certificate::{Doubt, Roots};
use crate::counters::{Counters, Failure};
use crate::courier::{Command, Courier, Kept, Waiting, Word};
use crate::resolve::Resolve;
use crate::settings::Settings;
use crate::standing::Recent;
use crate::targets::ascii;
use crate::{failure, lane, limits, probe};

pub(crate) struct Shared {
    pub(crate) settings: Current<Settings>,
    pub(crate) engine: Handle,
    pub(crate) mailbox: Mailbox,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Arc<TlsStore>,
    pub(crate) roots: Current<Roots>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) log: Logs,
    /// Bounds the connections that are being opened.
    pub(crate) dials: Semaphore,
    /// Attempts that failed.
    pub(crate) recent: Recent,
    /// Bounds what operators try.
    pub(crate) trials: Semaphore,
    table: Mutex<Table>,
    open: AtomicUsize,
    closed: Notify,
    next: AtomicU64,
}

/// Lines that others can cause.
#[derive(Default)]
pub(crate) struct Logs {
    pub(crate) handshake: Quiet,
    pub(crate) doubt: Quiet,
    pub(crate) unreachable: Quiet,
    pub(crate) refused: Quiet,
    pub(crate) exception: Quiet,
}

#[derive(Default)]
struct Table {
    lanes: HashMap<Pair, mpsc::UnboundedSender<Word>>,
    /// Streams from others, by who has proven to be at the other end.
    incoming: HashMap<Pair, Vec<Courier>>,
    /// How many streams of one domain came in.
    domains: HashMap<Bare, usize>,
    /// Who waits for an answer of whom.
    questions: HashMap<u64, (Pair, Courier)>,
    /// Broken streams from others, by the secret that resumes them.
    kept: HashMap<String, Kept>,
}

/// Counts an open stream.
pub(crate) struct Open {
    shared: Arc<Shared>,
    incoming: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.counters.streams[usize::from(self.incoming)].less();
        if self.shared.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.closed.notify_waiters();
        }
    }
}

impl Shared {
    #[allow(clippy::too_many_arguments, reason = "each is another part of the server")]
    pub(crate) fn new(
        settings: Settings,
        engine: Handle,
        mailbox: Mailbox,
        resolver: Arc<dyn Resolve>,
        tls: Arc<TlsStore>,
        roots: Roots,
        counters: Arc<Counters>,
        phase: watch::Receiver<Phase>,
    ) -> Shared {
        Shared {
            settings: Current::new(settings),
            engine,
            mailbox,
            resolver,
            tls,
            roots: Current::new(roots),
            counters,
            phase,
            log: Logs::default(),
            dials: Semaphore::new(limits::DIALS_MAX),
            recent: Recent::default(),
            trials: Semaphore::new(limits::TRIALS_MAX),
            table: Mutex::default(),
            open: AtomicUsize::new(0),
            closed: Notify::new(),
            next: AtomicU64::new(1),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds this lock, and the maps are whole at every moment.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream is open now. `None`: there are too many from others.
    pub(crate) fn open(self: &Arc<Self>, incoming: bool) -> Option<Open> {
        let counter = &self.counters.streams[usize::from(incoming)];
        if incoming && counter.value() >= limits::INCOMING_MAX as u64 {
            return None;
        }
        counter.one();
        self.open.fetch_add(1, Ordering::SeqCst);
        Some(Open { shared: self.clone(), incoming })
    }

    /// Waits until no stream is open.
    pub(crate) async fn emptied(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            closed.await;
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.phase.borrow() == Phase::Closing
    }

    /// A number for a stream.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives a word to the lane of a pair; makes one if there is none. The word comes back if there are too many.
    pub(crate) fn lane(self: &Arc<Self>, pair: &Pair, word: Word) -> Result<(), Word> {
        let mut table = self.table();
        let word = match table.lanes.get(pair) {
            Some(lane) => match lane.send(word) {
                Ok(()) => return Ok(()),
                Err(back) => back.0,
            },
            // Streams that came in shall not take the room of those who want to send.
            None if matches!(word, Word::Up(_)) && table.lanes.len() >= limits::LANES_MAX / 2 => {
                return Err(word);
            }
            None if table.lanes.len() >= limits::LANES_MAX => return Err(word),
            None => word,
        };
        let (to, words) = mpsc::unbounded_channel();
        let _ = to.send(word);
        table.lanes.insert(pair.clone(), to);
        self.counters.lanes.one();
        tokio::spawn(lane::run(self.clone(), pair.clone(), words));
        Ok(())
    }

    /// Gives a word to the lane of a pair, if there is one.
    pub(crate) fn tell(&self, pair: &Pair, word: Word) {
        if let Some(lane) = self.table().lanes.get(pair) {
            let _ = lane.send(word);
        }
    }

    /// A lane has nothing more to do: it goes, unless there is a word for it.
    pub(crate) fn leave(&self, pair: &Pair, words: &mut mpsc::UnboundedReceiver<Word>) -> Option<Word> {
        let mut table = self.table();
        match words.try_recv() {
            Ok(word) => Some(word),
            Err(_) => {
                table.lanes.remove(pair);
                self.counters.lanes.less();
                None
            }
        }
    }

    /// These go to their lanes again, in their order.
    pub(crate) async fn again(self: &Arc<Self>, waiting: impl IntoIterator<Item = Waiting>) {
        let mut lanes: HashMap<Pair, Vec<Waiting>> = HashMap::new();
        for one in waiting {
            match pair_of(&one.away.stanza) {
                Some(pair) => lanes.entry(pair).or_default().push(one),
                None => self.fail(&one.away, Failure::NotFound).await,
            }
        }
        for (pair, waiting) in lanes {
            if let Err(Word::Again(waiting)) = self.lane(&pair, Word::Again(waiting)) {
                for one in waiting {
                    self.fail(&one.away, Failure::Full).await;
                }
            }
        }
    }

    /// A stream asks another server something. The number is that of the question.
    pub(crate) fn question(&self, pair: &Pair, who: &Courier) -> u64 {
        let id = self.number();
        self.table().questions.insert(id, (pair.clone(), who.clone()));
        id
    }

    /// Nobody waits for that answer any more.
    pub(crate) fn forget(&self, id: Option<u64>) {
        id.and_then(|id| self.table().questions.remove(&id));
    }

    /// Whether a stanza is an answer that a stream waits for. It is told.
    pub(crate) fn is_answer(&self, stanza: &Stanza) -> bool {
        let Some(id) = probe::answer(stanza) else { return false };
        let (from, to) = (stanza.from.as_ref(), stanza.to.as_ref());
        let fits = |pair: &Pair| from == Some(pair.remote.jid()) && to == Some(pair.local.jid());
        let mut table = self.table();
        if !table.questions.get(&id).is_some_and(|(pair, _)| fits(pair)) {
            return false;
        }
        let asker = table.questions.remove(&id);
        drop(table);
        asker.is_some_and(|(_, who)| who.to.send(Command::Answered(id)).is_ok())
    }

    /// The neighbour has it.
    pub(crate) async fn delivered(&self, number: u64) {
        self.counters.stanzas[0].one();
        self.engine.send(Input::Fate(number, Fate::Delivered)).await;
    }

    /// It comes back to its sender.
    pub(crate) async fn fail(&self, away: &Away, why: Failure) {
        self.counters.bounced[why as usize].one();
        self.engine.send(Input::Fate(away.number, Fate::Failed(failure::error(why)))).await;
    }

    /// Whether a chain of certificates proves a domain.
    pub(crate) fn prove(&self, chain: &[CertificateDer<'static>], domain: &str) -> Result<Trust, Doubt> {
        let name = ascii(domain).ok_or(Doubt::OtherName)?;
        self.roots.now().prove(chain, &name, UnixTime::now()).map(|()| Trust::Pkix).inspect_err(|doubt| {
            self.counters.doubts[*doubt as usize].one();
            if let Some(left_out) = self.log.doubt.write(Instant::now()) {
                tracing::info!(
                    domain,
                    left_out,
                    why = doubt.name(),
                    "a certificate does not prove its domain"
                );
            }
        })
    }

    /// Another server has proven to be one end of a pair. `false`: it has too many streams already.
    pub(crate) fn enter(&self, pair: &Pair, courier: &Courier, first: bool) -> bool {
        let mut table = self.table();
        let of_domain = table.domains.entry(pair.remote.clone()).or_default();
        if first && *of_domain >= limits::INCOMING_PER_DOMAIN_MAX {
            return false;
        }
        *of_domain += usize::from(first);
        let couriers = table.incoming.entry(pair.clone()).or_default();
        if couriers.iter().all(|known| known.id != courier.id) {
            couriers.push(courier.clone());
        }
        true
    }

    /// That stream is gone. `counted`: the domains for which it was counted.
    pub(crate) fn exit(&self, id: u64, pairs: &[Pair], counted: &[Bare]) {
        let mut table = self.table();
        for pair in pairs {
            let empty = table.incoming.get_mut(pair).is_some_and(|couriers| {
                couriers.retain(|courier| courier.id != id);
                couriers.is_empty()
            });
            if empty {
                table.incoming.remove(pair);
            }
        }
        for domain in counted {
            if let Some(count) = table.domains.get_mut(domain) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    table.domains.remove(domain);
                }
            }
        }
    }

    /// Streams from the other end of a pair, but for one.
    pub(crate) fn others(&self, pair: &Pair, but: u64) -> Vec<Courier> {
        let table = self.table();
        let couriers = table.incoming.get(pair).into_iter().flatten();
        couriers.filter(|courier| courier.id != but).cloned().collect()
    }

    /// Ways to all lanes, or to those of one domain.
    pub(crate) fn lanes(&self, of: Option<&str>) -> Vec<(Pair, mpsc::UnboundedSender<Word>)> {
        let table = self.table();
        let fits = |pair: &Pair| of.is_none_or(|domain| pair.remote.as_str() == domain);
        table
            .lanes
            .iter()
            .filter(|(pair, _)| fits(pair))
            .map(|(pair, to)| (pair.clone(), to.clone()))
            .collect()
    }

    /// Streams that came in, of all domains or of one.
    pub(crate) fn visitors(&self, of: Option<&str>) -> Vec<(Pair, Courier)> {
        let table = self.table();
        let fits = |pair: &Pair| of.is_none_or(|domain| pair.remote.as_str() == domain);
        let pairs = table.incoming.iter().filter(|(pair, _)| fits(pair));
        pairs.flat_map(|(pair, all)| all.iter().map(|one| (pair.clone(), one.clone()))).collect()
    }

    /// Ends what the rules no longer allow.
    pub(crate) fn enforce(&self) {
        let table = self.table();
        for lane in table.lanes.values() {
            let _ = lane.send(Word::Enforce);
        }
        for (pair, couriers) in &table.incoming {
            for courier in couriers {
                let _ = self.unwanted(pair).map(|why| courier.to.send(why));
            }
        }
    }

    /// What its streams are told if a pair is not to be, any more.
    pub(crate) fn unwanted(&self, pair: &Pair) -> Option<Command> {
        let rules = &self.settings.now().rules;
        if !rules.ours.contains(pair.local.as_str()) {
            return Some(Command::Close(StreamCondition::HostGone));
        }
        let allowed = rules.of(pair.remote.as_str()).allowed;
        (!allowed).then_some(Command::Close(StreamCondition::PolicyViolation))
    }

    /// Keeps a broken stream from another server for a while; afterwards what it had not delivered is sent anew.
    pub(crate) async fn keep(self: &Arc<Self>, kept: Kept) {
        let (id, lifetime) = (kept.resumption.id().to_owned(), kept.resumption.lifetime());
        let too_much = {
            let mut table = self.table();
            if table.kept.len() < limits::RESUMPTIONS_MAX {
                table.kept.insert(id.clone(), kept);
                None
            } else {
                Some(kept)
            }
        };
        if let Some(kept) = too_much {
            return self.again(kept.in_flight.into_values()).await;
        }
        let shared = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(lifetime).await;
            if let Some(kept) = shared.kept(&id) {
                shared.again(kept.in_flight.into_values()).await;
            }
        });
    }

    /// Takes such a stream.
    pub(crate) fn kept(&self, id: &str) -> Option<Kept> {
        self.table().kept.remove(id)
    }
}

/// Waits until the server closes its streams.
pub(crate) async fn closing(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
}

/// The domains between which a stanza of ours goes.
pub(crate) fn pair_of(stanza: &Stanza) -> Option<Pair> {
    let (from, to) = (stanza.from.as_ref()?, stanza.to.as_ref()?);
    pair(from.domain(), to.domain())
}

/// A pair out of two domains.
pub(crate) fn pair(local: &str, remote: &str) -> Option<Pair> {
    Some(Pair { local: Bare::parse(local).ok()?, remote: Bare::parse(remote).ok()? })
}
