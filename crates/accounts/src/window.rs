//! How often an address did something lately: a sliding window with a bounded table.
//!
//! An IPv6 address counts as its /64, which is what one customer gets.
//!
//! Not here: what is counted, and what follows (`registration.rs`).

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

/// Most in a window, its length in milliseconds, and most addresses.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) most: usize,
    pub(crate) window_ms: u64,
    pub(crate) addresses: usize,
}

/// The table.
pub(crate) struct Window {
    bounds: Bounds,
    table: HashMap<IpAddr, VecDeque<u64>>,
}

impl Window {
    pub(crate) fn new(bounds: Bounds) -> Window {
        Window { bounds, table: HashMap::new() }
    }

    /// Counts one more, if that is allowed. When the table is full of addresses in their window, new ones are refused.
    pub(crate) fn admit(&mut self, from: IpAddr, now_ms: u64) -> bool {
        let Bounds { most, window_ms, addresses } = self.bounds;
        let begin = now_ms.saturating_sub(window_ms);
        let from = network(from);
        if !self.table.contains_key(&from) && self.table.len() >= addresses {
            // A time in the future comes from a clock that was set back: it counts as old.
            self.table.retain(|_, times| times.back().is_some_and(|last| *last > begin && *last <= now_ms));
            if self.table.len() >= addresses {
                return false;
            }
        }
        let times = self.table.entry(from).or_default();
        times.retain(|time| *time > begin && *time <= now_ms);
        if times.len() >= most {
            return false;
        }
        times.push_back(now_ms);
        true
    }
}

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn j02_a_network_is_counted_as_one_and_forgotten_in_time() {
        let mut window = Window::new(Bounds { most: 2, window_ms: 1_000, addresses: 2 });
        for (from, at, allowed) in [
            ("2001:db8::1", 5_000, true),
            ("2001:db8::ffff:1", 5_100, true),
            ("2001:db8::2", 5_200, false),
            ("127.0.0.1", 5_200, true),
            ("::ffff:127.0.0.1", 5_200, true),
            ("127.0.0.1", 5_300, false),
            ("127.0.0.2", 5_300, false), // the table is full
            ("2001:db8::1", 6_050, true),
            ("2001:db8::1", 6_060, false),
            ("127.0.0.2", 7_000, true), // 127.0.0.1 is forgotten
            ("2001:db8::1", 10, true),  // the clock was set back
        ] {
            assert_eq!(window.admit(ip(from), at), allowed, "{from} at {at}");
        }
    }
}
