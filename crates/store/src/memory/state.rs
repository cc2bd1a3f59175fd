//! The three shapes in ordinary collections.
//!
//! Not here: the filters and pages of logs (`log`), what a batch may not do (`check`).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use model::storage::{Loaded, Owner, Read, Size, Space, Write};

use super::log::Log;
use crate::{Fault, FaultKind};

/// Sorted by space first, so that the owners of a space stand together.
pub(super) type Place = (Space, Owner);

#[derive(Default)]
pub(super) struct State {
    docs: BTreeMap<Place, Bytes>,
    maps: BTreeMap<Place, BTreeMap<Arc<str>, Bytes>>,
    pub(super) logs: BTreeMap<Place, Log>,
    highest_id: u64,
}

impl State {
    /// Writes. [`super::check::check`] has approved the whole batch before.
    pub(super) fn apply(&mut self, write: Write) {
        match write {
            Write::DocPut { space, owner, value } => {
                self.docs.insert((space, owner), value);
            }
            Write::DocDelete { space, owner } => {
                self.docs.remove(&(space, owner));
            }
            Write::MapPut { space, owner, key, value } => {
                self.maps.entry((space, owner)).or_default().insert(key, value);
            }
            Write::MapDelete { space, owner, key } => {
                self.clear_keys(&(space, owner), |known| *known == key);
            }
            Write::MapClear { space, owner, prefix } => {
                self.clear_keys(&(space, owner), |known| known.starts_with(&*prefix));
            }
            Write::LogAppend { space, owner, entry } => {
                self.highest_id = self.highest_id.max(entry.id);
                self.logs.entry((space, owner)).or_default().append(entry);
            }
            Write::LogReplace { space, owner, id, value } => {
                if let Some(log) = self.logs.get_mut(&(space, owner)) {
                    log.replace(id, value);
                }
            }
            Write::LogDelete { space, owner, what } => {
                if let Some(log) = self.logs.get_mut(&(space, owner)) {
                    log.cull(what);
                }
            }
            Write::Purge { owner } => {
                self.docs.retain(|place, _| place.1 != owner);
                self.maps.retain(|place, _| place.1 != owner);
                self.logs.retain(|place, _| place.1 != owner);
            }
        }
    }

    fn clear_keys(&mut self, place: &Place, gone: impl Fn(&Arc<str>) -> bool) {
        if let Some(map) = self.maps.get_mut(place) {
            map.retain(|key, _| !gone(key));
            if map.is_empty() {
                self.maps.remove(place);
            }
        }
    }

    pub(super) fn read(&self, read: Read) -> Result<Loaded, Fault> {
        match read {
            Read::Many(reads) => {
                reads.into_iter().map(|read| self.one(read)).collect::<Result<_, _>>().map(Loaded::Many)
            }
            read => self.one(read),
        }
    }

    fn one(&self, read: Read) -> Result<Loaded, Fault> {
        Ok(match read {
            Read::Doc { space, owner } => Loaded::Doc(self.docs.get(&(space, owner)).cloned()),
            Read::Map { space, owner } => Loaded::Map(self.range((space, owner), "", None, u32::MAX)),
            Read::MapRange { space, owner, prefix, after, limit } => {
                Loaded::Map(self.range((space, owner), &prefix, after, limit))
            }
            Read::MapGet { space, owner, key } => {
                Loaded::Doc(self.maps.get(&(space, owner)).and_then(|map| map.get(&key)).cloned())
            }
            Read::MapSize { space, owner } => {
                let map = self.maps.get(&(space, owner)).into_iter().flatten();
                let bytes = map.clone().map(|(key, value)| (key.len() + value.len()) as u64).sum();
                Loaded::Size(Size { count: map.count() as u64, bytes })
            }
            Read::Owners { space, after, limit } => Loaded::Owners(self.owners(space, after, limit)),
            Read::Log(query) => {
                let log = self.logs.get(&(query.space, query.owner.clone()));
                Loaded::Page(log.unwrap_or(&Log::default()).page(&query))
            }
            Read::LogBounds { space, owner, count } => {
                Loaded::Bounds(self.logs.get(&(space, owner)).unwrap_or(&Log::default()).bounds(count))
            }
            Read::HighestId => Loaded::HighestId(self.highest_id),
            Read::Many(_) => return Err(Fault::new(FaultKind::Misuse, "a Many inside a Many")),
        })
    }

    fn range(
        &self,
        place: Place,
        prefix: &str,
        after: Option<Arc<str>>,
        limit: u32,
    ) -> Vec<(Arc<str>, Bytes)> {
        let Some(map) = self.maps.get(&place) else {
            return Vec::new();
        };
        let start = match &after {
            Some(after) if **after >= *prefix => Bound::Excluded(&**after),
            _ => Bound::Included(prefix),
        };
        map.range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit as usize)
            .map(|(key, value)| (Arc::clone(key), value.clone()))
            .collect()
    }

    fn owners(&self, space: Space, after: Option<Owner>, limit: u32) -> Vec<Owner> {
        let logs = self.logs.iter().filter(|(_, log)| !log.is_empty()).map(|(place, _)| place);
        let mut owners: Vec<Owner> = (self.docs.keys())
            .chain(self.maps.keys())
            .chain(logs)
            .filter(|(of, owner)| *of == space && after.as_ref().is_none_or(|after| owner > after))
            .map(|(_, owner)| owner.clone())
            .collect();
        owners.sort();
        owners.dedup();
        owners.truncate(limit as usize);
        owners
    }
}
