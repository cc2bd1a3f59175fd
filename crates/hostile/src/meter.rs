//! What the server uses, seen from outside: processor time, memory, files.
//!
//! Linux only: it reads `/proc`.
//!
//! Not here: how much it may use (`row.rs`).

use std::time::Duration;

/// Processor time of all threads that run now.
pub(crate) fn cpu(pid: u32) -> Duration {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
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
