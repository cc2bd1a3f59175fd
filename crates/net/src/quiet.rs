//! Keeps the log readable: lines that peers can cause are written a few times a second at most.
//!
//! Not here: counting (`counters.rs`), which never leaves anything out.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One kind of line. Lets [`Quiet::PER_WINDOW`] through in each window and counts the rest.
pub struct Quiet(Mutex<Option<Window>>);

struct Window {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Default for Quiet {
    fn default() -> Quiet {
        Quiet::new()
    }
}

impl Quiet {
    const WINDOW: Duration = Duration::from_secs(10);
    const PER_WINDOW: u32 = 5;

    /// Nothing was written yet.
    pub const fn new() -> Quiet {
        Quiet(Mutex::new(None))
    }

    /// Whether to write now; if so, how many like it were left out since the last one written.
    pub fn write(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let window = window.get_or_insert(Window { since: now, written: 0, left_out: 0 });
        if now.duration_since(window.since) >= Quiet::WINDOW {
            (window.since, window.written) = (now, 0);
        }
        if window.written == Quiet::PER_WINDOW {
            window.left_out += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_few_lines_and_none_is_forgotten() {
        let (quiet, start) = (Quiet::new(), Instant::now());
        let written = (0..1000).filter(|_| quiet.write(start).is_some()).count();
        assert_eq!(written, 5);
        assert_eq!(quiet.write(start + Quiet::WINDOW), Some(995));
        assert_eq!(quiet.write(start + Quiet::WINDOW), Some(0));
    }
}
