//! The last chunks that were fetched, for who reads on.
//!
//! Not here: fetching (`bucket.rs`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use model::storage::BlobId;

use crate::limits::CHUNKS_MAX;

/// Newest first. Equal names mean equal bytes, so nothing here is ever out of date.
#[derive(Default)]
pub(crate) struct Chunks(Mutex<VecDeque<(Name, Bytes)>>);

/// Which chunk of which blob.
type Name = (BlobId, u64);

impl Chunks {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Name, Bytes)>> {
        // Single calls into the list: it is whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, name: Name) -> Option<Bytes> {
        self.lock().iter().find(|(known, _)| *known == name).map(|(_, bytes)| bytes.clone())
    }

    pub(crate) fn keep(&self, name: Name, bytes: Bytes) {
        let mut chunks = self.lock();
        chunks.push_front((name, bytes));
        chunks.truncate(CHUNKS_MAX);
    }

    pub(crate) fn forget(&self, id: BlobId) {
        self.lock().retain(|((known, _), _)| *known != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let (chunks, id) = (Chunks::default(), BlobId([1; 32]));
        for n in 0..=CHUNKS_MAX as u64 {
            chunks.keep((id, n), Bytes::from(n.to_string()));
        }
        assert_eq!(chunks.find((id, 0)), None);
        assert_eq!(chunks.find((id, 1)).unwrap(), "1");
        chunks.forget(BlobId([2; 32]));
        assert!(chunks.find((id, 1)).is_some());
        chunks.forget(id);
        assert_eq!(chunks.find((id, 1)), None);
    }
}
