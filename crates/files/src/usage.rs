//! How much an account uses: bytes here, bytes of the last day, slots that wait.
//!
//! Not here: how much it may (`settings.rs`, `limits.rs`).

use std::collections::VecDeque;

use bytes::Bytes;
use model::storage::{Owner, Space, Write};
use serde::{Deserialize, Serialize};
use store::{Fault, FaultKind};

/// One document per account.
pub(crate) const USAGE: Space = Space("file-usage");

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// The sums of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Bytes of all files and of the slots that wait.
    pub(crate) bytes: u64,
    /// Files, and slots that wait.
    pub(crate) files: u64,
    /// Slots that wait.
    pub(crate) waiting: u32,
    /// Beginnings of hours (Unix milliseconds) and the bytes of the slots that were given then, oldest first.
    hours: VecDeque<(u64, u64)>,
}

impl Usage {
    pub(crate) fn read(bytes: Option<Bytes>) -> Result<Usage, Fault> {
        let Some(bytes) = bytes else { return Ok(Usage::default()) };
        serde_json::from_slice(&bytes).map_err(|error| {
            Fault::new(FaultKind::Corrupt, format!("the sums of an account's files: {error}"))
        })
    }

    /// Bytes of the last 24 hours, counted in whole hours.
    pub(crate) fn day(&mut self, now: u64) -> u64 {
        // A clock that went back leaves hours in the future: they count until it has caught up.
        while self.hours.front().is_some_and(|(hour, _)| hour + DAY <= now) {
            self.hours.pop_front();
        }
        self.hours.iter().map(|(_, bytes)| bytes).sum()
    }

    /// When the oldest hour of the day no longer counts.
    pub(crate) fn relief(&self, now: u64) -> u64 {
        self.hours.front().map_or(now + HOUR, |(hour, _)| hour + DAY)
    }

    /// A slot is given.
    pub(crate) fn slot(&mut self, bytes: u64, now: u64) {
        self.bytes += bytes;
        self.files += 1;
        self.waiting += 1;
        let hour = now - now % HOUR;
        match self.hours.back_mut().filter(|(last, _)| *last >= hour) {
            Some((_, sum)) => *sum += bytes,
            None => self.hours.push_back((hour, bytes)),
        }
    }

    /// Its file has come.
    pub(crate) fn arrived(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A file goes; or a slot of that time which nobody used, whose bytes no longer count for the day.
    pub(crate) fn gone(&mut self, bytes: u64, unused: Option<u64>) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.files = self.files.saturating_sub(1);
        let Some(made) = unused else { return };
        self.arrived();
        let hour = made - made % HOUR;
        if let Some((_, sum)) = self.hours.iter_mut().rev().find(|(known, _)| *known <= hour) {
            *sum = sum.saturating_sub(bytes);
        }
    }

    pub(crate) fn put(&self, account: &str) -> Write {
        // It has no maps with keys that are no text, so it can be written.
        let value = serde_json::to_vec(self).unwrap_or_default().into();
        Write::DocPut { space: USAGE, owner: Owner::from(account), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_passes() {
        let mut usage = Usage::default();
        let start = 1_000 * DAY + 5;
        usage.slot(10, start);
        usage.slot(20, start + HOUR);
        assert_eq!((usage.day(start + HOUR), usage.bytes, usage.files, usage.waiting), (30, 30, 2, 2));
        assert_eq!(usage.relief(start), 1_001 * DAY);
        assert_eq!((usage.day(start + DAY), usage.bytes), (20, 30));
        usage.arrived();
        usage.gone(20, Some(start + HOUR));
        assert_eq!((usage.day(start + DAY), usage.bytes, usage.files, usage.waiting), (0, 10, 1, 0));
        usage.gone(10, None);
        assert_eq!((usage.bytes, usage.files), (0, 0));
        let written = usage.put("a@b.example");
        let Write::DocPut { value, .. } = written else { panic!("{written:?}") };
        assert_eq!(Usage::read(Some(value)).unwrap(), usage);
    }
}
