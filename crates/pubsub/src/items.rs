//! Items: how they are stored in their order, and what is known of them without reading them.
//!
//! XEP-0060 1.30.0 (section 12.1: a node is an ordered map of items)
//!
//! An item's key ends in a number that falls with each publication, so the newest comes first when a node's part of the
//! map is read in order. A second map has the same keys and says only what the items are; of the nodes in use it is held
//! in memory, at most [`crate::limits::INDEXES_MAX`] of an account.
//!
//! Not here: publishing and reading (`publish.rs`, `retrieve.rs`).

use std::sync::Arc;

use bytes::Bytes;
use kernel::Effects;
use model::storage::{Loaded, Owner, Read, Space, Write};
use serde::{Deserialize, Serialize};

use crate::node::{MARK, clear, key};

/// A map from node and number to the item itself.
pub(crate) const ITEMS: Space = Space("node-items");
/// A map from node and number to what is known of the item.
pub(crate) const INDEX: Space = Space("node-index");

/// What is known of an item without its payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Grows with each publication.
    pub(crate) seq: u64,
    /// When it was published, in Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Bytes of its payload.
    pub(crate) size: u32,
    pub(crate) id: Arc<str>,
    /// The bare address of who published it.
    pub(crate) by: Arc<str>,
}

/// All items of a node, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Index(pub(crate) Vec<Entry>);

#[derive(Serialize, Deserialize)]
struct Row(u64, u32, String, String);

#[derive(Serialize, Deserialize)]
struct Head {
    at: u64,
    id: String,
    by: String,
}

/// An item as it was stored.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) at_ms: u64,
    pub(crate) id: String,
    pub(crate) by: String,
    /// One canonical element that stands in no namespace, or nothing.
    pub(crate) payload: Bytes,
}

fn numbered(node: &str, seq: u64) -> String {
    key(node, &format!("{:016x}", u64::MAX - seq))
}

/// How an item is stored.
pub(crate) fn stored(owner: &Owner, node: &str, entry: &Entry, payload: &[u8]) -> [Write; 2] {
    let head = Head { at: entry.at_ms, id: entry.id.to_string(), by: entry.by.to_string() };
    // Texts and numbers cannot fail to be written.
    let mut value = serde_json::to_vec(&head).unwrap_or_default();
    value.push(b'\n');
    value.extend_from_slice(payload);
    let row = Row(entry.at_ms, entry.size, entry.id.to_string(), entry.by.to_string());
    let row = serde_json::to_vec(&row).unwrap_or_default();
    let key: Arc<str> = numbered(node, entry.seq).into();
    let put = |space, value: Vec<u8>| Write::MapPut {
        space,
        owner: owner.clone(),
        key: key.clone(),
        value: value.into(),
    };
    [put(ITEMS, value), put(INDEX, row)]
}

impl Index {
    /// What [`Index::read`] brought.
    pub(crate) fn hydrate(stored: Loaded) -> Index {
        let mut entries: Vec<Entry> = Vec::new();
        for (key, value) in stored.into_map() {
            let number = key.rsplit_once(MARK).and_then(|(_, digits)| u64::from_str_radix(digits, 16).ok());
            match (number, serde_json::from_slice(&value)) {
                (Some(number), Ok(Row(at_ms, size, id, by))) => {
                    entries.push(Entry { seq: u64::MAX - number, at_ms, size, id: id.into(), by: by.into() });
                }
                _ => tracing::error!(%key, "what is known of an item is unreadable and left out"),
            }
        }
        entries.reverse();
        Index(entries)
    }

    /// What to read to know a node's items.
    pub(crate) fn read(owner: &Owner, node: &str) -> Read {
        Read::MapRange {
            space: INDEX,
            owner: owner.clone(),
            prefix: key(node, "").into(),
            after: None,
            limit: crate::limits::ITEMS_MAX + 1,
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| &*entry.id == id)
    }

    /// Adds an item as the newest, in place of an older one of the same id.
    pub(crate) fn put(&mut self, owner: &Owner, node: &str, wanted: Entry, payload: &[u8], fx: &mut Effects) {
        let id = wanted.id.clone();
        self.remove(owner, node, &id, fx);
        // Numbers grow even if two publications happen in one turn.
        let seq = self.0.last().map_or(wanted.seq, |last| wanted.seq.max(last.seq + 1));
        let entry = Entry { seq, ..wanted };
        for write in stored(owner, node, &entry, payload) {
            fx.write(write);
        }
        self.0.push(entry);
    }

    /// Takes an item away.
    pub(crate) fn remove(&mut self, owner: &Owner, node: &str, id: &str, fx: &mut Effects) -> Option<Entry> {
        let at = self.0.iter().position(|entry| &*entry.id == id)?;
        let entry = self.0.remove(at);
        for space in [ITEMS, INDEX] {
            let key = numbered(node, entry.seq).into();
            fx.write(Write::MapDelete { space, owner: owner.clone(), key });
        }
        Some(entry)
    }

    /// Takes all away.
    pub(crate) fn purge(&mut self, owner: &Owner, node: &str, fx: &mut Effects) {
        self.0.clear();
        for space in [ITEMS, INDEX] {
            clear(owner, node, space, fx);
        }
    }

    /// Takes those away that were published before a time.
    pub(crate) fn expire(&mut self, owner: &Owner, node: &str, before_ms: u64, fx: &mut Effects) {
        let old: Vec<Arc<str>> =
            self.0.iter().filter(|entry| entry.at_ms < before_ms).map(|entry| entry.id.clone()).collect();
        for id in old {
            self.remove(owner, node, &id, fx);
        }
    }
}

impl Item {
    /// What to read to have an item.
    pub(crate) fn read(owner: &Owner, node: &str, seq: u64) -> Read {
        Read::MapGet { space: ITEMS, owner: owner.clone(), key: numbered(node, seq).into() }
    }

    /// What to read to have a node's newest items.
    pub(crate) fn read_newest(owner: &Owner, node: &str, limit: u32) -> Read {
        let prefix = key(node, "").into();
        Read::MapRange { space: ITEMS, owner: owner.clone(), prefix, after: None, limit }
    }

    /// An item from its stored bytes; `None` if they are unreadable, after saying so.
    pub(crate) fn hydrate(stored: &Bytes) -> Option<Item> {
        let parts = stored.iter().position(|byte| *byte == b'\n').and_then(|end| {
            let head: Head = serde_json::from_slice(&stored[..end]).ok()?;
            Some((head, stored.slice(end + 1..)))
        });
        let Some((head, payload)) = parts else {
            tracing::error!("a stored item is unreadable and left out");
            return None;
        };
        Some(Item { at_ms: head.at, id: head.id, by: head.by, payload })
    }
}

/// The indexes in memory, the one used last at the end.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    held: Vec<(Arc<str>, Index)>,
    most: usize,
}

impl Indexes {
    /// How many may be held.
    pub(crate) fn limit(&mut self, most: usize) {
        self.most = most;
    }

    pub(crate) fn get(&mut self, node: &str) -> Option<&mut Index> {
        let at = self.held.iter().rposition(|(name, _)| **name == *node)?;
        let used = self.held.remove(at);
        self.held.push(used);
        self.held.last_mut().map(|(_, index)| index)
    }

    pub(crate) fn insert(&mut self, node: Arc<str>, index: Index) {
        self.remove(&node);
        if self.held.len() >= self.most.max(1) {
            self.held.remove(0);
        }
        self.held.push((node, index));
    }

    pub(crate) fn remove(&mut self, node: &str) {
        self.held.retain(|(name, _)| **name != *node);
    }
}
