//! Giving out slots.
//!
//! XEP-0363 1.2.0 sections 5 and 6.
//!
//! Not here: the request as XML (`features/upload.rs`).

use address::Bare;
use model::storage::{Batch, Owner, Read};
use model::upload::{Purpose, Slot, UploadFound};
use store::Fault;

use crate::files::Files;
use crate::ids;
use crate::limits;
use crate::names;
use crate::record::Record;
use crate::usage::{USAGE, Usage};

/// What somebody wants to upload.
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) purpose: Purpose,
}

const DAY: u64 = 86_400_000;

impl Files {
    pub(crate) async fn slot(&self, account: &Bare, wish: Wish) -> Result<UploadFound, Fault> {
        let Some(base) = self.base(account) else { return Ok(UploadFound::Off) };
        // Better to hear it now than after all of the file was sent.
        self.blobs.ready()?;
        let now = self.now();
        let until = match self.until(&wish, now) {
            Ok(until) => until,
            Err(refusal) => return Ok(refusal),
        };
        let media_type = match wish.media_type.as_deref().map(names::media_type) {
            Some(None) => return Ok(UploadFound::Malformed),
            given => given.flatten(),
        };
        let (token, secret) = (ids::token()?, ids::token()?);
        let mut record = Record::new(account, names::tidy(&wish.name), wish.bytes, now);
        (record.media_type, record.until) = (media_type, until);
        record.waiting = Some((ids::hash(&secret), now + self.settings.slot_seconds * 1_000));

        let _lock = self.lock(account.as_str()).await;
        let mut usage = self.usage(account.as_str()).await?;
        if let Some(refusal) = self.over(&mut usage, wish.bytes, now) {
            return Ok(refusal);
        }
        usage.slot(wish.bytes, now);
        let mut batch: Batch = record.put(&token, None).into();
        batch.push(usage.put(account.as_str()));
        self.store.commit(batch).await?;
        let name = names::encode(&record.name);
        Ok(UploadFound::Slot(Slot {
            put: format!("{base}/{token}/{secret}/{name}"),
            get: format!("{base}/{token}/{name}"),
        }))
    }

    /// When such a file goes; or why there can be none.
    fn until(&self, wish: &Wish, now: u64) -> Result<Option<u64>, UploadFound> {
        let settings = &self.settings;
        let most = match wish.purpose {
            Purpose::Profile => settings.file_bytes.min(limits::PROFILE_BYTES_MAX),
            _ => settings.file_bytes,
        };
        if wish.bytes > most {
            return Err(UploadFound::TooLarge(most));
        }
        let kept = (settings.keep_days > 0).then(|| now + settings.keep_days * DAY);
        match wish.purpose {
            Purpose::Message => Ok(kept),
            Purpose::Profile => Ok(None),
            Purpose::Permanent if settings.permanent => Ok(None),
            Purpose::Permanent => Err(UploadFound::Purpose),
            Purpose::Ephemeral(until) if until <= now => Err(UploadFound::Malformed),
            Purpose::Ephemeral(until) => Ok(Some(kept.map_or(until, |kept| kept.min(until)))),
        }
    }

    /// Whether so many more bytes are too many for now.
    fn over(&self, usage: &mut Usage, bytes: u64, now: u64) -> Option<UploadFound> {
        let settings = &self.settings;
        if usage.waiting >= limits::SLOTS_WAITING_MAX {
            return Some(UploadFound::Quota(now + settings.slot_seconds * 1_000));
        }
        if usage.day(now).saturating_add(bytes) > settings.day_bytes {
            return Some(UploadFound::Quota(usage.relief(now)));
        }
        let full =
            usage.bytes.saturating_add(bytes) > settings.account_bytes || usage.files >= limits::FILES_MAX;
        // Something may go within a day; nobody knows.
        full.then_some(UploadFound::Quota(now + DAY))
    }

    pub(crate) async fn usage(&self, account: &str) -> Result<Usage, Fault> {
        let read = Read::Doc { space: USAGE, owner: Owner::from(account) };
        Usage::read(self.store.read(read).await?.into_doc())
    }
}
