//! Files go.
//!
//! Not here: when (`sweep.rs`).

use address::Bare;
use model::storage::{Batch, BlobId, Owner, Read, Write};
use model::upload::UploadFound;
use store::{Fault, FaultKind};

use crate::files::Files;
use crate::ids;
use crate::limits::LIST_MAX;
use crate::lists;
use crate::record::{Record, USERS};

impl Files {
    /// Removes files that their owner no longer wants.
    pub(crate) async fn delete(
        &self,
        account: &Bare,
        tokens: impl Iterator<Item = &str>,
    ) -> Result<UploadFound, Fault> {
        let mut deleted = 0;
        for token in tokens.filter(|token| ids::is_token(token)).take(LIST_MAX as usize) {
            let record = self.record(token).await?;
            if record.is_some_and(|record| record.account == account.as_str()) {
                self.remove(token).await?;
                deleted += 1;
            }
        }
        Ok(UploadFound::Deleted(deleted))
    }

    /// Removes an account's files at these addresses, where retracting a message does that.
    pub(crate) async fn retract(&self, account: &Bare, urls: &[String]) -> Result<UploadFound, Fault> {
        let Some(base) = self.base(account).filter(|_| self.settings.retract) else {
            return Ok(UploadFound::Off);
        };
        self.delete(account, urls.iter().filter_map(|url| token_at(&base, url))).await
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
        let lock = self.lock(&record.account).await;
        // It may have arrived or gone meanwhile.
        let Some(record) = self.record(token).await? else { return Ok(()) };
        let mut batch: Batch = record.delete(token).into();
        batch.extend(self.less(&record).await?);
        self.store.commit(batch).await?;
        // The bytes have a lock of their own, and an object storage may take its time.
        drop(lock);
        let Some(blob) = record.blob() else { return Ok(()) };
        match self.release(blob, token).await {
            // Nobody finds it any more; the next search for orphans takes the bytes away.
            Err(fault) if fault.kind() == FaultKind::Away => {
                tracing::warn!(
                    cause = fault.cause(),
                    "a deleted file's bytes are still in the object storage"
                );
                Ok(())
            }
            released => released,
        }
    }

    /// A blob has a user less.
    pub(crate) async fn release(&self, blob: BlobId, token: &str) -> Result<(), Fault> {
        let _users = self.users(blob).await;
        let owner = blob.to_string().into();
        let delete = Write::MapDelete { space: USERS, owner, key: token.into() };
        // Last, so that whatever ends in between is found again by its user.
        if self.is_shared(blob, token).await? {
            return self.store.commit(delete.into()).await;
        }
        self.blobs.blob_delete(blob).await?;
        self.store.commit(delete.into()).await
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

    /// Whether a blob has other users.
    async fn is_shared(&self, blob: BlobId, token: &str) -> Result<bool, Fault> {
        let owner = Owner::from(blob.to_string());
        let first = Read::MapRange { space: USERS, owner, prefix: "".into(), after: None, limit: 2 };
        let users = self.store.read(first).await?.into_map();
        Ok(users.iter().any(|(user, _)| **user != *token))
    }
}

/// The token in an address that begins with `base`. Of an encrypted file, clients write `aesgcm` and the key as a fragment
/// (XEP-0454 section 3).
fn token_at<'a>(base: &str, url: &'a str) -> Option<&'a str> {
    let (base, path) = match url.strip_prefix("aesgcm://") {
        Some(path) => (base.strip_prefix("https://")?, path),
        None => (base, url),
    };
    let (token, name) = path.strip_prefix(base)?.strip_prefix('/')?.split_once('/')?;
    // With a slash it is the secret address of the upload.
    (!name.contains('/')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files_are_known() {
        let base = "https://a.example:5281/upload";
        for (url, want) in [
            ("https://a.example:5281/upload/0a/b.jpg", Some("0a")),
            ("https://a.example:5281/upload/0a/b.jpg#x", Some("0a")),
            ("aesgcm://a.example:5281/upload/0a/b.jpg#0123", Some("0a")),
            ("https://a.example:5281/upload/0a", None),
            ("https://a.example:5281/upload/0a/secret/b.jpg", None),
            ("https://a.example:5281/uploads/0a/b.jpg", None),
            ("https://b.example:5281/upload/0a/b.jpg", None),
            ("http://a.example:5281/upload/0a/b.jpg", None),
            ("aesgcm://b.example/upload/0a/b.jpg", None),
            ("a.example:5281/upload/0a/b.jpg", None),
            ("", None),
        ] {
            assert_eq!(token_at(base, url), want, "{url}");
        }
    }
}
