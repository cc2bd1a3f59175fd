//! Ids that only grow, over restarts and clock jumps.
//!
//! Not here: secrets; an id is public.

/// Hands out ids: microseconds since 1970 where the clock allows it, and always more than the last.
#[derive(Debug)]
pub(crate) struct Ids {
    last: u64,
}

impl Ids {
    /// Goes on after `highest`, the highest id that storage ever saw.
    pub(crate) fn after(highest: u64) -> Ids {
        Ids { last: highest }
    }

    pub(crate) fn next(&mut self, unix_ms: u64) -> u64 {
        // Storage keeps ids as signed 64-bit numbers; the year 294,000 is far enough.
        let by_clock = unix_ms.saturating_mul(1_000).min(i64::MAX as u64 / 2);
        if zoo::is(zoo::Fault::IdsByClock) {
            return by_clock;
        }
        self.last = by_clock.max(self.last + 1);
        self.last
    }

    /// Whether none was handed out after this one.
    pub(crate) fn is_newest(&self, id: u64) -> bool {
        id >= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grow() {
        let mut ids = Ids::after(5_000_000);
        let mut last = 5_000_000;
        for ms in [1, 6_000, 6_000, 5_000, 0, u64::MAX, 7] {
            let id = ids.next(ms);
            assert!(id > last, "{id} after {last}");
            last = id;
        }
        assert!(last < i64::MAX as u64);
    }
}
