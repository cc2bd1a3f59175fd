//! How much is said in a room.
//!
//! XEP-0502 0.1.0 (complete)
//!
//! Not here: to whom it is told (`disco.rs`).

/// Counters of the last hours: the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Activity {
    /// The hour of the first counter, since 1970.
    hour: u64,
    counts: [u32; 25],
}

impl Activity {
    fn shift(&mut self, now_ms: u64) {
        let hour = now_ms / 3_600_000;
        let passed = hour.saturating_sub(self.hour).min(self.counts.len() as u64) as usize;
        if passed > 0 {
            self.counts.rotate_right(passed);
            self.counts[..passed].fill(0);
            self.hour = hour;
        }
    }

    /// A message was said.
    pub(crate) fn count(&mut self, now_ms: u64) {
        self.shift(now_ms);
        self.counts[0] = self.counts[0].saturating_add(1);
    }

    /// Messages in an hour, over the last 24 full ones.
    pub(crate) fn per_hour(mut self, now_ms: u64) -> f64 {
        self.shift(now_ms);
        let sum: u64 = self.counts[1..].iter().map(|count| u64::from(*count)).sum();
        sum as f64 / 24.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_full_hours_of_a_day() {
        const HOUR: u64 = 3_600_000;
        let (mut activity, start) = (Activity::default(), 490_000 * HOUR);
        for _ in 0..48 {
            activity.count(start + 5);
        }
        for (hours, expected) in [(0, 0.0), (1, 2.0), (24, 2.0), (25, 0.0), (1_000_000, 0.0)] {
            assert_eq!(activity.per_hour(start + hours * HOUR), expected, "{hours}");
        }
        assert_eq!(activity.per_hour(0), 0.0, "a clock that goes back does no harm");
    }
}
