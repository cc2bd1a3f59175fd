//! The memory engine: for tests and for servers that shall forget.
//!
//! Besides storing, it can be told to fail or to hold commits, so that tests can see what happens meanwhile.
//!
//! Not here: durability of any kind.

mod blobs;
mod check;
mod log;
mod state;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::storage::{Batch, Loaded, Read};

use crate::{BoxFuture, Fault, FaultKind, Fulfil, Store, promise};
use blobs::Shelf;
use state::State;

/// An engine that keeps all in memory.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
    shelf: Shelf,
}

#[derive(Default)]
struct Inner {
    state: State,
    failing: VecDeque<FaultKind>,
    holding: bool,
    held: VecDeque<(Batch, Fulfil<Result<(), Fault>>)>,
    commits: u64,
}

impl Memory {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next `n` batches fail with a fault of this kind and write nothing.
    pub fn fail_next(&self, n: usize, kind: FaultKind) {
        self.lock().failing.extend(std::iter::repeat_n(kind, n));
    }

    /// From now on commits wait: they are neither written nor answered until [`Self::release`].
    pub fn hold(&self) {
        self.lock().holding = true;
    }

    /// Lets all waiting commits happen, in order, and ends the holding.
    pub fn release(&self) {
        self.lock().holding = false;
        while self.release_one() {}
    }

    /// Lets the oldest waiting commit happen and goes on holding the others. `false` if none waits.
    pub fn release_one(&self) -> bool {
        let mut inner = self.lock();
        let Some((batch, fulfil)) = inner.held.pop_front() else {
            return false;
        };
        let result = inner.apply(batch);
        // Whoever is woken may call back: not under the lock.
        drop(inner);
        fulfil.with(result);
        true
    }

    /// How many commits wait.
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// How many batches were written so far.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while writing is a bug that fails its test; what is left is good enough to look at.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn apply(&mut self, batch: Batch) -> Result<(), Fault> {
        if let Some(kind) = self.failing.pop_front() {
            return Err(Fault::new(kind, "a test asked for it"));
        }
        check::check(&self.state, &batch)?;
        for write in batch.0 {
            self.state.apply(write);
        }
        self.commits += 1;
        Ok(())
    }
}

impl Store for Memory {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Fault>> {
        let mut inner = self.lock();
        if inner.holding || !inner.held.is_empty() {
            let (fulfil, promise) = promise();
            inner.held.push_back((batch, fulfil));
            return Box::pin(async move {
                promise.await.unwrap_or_else(|| Err(Fault::new(FaultKind::Closed, "the engine was dropped")))
            });
        }
        let result = inner.apply(batch);
        Box::pin(std::future::ready(result))
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Fault>> {
        let result = self.lock().state.read(read);
        Box::pin(std::future::ready(result))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use bytes::Bytes;
    use model::storage::{Owner, Space, Write};

    const NOTES: Space = Space("notes");

    fn put(owner: &str) -> Batch {
        Batch::from(Write::DocPut { space: NOTES, owner: owner.into(), value: Bytes::from_static(b"v") })
    }

    fn has(memory: &Memory, owner: &str) -> bool {
        let read = Read::Doc { space: NOTES, owner: Owner::from(owner) };
        block_on(memory.read(read)).unwrap().into_doc().is_some()
    }

    #[test]
    fn told_failures_write_nothing_and_end() {
        let memory = Memory::new();
        memory.fail_next(1, FaultKind::Full);
        assert_eq!(block_on(memory.commit(put("a"))).unwrap_err().kind(), FaultKind::Full);
        assert!(!has(&memory, "a"));
        block_on(memory.commit(put("a"))).unwrap();
        assert!(has(&memory, "a"));
        assert_eq!(memory.commits(), 1);
    }

    #[test]
    fn held_commits_are_unseen_until_released_in_order() {
        let memory = Memory::new();
        memory.hold();
        let first = memory.commit(put("a"));
        let second = memory.commit(put("b"));
        assert_eq!(memory.held(), 2);
        assert!(!has(&memory, "a"));
        assert!(memory.release_one());
        block_on(first).unwrap();
        assert!(has(&memory, "a") && !has(&memory, "b"));
        memory.release();
        block_on(second).unwrap();
        assert!(has(&memory, "b"));
        assert!(!memory.release_one());
    }
}
