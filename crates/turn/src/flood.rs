//! Holds answers back that somebody could order for another: by UDP, with a forged address, without credentials.
//!
//! A fixed table: an attack cannot make it grow, and who shares a cell with the attacked waits with it.
//!
//! Not here: limits of those who have credentials (`allocation.rs`).

use core::net::IpAddr;
use std::time::Instant;

use crate::integrity::hmac;
use crate::limits::{ANSWERS_BURST, ANSWERS_PER_SECOND, FLOOD_CELLS};
use crate::pace::Pace;

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Flood {
    cells: Vec<Option<Pace>>,
}

impl Flood {
    pub(crate) fn new() -> Flood {
        Flood { cells: (0..FLOOD_CELLS).map(|_| None).collect() }
    }

    /// Whether one more answer may go to that address.
    pub(crate) fn admits(&mut self, key: &[u8; 32], to: IpAddr, now: Instant) -> bool {
        let code = match to {
            IpAddr::V4(ip) => hmac(key, &[b"flood", &ip.octets()]),
            IpAddr::V6(ip) => hmac(key, &[b"flood", &ip.octets()[..8]]),
        };
        let at = usize::from(u16::from_be_bytes([code[0], code[1]])) % FLOOD_CELLS;
        let burst = u64::from(ANSWERS_BURST);
        let cell = self.cells[at].get_or_insert_with(|| Pace::new(burst, now));
        cell.take(1, ANSWERS_PER_SECOND.into(), burst, now)
    }
}
