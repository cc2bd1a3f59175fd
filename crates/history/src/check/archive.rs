//! Archives: one order, no hole, no id twice.
//!
//! INV-4. Pages that were read during the run must be unbroken pieces of what is read at the end; ids that are numbers
//! must grow.
//!
//! Not here: whether a message is in there (fate).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::index::{Archive, Index};
use crate::key::bare;
use crate::{Direction, Finding, Key, Kind, What};

pub(super) fn check(index: &Index<'_>, findings: &mut Vec<Finding>) {
    named(index, findings);
    for (account, archive) in &index.archives {
        whole(account, archive, findings);
    }
    for (at, event) in index.events.iter().enumerate() {
        if let What::MamPage { archive, direction, anchor, ids, keys, .. } = &event.what {
            if ids.len() != keys.len() {
                let text = "a page has not as many keys as ids".to_owned();
                findings.push(Finding { kind: Kind::Unread, key: None, text, evidence: vec![at] });
            }
            if let Some(final_one) = index.archives.get(archive.as_str()).filter(|a| a.forwards_complete) {
                page(final_one, at, *direction, anchor.as_deref(), ids, findings);
            }
        }
    }
    one_meaning(index, findings);
    caught_up(index, findings);
}

/// Archives that messages name must have been read.
fn named(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &index.messages {
        let Some(at) = message.send else { continue };
        let What::Send { archives, .. } = index.what(at) else { continue };
        for archive in archives {
            if index.archives.get(archive.as_str()).is_none_or(|archive| !archive.forwards_complete) {
                missing.entry(archive).or_insert(at);
            }
        }
    }
    for (archive, at) in missing {
        let text = format!("the archive of {archive} was not read to its end after the drain");
        findings.push(Finding { kind: Kind::Unread, key: None, text, evidence: vec![at] });
    }
}

fn whole(account: &str, archive: &Archive<'_>, findings: &mut Vec<Finding>) {
    for (place, pair) in archive.forwards.windows(2).enumerate() {
        let grows = match (pair[0].id.parse::<u64>(), pair[1].id.parse::<u64>()) {
            (Ok(one), Ok(other)) => one < other,
            // Not numbers: it is enough that none comes twice.
            _ => archive.place.get(pair[1].id) == Some(&(place + 1)),
        };
        if !grows {
            let text = format!("in the archive of {account}, {} is followed by {}", pair[0].id, pair[1].id);
            let evidence = vec![pair[0].event, pair[1].event];
            findings.push(Finding { kind: Kind::ArchiveOrder, key: None, text, evidence });
        }
    }
    if archive.backwards_complete && archive.forwards_complete {
        let there = archive.forwards.iter().map(|entry| entry.id);
        if !there.eq(archive.backwards.iter().map(|entry| entry.id)) {
            let text = format!("the archive of {account} reads differently in both directions");
            let ends = [archive.forwards.last(), archive.backwards.last()];
            let evidence = ends.into_iter().flatten().map(|entry| entry.event).collect();
            findings.push(Finding { kind: Kind::ArchiveOrder, key: None, text, evidence });
        }
    }
}

/// A page of any time is an unbroken piece of the whole, and begins where its request said.
fn page(
    archive: &Archive<'_>,
    at: usize,
    direction: Direction,
    anchor: Option<&str>,
    ids: &[String],
    findings: &mut Vec<Finding>,
) {
    let mut find = |kind, text| findings.push(Finding { kind, key: None, text, evidence: vec![at] });
    let mut places = Vec::with_capacity(ids.len());
    for id in ids {
        match archive.place.get(id.as_str()) {
            Some(place) => places.push(*place),
            None => {
                return find(
                    Kind::ArchiveHole,
                    format!("{id} was in the archive once, and is not at the end"),
                );
            }
        }
    }
    for (pair, id) in places.windows(2).zip(ids) {
        if pair[1] <= pair[0] {
            return find(
                Kind::ArchiveOrder,
                format!("what follows {id} in a page stands before it at the end"),
            );
        }
        if pair[1] != pair[0] + 1 {
            return find(
                Kind::ArchiveHole,
                format!("between {id} and what follows it in a page there is more"),
            );
        }
    }
    let edge = match direction {
        Direction::Forwards => places.first().map(|place| place.checked_sub(1)),
        Direction::Backwards => places.last().map(|place| Some(place + 1)),
    };
    let anchor_place = anchor.and_then(|anchor| archive.place.get(anchor).copied());
    let joins = match (direction, anchor) {
        // The newest page of some time ago need not end at today's end.
        (Direction::Backwards, None) => true,
        (Direction::Forwards, None) => edge.is_none_or(|edge| edge.is_none()),
        (_, Some(_)) => edge.is_none_or(|edge| edge == anchor_place),
    };
    if !joins {
        find(
            Kind::ArchiveHole,
            format!("a page does not join its anchor {}", anchor.unwrap_or("(the beginning)")),
        );
    }
}

/// An id of an archive means one message, whenever and however it is seen.
fn one_meaning(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut meaning: HashMap<(&str, &str), (&Key, usize)> = HashMap::new();
    for (at, event) in index.events.iter().enumerate() {
        let mut note = |account, id, key| {
            let (known, since) = *meaning.entry((account, id)).or_insert((key, at));
            if known != key {
                let text = format!("the id {id} of {account} stands for {known} and for {key}");
                let evidence = vec![since, at];
                findings.push(Finding { kind: Kind::IdReused, key: Some(key.clone()), text, evidence });
            }
        };
        match &event.what {
            What::Recv { device, stanza_id: Some(id), key, .. } => note(bare(device), id.as_str(), key),
            What::MamPage { archive, ids, keys, .. } => {
                for (id, key) in ids.iter().zip(keys) {
                    if let Some(key) = key {
                        note(archive, id, key);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Who has caught up knows all: nothing is between the last page and the first live message.
fn caught_up(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut known: HashMap<&str, HashSet<&Key>> = HashMap::new();
    let mut caught: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, event) in index.events.iter().enumerate() {
        match &event.what {
            What::Send { device, key, .. } | What::Recv { device, key, .. } => {
                known.entry(device).or_default().insert(key);
            }
            What::MamPage { device, archive, keys, .. } if bare(device) == archive && at < index.drained => {
                known.entry(device).or_default().extend(keys.iter().flatten());
            }
            What::CaughtUp { device } => {
                caught.insert(device, at);
            }
            _ => {}
        }
    }
    let nothing = HashSet::new();
    for (device, at) in caught {
        let Some(archive) = index.archives.get(bare(device)) else { continue };
        let known = known.get(device).unwrap_or(&nothing);
        for entry in &archive.forwards {
            if let Some(key) = entry.key.filter(|key| !known.contains(key)) {
                let text =
                    format!("{device} has caught up, and never got {key}, which is {} there", entry.id);
                let mut finding = match index.message(key) {
                    Some(message) => index.about(Kind::ArchiveHole, message, text),
                    None => continue,
                };
                finding.evidence.push(at);
                finding.evidence.sort_unstable();
                findings.push(finding);
            }
        }
    }
}
