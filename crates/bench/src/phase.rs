//! The course of a work that runs for a time: warm up, measure, stop, drain.
//!
//! Not here: what is done meanwhile (`work/`).

use crate::target::Target;
use crate::{Outcome, report::Spent};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// Shared by the tasks of one work.
pub(crate) struct Phase {
    state: AtomicU8,
    done: AtomicU64,
    /// The zero of all time stamps of the run.
    pub(crate) begin: Instant,
}

impl Phase {
    /// A work that warms up.
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(0), done: AtomicU64::new(0), begin: Instant::now() }
    }

    /// Nanoseconds since [`Self::begin`].
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Counts operations that are done.
    pub(crate) fn count(&self, operations: u64) {
        self.done.fetch_add(operations, Ordering::Relaxed);
    }

    /// Whether latencies count now.
    pub(crate) fn measuring(&self) -> bool {
        self.state.load(Ordering::Relaxed) == MEASURE
    }

    /// Whether nothing new is to be sent.
    pub(crate) fn stopped(&self) -> bool {
        self.state.load(Ordering::Relaxed) == STOP
    }

    /// Lets the tasks run: `warm_up` seconds, then `duration` seconds measured; then stops them and waits until
    /// each has everything it expects.
    ///
    /// # Errors
    /// The first error of a task, or that the server's processes cannot be read, or that tasks wait for ever.
    pub(crate) async fn conduct<T: 'static>(
        &self,
        target: &Target,
        (warm_up, duration): (f64, f64),
        mut tasks: JoinSet<Outcome<T>>,
    ) -> Outcome<(Spent, Vec<T>)> {
        let spent = tokio::select! {
            spent = self.measure(target, warm_up, duration) => spent?,
            Some(ended) = tasks.join_next() => {
                ended??;
                return Err("a client ended before its time".into());
            }
        };
        self.state.store(STOP, Ordering::Relaxed);
        let mut results = vec![];
        while let Some(ended) = target.patiently("draining", async { Ok(tasks.join_next().await) }).await? {
            results.push(ended??);
        }
        Ok((spent, results))
    }

    async fn measure(&self, target: &Target, warm_up: f64, duration: f64) -> Outcome<Spent> {
        tokio::time::sleep(Duration::from_secs_f64(warm_up)).await;
        let before = self.done.load(Ordering::Relaxed);
        self.state.store(MEASURE, Ordering::Relaxed);
        let spent = Spent::begin(target.processes)?;
        tokio::time::sleep(Duration::from_secs_f64(duration)).await;
        spent.end(self.done.load(Ordering::Relaxed) - before)
    }
}
