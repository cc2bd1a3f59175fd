//! The bucket as an engine for blobs.
//!
//! Not here: requests (`bucket.rs`).

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use model::storage::BlobId;
use store::{BlobHash, Blobs, BoxFuture, Fault, FaultKind, Intake};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::bucket::{Bucket, Settings};
use crate::chunks::Chunks;
use crate::limits::{CHUNK_BYTES, FETCH_WAIT, FETCHES_MAX};
use crate::spool::{Spool, Spooled, fault};

/// Blobs in a bucket, and those that were stored here before there was one. Within a runtime only.
pub struct Objects {
    bucket: Arc<Bucket>,
    chunks: Chunks,
    fetches: Semaphore,
    spool: Spool,
    /// What was stored before; nothing new goes there.
    before: Arc<dyn Blobs>,
}

impl Objects {
    /// In this bucket, and read-only in `before`. Nothing is asked of the bucket yet.
    ///
    /// # Errors
    /// The folder for files on their way cannot be made, or this system trusts no authority for TLS.
    pub fn open(settings: Settings, before: Arc<dyn Blobs>) -> Result<Objects, Fault> {
        let spool = Spool::open(settings.spool.clone())?;
        let (bucket, fetches) = (Arc::new(Bucket::new(settings)?), Semaphore::new(FETCHES_MAX));
        Ok(Objects { bucket, chunks: Chunks::default(), fetches, spool, before })
    }

    /// Asks whether the bucket is there and may be used.
    ///
    /// # Errors
    /// It is not, and why.
    pub async fn check(&self) -> Result<(), Fault> {
        self.bucket.check().await
    }

    async fn chunk(&self, id: BlobId, number: u64) -> Result<Option<Bytes>, Fault> {
        if let Some(known) = self.chunks.find((id, number)) {
            return Ok(Some(known));
        }
        let wait = timeout(FETCH_WAIT, self.fetches.acquire()).await;
        let _fetch =
            wait.map_err(|_| Fault::new(FaultKind::Away, "too many read from the object storage"))?;
        // Another reader may have waited for the same.
        if let Some(known) = self.chunks.find((id, number)) {
            return Ok(Some(known));
        }
        let found = self.bucket.chunk(id, number).await?;
        if let Some(bytes) = &found {
            self.chunks.keep((id, number), bytes.clone());
        }
        Ok(found)
    }

    async fn read(&self, id: BlobId, range: Range<u64>) -> Result<Option<Bytes>, Fault> {
        let mut all = BytesMut::new();
        let mut at = range.start;
        loop {
            let Some(chunk) = self.chunk(id, at / CHUNK_BYTES).await? else { return Ok(None) };
            let length = chunk.len() as u64;
            let from = (at % CHUNK_BYTES).min(length);
            let to = (from + range.end.saturating_sub(at)).min(length);
            let part = chunk.slice(from as usize..to as usize);
            at += part.len() as u64;
            let last = at >= range.end || length < CHUNK_BYTES;
            match last && all.is_empty() {
                // Most often it is a part of one chunk. A small one would keep all of it in memory as long as its reader
                // takes.
                true if part.len() * 2 < chunk.len() => return Ok(Some(Bytes::copy_from_slice(&part))),
                true => return Ok(Some(part)),
                false => all.extend_from_slice(&part),
            }
            if last {
                return Ok(Some(all.freeze()));
            }
        }
    }
}

impl Blobs for Objects {
    fn ready(&self) -> Result<(), Fault> {
        self.bucket.ready()
    }

    fn blob_put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>> {
        Box::pin(async move {
            self.bucket.ready()?;
            let (spooled, file) = self.spool.create().await?;
            let bucket = self.bucket.clone();
            let part = Part { bucket, spooled, file, hash: BlobHash::new(), bytes: 0, failed: false };
            Ok(Box::new(part) as Box<dyn Intake>)
        })
    }

    fn blob_size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>> {
        Box::pin(async move {
            match self.before.blob_size(id).await? {
                None => self.bucket.size(id).await,
                found => Ok(found),
            }
        })
    }

    fn blob_read(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        Box::pin(async move {
            match self.before.blob_read(id, range.clone()).await? {
                None => self.read(id, range).await,
                found => Ok(found),
            }
        })
    }

    fn blob_delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            self.before.blob_delete(id).await?;
            self.chunks.forget(id);
            // While the storage is away nobody waits for it; the search for orphans comes back to it.
            self.bucket.ready()?;
            self.bucket.delete(id).await
        })
    }
}

/// A blob of which a part has come.
struct Part {
    bucket: Arc<Bucket>,
    spooled: Spooled,
    file: File,
    hash: BlobHash,
    bytes: u64,
    failed: bool,
}

impl Intake for Part {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            // Until it is known how it went, it has failed: a write that is given up has written a part.
            self.failed = true;
            self.file.write_all(&bytes).await.map_err(|error| fault(&error))?;
            self.hash.update(&bytes);
            self.bytes += bytes.len() as u64;
            self.failed = false;
            Ok(())
        })
    }

    fn id(&self) -> Result<BlobId, Fault> {
        match self.failed {
            true => Err(Fault::new(FaultKind::Misuse, "an earlier piece of the blob failed")),
            false => Ok(self.hash.clone().finish()),
        }
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId, Fault>> {
        Box::pin(async move {
            let id = self.id()?;
            let Part { bucket, spooled, mut file, bytes, .. } = *self;
            file.flush().await.map_err(|error| fault(&error))?;
            drop(file);
            // Whoever sent the same bytes before has spared us the way.
            if bucket.size(id).await? != Some(bytes) {
                bucket.put(id, spooled.path(), bytes).await?;
            }
            Ok(id)
        })
    }
}
