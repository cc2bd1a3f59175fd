//! One log: its entries by id, its filters and pages.
//!
//! Not here: several logs (`state`).

use std::collections::BTreeMap;

use bytes::Bytes;
use model::storage::{Bounds, Cull, Entry, LogQuery, Page, Paging, With};

#[derive(Default)]
pub(super) struct Log {
    entries: BTreeMap<u64, Entry>,
    /// The highest id ever: stays when the entry goes.
    last: u64,
}

impl Log {
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn append(&mut self, entry: Entry) {
        self.last = entry.id;
        self.entries.insert(entry.id, entry);
    }

    pub(super) fn replace(&mut self, id: u64, value: Bytes) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.value = value;
        }
    }

    pub(super) fn cull(&mut self, what: Cull) {
        match what {
            Cull::All => self.entries.clear(),
            Cull::Ids(ids) => self.entries.retain(|id, _| !ids.contains(id)),
            Cull::UpTo(up_to) => self.entries.retain(|id, _| *id > up_to),
            Cull::Before(ms) => {
                let first_kept = self.entries.values().find(|entry| entry.at_ms >= ms).map(|entry| entry.id);
                self.entries.retain(|id, _| first_kept.is_some_and(|kept| *id >= kept));
            }
            Cull::KeepNewest(n) => {
                while self.entries.len() as u64 > n {
                    self.entries.pop_first();
                }
            }
        }
    }

    pub(super) fn bounds(&self, count: bool) -> Bounds {
        Bounds {
            first: self.entries.values().next().map(|entry| (entry.id, entry.at_ms)),
            last: self.entries.values().next_back().map(|entry| (entry.id, entry.at_ms)),
            count: count.then_some(self.entries.len() as u64),
            bytes: count.then(|| self.entries.values().map(|entry| entry.value.len() as u64).sum()),
        }
    }

    pub(super) fn page(&self, query: &LogQuery) -> Page {
        let limit = query.limit as usize;
        let matching = self.entries.values().filter(|entry| matches(query, entry));
        let count = query.count.then(|| matching.clone().count() as u64);
        let (mut entries, anchor): (Vec<Entry>, _) = match query.page {
            Paging::Forwards { after } => (
                matching.filter(|e| after.is_none_or(|a| e.id > a)).take(limit + 1).cloned().collect(),
                after,
            ),
            Paging::Backwards { before } => {
                let newest_first = matching.rev().filter(|e| before.is_none_or(|b| e.id < b));
                (newest_first.take(limit + 1).cloned().collect(), before)
            }
        };
        let mut bytes = 0;
        let fitting = entries.iter().take(limit).take_while(|entry| {
            let before = bytes;
            bytes += entry.value.len() as u64;
            before < query.bytes
        });
        let fitting = fitting.count();
        let complete = entries.len() <= fitting;
        entries.truncate(fitting);
        if matches!(query.page, Paging::Backwards { .. }) {
            entries.reverse();
        }
        let mut anchors = query
            .ids
            .iter()
            .flatten()
            .copied()
            .chain([anchor, query.after_id, query.before_id].into_iter().flatten());
        let missing_anchor = anchors.any(|id| !self.entries.contains_key(&id));
        Page { entries, complete, count, missing_anchor }
    }
}

fn matches(query: &LogQuery, entry: &Entry) -> bool {
    query.from_ms.is_none_or(|from| entry.at_ms >= from)
        && query.to_ms.is_none_or(|to| entry.at_ms <= to)
        && query.after_id.is_none_or(|id| entry.id > id)
        && query.before_id.is_none_or(|id| entry.id < id)
        && query.ids.as_ref().is_none_or(|ids| ids.contains(&entry.id))
        && entry.tag & query.tag_mask == query.tag_want
        && match &query.with {
            None => true,
            Some(With::Bare(bare)) => entry.with.as_ref() == Some(bare),
            Some(With::Full { bare, resource }) => {
                entry.with.as_ref() == Some(bare) && entry.resource.as_ref() == Some(resource)
            }
        }
}
