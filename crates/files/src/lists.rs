//! The files of an account.
//!
//! Not here: removing them (`remove.rs`).

use address::Bare;
use model::storage::{Loaded, Owner, Read};
use model::upload::{UploadFound, UploadedFile};
use store::Fault;

use crate::files::Files;
use crate::limits;
use crate::names;
use crate::record::{FILE, FILES, Record, split_key};

impl Files {
    /// The newest of an account's files; slots that wait are left out.
    pub(crate) async fn list(&self, account: &Bare, limit: u32) -> Result<UploadFound, Fault> {
        let base = self.base(account).unwrap_or_default();
        // Keys are short, and an account has at most FILES_MAX of them.
        let mut keys = self.keys(account, None, limits::FILES_MAX as u32).await?;
        keys.reverse();
        keys.truncate(limit.min(limits::LIST_MAX) as usize);
        let doc = |key: &String| Read::Doc { space: FILE, owner: token(key).into() };
        let found = self.store.read(Read::Many(keys.iter().map(doc).collect())).await?.into_many();
        let mut files = Vec::new();
        for (id, record) in keys.into_iter().zip(found.into_iter().map(Loaded::into_doc)) {
            let Some(record) = record.map(|bytes| Record::read(&bytes)).transpose()? else { continue };
            if record.blob().is_none() {
                continue;
            }
            let url = format!("{base}/{}/{}", token(&id), names::encode(&record.name));
            let Record { name, bytes, made, until, .. } = record;
            files.push(UploadedFile { id, name, bytes, at_ms: made, until_ms: until, url });
        }
        Ok(UploadFound::Files(files))
    }

    /// Keys of an account's files, oldest first.
    pub(crate) async fn keys(
        &self,
        account: &Bare,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<String>, Fault> {
        let owner = Owner::from(account.as_str());
        let range =
            Read::MapRange { space: FILES, owner, prefix: "".into(), after: after.map(Into::into), limit };
        let found = self.store.read(range).await?.into_map();
        Ok(found.into_iter().map(|(key, _)| key.to_string()).collect())
    }
}

/// The token in a key.
pub(crate) fn token(key: &str) -> &str {
    split_key(key).map(|(_, token)| token).unwrap_or_default()
}
