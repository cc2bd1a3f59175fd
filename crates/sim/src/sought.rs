//! The bug zoo: each known fault is let out, and must be found.
//!
//! Not here: the faults (crate `zoo`).

use std::process::ExitCode;

#[cfg(not(feature = "zoo"))]
pub(crate) fn zoo(_: &str, _: u64, _: u64) -> ExitCode {
    eprintln!("there is no zoo in this build; add `--features zoo`");
    ExitCode::from(2)
}

/// Lets faults out, one after the other, and prints how many seeds it took to find each.
#[cfg(feature = "zoo")]
pub(crate) fn zoo(name: &str, first: u64, count: u64) -> ExitCode {
    let wanted = |fault: &&zoo::Fault| name == "all" || fault.name() == name;
    let faults: Vec<zoo::Fault> = zoo::Fault::ALL.iter().filter(wanted).copied().collect();
    println!("{:<24} {:>5}  found as", "fault", "seeds");
    let mut missed = 0;
    for fault in &faults {
        match seek(*fault, first, count) {
            Some(outcome) => {
                let mut kinds: Vec<String> =
                    outcome.report.findings.iter().map(|finding| format!("{:?}", finding.kind)).collect();
                kinds.extend((!outcome.flaws.is_empty()).then(|| "flaw".to_owned()));
                kinds.sort();
                kinds.dedup();
                println!("{:<24} {:>5}  {}", fault.name(), outcome.seed - first + 1, kinds.join(", "));
            }
            None => {
                missed += 1;
                println!("{:<24} {:>5}  not found in {count} seeds: {}", fault.name(), "-", fault.why());
            }
        }
    }
    println!("{} passed, {missed} failed", faults.len() - missed);
    if missed == 0 && !faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What shows it, and whether a flaw does; what it brings about besides is no proof that it would be found.
#[cfg(feature = "zoo")]
fn signs(fault: zoo::Fault) -> (&'static [history::Kind], bool) {
    use history::Kind::*;
    use zoo::Fault;
    match fault {
        Fault::AckBeforeCommit | Fault::ArchiveAssumed | Fault::OfflineDeletedEarly => (&[Lost], false),
        // A count that goes back is a flaw.
        Fault::CountBeforeCommit => (&[Lost], true),
        Fault::NewIdOnRedelivery | Fault::ArchivePerResource => (&[Duplicated, NewId], false),
        Fault::FlushTwice | Fault::RerouteToAll | Fault::LeftTwice => (&[Duplicated], false),
        Fault::InvalidNotCounted | Fault::OldStreamHeard => (&[Duplicated, NewId], true),
        Fault::OrderByTime | Fault::PageReversed => (&[ArchiveOrder, ArchiveHole], false),
        Fault::DropOnDetach | Fault::LostWhileResuming => (&[Lost, ArchiveHole, Answers], false),
        Fault::CopyOfBlocked => (&[Forbidden], false),
        Fault::GhostSession | Fault::InactiveDropped => (&[Presence], false),
        Fault::LateAsNew => (&[Reordered, Duplicated], false),
        Fault::NewBeforeKept => (&[Overtaken, Reordered], false),
        Fault::CountWraps => (&[Duplicated, Lost, ArchiveHole], true),
        Fault::PasswordKeepsSessions => (&[Revoked], false),
        Fault::IdsByClock => (&[IdReused, ArchiveOrder], true),
    }
}

#[cfg(feature = "zoo")]
fn is_found(fault: zoo::Fault, outcome: &sim::Outcome) -> bool {
    let (kinds, flaw) = signs(fault);
    (flaw && !outcome.flaws.is_empty())
        || outcome.report.findings.iter().any(|finding| kinds.contains(&finding.kind))
}

/// The first seed that finds it.
#[cfg(feature = "zoo")]
fn seek(fault: zoo::Fault, first: u64, count: u64) -> Option<sim::Outcome> {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    let (next, found) = (AtomicU64::new(first), Mutex::new(None::<sim::Outcome>));
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..crate::cores() {
            scope.spawn(|| {
                zoo::let_out(Some(fault));
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || lock().as_ref().is_some_and(|known| known.seed < seed) {
                        return;
                    }
                    let outcome = sim::run(seed, false);
                    let mut known = lock();
                    if is_found(fault, &outcome) && known.as_ref().is_none_or(|known| seed < known.seed) {
                        *known = Some(outcome);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}
