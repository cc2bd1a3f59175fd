//! A file comes in.
//!
//! XEP-0363 1.2.0 section 7.
//!
//! Not here: HTTP (crate `net`).

use std::sync::Arc;

use bytes::Bytes;
use model::storage::{Batch, BlobId, Write};
use store::{Fault, FaultKind, Intake};

use crate::files::{Claim, Files};
use crate::ids;
use crate::names;
use crate::record::{Record, USERS};

/// An upload that wants to begin.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// The file's token, out of the address.
    pub token: &'a str,
    /// The slot's secret, out of the address.
    pub secret: &'a str,
    /// The name in the address, encoded as it stands there.
    pub name: &'a str,
    /// How many bytes will come; `None` if that was not said.
    pub bytes: Option<u64>,
    /// The media type that was said.
    pub media_type: Option<&'a str>,
}

/// Why an upload is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such slot, or not any more.
    NotFound,
    /// There is, but this is not its secret.
    Forbidden,
    /// Its file is there already, or coming in.
    Taken,
    /// Nobody said how long it is.
    NoLength,
    /// Its length is not that of the slot.
    Length,
    /// Its media type is not that of the slot.
    MediaType,
    /// There is no space left.
    Full,
    /// Storage failed.
    Failed,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "an upload cannot be stored");
        match fault.kind() {
            FaultKind::Full => Refusal::Full,
            _ => Refusal::Failed,
        }
    }
}

/// A file on its way in. Dropped before [`Arrival::finish`], it leaves nothing behind and its slot free.
pub struct Arrival {
    files: Arc<Files>,
    claim: Claim,
    intake: Box<dyn Intake>,
    media_type: Option<String>,
    missing: u64,
}

impl Files {
    /// Begins to take in the file of a slot.
    ///
    /// # Errors
    /// It is not taken, and why.
    pub async fn begin(self: &Arc<Self>, put: Put<'_>) -> Result<Arrival, Refusal> {
        if !ids::is_token(put.token) {
            return Err(Refusal::NotFound);
        }
        // First the claim: what is read after it stays true.
        let claim = self.claim(put.token).ok_or(Refusal::Taken)?;
        let record = self.record(put.token).await?.ok_or(Refusal::NotFound)?;
        let Some((secret, until)) = &record.waiting else { return Err(Refusal::Taken) };
        if !ids::proves(put.secret, secret) {
            return Err(Refusal::Forbidden);
        }
        if *until <= self.now() || names::encode(&record.name) != put.name {
            return Err(Refusal::NotFound);
        }
        if put.bytes.ok_or(Refusal::NoLength)? != record.bytes {
            return Err(Refusal::Length);
        }
        let said = put.media_type.and_then(names::media_type);
        if said.is_some() && record.media_type.is_some() && said != record.media_type {
            return Err(Refusal::MediaType);
        }
        let intake = self.blobs.blob_put().await?;
        Ok(Arrival { files: self.clone(), claim, intake, media_type: said, missing: record.bytes })
    }

    /// The file of a slot is whole. Nobody else fills it (see [`Claim`]), but it may have been taken away.
    ///
    /// The blob has its user before it exists, so nobody takes it away for having none while it is on its way, which may
    /// be long. What ends in between leaves a user without a file; the search for orphans knows that.
    async fn complete(
        &self,
        token: &str,
        said: Option<String>,
        intake: Box<dyn Intake>,
    ) -> Result<(), Refusal> {
        let blob = intake.id()?;
        {
            let _users = self.users(blob).await;
            let owner = blob.to_string().into();
            let put = Write::MapPut { space: USERS, owner, key: token.into(), value: Bytes::new() };
            self.store.commit(put.into()).await?;
        }
        let kept = match intake.finish().await {
            Ok(_) => self.enter(token, said, blob).await,
            Err(fault) => Err(fault.into()),
        };
        if kept.is_err()
            && let Err(fault) = self.release(blob, token).await
        {
            // The next search for orphans finds it.
            tracing::warn!(cause = fault.cause(), "an upload that failed has left something behind");
        }
        kept
    }

    /// The slot becomes a file.
    async fn enter(&self, token: &str, said: Option<String>, blob: BlobId) -> Result<(), Refusal> {
        let account = self.record(token).await?.ok_or(Refusal::NotFound)?.account;
        let _lock = self.lock(&account).await;
        let before = self.record(token).await?.ok_or(Refusal::NotFound)?;
        let mut record: Record = before.clone();
        record.arrived(blob);
        record.media_type = record.media_type.take().or(said);
        let mut usage = self.usage(&account).await?;
        usage.arrived();
        let mut batch: Batch = record.put(token, Some(&before)).into();
        batch.push(usage.put(&account));
        self.store.commit(batch).await?;
        Ok(())
    }
}

impl Arrival {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// They are too many, or cannot be stored; the upload is over.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Refusal> {
        self.missing = self.missing.checked_sub(bytes.len() as u64).ok_or(Refusal::Length)?;
        self.intake.write(bytes).await?;
        Ok(())
    }

    /// All bytes have come. When this is done, the file can be fetched and is on stable storage.
    ///
    /// # Errors
    /// Some are missing, or they cannot be stored.
    pub async fn finish(self) -> Result<(), Refusal> {
        if self.missing > 0 {
            return Err(Refusal::Length);
        }
        self.files.complete(&self.claim.token, self.media_type, self.intake).await
    }
}
