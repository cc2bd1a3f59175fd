//! How fast a peer may send: a token bucket over its bytes.
//!
//! XEP-0205 (rates); security bar D-20.
//!
//! Not here: what a stanza costs besides its bytes (stream), and what a pause does (stream, s2s).

use std::time::{Duration, Instant};

/// A sustained rate, and what may come at once; passing it pauses reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Sustained bytes per second; 0 switches the limit off.
    pub bytes_per_second: u32,
    /// Bytes that may come at once.
    pub burst_bytes: u32,
}

impl Rate {
    /// The default for clients: 10 KiB a second, 256 KiB at once.
    pub const CLIENT: Rate = Rate { bytes_per_second: 10 * 1024, burst_bytes: 256 * 1024 };
    /// The default for other servers: 1 MiB a second, 4 MiB at once.
    pub const SERVER: Rate = Rate { bytes_per_second: 1024 * 1024, burst_bytes: 4 * 1024 * 1024 };
    /// No limit.
    pub const UNLIMITED: Rate = Rate { bytes_per_second: 0, burst_bytes: 0 };
}

/// What one peer has used of its rate.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// When the bytes that have come are paid for, at the sustained rate.
    paid: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(now: Instant) -> Bucket {
        Bucket { paid: now }
    }

    /// Takes bytes out. `Some`: that was too much, and reading shall pause until then.
    pub fn pay(&mut self, now: Instant, bytes: usize, rate: Rate) -> Option<Instant> {
        if rate.bytes_per_second == 0 {
            return None;
        }
        let second = f64::from(rate.bytes_per_second);
        let burst = Duration::from_secs_f64(f64::from(rate.burst_bytes) / second);
        self.paid = self.paid.max(now) + Duration::from_secs_f64(bytes as f64 / second);
        let credit = now.checked_add(burst)?;
        (self.paid > credit).then(|| now + (self.paid - credit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_more_pauses() {
        let now = Instant::now();
        let rate = Rate { bytes_per_second: 1000, burst_bytes: 5000 };
        let mut bucket = Bucket::new(now);
        assert_eq!(bucket.pay(now, 5000, rate), None);
        assert_eq!(bucket.pay(now, 500, rate), Some(now + Duration::from_millis(500)));
        // Half a second pays for 500 bytes, so the same again waits as long.
        let later = now + Duration::from_millis(500);
        assert_eq!(bucket.pay(later, 500, rate), Some(later + Duration::from_millis(500)));
        // What was not used is not saved up beyond the burst.
        let rested = now + Duration::from_secs(3600);
        assert_eq!(bucket.pay(rested, 5001, rate), Some(rested + Duration::from_millis(1)));
        assert_eq!(bucket.pay(rested, 1 << 40, Rate::UNLIMITED), None);
    }
}
