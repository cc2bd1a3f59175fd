//! How much may pass in a second.
//!
//! Not here: what happens to what may not (it is dropped: media can lose packets, and a queue would only grow).

use std::time::Instant;

/// A bucket that fills with time and holds one second's worth.
#[derive(Debug)]
pub(crate) struct Pace {
    /// In billionths, so that small rates are exact.
    left: u128,
    at: Instant,
}

const UNIT: u128 = 1_000_000_000;

impl Pace {
    /// A full one.
    pub(crate) fn new(burst: u64, now: Instant) -> Pace {
        Pace { left: u128::from(burst) * UNIT, at: now }
    }

    /// Takes so many; `false`: there are not so many.
    pub(crate) fn take(&mut self, amount: u64, per_second: u64, burst: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_nanos();
        let most = u128::from(burst) * UNIT;
        self.left = (self.left + passed.saturating_mul(per_second.into())).min(most);
        self.at = self.at.max(now);
        let enough = self.left >= u128::from(amount) * UNIT;
        if enough {
            self.left -= u128::from(amount) * UNIT;
        }
        enough
    }
}
