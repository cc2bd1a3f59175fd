//! What is due goes: files whose time is over, slots that nobody used, files of accounts that are gone.
//!
//! Not here: the clock that calls it (the binary).

use model::storage::{BlobId, Owner, Read, Write};
use store::Fault;

use crate::files::Files;
use crate::limits::SWEEP;
use crate::record::{DUE, EVERYBODY, FILE, FILES, USERS, split_key};

impl Files {
    /// Removes what is due, and says how many that were.
    ///
    /// # Errors
    /// Storage does not answer; what is left is found by the next call.
    pub async fn sweep(&self) -> Result<u64, Fault> {
        let (mut gone, mut after) = (0, None);
        loop {
            let due = Read::MapRange {
                space: DUE,
                owner: EVERYBODY.into(),
                prefix: "".into(),
                after: after.take(),
                limit: SWEEP,
            };
            let page = self.store.read(due).await?.into_map();
            let now = self.now();
            for (key, _) in &page {
                match split_key(key) {
                    Some((due, _)) if due > now => return Ok(gone),
                    // Who is slow shall not lose the slot half-way.
                    Some((_, token)) if self.arrives(token) => continue,
                    Some((_, token)) => self.remove(token).await?,
                    None => {}
                }
                // Of a file that is gone with its account, this is all that is left.
                let delete = Write::MapDelete { space: DUE, owner: EVERYBODY.into(), key: key.clone() };
                self.store.commit(delete.into()).await?;
                gone += 1;
            }
            match page.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(gone),
            }
        }
    }

    /// Removes files whose account is gone and bytes whose file never came to be, and says how many that were. It looks at
    /// every file.
    ///
    /// # Errors
    /// Storage does not answer; what is left is found by the next call.
    pub async fn sweep_orphans(&self) -> Result<u64, Fault> {
        Ok(self.sweep_files().await? + self.sweep_blobs().await?)
    }

    async fn sweep_blobs(&self) -> Result<u64, Fault> {
        let (mut gone, mut after) = (0, None);
        loop {
            let read = Read::Owners { space: USERS, after: after.take(), limit: SWEEP };
            let page = self.store.read(read).await?.into_owners();
            for owner in &page {
                let Some(blob) = BlobId::parse(owner.as_str()) else { continue };
                let users = Read::Map { space: USERS, owner: owner.clone() };
                for (token, _) in self.store.read(users).await?.into_map() {
                    // In this order: what no longer arrives is a file, or none.
                    let arrives = self.arrives(&token);
                    let record = self.record(&token).await?;
                    if !arrives && record.and_then(|record| record.blob()) != Some(blob) {
                        self.release(blob, &token).await?;
                        gone += 1;
                    }
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last),
                None => return Ok(gone),
            }
        }
    }

    async fn sweep_files(&self) -> Result<u64, Fault> {
        let (mut gone, mut after) = (0, None);
        loop {
            let read = Read::Owners { space: FILE, after: after.take(), limit: SWEEP };
            let page = self.store.read(read).await?.into_owners();
            for token in &page {
                let Some(record) = self.record(token.as_str()).await? else { continue };
                let owner = Owner::from(record.account.as_str());
                let key = record.key(token.as_str()).into();
                let listed = Read::MapGet { space: FILES, owner, key };
                if self.store.read(listed).await?.into_doc().is_none() {
                    self.remove(token.as_str()).await?;
                    gone += 1;
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last),
                None => return Ok(gone),
            }
        }
    }
}
