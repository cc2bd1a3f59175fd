//! What all clients write down, on one clock.
//!
//! Not here: the judgement (`judge`, crate `history`).

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use history::{History, What};

/// The book.
#[derive(Default)]
pub(crate) struct Book(Mutex<Pages>);

/// What is in it.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) history: History,
    sessions: u64,
    /// Full addresses that are connected now.
    pub(crate) online: BTreeSet<String>,
    /// Messages sent, acknowledged, received, refused (`<message type='error'/>`).
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) received: u64,
    pub(crate) refused: u64,
    /// Sessions that were resumed, and such that could not be.
    pub(crate) resumed: u64,
    pub(crate) not_resumed: u64,
    /// Conditions of stream errors, as far as they came.
    pub(crate) stream_errors: Vec<String>,
    /// Messages that have neither been acknowledged nor given up.
    pub(crate) open: u64,
    /// When the canary asked, and how long its answer took.
    pub(crate) pings: Vec<(Instant, Duration)>,
}

impl Book {
    pub(crate) fn open(&self) -> MutexGuard<'_, Pages> {
        // Nothing panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, what: What) {
        self.open().history.push(what);
    }

    /// Something was broken or healed.
    pub(crate) fn fault(&self, what: &str) {
        self.write(What::Fault { what: what.to_owned() });
    }

    /// The number of a new session, written down.
    pub(crate) fn session(&self, device: &str) -> u64 {
        let mut pages = self.open();
        pages.sessions += 1;
        let session = pages.sessions;
        pages.history.push(What::Open { device: device.to_owned(), session });
        session
    }
}

/// The time below which `hundredths` of all lie; zero if there are none.
pub(crate) fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * hundredths).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}
