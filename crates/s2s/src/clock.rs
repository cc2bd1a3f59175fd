//! The times that a stream waits for.
//!
//! RFC 6120 section 4.6 (silence), XEP-0205 (time to authenticate, rates).
//!
//! Not here: what happens when a time has come (`times.rs`), and reading the real clock (federation).

use std::time::{Duration, Instant};

use crate::Rate;

/// All the times of one stream.
pub(crate) struct Clock {
    /// The negotiation, or the closing, must be over by then.
    pub(crate) deadline: Option<Instant>,
    /// The last input.
    pub(crate) heard: Instant,
    /// The last stanza or dialback in either direction.
    pub(crate) used: Instant,
    /// The last sign of life that we gave because of silence.
    pub(crate) poked: Instant,
    /// When we asked for an answer that must come, if we wait for one.
    pub(crate) asked: Option<Instant>,
    /// Reading pauses until then.
    pub(crate) pause: Option<Instant>,
    /// When the bytes that have come are paid for, at the sustained rate.
    paid: Instant,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Clock {
        Clock { deadline: None, heard: now, used: now, poked: now, asked: None, pause: None, paid: now }
    }

    /// Input came.
    pub(crate) fn hear(&mut self, now: Instant, bytes: usize, rate: Rate) {
        self.heard = now;
        if rate.bytes_per_second == 0 {
            return;
        }
        let second = f64::from(rate.bytes_per_second);
        let burst = Duration::from_secs_f64(f64::from(rate.burst_bytes) / second);
        self.paid = self.paid.max(now) + Duration::from_secs_f64(bytes as f64 / second);
        if let Some(credit) = now.checked_add(burst)
            && self.paid > credit
        {
            self.pause = Some(now + (self.paid - credit));
        }
    }

    /// Ends a pause whose time has come.
    pub(crate) fn unpause(&mut self, now: Instant) {
        if self.pause.is_some_and(|until| until <= now) {
            self.pause = None;
        }
    }

    /// Nothing is waited for any more.
    pub(crate) fn stop(&mut self) {
        (self.deadline, self.asked, self.pause) = (None, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_more_pauses() {
        let now = Instant::now();
        let rate = Rate { bytes_per_second: 1000, burst_bytes: 5000 };
        let mut clock = Clock::new(now);
        clock.hear(now, 5000, rate);
        assert_eq!(clock.pause, None);
        clock.hear(now, 500, rate);
        assert_eq!(clock.pause, Some(now + Duration::from_millis(500)));
        clock.unpause(now + Duration::from_millis(499));
        assert!(clock.pause.is_some());
        clock.unpause(now + Duration::from_millis(500));
        assert_eq!(clock.pause, None);
        clock.hear(now, 1 << 40, Rate { bytes_per_second: 0, burst_bytes: 0 });
        assert_eq!(clock.pause, None, "switched off");
    }
}
