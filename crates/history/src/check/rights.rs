//! Who may see what: the rights are recomputed from the history.
//!
//! INV-7, INV-8. A change is in force from somewhere between the request and its answer, so a message that was sent after
//! the answer, with nothing asked for since, must not arrive.
//!
//! Not here: cross-talk (fate).

use std::collections::HashMap;

use super::index::{Index, Message};
use crate::key::bare;
use crate::{Finding, Kind, Phase, Right, What};

/// A change of a right: when it was asked for, when it was known to be done (events), and whether the right was given.
#[derive(Clone, Copy, Debug)]
struct Change {
    asked: usize,
    done: Option<usize>,
    on: bool,
}

/// The changes of one right between two accounts, as they were asked for.
type Changes = Vec<Change>;

/// All changes of rights.
pub(super) struct Rights<'a>(HashMap<(&'a str, &'a str, Right), Changes>);

impl<'a> Rights<'a> {
    pub(super) fn new(index: &Index<'a>) -> Rights<'a> {
        let mut rights: HashMap<(&str, &str, Right), Changes> = HashMap::new();
        for (at, event) in index.events.iter().enumerate() {
            if let What::Perm { owner, peer, right, on, phase } = &event.what {
                note(rights.entry((owner, peer, *right)).or_default(), at, *phase, *on);
            }
        }
        Rights(rights)
    }

    /// Whether the right may have been in force at some moment from `from` to `until` (events).
    fn may(&self, owner: &'a str, peer: &'a str, right: Right, from: usize, until: usize) -> bool {
        let changes = self.0.get(&(owner, peer, right)).map_or(&[][..], |changes| changes);
        may_be(changes, true, right == Right::Write, from, until)
    }

    /// Whether the peer may have been unable to write at some moment from `from` to `until` (events).
    pub(super) fn may_be_blocked(&self, owner: &str, peer: &str, from: usize, until: usize) -> bool {
        let Some(changes) = self.0.get(&(owner, peer, Right::Write)) else { return false };
        may_be(changes, false, true, from, until)
    }
}

/// An answer belongs to the oldest request for the same that has none.
fn note(changes: &mut Changes, at: usize, phase: Phase, on: bool) {
    match phase {
        Phase::Asked => changes.push(Change { asked: at, done: None, on }),
        Phase::Done => match changes.iter_mut().find(|change| change.on == on && change.done.is_none()) {
            Some(change) => change.done = Some(at),
            None => changes.push(Change { asked: at, done: Some(at), on }),
        },
    }
}

/// Whether a right may have been in that state at some moment from `from` to `until` (events). Of two changes that overlap
/// (two devices, or one that does not wait) either may have come last, whatever was answered first.
fn may_be(changes: &[Change], on: bool, at_first: bool, from: usize, until: usize) -> bool {
    // What was done before this was asked for is over: something is known to be done since.
    let settled = changes.iter().filter(|change| change.done.is_some_and(|done| done <= from));
    let over = settled.map(|change| change.asked).max();
    let last = |change: &&Change| change.done.is_none_or(|done| over.is_none_or(|over| done >= over));
    (at_first == on && over.is_none())
        || changes
            .iter()
            .filter(|change| change.on == on && change.asked <= until)
            .any(|change| last(&change))
}

pub(super) fn check<'a>(index: &Index<'a>, rights: &Rights<'a>, findings: &mut Vec<Finding>) {
    let mut revoked: HashMap<&str, Vec<(usize, Phase)>> = HashMap::new();
    let mut opened: HashMap<u64, usize> = HashMap::new();
    for (at, event) in index.events.iter().enumerate() {
        match &event.what {
            What::Revoke { account, phase } => revoked.entry(account).or_default().push((at, *phase)),
            What::Open { session, .. } => {
                opened.insert(*session, at);
            }
            _ => {}
        }
    }
    let may = |owner, peer, right, from, until| rights.may(owner, peer, right, from, until);
    for message in &index.messages {
        let Some(send) = message.send else { continue };
        writes(index, message, send, &may, findings);
        revocations(index, message, send, &revoked, &opened, findings);
    }
    for (at, event) in index.events.iter().enumerate() {
        match &event.what {
            What::MamPage { device, archive, .. }
                if bare(device) != archive && !may(archive, bare(device), Right::Archive, 0, at) =>
            {
                let text = format!("{device} read the archive of {archive}");
                findings.push(Finding { kind: Kind::Forbidden, key: None, text, evidence: vec![at] });
            }
            What::Presence { device, of, here: true }
                if bare(device) != bare(of) && !may(bare(of), bare(device), Right::Presence, 0, at) =>
            {
                let text = format!("{device} saw {of}, which never showed itself to it");
                findings.push(Finding { kind: Kind::Forbidden, key: None, text, evidence: vec![at] });
            }
            _ => {}
        }
    }
}

fn writes<'a>(
    index: &Index<'a>,
    message: &Message<'a>,
    send: usize,
    may: &impl Fn(&'a str, &'a str, Right, usize, usize) -> bool,
    findings: &mut Vec<Finding>,
) {
    let Some(owner) = index.recipient(message).filter(|owner| *owner != message.key.account()) else {
        return;
    };
    let recvs = message.recvs.iter().copied().filter(|at| match index.what(*at) {
        What::Recv { device, .. } => bare(device) == owner,
        _ => false,
    });
    let kept = message.archived.iter().filter(|here| here.account == owner).map(|here| here.event);
    let Some(first) = recvs.chain(kept).min() else { return };
    if !may(owner, message.key.account(), Right::Write, send, first) {
        let text = format!("{} got through to {owner}, who has blocked its sender", message.key);
        findings.push(index.about(Kind::Forbidden, message, text));
    }
}

fn revocations(
    index: &Index<'_>,
    message: &Message<'_>,
    send: usize,
    revoked: &HashMap<&str, Vec<(usize, Phase)>>,
    opened: &HashMap<u64, usize>,
    findings: &mut Vec<Finding>,
) {
    for at in &message.recvs {
        let What::Recv { device, session, .. } = index.what(*at) else { continue };
        let (Some(changes), Some(open)) = (revoked.get(bare(device)), opened.get(session)) else { continue };
        // Asked for after the session was opened, and done before the message was even sent.
        let mut asked = None;
        for (when, phase) in changes.iter().filter(|(when, _)| when > open && *when < send) {
            match phase {
                Phase::Asked => asked = asked.or(Some(*when)),
                Phase::Done if asked.is_some() => {
                    let text =
                        format!("{} came to {device} in a session that had lost its right", message.key);
                    let mut finding = index.about(Kind::Revoked, message, text);
                    finding.evidence.extend([*open, *when]);
                    finding.evidence.sort_unstable();
                    findings.push(finding);
                    return;
                }
                Phase::Done => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_uncertain_only_between_request_and_answer() {
        use Phase::{Asked, Done};
        let allowed = |events: &[(usize, Phase, bool)], at_first, from, until| {
            let mut changes = Changes::new();
            for (at, phase, on) in events {
                note(&mut changes, *at, *phase, *on);
            }
            may_be(&changes, true, at_first, from, until)
        };
        // Taken between 10 and 20, given back between 30 and 40.
        let changes = [(10, Asked, false), (20, Done, false), (30, Asked, true), (40, Done, true)];
        for (from, until, expected) in [
            (0, 5, true),
            (0, 100, true),
            (12, 15, true),
            (12, 25, true),
            (21, 25, false),
            (21, 31, true),
            (25, 29, false),
            (35, 36, true),
            (41, 50, true),
        ] {
            assert_eq!(allowed(&changes, true, from, until), expected, "{from} to {until}");
        }
        assert!(!allowed(&[], false, 0, 9) && allowed(&[], true, 0, 9));
        // Given back before it was told that it had been taken; whether that was heard is never told.
        let mut changes = vec![(10, Asked, false), (12, Asked, true), (20, Done, false)];
        assert!(allowed(&changes, true, 21, 25));
        // What was never answered may be done at any time.
        changes.extend([(30, Asked, false), (40, Done, false)]);
        assert!(allowed(&changes, true, 41, 70));
        // Two devices: which of them was heard last is not known, until somebody else has been heard.
        let mut changes = vec![(10, Asked, false), (12, Asked, true), (20, Done, true), (22, Done, false)];
        assert!(allowed(&changes, true, 23, 25));
        changes.extend([(30, Asked, false), (40, Done, false)]);
        assert!(!allowed(&changes, true, 41, 70));
    }
}
