//! The times that a stream waits for.
//!
//! RFC 6120 section 4.6 (silence), XEP-0205 (time to authenticate, rates).
//!
//! Not here: what happens when a time has come (`times.rs`), and reading the real clock (federation).

use std::time::Instant;

use model::rate::Bucket;

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
    bucket: Bucket,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Clock {
        Clock {
            deadline: None,
            heard: now,
            used: now,
            poked: now,
            asked: None,
            pause: None,
            bucket: Bucket::new(now),
        }
    }

    /// Input came.
    pub(crate) fn hear(&mut self, now: Instant, bytes: usize, rate: Rate) {
        self.heard = now;
        self.pause = self.bucket.pay(now, bytes, rate).or(self.pause);
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
