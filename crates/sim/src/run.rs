//! One seed, from beginning to end, and what came of it.
//!
//! Not here: several seeds (main).

use history::{Finding, History, Kind, Report, What, check};

use crate::plan::Plan;
use crate::world::World;

/// What came of a seed.
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// All that clients saw.
    pub history: History,
    /// The judgement.
    pub report: Report,
    /// How many findings are owed to storage that had failed.
    pub tolerated: usize,
    /// What is wrong and no history can say.
    pub flaws: Vec<String>,
}

impl Outcome {
    /// Whether nothing is wrong that is not known.
    pub fn is_clean(&self) -> bool {
        self.flaws.is_empty() && self.report.is_clean()
    }

    /// What is wrong, with the events that show it and how to see it again.
    pub fn explain(&self) -> String {
        let mut out = format!("seed {}\n", self.seed);
        for flaw in &self.flaws {
            out.push_str(&format!("flaw: {flaw}\n"));
        }
        // The shortest says most.
        let mut findings: Vec<&Finding> = self.report.findings.iter().collect();
        findings.sort_by_key(|finding| finding.evidence.len());
        for finding in findings.iter().take(3) {
            out.push_str(&self.report.explain(finding, &self.history.events));
        }
        if findings.len() > 3 {
            out.push_str(&format!("and {} more\n", findings.len() - 3));
        }
        out.push_str(&format!("again: cargo run --release -p sim -- --seed {} --trace\n", self.seed));
        out
    }
}

/// Plays a seed; with `trace` every word is printed while it is said.
pub fn run(seed: u64, trace: bool) -> Outcome {
    short_limits(seed);
    let plan = Plan::new(seed);
    let mut world = World::new(plan.clone(), trace);
    world.say(|| format!("{plan:#?}"));
    world.run_until(plan.acting_ms);
    world.end();
    let mut report = check(&world.history);
    let before = report.findings.len();
    report.findings.retain(|finding| !(plan.storage_fails() && is_tolerated(finding, &plan, &world.history)));
    let tolerated = before - report.findings.len();
    Outcome { seed, history: world.history, report, flaws: world.flaws, tolerated }
}

/// What waits for an account and cannot be read comes with the next presence, and what a session never got and cannot be
/// stored waits until it can: nobody goes without new messages so long.
///
/// A message for an account that cannot be read comes back as an error; its sender may be gone before he hears of it.
/// Where the process dies, that is no excuse for a message which is nowhere: so an acknowledgement before its commit looks.
fn is_tolerated(finding: &Finding, plan: &Plan, history: &History) -> bool {
    let events = || finding.evidence.iter().filter_map(|at| history.events.get(*at));
    let kept = events().any(|event| matches!(event.what, What::Recv { .. } | What::MamPage { .. }));
    let sent = events().filter_map(|event| match &event.what {
        What::Send { session, .. } => Some(*session),
        _ => None,
    });
    let is_over = |session: u64| history.events.iter().any(|event| event.what == What::Over { session });
    finding.kind == Kind::Overtaken
        || (finding.kind == Kind::Lost && (kept || !plan.crashes()) && sent.into_iter().any(is_over))
}

/// Short limits by chance, where the zoo is in this build.
#[cfg(feature = "zoo")]
fn short_limits(seed: u64) {
    use zoo::Limit;
    let mut rng = crate::rng::Rng::new(seed ^ 0x11);
    let mut by_chance = |limit, low, high| {
        let value = rng.chance(300).then(|| rng.between(low, high));
        zoo::set(limit, value);
    };
    by_chance(Limit::Unacked, 1, 5);
    by_chance(Limit::OfflinePage, 1, 4);
    by_chance(Limit::Offline, 1, 8);
    // Counters pass 2^32 soon.
    by_chance(Limit::FirstCount, u64::from(u32::MAX) - 60, u64::from(u32::MAX));
}

#[cfg(not(feature = "zoo"))]
fn short_limits(_: u64) {}
