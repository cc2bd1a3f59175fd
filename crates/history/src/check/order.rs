//! Order: within a session a conversation goes forward, and agrees with the archive.
//!
//! INV-3. A message with `<delay/>` is known to be old, so it may stand behind newer ones of other conversations; behind
//! newer ones of its own conversation it was overtaken.
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
    /// The last that came as new: event and place in the archive.
    placed: Option<(usize, usize)>,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut sessions: HashMap<(&str, u64), Seen<'_>> = HashMap::new();
    for (at, event) in index.events.iter().enumerate() {
        let What::Recv { device, session, key, stanza_id, via, delay, .. } = &event.what else { continue };
        let seen = sessions.entry((device, *session)).or_default();
        // The archive is read whenever the client likes; and what it has, it has.
        if *via == Via::Mam || !seen.keys.insert(key) {
            continue;
        }
        conversation(index, seen, at, key, *delay, findings);
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
    delay: bool,
    findings: &mut Vec<Finding>,
) {
    let Some(to) = index.message(key).and_then(|message| index.recipient(message)) else { return };
    let last = seen.last.entry((&key.from, to)).or_insert((at, key.counter));
    if key.counter < last.1 {
        let (kind, how) = match delay {
            true => (Kind::Overtaken, "was kept, and came"),
            false => (Kind::Reordered, "came as new"),
        };
        let text = format!("{key} {how} behind number {} of the same conversation", last.1);
        findings.push(between(index, kind, key, text, last.0, at));
    } else {
        *last = (at, key.counter);
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
