//! What the server uses, seen from outside: processor time, memory, files.
//!
//! Linux only: it reads `/proc`.
//!
//! Not here: how much it may use (`row.rs`).

use std::time::Duration;

/// Processor time of all threads, also of those that have ended; in steps of 10 ms, which is what Linux tells.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = rest.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Memory in KiB: what is used now, and the most since [`forget_peak`].
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().split(' ').next()?.parse().ok()
    };
    (line("VmRSS:").unwrap_or(0), line("VmHWM:").unwrap_or(0))
}

/// Counts the most memory from now on.
pub(crate) fn forget_peak(pid: u32) {
    // Without that right the peak is that of the whole run, and budgets are harder to keep, not easier.
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// Open files.
pub(crate) fn files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}
