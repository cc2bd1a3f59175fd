//! How much heap an action takes, counted by the allocator of every program that links this crate.
//!
//! Not here: times. The counters are the whole process's, so only programs with one thread can use them.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts from its making on.
pub struct Meter {
    region: Region<'static, System>,
    most: isize,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter { region: Region::new(ALLOCATOR), most: 0 }
    }
}

impl Meter {
    /// Bytes held now that were not held at the beginning; may be negative.
    pub fn held(&self) -> isize {
        let change = self.region.change();
        // What a reallocation adds or takes is in these two already.
        change.bytes_allocated as isize - change.bytes_deallocated as isize
    }

    /// Takes note of what is held now, for [`Meter::most`].
    pub fn look(&mut self) {
        self.most = self.most.max(self.held());
    }

    /// The most that was held at any look.
    pub fn most(&self) -> isize {
        self.most
    }

    /// How often memory was asked for: our unit of work, as each byte that is copied was asked for once.
    pub fn requests(&self) -> usize {
        let change = self.region.change();
        change.allocations + change.reallocations
    }

    /// All bytes ever asked for.
    pub fn asked(&self) -> usize {
        self.region.change().bytes_allocated
    }
}
