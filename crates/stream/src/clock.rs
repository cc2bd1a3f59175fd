//! The times that a stream waits for.
//!
//! RFC 6120 section 4.6 (silence), XEP-0205 (time to authenticate); security bar D-20.
//!
//! Not here: what happens when a time has come (stream.rs), and reading the real clock (net).

use std::time::Instant;

use model::rate::Bucket;

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
    bucket: Bucket,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Clock {
        Clock { deadline: None, wake: None, heard: now, probed: None, pause: None, bucket: Bucket::new(now) }
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
        self.pause = self.bucket.pay(now, bytes, rate).or(self.pause);
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pause_ends_when_its_time_has_come() {
        let now = Instant::now();
        let rate = Rate { bytes_per_second: 1000, burst_bytes: 5000 };
        let mut clock = Clock::new(now);
        clock.hear(now, 5500, rate);
        let end = now + Duration::from_millis(500);
        assert_eq!(clock.pause, Some(end));
        clock.hear(now, 0, Rate::UNLIMITED);
        clock.unpause(end - Duration::from_millis(1));
        assert_eq!(clock.pause, Some(end));
        clock.unpause(end);
        assert_eq!(clock.pause, None);
    }
}
