//! The times that a stream waits for.
//!
//! RFC 6120 section 4.6 (silence), XEP-0205 (time to authenticate); security bar D-20.
//!
//! Not here: what happens when a time has come (stream.rs), and reading the real clock (net).

use std::time::{Duration, Instant};

use crate::Rate;

/// All the times of one stream; each is absent while nothing waits for it.
pub(crate) struct Clock {
    /// The state as a whole must be left by then.
    pub(crate) deadline: Option<Instant>,
    /// The state wants to go on then (a delayed answer).
    pub(crate) wake: Option<Instant>,
    /// The last input.
    pub(crate) heard: Instant,
    /// When we asked for a sign of life, if we wait for one.
    pub(crate) probed: Option<Instant>,
    /// Reading pauses until then.
    pub(crate) pause: Option<Instant>,
    /// When the bytes that have come are paid for, at the sustained rate.
    paid: Instant,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Clock {
        Clock { deadline: None, wake: None, heard: now, probed: None, pause: None, paid: now }
    }

    /// A stanza costs more than its bytes.
    pub(crate) fn charge(&mut self, cost: usize, rate: Rate) {
        let now = self.heard;
        self.pay(now, cost, rate);
    }

    /// Input came.
    pub(crate) fn hear(&mut self, now: Instant, bytes: usize, rate: Rate) {
        self.heard = now;
        self.probed = None;
        self.pay(now, bytes, rate);
    }

    fn pay(&mut self, now: Instant, bytes: usize, rate: Rate) {
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
            // What waited is handled now: that is no silence.
            self.heard = now;
        }
    }

    /// The earliest of the times; `idle` is when silence becomes suspicious, if it can.
    pub(crate) fn next(&self, idle: Option<Instant>) -> Option<Instant> {
        [self.deadline, self.wake, self.pause, idle].into_iter().flatten().min()
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
        let later = now + Duration::from_millis(500);
        clock.unpause(later);
        assert_eq!(clock.pause, None);
        clock.hear(later + Duration::from_secs(3600), 5000, rate);
        assert_eq!(clock.pause, None, "credit never exceeds the burst, but is back in full");
        clock.hear(later + Duration::from_secs(3600), 1, rate);
        assert!(clock.pause.is_some());
    }
}
