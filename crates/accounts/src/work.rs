//! Key derivation off the event loop: a bounded number at once, a bounded number waiting.
//!
//! Not here: what is derived (crate `sasl`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Fault, FaultKind};
use tokio::sync::Semaphore;

use crate::limits::DERIVATIONS_WAITING_MAX;

/// Threads for slow arithmetic.
#[derive(Clone)]
pub(crate) struct Work {
    threads: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// Counts one who waits, for as long as it lives: a caller that gives up is counted no longer.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Work {
    pub(crate) fn new(threads: usize) -> Work {
        Work { threads: Arc::new(Semaphore::new(threads.max(1))), waiting: Arc::default() }
    }

    /// Runs it on a thread of its own. `Busy` when too many wait already.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= DERIVATIONS_WAITING_MAX {
            return Err(Fault::new(FaultKind::Busy, "too many passwords are being checked"));
        }
        let closed = || Fault::new(FaultKind::Closed, "the server stops");
        let permit = self.threads.clone().acquire_owned().await.map_err(|_| closed())?;
        drop(waiting);
        // The permit goes along: who gives up waiting does not free the thread that still works.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|_| closed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn c05d_the_queue_is_bounded_and_recovers() {
        let work = Work::new(1);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let work = work.clone();
            async move { work.run(move || wait.recv().is_ok()).await.unwrap() }
        });
        while work.threads.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let more: Vec<_> = (0..DERIVATIONS_WAITING_MAX)
            .map(|n| {
                let work = work.clone();
                tokio::spawn(async move { work.run(move || n).await.unwrap() })
            })
            .collect();
        while work.waiting.load(Ordering::Relaxed) < DERIVATIONS_WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.run(|| ()).await.err().map(|f| f.kind()), Some(FaultKind::Busy));
        go.send(()).unwrap();
        assert!(first.await.unwrap());
        for (n, task) in more.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), n);
        }
        assert_eq!(work.run(|| 7).await.unwrap(), 7);
    }
}
