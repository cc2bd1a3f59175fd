//! A disk: commits in order, late, sometimes refused; what was not committed is gone when the process dies.
//!
//! Not here: what is stored (the store in memory keeps it).

use std::collections::VecDeque;

use engine::Ticket;
use model::storage::{Batch, Loaded, Read};
use store::memory::Memory;
use store::{Fault, FaultKind, Store, block_on};

use crate::rng::Rng;

/// See the file's header.
pub(crate) struct Disk {
    durable: Memory,
    waiting: VecDeque<(u64, Ticket, Batch)>,
    last_due: u64,
    /// It refuses until then, so many of a thousand.
    pub(crate) sick_until: u64,
    /// It does nothing until then.
    pub(crate) slow_until: u64,
    /// Refusals that no disk is to blame for: the batch itself was wrong.
    pub(crate) misuse: Vec<String>,
}

impl Disk {
    pub(crate) fn new() -> Disk {
        let (durable, waiting, misuse) = (Memory::new(), VecDeque::new(), Vec::new());
        Disk { durable, waiting, last_due: 0, sick_until: 0, slow_until: 0, misuse }
    }

    /// Writes at once: what was there before the run began, and what the account store writes.
    pub(crate) fn put(&mut self, batch: Batch) -> Result<(), Fault> {
        block_on(self.durable.commit(batch))
    }

    /// Takes a commit; when it will be done.
    pub(crate) fn submit(&mut self, due: u64, ticket: Ticket, batch: Batch) -> u64 {
        self.last_due = self.last_due.max(due).max(self.slow_until);
        self.waiting.push_back((self.last_due, ticket, batch));
        self.last_due
    }

    /// The oldest commit, if its time has come.
    pub(crate) fn complete(
        &mut self,
        now: u64,
        (fails, flaky): (u64, u64),
        rng: &mut Rng,
    ) -> Option<(Ticket, Result<(), Fault>)> {
        if self.waiting.front().is_none_or(|(due, ..)| *due > now) {
            return None;
        }
        let (_, ticket, batch) = self.waiting.pop_front()?;
        if rng.chance(if now < self.sick_until { fails } else { flaky }) {
            return Some((ticket, Err(Fault::new(FaultKind::Full, "the disk is full"))));
        }
        Some((ticket, self.write(batch)))
    }

    fn write(&mut self, batch: Batch) -> Result<(), Fault> {
        let written = self.put(batch);
        if let Err(fault) = &written {
            self.misuse.push(fault.to_string());
        }
        written
    }

    pub(crate) fn read(&self, read: Read) -> Result<Loaded, Fault> {
        block_on(self.durable.read(read))
    }

    /// The process dies: some of what it had handed over is on the disk, in order, and nobody was told.
    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        let kept = rng.below(self.waiting.len() as u64 + 1);
        for _ in 0..kept {
            if let Some((_, _, batch)) = self.waiting.pop_front() {
                let _ = self.write(batch);
            }
        }
        self.waiting.clear();
    }
}
