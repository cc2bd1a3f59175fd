//! What a work found out, as text and as JSON.
//!
//! Not here: tables over several servers (`bench/run`).

use crate::meter::{Memory, Tree};
use crate::{Outcome, cli::Cli};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// CPU, time and operations of a measured stretch.
pub(crate) struct Spent {
    server: Option<Tree>,
    server_cpu: Duration,
    client_cpu: Duration,
    begin: Instant,
    elapsed: Duration,
    operations: u64,
}

impl Spent {
    /// Begins to measure.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub(crate) fn begin(server: Option<Tree>) -> Outcome<Self> {
        Ok(Self {
            server,
            server_cpu: server.map_or(Ok(Duration::ZERO), Tree::cpu)?,
            client_cpu: Tree(std::process::id()).cpu()?,
            begin: Instant::now(),
            elapsed: Duration::ZERO,
            operations: 0,
        })
    }

    /// Ends the measured stretch in which `operations` were done.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or the server died.
    pub(crate) fn end(mut self, operations: u64) -> Outcome<Self> {
        self.elapsed = self.begin.elapsed();
        self.server_cpu = self.server.map_or(Ok(Duration::ZERO), Tree::cpu)?.saturating_sub(self.server_cpu);
        self.client_cpu = Tree(std::process::id()).cpu()?.saturating_sub(self.client_cpu);
        self.operations = operations;
        Ok(self)
    }
}

/// The result of a run.
pub(crate) struct Report(Map<String, Value>);

impl Report {
    /// An empty result of the work called `work`.
    pub(crate) fn new(work: &str) -> Self {
        let mut map = Map::new();
        map.insert("work".to_owned(), json!(work));
        Self(map)
    }

    /// Adds one value.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds CPU per operation and throughput; `prefix` tells several stretches of one run apart.
    pub(crate) fn spent(&mut self, prefix: &str, spent: &Spent) -> &mut Self {
        let each = |cpu: Duration| round(cpu.as_secs_f64() * 1e6 / spent.operations.max(1) as f64);
        if spent.server.is_some() {
            self.set(&format!("{prefix}server_cpu_us"), each(spent.server_cpu));
            self.set(&format!("{prefix}server_cpu_s"), round(spent.server_cpu.as_secs_f64()));
        }
        self.set(&format!("{prefix}client_cpu_us"), each(spent.client_cpu));
        self.set(&format!("{prefix}operations"), spent.operations);
        self.set(&format!("{prefix}per_s"), round(spent.operations as f64 / spent.elapsed.as_secs_f64()))
    }

    /// Adds the percentiles of latencies in microseconds.
    pub(crate) fn latencies(&mut self, mut all: Vec<u32>) -> &mut Self {
        all.sort_unstable();
        for (name, share) in [("p50_us", 0.50), ("p95_us", 0.95), ("p99_us", 0.99)] {
            let at = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
            self.set(name, all.get(at).copied());
        }
        self
    }

    /// Adds memory before and after `connections` came.
    pub(crate) fn memory(&mut self, before: Memory, after: Memory, connections: usize) -> &mut Self {
        let each = |before: u64, after: u64| {
            round((after as f64 - before as f64) / 1024.0 / connections.max(1) as f64)
        };
        self.set("pss_kib_each", each(before.pss, after.pss));
        self.set("rss_kib_each", each(before.rss, after.rss));
        self.set("pss_before_kib", before.pss / 1024).set("pss_after_kib", after.pss / 1024)
    }

    /// Prints the result and writes the JSON file if one is wanted.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn publish(&self, cli: &Cli) -> Outcome<()> {
        for (name, value) in &self.0 {
            println!("{name:20} {value}");
        }
        if let Some(path) = &cli.json {
            std::fs::write(path, serde_json::to_string_pretty(&self.0)?)?;
        }
        Ok(())
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_taken_from_sorted_values() {
        let mut report = Report::new("x");
        report.latencies((1..=100).rev().collect());
        assert_eq!((&report.0["p50_us"], &report.0["p99_us"]), (&json!(51), &json!(100)));
        report.latencies(vec![]);
        assert_eq!(report.0["p50_us"], Value::Null);
    }
}
