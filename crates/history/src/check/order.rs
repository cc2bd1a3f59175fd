//! Order: within a session a conversation goes forward, and agrees with the archive.
//!
//! INV-3. A message with `<delay/>` is known to be old, so it may stand behind newer ones of other conversations; behind
//! newer ones of its own conversation it was overtaken. Two ways of that are the rules' own:
//! - What one device never acknowledged goes to another that has the newer ones already (XEP-0198 section 5). Not where an
//!   account has one device: its new session ends the old one before it is given anything.
//! - The newer one was for that device alone, by its full address, and came while it took no others (RFC 6121 section
//!   8.5.3.1).
//!
//! Of two that were kept, the older may have been kept later: it was on its way to a session that has just ended.
//!
//! Not here: the archive's own order (archive).

use std::collections::{HashMap, HashSet};

use super::index::Index;
use crate::key::bare;
use crate::{Finding, Key, Kind, Via, What};

/// What has come to one session so far.
#[derive(Default)]
struct Seen<'a> {
    keys: HashSet<&'a Key>,
    /// The last of each conversation (sending device, recipient): event and counter.
    last: HashMap<(&'a str, &'a str), (usize, u64)>,
    /// The same of those that were for whoever is there, and came as new.
    bare: HashMap<(&'a str, &'a str), (usize, u64)>,
    /// The last that came as new: event and place in the archive.
    placed: Option<(usize, usize)>,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut sessions: HashMap<(&str, u64), Seen<'_>> = HashMap::new();
    let mut devices: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (at, event) in index.events.iter().enumerate() {
        if let What::Open { device, .. } = &event.what {
            devices.entry(bare(device)).or_default().insert(device);
        }
        let What::Recv { device, session, key, stanza_id, via, delay, .. } = &event.what else { continue };
        let seen = sessions.entry((device, *session)).or_default();
        // The archive is read whenever the client likes; and what it has, it has.
        if *via == Via::Mam || !seen.keys.insert(key) {
            continue;
        }
        let alone = devices.get(bare(device)).is_none_or(|devices| devices.len() < 2);
        conversation(index, seen, at, key, (*delay, alone), findings);
        if !*delay && let Some(id) = stanza_id {
            archive(index, seen, at, bare(device), id, findings);
        }
    }
}

fn conversation<'a>(
    index: &Index<'a>,
    seen: &mut Seen<'a>,
    at: usize,
    key: &'a Key,
    (delay, alone): (bool, bool),
    findings: &mut Vec<Finding>,
) {
    let Some(message) = index.message(key) else { return };
    let Some(to) = index.recipient(message) else { return };
    let with = (key.from.as_str(), to);
    // What is old may be behind what was for this device alone, and behind anything where there are others.
    let (known, kind, how) = match delay {
        true => (&seen.bare, Kind::Overtaken, "was kept, and came"),
        false => (&seen.last, Kind::Reordered, "came as new"),
    };
    let before = known.get(&with).filter(|(_, last)| key.counter < *last && (alone || !delay));
    if let Some((one, last)) = before {
        let text = format!("{key} {how} behind number {last} of the same conversation");
        findings.push(between(index, kind, key, text, *one, at));
    }
    let note = |known: &mut HashMap<_, (usize, u64)>| {
        let last = known.entry(with).or_insert((at, key.counter));
        if key.counter > last.1 {
            *last = (at, key.counter);
        }
    };
    note(&mut seen.last);
    if !delay && index.is_for_all(message) {
        note(&mut seen.bare);
    }
}

fn archive<'a>(
    index: &Index<'a>,
    seen: &mut Seen<'a>,
    at: usize,
    account: &str,
    id: &str,
    findings: &mut Vec<Finding>,
) {
    let place = index.archives.get(account).and_then(|archive| archive.place.get(id));
    let (Some(place), What::Recv { key, .. }) = (place, index.what(at)) else { return };
    match seen.placed {
        Some((before, last)) if *place < last => {
            let text = format!("{key} came as new, and stands in the archive before what came before it");
            findings.push(between(index, Kind::Reordered, key, text, before, at));
        }
        _ => seen.placed = Some((at, *place)),
    }
}

/// Two receipts in the wrong order, and where their messages began.
fn between(index: &Index<'_>, kind: Kind, key: &Key, text: String, one: usize, other: usize) -> Finding {
    let mut evidence = vec![one, other];
    for at in [one, other] {
        if let What::Recv { key, .. } = index.what(at) {
            evidence.extend(index.message(key).and_then(|message| message.send));
        }
    }
    evidence.sort_unstable();
    evidence.dedup();
    Finding { kind, key: Some(key.clone()), text, evidence }
}
