//! What cannot be: findings, each with the smallest part of the history that shows it.
//!
//! Not here: finding them (check).

use core::fmt;

use crate::{Event, Key};

/// What is wrong. The numbers are those of the invariants in docs/reliability.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// INV-1: acknowledged, no error came, and not in an archive that must have it, or at no device that it must reach.
    Lost,
    /// INV-1: in the recipient's archive, and an error came.
    Both,
    /// INV-2: twice in an archive, twice in a session, again in a later session without `<delay/>`, two errors.
    Duplicated,
    /// INV-2: the same message under different ids of the same archive.
    NewId,
    /// INV-3: order inverted among messages that came as new.
    Reordered,
    /// INV-3: a message that was kept came after a newer one of the same conversation in the same session.
    Overtaken,
    /// INV-4: the archive's order is not the same in both directions, or ids do not grow.
    ArchiveOrder,
    /// INV-4: something is missing in a page, between pages, or at a device that has caught up.
    ArchiveHole,
    /// INV-4: an id stands for two messages.
    IdReused,
    /// INV-4: an archive was not read wholly after the drain, or a page is malformed: nothing can be said of it.
    Unread,
    /// INV-5: a request was answered twice, or not at all.
    Answers,
    /// INV-6: what a contact sees at the end is not true.
    Presence,
    /// INV-7: received or archived, and never sent.
    Phantom,
    /// INV-7: another sender is claimed than the true one.
    Forged,
    /// INV-7: somebody got what was not for him, or read what he may not.
    Forbidden,
    /// INV-8: delivered under a right that had been taken back.
    Revoked,
}

impl Kind {
    /// All there are.
    pub const ALL: [Kind; 16] = [
        Kind::Lost,
        Kind::Both,
        Kind::Duplicated,
        Kind::NewId,
        Kind::Reordered,
        Kind::Overtaken,
        Kind::ArchiveOrder,
        Kind::ArchiveHole,
        Kind::IdReused,
        Kind::Unread,
        Kind::Answers,
        Kind::Presence,
        Kind::Phantom,
        Kind::Forged,
        Kind::Forbidden,
        Kind::Revoked,
    ];

    /// The invariant that is broken.
    pub fn invariant(self) -> &'static str {
        match self {
            Kind::Lost | Kind::Both => "INV-1",
            Kind::Duplicated | Kind::NewId => "INV-2",
            Kind::Reordered | Kind::Overtaken => "INV-3",
            Kind::ArchiveOrder | Kind::ArchiveHole | Kind::IdReused | Kind::Unread => "INV-4",
            Kind::Answers => "INV-5",
            Kind::Presence => "INV-6",
            Kind::Phantom | Kind::Forged | Kind::Forbidden => "INV-7",
            Kind::Revoked => "INV-8",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The message, if it is about one.
    pub key: Option<Key>,
    /// In words.
    pub text: String,
    /// The events that show it: indices into the sorted history, ascending.
    pub evidence: Vec<usize>,
}

/// What was found, and how much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of their first evidence.
    pub findings: Vec<Finding>,
    /// Messages that were sent.
    pub sent: usize,
    /// Messages that were acknowledged.
    pub acknowledged: usize,
    /// Messages that came, every time counted.
    pub received: usize,
    /// Messages in archives at the end.
    pub archived: usize,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether there is a finding of that kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    /// A finding as text: what is wrong, and the events that show it, with what was broken on purpose meanwhile.
    pub fn explain(&self, finding: &Finding, events: &[Event]) -> String {
        use fmt::Write;
        let mut out = format!("{} {:?}: {}\n", finding.kind.invariant(), finding.kind, finding.text);
        for index in &finding.evidence {
            if let Some(event) = events.get(*index) {
                // Writing to a string does not fail.
                let _ = writeln!(out, "  {index:>6} {}", event.to_json());
            }
        }
        out
    }
}
