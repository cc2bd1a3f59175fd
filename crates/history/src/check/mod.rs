//! The judgement: indexes a history once, then asks each question of the index.
//!
//! Not here: the single questions (a file each).

mod archive;
mod fate;
mod index;
mod order;
mod presence;
mod rights;
mod sessions;

use crate::{Finding, History, Report};
use index::Index;
use rights::Rights;

/// Most findings that are kept; after the first few they say the same.
const FINDINGS_MAX: usize = 1_000;

/// Says what is wrong with a history that ends with the final reads. O(n log n).
pub fn check(history: &History) -> Report {
    let index = Index::new(&history.events);
    let mut findings = Vec::new();
    let rights = Rights::new(&index);
    fate::check(&index, &rights, &mut findings);
    sessions::check(&index, &mut findings);
    order::check(&index, &mut findings);
    archive::check(&index, &mut findings);
    rights::check(&index, &rights, &mut findings);
    presence::check(&index, &mut findings);
    findings.sort_by(|a: &Finding, b| (&a.evidence, a.kind, &a.text).cmp(&(&b.evidence, b.kind, &b.text)));
    findings.dedup();
    findings.truncate(FINDINGS_MAX);
    Report {
        findings,
        sent: index.messages.iter().filter(|message| message.send.is_some()).count(),
        acknowledged: index.messages.iter().filter(|message| message.acked.is_some()).count(),
        received: index.messages.iter().map(|message| message.recvs.len()).sum(),
        archived: index.archives.values().map(|archive| archive.forwards.len()).sum(),
    }
}
