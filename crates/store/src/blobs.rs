//! The fourth shape: bytes by content hash, streamed.
//!
//! Not here: who may upload or fetch what, and when a blob is no longer needed (the features).

use std::fmt;
use std::ops::Range;

use aws_lc_rs::digest;
use bytes::Bytes;
use model::storage::BlobId;

use crate::{BoxFuture, Fault};

/// An engine for blobs.
pub trait Blobs: Send + Sync {
    /// Whether it is worth bringing something now; an engine on this machine always is.
    ///
    /// # Errors
    /// [`crate::FaultKind::Away`]: it did not answer a moment ago.
    fn ready(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Begins to take in a blob whose hash is not known yet.
    fn blob_put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>>;

    /// How many bytes a blob has; `None` if there is no such blob.
    fn blob_size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>>;

    /// A part of a blob: less than the range, or nothing, where the blob ends before it. All of it comes at
    /// once, so ask for a bounded piece. `None` if there is no such blob.
    fn blob_read(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, Fault>>;

    /// Removes a blob. Equal bytes put twice are one blob: the caller counts its references.
    fn blob_delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>>;
}

/// A blob on its way in. Dropped before `finish` resolved, it leaves nothing behind.
pub trait Intake: Send {
    /// Adds bytes at the end.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Fault>>;

    /// The name that the blob has once it is finished, if nothing more is added.
    fn id(&self) -> Result<BlobId, Fault>;

    /// Makes the blob exist, on stable storage, and names it.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId, Fault>>;
}

/// Computes a [`BlobId`] piece by piece (SHA-256, FIPS 180-4).
#[derive(Clone)]
pub struct BlobHash(digest::Context);

impl BlobHash {
    /// The hash of nothing so far.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The name of what was added.
    pub fn finish(self) -> BlobId {
        let mut id = [0; 32];
        // A SHA-256 digest is 32 bytes long, so the lengths agree.
        id.copy_from_slice(self.0.finish().as_ref());
        BlobId(id)
    }
}

impl Default for BlobHash {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobHash")
    }
}
