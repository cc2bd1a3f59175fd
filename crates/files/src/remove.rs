//! Files go.
//!
//! Not here: when (`sweep.rs`).

use address::Bare;
use model::storage::{Batch, BlobId, Owner, Read};
use model::upload::UploadFound;
use store::Fault;

use crate::files::Files;
use crate::ids;
use crate::lists;
use crate::record::{Record, USERS};

impl Files {
    /// Removes a file that its owner no longer wants.
    pub(crate) async fn delete(&self, account: &Bare, id: &str) -> Result<UploadFound, Fault> {
        let token = lists::token(id);
        let own = match ids::is_token(token) {
            true => self.record(token).await?.is_some_and(|record| record.account == account.as_str()),
            false => false,
        };
        if !own {
            return Ok(UploadFound::No);
        }
        self.remove(token).await?;
        Ok(UploadFound::Done)
    }

    /// Tokens of all files of an account: what [`Files::forget`] needs once the account is gone.
    ///
    /// # Errors
    /// Storage does not answer.
    pub async fn tokens(&self, account: &Bare) -> Result<Vec<String>, Fault> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.keys(account, after, crate::limits::SWEEP).await?;
            let Some(last) = page.last().cloned() else { return Ok(all) };
            all.extend(page.iter().map(|key| lists::token(key).to_owned()));
            after = Some(last);
        }
    }

    /// Removes these files.
    ///
    /// # Errors
    /// Storage does not answer; some may be left, and are found by the next [`Files::sweep_orphans`].
    pub async fn forget(&self, tokens: &[String]) -> Result<(), Fault> {
        for token in tokens {
            self.remove(token).await?;
        }
        Ok(())
    }

    /// Removes a file or a slot, and its bytes if nobody else has the same.
    pub(crate) async fn remove(&self, token: &str) -> Result<(), Fault> {
        let Some(record) = self.record(token).await? else { return Ok(()) };
        let _lock = self.lock(&record.account).await;
        // It may have arrived or gone meanwhile.
        let Some(record) = self.record(token).await? else { return Ok(()) };
        let _users = self.users.lock().await;
        let mut batch: Batch = record.delete(token).into();
        batch.extend(self.less(&record).await?);
        self.store.commit(batch).await?;
        match record.blob() {
            Some(blob) => self.drop_unused(blob).await,
            None => Ok(()),
        }
    }

    /// The account's sums without it; nothing where the account is gone.
    async fn less(&self, record: &Record) -> Result<Option<model::storage::Write>, Fault> {
        let mut usage = self.usage(&record.account).await?;
        if usage.files == 0 {
            return Ok(None);
        }
        usage.gone(record.bytes, record.waiting.as_ref().map(|_| record.made));
        Ok(Some(usage.put(&record.account)))
    }

    /// Removes bytes that no file has any more.
    async fn drop_unused(&self, blob: BlobId) -> Result<(), Fault> {
        let owner = Owner::from(blob.to_string());
        let first = Read::MapRange { space: USERS, owner, prefix: "".into(), after: None, limit: 1 };
        match self.store.read(first).await?.into_map().is_empty() {
            true => self.blobs.blob_delete(blob).await,
            false => Ok(()),
        }
    }
}
