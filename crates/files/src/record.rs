//! What is stored about a file, as versioned JSON.
//!
//! Spaces: one document per file (by its token), one map per account (its files by time), one map of what is due to go,
//! one map per blob (who uses it).
//!
//! Not here: the bytes (blobs), sums per account (`usage.rs`).

use address::Bare;
use bytes::Bytes;
use model::storage::{BlobId, Owner, Space, Write};
use serde::{Deserialize, Serialize};
use store::{Fault, FaultKind};

/// One document per file; the owner is its token.
pub(crate) const FILE: Space = Space("file");
/// One map per account: [`Record::key`] to nothing.
pub(crate) const FILES: Space = Space("files");
/// One map of [`EVERYBODY`]: the time at which a file goes, and its token.
pub(crate) const DUE: Space = Space("file-due");
/// One map per blob: the tokens of files that have these bytes.
pub(crate) const USERS: Space = Space("file-blob");
/// The owner of [`DUE`]: no account has this form.
pub(crate) const EVERYBODY: &str = "files";

/// The version that this release writes, and the newest that it reads.
const VERSION: u32 = 1;

/// A file, or a slot that waits for one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    v: u32,
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// As the slot's request said; else as the upload says.
    pub(crate) media_type: Option<String>,
    /// Unix milliseconds.
    pub(crate) made: u64,
    /// When the file goes; Unix milliseconds.
    pub(crate) until: Option<u64>,
    /// Hash of the secret that the upload needs, and until when the slot waits.
    #[serde(default)]
    pub(crate) waiting: Option<(String, u64)>,
    /// Once it is there: the name of its bytes.
    #[serde(default)]
    blob: Option<String>,
}

impl Record {
    /// A slot.
    pub(crate) fn new(account: &Bare, name: String, bytes: u64, made: u64) -> Record {
        Record {
            v: VERSION,
            account: account.as_str().to_owned(),
            name,
            bytes,
            media_type: None,
            made,
            until: None,
            waiting: None,
            blob: None,
        }
    }

    pub(crate) fn blob(&self) -> Option<BlobId> {
        self.blob.as_deref().and_then(BlobId::parse)
    }

    /// The file is there.
    pub(crate) fn arrived(&mut self, blob: BlobId) {
        self.blob = Some(blob.to_string());
        self.waiting = None;
    }

    /// When something has to be done about it.
    fn due(&self) -> Option<u64> {
        self.waiting.as_ref().map(|(_, until)| *until).or(self.until)
    }

    /// Its key among the files of its account.
    pub(crate) fn key(&self, token: &str) -> String {
        format!("{:012x}{token}", self.made)
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Record, Fault> {
        let record: Record = serde_json::from_slice(bytes)
            .map_err(|error| Fault::new(FaultKind::Corrupt, format!("a file's document: {error}")))?;
        if record.v > VERSION {
            let cause = format!("a file's document of version {}, this release knows {VERSION}", record.v);
            return Err(Fault::new(FaultKind::TooNew, cause));
        }
        Ok(record)
    }

    /// Writes that make it known, after `before` was.
    pub(crate) fn put(&self, token: &str, before: Option<&Record>) -> Vec<Write> {
        // It has no maps with keys that are no text, so it can be written.
        let value: Bytes = serde_json::to_vec(self).unwrap_or_default().into();
        let mut writes = vec![
            Write::DocPut { space: FILE, owner: token.into(), value },
            Write::MapPut {
                space: FILES,
                owner: Owner::from(self.account.as_str()),
                key: self.key(token).into(),
                value: Bytes::new(),
            },
        ];
        writes.extend(before.and_then(Record::due).map(|due| not_due(due, token)));
        let key = |due: u64| format!("{due:012x}{token}").into();
        let put =
            |due| Write::MapPut { space: DUE, owner: EVERYBODY.into(), key: key(due), value: Bytes::new() };
        writes.extend(self.due().map(put));
        writes
    }

    /// Writes that make it unknown; its blob still has it as a user.
    pub(crate) fn delete(&self, token: &str) -> Vec<Write> {
        let owner = Owner::from(self.account.as_str());
        let mut writes = vec![
            Write::DocDelete { space: FILE, owner: token.into() },
            Write::MapDelete { space: FILES, owner, key: self.key(token).into() },
        ];
        writes.extend(self.due().map(|due| not_due(due, token)));
        writes
    }
}

fn not_due(due: u64, token: &str) -> Write {
    Write::MapDelete { space: DUE, owner: EVERYBODY.into(), key: format!("{due:012x}{token}").into() }
}

/// Time and token of a key of [`DUE`] or [`FILES`].
pub(crate) fn split_key(key: &str) -> Option<(u64, &str)> {
    let (time, token) = key.split_at_checked(12)?;
    Some((u64::from_str_radix(time, 16).ok()?, token))
}
