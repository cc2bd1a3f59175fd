//! One task for each pair of a domain of ours and another: what waits for it, and the stream that takes it.
//!
//! RFC 6120 section 3.2, XEP-0288 1.0.1 (a stream that came in serves as well)
//!
//! Lanes know nothing of one another: a domain that is dead or slow delays no other.
//!
//! Not here: opening a stream (`dial.rs`), what happens on it (`carrier.rs`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::Input;
use model::away::{Away, Patience};
use s2s::Pair;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::counters::Failure;
use crate::courier::{Command, Courier, Kept, Waiting, Word};
use crate::dial;
use crate::limits;
use crate::shared::{Shared, closing};
use crate::standing::{LaneStanding, Told};

struct Lane {
    shared: Arc<Shared>,
    pair: Pair,
    queue: VecDeque<Waiting>,
    link: Option<Courier>,
    /// A stream is being opened, or one that was opened is in use.
    dialling: bool,
    /// Why the last attempt failed; forgotten with `rest`.
    failed: Option<Failure>,
    /// There is no attempt before that.
    rest: Option<Instant>,
    /// The other end came to us while we tried to reach it.
    alive: bool,
    /// Attempts in a row that failed, or whose stream did not last.
    failures: u32,
    up_since: Option<Instant>,
    /// A stream broke: when there is one again, presence must be looked after.
    broken: bool,
    /// When that was done last.
    repaired: Option<Instant>,
    kept: Option<Box<Kept>>,
}

/// Looks after a pair until nothing is left to do.
pub(crate) async fn run(shared: Arc<Shared>, pair: Pair, mut words: UnboundedReceiver<Word>) {
    let mut phase = shared.phase.clone();
    let mut lane = Lane {
        shared,
        pair,
        queue: VecDeque::new(),
        link: None,
        dialling: false,
        failed: None,
        rest: None,
        alive: false,
        failures: 0,
        up_since: None,
        broken: false,
        repaired: None,
        kept: None,
    };
    loop {
        let due = lane.due();
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(word) = words.recv() => lane.word(word).await,
            () = wait => {}
            // What waits is in the spool, and goes on its way after the next start.
            () = closing(&mut phase) => break,
        }
        lane.repair().await;
        lane.refuse().await;
        lane.expire().await;
        lane.dial();
        if lane.is_idle() {
            let Some(word) = lane.shared.leave(&lane.pair, &mut words) else { break };
            lane.word(word).await;
        }
    }
    lane.count(-(lane.queue.len() as i64));
}

impl Lane {
    async fn word(&mut self, word: Word) {
        match word {
            Word::Away(away) => self.away(away).await,
            Word::Again(waiting) => {
                self.count(waiting.len() as i64);
                waiting.into_iter().rev().for_each(|one| self.queue.push_front(one));
                self.queue.make_contiguous().sort_by_key(|one| one.away.number);
                self.flush();
            }
            Word::Up(courier) => {
                (self.link, self.failed, self.rest) = (Some(courier), None, None);
                self.up_since = Some(Instant::now());
                self.flush();
            }
            Word::Down { id, broken, kept } => {
                if self.link.as_ref().is_some_and(|link| link.id == id) {
                    self.link = None;
                }
                self.broken |= broken;
                if kept.is_some()
                    && let Some(old) = std::mem::replace(&mut self.kept, kept)
                {
                    self.take_back(*old);
                }
            }
            Word::Dialled(outcome) => self.dialled(outcome).await,
            Word::Alive => self.alive(),
            Word::Enforce => {
                if self.failed == Some(Failure::Blocked) {
                    (self.failed, self.rest) = (None, None);
                }
            }
            Word::Tell(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.told());
            }
        }
    }

    /// The other end has come to us: what we thought of it is out of date.
    fn alive(&mut self) {
        self.alive = self.dialling;
        (self.failed, self.rest, self.failures) = (None, None, 0);
    }

    /// How it stands, for operators.
    fn told(&self) -> Told {
        let now = Instant::now();
        Told {
            link: self.link.clone(),
            standing: LaneStanding {
                local: self.pair.local.as_str().to_owned(),
                waiting: self.queue.len(),
                oldest: self.queue.iter().map(|one| one.since).min().map(|since| now - since),
                connected: self.link.is_some(),
                trying: self.dialling && self.link.is_none(),
                retry_in: self
                    .rest
                    .filter(|_| self.link.is_none())
                    .and_then(|at| at.checked_duration_since(now)),
                failures: self.failures,
                failed: self.failed,
            },
        }
    }

    /// Nothing goes to whom the operator does not want.
    async fn refuse(&mut self) {
        if self.queue.is_empty() && self.link.is_none() {
            return;
        }
        let Some(why) = self.shared.unwanted(&self.pair) else { return };
        if let Some(link) = self.link.take() {
            let _ = link.to.send(why);
        }
        self.broken = false;
        let refused = std::mem::take(&mut self.queue);
        self.count(-(refused.len() as i64));
        for one in refused {
            self.shared.fail(&one.away, Failure::Blocked).await;
        }
    }

    /// A new stanza. Who has just been found not to be there is not waited for by those who cannot wait.
    async fn away(&mut self, away: Away) {
        let patience = match away.patience {
            Patience::Brief => limits::BRIEF,
            Patience::Long => self.shared.settings.now().give_up,
        };
        let since = Instant::now();
        let one = Waiting { away, since, until: since + patience };
        match self.failed.filter(|_| self.link.is_none() && self.rests()) {
            Some(why) if one.is_brief() || !why.may_pass() => self.shared.fail(&one.away, why).await,
            _ => {
                self.count(1);
                self.queue.push_back(one);
                self.flush();
            }
        }
    }

    /// Gives what waits to the stream, if there is one.
    fn flush(&mut self) {
        while let Some(link) = &self.link
            && let Some(one) = self.queue.pop_front()
        {
            match link.to.send(Command::Send(one)) {
                Ok(()) => self.count(-1),
                Err(back) => {
                    if let Command::Send(one) = back.0 {
                        self.queue.push_front(one);
                    }
                    self.link = None;
                }
            }
        }
    }

    /// The stream that was to be resumed will not be.
    fn take_back(&mut self, kept: Kept) {
        self.count(kept.in_flight.len() as i64);
        self.queue.extend(kept.in_flight.into_values());
        self.queue.make_contiguous().sort_by_key(|one| one.away.number);
        self.flush();
    }

    async fn dialled(&mut self, outcome: Result<(), Failure>) {
        self.dialling = false;
        let came = std::mem::take(&mut self.alive);
        if let Some(kept) = self.kept.take_if(|_| outcome.is_err()) {
            self.take_back(*kept);
        }
        let Err(why) = outcome else {
            // A stream that does not last is tried again like one that does not begin.
            let lasted = self.up_since.take().is_some_and(|since| since.elapsed() >= limits::LASTING);
            self.failures = if lasted { 0 } else { self.failures + 1 };
            self.broken &= self.failures <= limits::RECONNECTS_MAX;
            self.rest = Some(Instant::now() + self.back_off());
            return;
        };
        self.shared.counters.failed[why as usize].one();
        if let Some(left_out) = self.shared.log.unreachable.write(dial::now()) {
            let (local, remote) = (self.pair.local.as_str(), self.pair.remote.as_str());
            tracing::info!(local, remote, left_out, why = why.name(), "cannot reach a server");
        }
        self.failures += 1;
        if self.link.is_some() {
            return; // it came to us meanwhile
        }
        if came && why.may_pass() {
            // It did so, though we cannot use its stream: it must be there now.
            return self.failures = 0;
        }
        let wait = match why.may_pass() {
            true => self.back_off(),
            false => jitter(limits::NOWHERE),
        };
        (self.failed, self.rest) = (Some(why), Some(Instant::now() + wait));
        let gone = |one: &Waiting| !why.may_pass() || one.is_brief();
        let (failed, left): (VecDeque<_>, VecDeque<_>) = self.queue.drain(..).partition(gone);
        self.queue = left;
        self.count(-(failed.len() as i64));
        for one in failed {
            self.shared.fail(&one.away, why).await;
        }
        // Nobody waits: presence alone is not worth asking for ever.
        if !why.may_pass() || self.failures >= limits::RECONNECTS_MAX {
            self.broken = false;
        }
    }

    /// Opens a stream, if one is needed and none is known to be in vain.
    fn dial(&mut self) {
        let wanted = !self.queue.is_empty() || self.broken || self.kept.is_some();
        if self.link.is_some() || self.dialling || !wanted || self.rests() {
            return;
        }
        self.dialling = true;
        tokio::spawn(dial::run(self.shared.clone(), self.pair.clone(), self.kept.take()));
    }

    /// Gives up on what has waited too long.
    async fn expire(&mut self) {
        let now = Instant::now();
        if self.queue.iter().all(|one| one.until > now) {
            return;
        }
        let (expired, left): (VecDeque<_>, VecDeque<_>) =
            self.queue.drain(..).partition(|one| one.until <= now);
        self.queue = left;
        self.count(-(expired.len() as i64));
        for one in expired {
            self.shared.fail(&one.away, Failure::Expired).await;
        }
    }

    fn rests(&self) -> bool {
        self.rest.is_some_and(|until| until > Instant::now())
    }

    /// How long to wait after so many failures.
    fn back_off(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        jitter(limits::BACK_OFF_MIN.saturating_mul(1 << doublings).min(limits::BACK_OFF_MAX))
    }

    /// After a break presence is looked after; seldom, because it means work for everybody.
    async fn repair(&mut self) {
        if self.repair_due().is_some_and(|due| due <= Instant::now()) {
            (self.broken, self.repaired) = (false, Some(Instant::now()));
            self.shared.counters.repairs.one();
            self.shared.engine.send(Input::Restored(self.pair.remote.as_str().to_owned())).await;
        }
    }

    fn repair_due(&self) -> Option<Instant> {
        let earliest = self.repaired.map_or_else(Instant::now, |at| at + limits::LASTING);
        (self.broken && self.link.is_some()).then_some(earliest)
    }

    /// When something is to be done without a word.
    fn due(&self) -> Option<Instant> {
        let first = self.queue.iter().map(|one| one.until).min();
        let again = self.rest.filter(|_| self.rests());
        first.into_iter().chain(again).chain(self.repair_due()).min()
    }

    fn is_idle(&self) -> bool {
        let remembers = self.failures > 0 && self.rests();
        let free = !self.dialling && self.link.is_none() && self.kept.is_none();
        self.queue.is_empty() && free && !remembers && !self.broken
    }

    fn count(&self, change: i64) {
        let waiting = &self.shared.counters.waiting;
        match u64::try_from(change) {
            Ok(more) => waiting.add(more),
            Err(_) => (0..change.unsigned_abs()).for_each(|_| waiting.less()),
        }
    }
}

/// Between half of a wait and all of it, so that many do not come at once.
fn jitter(wait: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without random numbers it is simply all of it.
    match getrandom::fill(&mut bytes) {
        Ok(()) => wait / 2 + (wait / 2).mul_f64(f64::from(u16::from_le_bytes(bytes)) / 65_536.0),
        Err(_) => wait,
    }
}
