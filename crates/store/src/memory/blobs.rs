//! Blobs in memory.
//!
//! Not here: the other shapes (`state`).

use std::collections::HashMap;
use std::future::ready;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use model::storage::BlobId;

use super::Memory;
use crate::{BlobHash, Blobs, BoxFuture, Fault, Intake};

#[derive(Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<HashMap<BlobId, Bytes>>>);

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, HashMap<BlobId, Bytes>> {
        // Single calls into the map: it is whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for Memory {
    fn blob_put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>> {
        let intake = MemoryIntake { shelf: self.shelf.clone(), bytes: BytesMut::new() };
        Box::pin(async move { Ok(Box::new(intake) as Box<dyn Intake>) })
    }

    fn blob_size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>> {
        Box::pin(ready(Ok(self.shelf.lock().get(&id).map(|bytes| bytes.len() as u64))))
    }

    fn blob_read(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        let piece = self.shelf.lock().get(&id).map(|bytes| {
            let end = range.end.min(bytes.len() as u64) as usize;
            bytes.slice((range.start as usize).min(end)..end)
        });
        Box::pin(ready(Ok(piece)))
    }

    fn blob_delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>> {
        self.shelf.lock().remove(&id);
        Box::pin(ready(Ok(())))
    }
}

struct MemoryIntake {
    shelf: Shelf,
    bytes: BytesMut,
}

impl Intake for MemoryIntake {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Fault>> {
        self.bytes.extend_from_slice(&bytes);
        Box::pin(ready(Ok(())))
    }

    fn id(&self) -> Result<BlobId, Fault> {
        let mut hash = BlobHash::new();
        hash.update(&self.bytes);
        Ok(hash.finish())
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId, Fault>> {
        let mut hash = BlobHash::new();
        hash.update(&self.bytes);
        let id = hash.finish();
        self.shelf.lock().insert(id, self.bytes.freeze());
        Box::pin(ready(Ok(id)))
    }
}
