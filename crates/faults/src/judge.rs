//! From a scenario's clients to its verdict: drain, read everything back, check.
//!
//! Not here: the checks (crate `history`).

use std::fs;
use std::time::Duration;

use bench::Outcome;
use history::{Finding, Kind, Report};
use serde_json::json;

use crate::crowd::Crowd;
use crate::row::Row;
use crate::world::World;

/// Findings that are shown.
const SHOWN: usize = 5;

/// Ends a scenario: everything must be delivered within `bound`, and the history must be clean. Gives what was
/// found.
pub(crate) fn finish(world: &mut World, crowd: Crowd, row: &mut Row, bound: Duration) -> Outcome<Report> {
    // Longer than the bound, so that one sees by how much it was missed.
    let drained = crowd.drain(3 * bound + Duration::from_secs(30))?;
    row.within("all delivered after", drained, bound);
    ghosts(world, &crowd, row)?;
    judge(world, crowd, row)
}

/// What is told in a row and is no failure: kinds of findings, in which rows, and why.
const KNOWN: &[(Kind, &[&str], &str)] = &[(
    Kind::Overtaken,
    // What waits for an account and cannot be read comes with the next presence.
    &["full", "sync-error", "write-error", "stalled-disk"],
    "kept messages came behind newer ones, because storage could not be read",
)];

/// INV-6: the server's sessions are those of the clients that are there.
fn ghosts(world: &World, crowd: &Crowd, row: &mut Row) -> Outcome<()> {
    let here = crowd.shared.book.open().online.len();
    let sessions = world.order("session list", &json!({}))?;
    let names = sessions["sessions"].as_array().map(|all| all.iter().filter_map(|one| one["jid"].as_str()));
    let users = names.map_or(0, |names| names.filter(|name| name.starts_with("user")).count());
    row.must(
        here == users,
        format_args!("INV-6: {here} devices are connected, the server has {users} sessions"),
    );
    Ok(())
}

/// Reads everything back and checks the history, without asking how long delivery took.
pub(crate) fn judge(world: &mut World, crowd: Crowd, row: &mut Row) -> Outcome<Report> {
    let (history, shared) = crowd.finish()?;
    let report = history::check(&history);
    let pages = shared.book.open();
    row.note(format_args!(
        "{} messages sent, {} acknowledged, {} archived copies; {} sessions resumed, {} begun anew",
        report.sent, report.acknowledged, report.archived, pages.resumed, pages.not_resumed
    ));
    row.must(report.acknowledged > 0 && report.archived > 0, "nothing was acknowledged: nothing was tested");
    let name = row.name;
    let here = KNOWN.iter().filter(|(_, rows, _)| rows.contains(&name));
    let known = |kind: Kind| here.clone().any(|(known, ..)| *known == kind);
    for (kind, _, what) in here.clone() {
        let count = report.findings.iter().filter(|finding| finding.kind == *kind).count();
        if count > 0 {
            row.note(format_args!("{count} {what}"));
        }
    }
    let findings: Vec<&Finding> = report.findings.iter().filter(|finding| !known(finding.kind)).collect();
    for finding in findings.iter().take(SHOWN) {
        eprintln!("{}", report.explain(finding, &history.events));
        row.must(false, format_args!("{} {:?}: {}", finding.kind.invariant(), finding.kind, finding.text));
    }
    if findings.len() > SHOWN {
        row.must(false, format_args!("and {} findings more", findings.len() - SHOWN));
    }
    if !findings.is_empty() {
        world.keep();
        let path = world.root.join("history.jsonl");
        fs::write(&path, history.to_jsonl())?;
        eprintln!("the history is in {}", path.display());
    }
    Ok(report)
}
