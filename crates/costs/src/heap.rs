//! What the heap is asked for, counted by the allocator of every program that links this crate.
//!
//! Not here: times. The counters are the whole process's, so only programs with one thread can use them.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts from its making on.
pub struct Meter(Region<'static, System>);

impl Default for Meter {
    fn default() -> Meter {
        Meter(Region::new(ALLOCATOR))
    }
}

impl Meter {
    /// How often memory was asked for.
    pub fn requests(&self) -> usize {
        let change = self.0.change();
        change.allocations + change.reallocations
    }

    /// Bytes held now that were not held at the beginning; 0 if there are fewer.
    pub fn held(&self) -> usize {
        let change = self.0.change();
        change.bytes_allocated.saturating_sub(change.bytes_deallocated)
    }
}
