//! How fast bytes may pass in several streams together.
//!
//! Not here: the streams (`pass.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// What several streams may pass in a second together, in both directions.
pub(crate) struct Meter {
    /// Bytes; 0 sets no limit.
    per_second: u64,
    /// When all that has passed is worked off.
    free: Mutex<Instant>,
}

impl Meter {
    pub(crate) fn new(per_second: u64) -> Meter {
        Meter { per_second, free: Mutex::new(Instant::now()) }
    }

    /// So many bytes have passed: how long whoever passed them has to wait now. Each has at most one buffer on its way, so
    /// nobody waits for more than one of each.
    pub(crate) fn took(&self, bytes: u64, now: Instant) -> Duration {
        let nanos = bytes.saturating_mul(1_000_000_000).checked_div(self.per_second);
        let Some(nanos) = nanos else { return Duration::ZERO };
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = (*free).max(now) + Duration::from_nanos(nanos);
        *free - now
    }
}

/// The meters of accounts that have streams.
#[derive(Default)]
pub(crate) struct Meters(HashMap<String, Weak<Meter>>);

impl Meters {
    /// The one that all streams of an account have.
    pub(crate) fn of(&mut self, account: &str, per_second: u64) -> Arc<Meter> {
        if let Some(known) = self.0.get(account).and_then(Weak::upgrade) {
            return known;
        }
        self.0.retain(|_, meter| meter.strong_count() > 0);
        let meter = Arc::new(Meter::new(per_second));
        self.0.insert(account.to_owned(), Arc::downgrade(&meter));
        meter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_wait_for_what_all_have_passed() {
        let (meter, now) = (Meter::new(1_000), Instant::now());
        let later = |ms| now + Duration::from_millis(ms);
        for (bytes, at, wait) in
            [(500, 0, 500), (500, 0, 1_000), (1_000, 500, 1_500), (100, 2_000, 100), (100, 9_000, 100)]
        {
            assert_eq!(meter.took(bytes, later(at)), Duration::from_millis(wait), "{bytes} at {at}");
        }
        assert_eq!(Meter::new(0).took(u64::MAX, now), Duration::ZERO);
    }

    #[test]
    fn an_account_has_one_while_it_has_streams() {
        let mut meters = Meters::default();
        let one = meters.of("a@b", 1);
        assert!(Arc::ptr_eq(&one, &meters.of("a@b", 1)));
        assert!(!Arc::ptr_eq(&one, &meters.of("c@b", 1)));
        drop(one);
        meters.of("d@b", 1);
        assert_eq!(meters.0.len(), 1, "who has none is forgotten");
    }
}
