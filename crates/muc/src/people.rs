//! How much somebody has said lately: limits on what one person may ask of a room.
//!
//! XEP-0045 1.35.5 section 13.6 (denial of service), XEP-0500 0.1.1 (slow mode)
//!
//! Not here: who is in the room.

use std::collections::HashMap;
use std::sync::Arc;

use crate::limits;

/// So many in a time: a window that begins with the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    since_ms: u64,
    count: u32,
}

impl Rate {
    /// Takes one of `most` in `window_ms`, if one is left.
    pub(crate) fn take(&mut self, now_ms: u64, most: u32, window_ms: u64) -> bool {
        // A clock that went back begins anew.
        if self.count == 0 || now_ms < self.since_ms || now_ms - self.since_ms >= window_ms {
            *self = Rate { since_ms: now_ms, count: 0 };
        }
        let left = self.count < most;
        self.count += u32::from(left);
        left
    }
}

/// What a room remembers of somebody, under whatever nickname and from whatever client.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) messages: Rate,
    pub(crate) presences: Rate,
    pub(crate) invites: Rate,
    /// When the last message with a body was accepted.
    pub(crate) spoke_ms: Option<u64>,
}

/// People by bare address.
#[derive(Debug, Default)]
pub(crate) struct People(HashMap<Arc<str>, Person>);

impl People {
    pub(crate) fn of(&mut self, bare: &Arc<str>) -> &mut Person {
        // Forgetting all is coarse, but bounded; who is blocked by a rate is so for seconds anyway.
        if self.0.len() >= limits::PEOPLE_MAX && !self.0.contains_key(bare) {
            self.0.clear();
        }
        self.0.entry(bare.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_so_many_in_a_window() {
        let mut rate = Rate::default();
        let taken: Vec<bool> =
            [0, 1, 2, 4_999, 5_000, 5_001, 5_002, 3_000].map(|now| rate.take(now, 2, 5_000)).to_vec();
        assert_eq!(taken, [true, true, false, false, true, true, false, true]);
        assert!(!Rate::default().take(0, 0, 5_000));
    }

    #[test]
    fn remembers_a_bounded_number() {
        let mut people = People::default();
        for number in 0..=limits::PEOPLE_MAX {
            people.of(&format!("{number}@a.example").into()).spoke_ms = Some(1);
        }
        assert_eq!(people.0.len(), 1);
    }
}
