//! The bounded queue of batches in front of the writer.
//!
//! Not here: what is done with them (`writer`).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::storage::Batch;
use store::{Fault, FaultKind, Fulfil};

/// Writes that may wait.
const WRITES_MAX: usize = 65_536;
/// Bytes that may wait. One batch may be larger if it is alone.
const BYTES_MAX: usize = 64 << 20;

/// A batch and whom to answer.
pub(crate) struct Job {
    pub(crate) batch: Batch,
    pub(crate) answer: Fulfil<Result<(), Fault>>,
}

/// What a look into the queue brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Jobs,
    Nothing,
    /// Nothing, and nothing will come any more.
    Closed,
}

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    writes: usize,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// Puts a batch at the end, if there is room.
    pub(crate) fn push(&self, job: Job) -> Result<(), Fault> {
        let (writes, bytes) = (job.batch.0.len(), job.batch.bytes());
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Fault::new(FaultKind::Closed, "the engine is closed"));
        }
        let too_much = waiting.writes + writes > WRITES_MAX || waiting.bytes + bytes > BYTES_MAX;
        if too_much && !waiting.jobs.is_empty() {
            let Waiting { writes, bytes, .. } = *waiting;
            return Err(Fault::new(
                FaultKind::Busy,
                format_args!("{writes} writes, {bytes} bytes wait already"),
            ));
        }
        waiting.writes += writes;
        waiting.bytes += bytes;
        waiting.jobs.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Moves batches of together at most `writes_max` writes, but at least one batch, to the end of `into`.
    /// Waits for one at most as long as `wait`.
    pub(crate) fn take(&self, into: &mut VecDeque<Job>, writes_max: usize, wait: Duration) -> Taken {
        let waiting = self.lock();
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, wait, |waiting| waiting.jobs.is_empty() && !waiting.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut any) = (0, false);
        while let Some(next) = waiting.jobs.front() {
            let (writes, bytes) = (next.batch.0.len(), next.batch.bytes());
            if any && taken + writes > writes_max {
                break;
            }
            (taken, any) = (taken + writes, true);
            waiting.writes -= writes;
            waiting.bytes -= bytes;
            into.extend(waiting.jobs.pop_front());
        }
        match (any, waiting.closed) {
            (true, _) => Taken::Jobs,
            (false, false) => Taken::Nothing,
            (false, true) => Taken::Closed,
        }
    }

    /// Refuses batches from now on; what waits can still be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Refuses batches from now on and drops what waits, which tells its callers.
    pub(crate) fn abandon(&self) {
        self.close();
        let jobs = std::mem::take(&mut self.lock().jobs);
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics under this lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use model::storage::{Space, Write};

    use super::*;

    fn job(writes: usize, size: usize) -> Job {
        let value = Bytes::from(vec![0; size]);
        let put = Write::DocPut { space: Space("s"), owner: "o".into(), value };
        Job { batch: vec![put; writes].into(), answer: store::promise().0 }
    }

    fn take(queue: &Queue) -> (usize, Taken) {
        let mut jobs = VecDeque::new();
        let taken = queue.take(&mut jobs, 2048, Duration::ZERO);
        (jobs.len(), taken)
    }

    #[test]
    fn room_is_bounded_in_writes_and_bytes() {
        let full = |queue: &Queue, job| queue.push(job).unwrap_err().kind();
        let queue = Queue::default();
        queue.push(job(WRITES_MAX, 0)).unwrap();
        assert_eq!(full(&queue, job(1, 0)), FaultKind::Busy);
        assert_eq!(take(&queue), (1, Taken::Jobs));
        queue.push(job(1, BYTES_MAX)).unwrap();
        assert_eq!(full(&queue, job(1, 0)), FaultKind::Busy);
        assert_eq!(take(&queue), (1, Taken::Jobs));
        queue.push(job(1, 0)).unwrap();
    }

    #[test]
    fn groups_end_at_the_limit_and_between_batches() {
        let queue = Queue::default();
        for _ in 0..3 {
            queue.push(job(1000, 0)).unwrap();
        }
        assert_eq!(take(&queue), (2, Taken::Jobs));
        queue.close();
        assert_eq!(take(&queue), (1, Taken::Jobs));
        assert_eq!(take(&queue), (0, Taken::Closed));
        assert_eq!(queue.push(job(1, 0)).unwrap_err().kind(), FaultKind::Closed);
    }
}
