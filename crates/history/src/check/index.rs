//! What belongs together: all events of a message, all final entries of an archive.
//!
//! Not here: judgement.

use std::collections::{BTreeMap, HashMap};

use crate::key::bare;
use crate::{Direction, Event, Finding, Key, Kind, What};

/// All about one message, as indices of events.
pub(super) struct Message<'a> {
    pub(super) key: &'a Key,
    pub(super) send: Option<usize>,
    pub(super) acked: Option<usize>,
    /// It must reach a device.
    pub(super) reach: bool,
    pub(super) errs: Vec<usize>,
    pub(super) recvs: Vec<usize>,
    /// Where it is in archives at the end.
    pub(super) archived: Vec<Archived<'a>>,
}

/// A message's place in an archive.
#[derive(Clone, Copy)]
pub(super) struct Archived<'a> {
    /// The page.
    pub(super) event: usize,
    /// Whose archive.
    pub(super) account: &'a str,
    pub(super) id: &'a str,
}

/// An archive as it was read after the drain.
#[derive(Default)]
pub(super) struct Archive<'a> {
    pub(super) forwards: Vec<Entry<'a>>,
    /// Oldest first.
    pub(super) backwards: Vec<Entry<'a>>,
    pub(super) forwards_complete: bool,
    pub(super) backwards_complete: bool,
    /// Where each id stands in `forwards`; the first place, if there are two.
    pub(super) place: HashMap<&'a str, usize>,
}

/// An entry of an archive.
pub(super) struct Entry<'a> {
    /// The page.
    pub(super) event: usize,
    pub(super) id: &'a str,
    pub(super) key: Option<&'a Key>,
}

/// The history, sorted by what it is about.
pub(super) struct Index<'a> {
    pub(super) events: &'a [Event],
    pub(super) messages: Vec<Message<'a>>,
    numbers: HashMap<&'a Key, usize>,
    pub(super) archives: BTreeMap<&'a str, Archive<'a>>,
    /// When everything was healed; the end, if it never was.
    pub(super) drained: usize,
}

impl<'a> Index<'a> {
    pub(super) fn new(events: &'a [Event]) -> Index<'a> {
        let drained = events.iter().rposition(|event| event.what == What::Drained).unwrap_or(events.len());
        let (messages, numbers, archives) = (Vec::new(), HashMap::new(), BTreeMap::new());
        let mut index = Index { events, messages, numbers, archives, drained };
        for (at, event) in events.iter().enumerate() {
            index.take(at, &event.what);
        }
        index.file();
        index
    }

    /// Puts the entries of archives where they can be found.
    fn file(&mut self) {
        let mut found = Vec::new();
        for (account, archive) in &mut self.archives {
            // They were read newest first, page after page.
            archive.backwards.reverse();
            for (place, entry) in archive.forwards.iter().enumerate() {
                archive.place.entry(entry.id).or_insert(place);
                let here = Archived { event: entry.event, account, id: entry.id };
                found.extend(entry.key.map(|key| (key, here)));
            }
        }
        for (key, here) in found {
            self.entry(key).archived.push(here);
        }
    }

    fn take(&mut self, at: usize, what: &'a What) {
        match what {
            What::Send { key, .. } => {
                let message = self.entry(key);
                message.send = message.send.or(Some(at));
            }
            What::Ack { keys, .. } => {
                for key in keys {
                    let message = self.entry(key);
                    message.acked = message.acked.or(Some(at));
                }
            }
            What::Reach { key } => self.entry(key).reach = true,
            What::Err { key, .. } => self.entry(key).errs.push(at),
            What::Recv { key, .. } => self.entry(key).recvs.push(at),
            What::MamPage { archive, direction, anchor, ids, keys, complete, .. } if at > self.drained => {
                let entries: Vec<Entry<'a>> = (ids.iter().zip(keys))
                    .map(|(id, key)| Entry { event: at, id, key: key.as_ref() })
                    .collect();
                self.page(archive, *direction, anchor.as_deref(), entries, *complete);
            }
            _ => {}
        }
    }

    fn page(
        &mut self,
        archive: &'a str,
        direction: Direction,
        anchor: Option<&str>,
        entries: Vec<Entry<'a>>,
        complete: bool,
    ) {
        let archive = self.archives.entry(archive).or_default();
        // Only the chain that begins at the one end and goes on to the other counts; others may read meanwhile.
        let next = |known: &[Entry<'_>]| known.last().map(|last| last.id) == anchor;
        match direction {
            Direction::Forwards if !archive.forwards_complete && next(&archive.forwards) => {
                archive.forwards.extend(entries);
                archive.forwards_complete = complete;
            }
            Direction::Backwards if !archive.backwards_complete && next(&archive.backwards) => {
                archive.backwards.extend(entries.into_iter().rev());
                archive.backwards_complete = complete;
            }
            _ => {}
        }
    }

    fn entry(&mut self, key: &'a Key) -> &mut Message<'a> {
        let messages = &mut self.messages;
        let number = *self.numbers.entry(key).or_insert_with(|| {
            let (errs, recvs, archived) = (Vec::new(), Vec::new(), Vec::new());
            messages.push(Message { key, send: None, acked: None, reach: false, errs, recvs, archived });
            messages.len() - 1
        });
        &mut self.messages[number]
    }

    pub(super) fn message(&self, key: &Key) -> Option<&Message<'a>> {
        self.numbers.get(key).map(|number| &self.messages[*number])
    }

    pub(super) fn what(&self, at: usize) -> &'a What {
        &self.events[at].what
    }

    /// For whom a message was, as a bare address.
    pub(super) fn recipient(&self, message: &Message<'a>) -> Option<&'a str> {
        match message.send.map(|at| self.what(at)) {
            Some(What::Send { to, .. }) => Some(bare(to)),
            _ => None,
        }
    }

    /// Whether a message was for whoever is there, not for one device.
    pub(super) fn is_for_all(&self, message: &Message<'a>) -> bool {
        matches!(message.send.map(|at| self.what(at)), Some(What::Send { to, .. }) if bare(to) == to)
    }

    /// A finding about a message, with all that happened to it.
    pub(super) fn about(&self, kind: Kind, message: &Message<'a>, text: String) -> Finding {
        let mut evidence: Vec<usize> = message.send.iter().chain(&message.acked).copied().collect();
        evidence.extend(message.errs.iter().chain(&message.recvs));
        evidence.extend(message.archived.iter().map(|here| here.event));
        evidence.sort_unstable();
        evidence.dedup();
        Finding { kind, key: Some(message.key.clone()), text, evidence }
    }
}
