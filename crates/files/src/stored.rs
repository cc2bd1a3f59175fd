//! A file is fetched.
//!
//! Not here: HTTP, ranges and headers (crate `net`).

use std::ops::Range;

use bytes::Bytes;
use model::storage::BlobId;
use store::Fault;

use crate::files::Files;
use crate::ids;
use crate::names;

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes' name; equal for equal bytes.
    pub blob: BlobId,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its name.
    pub name: String,
    /// Its media type in lower case, without parameters.
    pub media_type: String,
    /// When it came, in Unix milliseconds.
    pub made_ms: u64,
    /// When it goes, in Unix milliseconds.
    pub until_ms: Option<u64>,
}

impl Files {
    /// The file at an address: its token, and its name encoded as it stands there. A wrong name finds nothing, so that
    /// nobody can give a file another ending.
    ///
    /// # Errors
    /// Storage does not answer.
    pub async fn open(&self, token: &str, name: &str) -> Result<Option<Stored>, Fault> {
        if !ids::is_token(token) {
            return Ok(None);
        }
        let Some(record) = self.record(token).await? else { return Ok(None) };
        let Some(blob) = record.blob() else { return Ok(None) };
        // Before anything is said to who fetches it.
        self.blobs.ready()?;
        let over = record.until.is_some_and(|until| until <= self.now());
        if over || names::encode(&record.name) != name {
            return Ok(None);
        }
        Ok(Some(Stored {
            blob,
            bytes: record.bytes,
            name: record.name,
            media_type: record.media_type.unwrap_or_else(|| names::UNKNOWN.into()),
            made_ms: record.made,
            until_ms: record.until,
        }))
    }

    /// A bounded piece of a file.
    ///
    /// # Errors
    /// Storage does not answer.
    pub async fn piece(&self, blob: BlobId, range: Range<u64>) -> Result<Option<Bytes>, Fault> {
        self.blobs.blob_read(blob, range).await
    }
}
