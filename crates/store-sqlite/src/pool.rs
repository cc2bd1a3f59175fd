//! A few threads that run jobs, each with something of its own to run them on.
//!
//! Not here: what the jobs do (`readers`, `blobs`).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use store::{BoxFuture, Fault, FaultKind, promise};

/// Jobs that may wait.
const JOBS_MAX: usize = 4096;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

struct Waiting<T> {
    jobs: VecDeque<Job<T>>,
    closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nothing panics under this lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job<T>> {
        let waiting = self.lock();
        let mut waiting = self
            .changed
            .wait_while(waiting, |waiting| waiting.jobs.is_empty() && !waiting.closed)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.pop_front()
    }
}

/// The threads. Dropping the pool lets them finish what waits.
pub(crate) struct Pool<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static> Pool<T> {
    /// One thread for each of `tools`.
    pub(crate) fn new(name: &str, tools: Vec<T>) -> Result<Self, Fault> {
        let waiting = Mutex::new(Waiting { jobs: VecDeque::new(), closed: false });
        let shared = Arc::new(Shared { waiting, changed: Condvar::new() });
        let mut pool = Self { shared, threads: Vec::new() };
        for mut tool in tools {
            let shared = Arc::clone(&pool.shared);
            let work = move || {
                while let Some(job) = shared.next() {
                    // A panic is a bug that its caller learns of by a broken promise; the thread goes on.
                    let _ = catch_unwind(AssertUnwindSafe(|| job(&mut tool)));
                }
            };
            let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
            pool.threads.push(thread.map_err(|error| Fault::new(FaultKind::Io, error))?);
        }
        Ok(pool)
    }

    /// Runs a job on the next free thread. To drop the future is not to withdraw the job.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> Result<R, Fault> + Send + 'static,
    ) -> BoxFuture<'static, Result<R, Fault>> {
        let (fulfil, promise) = promise();
        let mut waiting = self.shared.lock();
        let room = waiting.jobs.len() < JOBS_MAX;
        if room {
            waiting.jobs.push_back(Box::new(move |tool| fulfil.with(job(tool))));
        }
        drop(waiting);
        self.shared.changed.notify_one();
        Box::pin(async move {
            if !room {
                return Err(Fault::new(FaultKind::Busy, format_args!("{JOBS_MAX} jobs wait already")));
            }
            let broken = || Err(Fault::new(FaultKind::Closed, "the thread of the job is gone"));
            promise.await.unwrap_or_else(broken)
        })
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told its callers already, by dropping their promises.
            let _ = thread.join();
        }
    }
}
