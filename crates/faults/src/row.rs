//! One line of the table for each scenario.
//!
//! Not here: running them (`scenario`).

use std::fmt;
use std::time::{Duration, Instant};

use crate::book::percentile;
use crate::crowd::Crowd;

/// How much slower than promised is judged a failure.
const SLACK: u32 = 3;

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// What was wrong, one line each.
    Bad(Vec<String>),
    /// It cannot run here, and why.
    Skipped(String),
}

/// What a scenario has shown.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Of the design's list.
    pub(crate) id: &'static str,
    pub(crate) runs: usize,
    /// The invariants beyond INV-1 to INV-4 and INV-7, which are checked whenever there are messages.
    pub(crate) invariants: &'static str,
    pub(crate) bound: String,
    pub(crate) measured: String,
    faults: Vec<String>,
    skipped: Option<String>,
}

impl Row {
    pub(crate) fn new(name: &'static str, id: &'static str, invariants: &'static str) -> Row {
        Row {
            name,
            id,
            runs: 0,
            invariants,
            bound: String::new(),
            measured: String::new(),
            faults: Vec::new(),
            skipped: None,
        }
    }

    /// It cannot run here.
    pub(crate) fn skip(mut self, why: impl fmt::Display) -> Row {
        self.skipped = Some(why.to_string());
        self
    }

    /// Something that must hold.
    pub(crate) fn must(&mut self, holds: bool, what: impl fmt::Display) {
        if !holds {
            self.faults.push(what.to_string());
        }
    }

    /// Something was measured that may not be longer than this. The table shows both; it fails at three times the bound,
    /// so that a busy machine is no failure.
    pub(crate) fn within(&mut self, what: &str, measured: Duration, bound: Duration) {
        self.note(format_args!("{what} {}", seconds(measured)));
        self.must(
            measured <= SLACK * bound,
            format_args!("{what} took {}, not {}", seconds(measured), seconds(bound)),
        );
    }

    /// Something worth knowing.
    pub(crate) fn note(&mut self, what: impl fmt::Display) {
        if !self.measured.is_empty() {
            self.measured.push_str(", ");
        }
        self.measured.push_str(&what.to_string());
    }

    /// INV-12: sessions that the fault does not touch go on: the canary's answers come within a second, and it was never
    /// cut off for long. The same allowance as for [`Row::within`].
    pub(crate) fn calm(&mut self, when: &str, crowd: &Crowd) {
        let pings = crowd.shared.book.open().pings.clone();
        let mut times: Vec<Duration> = pings.iter().map(|(_, took)| *took).collect();
        let worst_gap =
            pings.windows(2).map(|two| two[1].0.duration_since(two[0].0)).max().unwrap_or_default();
        let p99 = percentile(&mut times, 99);
        self.note(format_args!("ping p99 {}{when}", seconds(p99)));
        self.must(!times.is_empty(), "the canary was never answered");
        self.must(
            p99 < SLACK * Duration::from_secs(1),
            format_args!("INV-12: ping p99 {}{when}", seconds(p99)),
        );
        self.must(
            worst_gap < SLACK * Duration::from_secs(5),
            format_args!("INV-12: no ping for {}{when}", seconds(worst_gap)),
        );
    }

    /// The longest that the canary waited since then: told, not judged.
    pub(crate) fn worst_ping(&mut self, crowd: &Crowd, since: Instant) {
        let pages = crowd.shared.book.open();
        let worst = pages.pings.iter().filter(|(at, took)| *at + *took >= since).map(|(_, took)| *took).max();
        let worst = worst.map_or_else(|| "none answered".to_owned(), seconds);
        drop(pages);
        self.note(format_args!("longest ping {worst}"));
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match &self.skipped {
            Some(why) => Verdict::Skipped(why.clone()),
            None if self.faults.is_empty() => Verdict::Good,
            None => Verdict::Bad(self.faults.clone()),
        }
    }
}

/// A time for people.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_millis() {
        0..1000 => format!("{} ms", time.as_millis()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// The table as Markdown, as docs/reliability.md shows it.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| scenario | design | runs | also checked | bound | measured | verdict |\n|---|---|--:|---|---|---|---|\n",
    );
    for row in rows {
        let verdict = match row.verdict() {
            Verdict::Good => "holds".to_owned(),
            Verdict::Bad(faults) => format!("**fails**: {}", faults.join("; ")),
            Verdict::Skipped(why) => format!("skipped: {why}"),
        };
        let verdict = verdict.replace(['|', '\n'], " ");
        out.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} | {verdict} |\n",
            row.name, row.id, row.runs, row.invariants, row.bound, row.measured
        ));
    }
    out
}
