//! Reads what processes cost from `/proc`: CPU time and memory of a process and all its descendants.
//!
//! CPU is the larger of user + system time in `stat` (10 ms ticks, includes ended threads) and of the run times in
//! `task/*/schedstat` (nanoseconds, living threads only).
//! Not here: dividing by operations (`report.rs`).

use crate::Outcome;
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// Nanoseconds per tick of `/proc/PID/stat`; Linux fixes USER_HZ at 100.
const TICK: u64 = 10_000_000;

/// Memory of a process tree, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Proportional set size.
    pub pss: u64,
    /// Resident set size.
    pub rss: u64,
}

/// A process and all its descendants.
#[derive(Debug, Clone, Copy)]
pub struct Tree(pub u32);

impl Tree {
    /// CPU time spent since the processes began.
    ///
    /// # Errors
    /// If the first process is gone.
    pub fn cpu(self) -> Outcome<Duration> {
        let mut sum = 0;
        for pid in self.pids()? {
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            let fields = after_name(&stat);
            let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
            sum += ((number(11) + number(12)) * TICK).max(scheduled(pid));
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Memory now.
    ///
    /// # Errors
    /// If the first process is gone or its maps may not be read.
    pub fn memory(self) -> Outcome<Memory> {
        let mut sum = Memory::default();
        for pid in self.pids()? {
            let path = format!("/proc/{pid}/smaps_rollup");
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if pid == self.0 => return Err(format!("{path}: {error}").into()),
                Err(_) => continue,
            };
            sum.pss += kibibytes(&text, "Pss:");
            sum.rss += kibibytes(&text, "Rss:");
        }
        Ok(sum)
    }

    fn pids(self) -> Outcome<Vec<u32>> {
        if !fs::exists(format!("/proc/{}", self.0))? {
            return Err(format!("the server's process {} is gone", self.0).into());
        }
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            if let Some(parent) = after_name(&stat).get(1).and_then(|field| field.parse().ok()) {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut found = vec![self.0];
        let mut at = 0;
        while let Some(pid) = found.get(at) {
            found.extend(children.remove(pid).unwrap_or_default());
            at += 1;
        }
        Ok(found)
    }
}

/// The fields after the command's name, which may itself hold spaces.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or(vec![], |(_, rest)| rest.split_whitespace().collect())
}

fn scheduled(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let one = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    tasks.flatten().filter_map(one).sum()
}

fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_do_not_shift_the_fields() {
        assert_eq!(after_name("12 (a) b) c) S 7 8")[..2], ["S", "7"]);
        assert_eq!(kibibytes("Rss:  12 kB\nPss:   5 kB\n", "Pss:"), 5 * 1024);
    }

    #[test]
    fn this_process_has_cost_something() {
        let tree = Tree(std::process::id());
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        assert!(tree.cpu().unwrap() > Duration::ZERO);
        assert!(tree.memory().unwrap().pss > 0);
    }
}
