//! One seed, from beginning to end, and what came of it.
//!
//! Not here: several seeds (main).

use history::{Finding, History, Kind, Report, check};

use crate::plan::{Fault, Plan};
use crate::world::World;

/// What came of a seed.
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// All that clients saw.
    pub history: History,
    /// The judgement, without what is known.
    pub report: Report,
    /// What is wrong and no history can say.
    pub flaws: Vec<String>,
    /// How many findings are known ones, by name.
    pub known: Vec<&'static str>,
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
    let plan = Plan::new(seed);
    let mut world = World::new(plan.clone(), trace);
    world.say(|| format!("{plan:#?}"));
    world.run_until(plan.acting_ms);
    world.end();
    let mut report = check(&world.history);
    let mut known = Vec::new();
    report.findings.retain(|finding| match name(finding, &plan) {
        Some(name) => {
            known.push(name);
            false
        }
        None => true,
    });
    Outcome { seed, history: world.history, report, flaws: world.flaws, known }
}

/// Defects that are known and being mended elsewhere.
fn name(finding: &Finding, plan: &Plan) -> Option<&'static str> {
    let sick = plan.faults.iter().any(|(_, fault)| matches!(fault, Fault::SickDisk(_)));
    match finding.kind {
        Kind::Overtaken => Some("a live message overtakes offline pages"),
        Kind::Lost if sick && finding.text.contains("no device") => {
            Some("a flush is stuck after a storage fault")
        }
        _ => None,
    }
}
