//! What may be written: batches of writes that happen wholly or not at all.
//!
//! Not here: reading (`read`).

use std::sync::Arc;

use bytes::Bytes;

use super::{Entry, Owner, Space};

/// Writes that are stored together: all or nothing, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch(pub Vec<Write>);

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write at the end.
    pub fn push(&mut self, write: Write) {
        self.0.push(write);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes it takes in memory and on disk, for bounds on queues.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Write::bytes).sum()
    }
}

impl From<Write> for Batch {
    fn from(write: Write) -> Self {
        Self(vec![write])
    }
}

impl From<Vec<Write>> for Batch {
    fn from(writes: Vec<Write>) -> Self {
        Self(writes)
    }
}

impl FromIterator<Write> for Batch {
    fn from_iter<I: IntoIterator<Item = Write>>(writes: I) -> Self {
        Self(writes.into_iter().collect())
    }
}

impl Extend<Write> for Batch {
    fn extend<I: IntoIterator<Item = Write>>(&mut self, writes: I) {
        self.0.extend(writes);
    }
}

/// One write. Deleting what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the document of an owner.
    DocPut {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// The new document.
        value: Bytes,
    },
    /// Removes the document of an owner.
    DocDelete {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
    },
    /// Sets one key of an owner's map.
    MapPut {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Any text without U+0000; compared byte by byte.
        key: Arc<str>,
        /// The new value.
        value: Bytes,
    },
    /// Removes one key of an owner's map.
    MapDelete {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Which key.
        key: Arc<str>,
    },
    /// Removes every key that starts with `prefix`; the empty prefix clears the map.
    MapClear {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// The beginning of the keys, or nothing for all keys.
        prefix: Arc<str>,
    },
    /// Adds an entry at the end of a log. An id that is not above the log's last one refuses the batch.
    LogAppend {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// The new entry.
        entry: Entry,
    },
    /// Replaces the value of an entry; its id, time, other side and tag stay. For entries that are withdrawn:
    /// XEP-0313 section 3.2 wants their id, time and JID kept. Without such an entry nothing happens.
    LogReplace {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Which entry.
        id: u64,
        /// What stands there from now on.
        value: Bytes,
    },
    /// Removes entries of a log. Their ids are never used again.
    LogDelete {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Which entries.
        what: Cull,
    },
    /// Removes all that an owner has, in every space and shape but Blob: the end of an account or a room.
    Purge {
        /// Whose.
        owner: Owner,
    },
}

impl Write {
    fn bytes(&self) -> usize {
        const FIXED: usize = 64;
        FIXED
            + match self {
                Self::DocPut { value, .. } | Self::LogReplace { value, .. } => value.len(),
                Self::MapPut { key, value, .. } => key.len() + value.len(),
                Self::MapDelete { key, .. } => key.len(),
                Self::LogAppend { entry, .. } => entry.value.len(),
                Self::LogDelete { what: Cull::Ids(ids), .. } => ids.len() * 8,
                Self::DocDelete { .. }
                | Self::MapClear { .. }
                | Self::LogDelete { .. }
                | Self::Purge { .. } => 0,
            }
    }
}

/// Which entries of a log go. All but [`Cull::Ids`] take the oldest, so they leave no hole in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cull {
    /// All.
    All,
    /// These; ids that are not there are passed over.
    Ids(Vec<u64>),
    /// All up to and including this id.
    UpTo(u64),
    /// All that stand before the first entry of this time (Unix milliseconds) or later.
    Before(u64),
    /// All but this many newest.
    KeepNewest(u64),
}
