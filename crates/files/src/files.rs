//! The files: what they are made of, and who answers questions about them.
//!
//! Not here: each answer (`slots.rs`, `lists.rs`, `remove.rs`).

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use address::Bare;
use model::storage::{BlobId, Owner, Read};
use model::upload::{UploadFound, UploadQuery};
use store::{Blobs, Fault, Store};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::limits;
use crate::record::{FILE, Record};
use crate::settings::Settings;

/// All uploaded files of a server.
pub struct Files {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) settings: Settings,
    /// As in the settings, until domains come or go.
    urls: RwLock<BTreeMap<String, String>>,
    /// Slots whose file is coming in right now.
    pub(crate) arriving: Mutex<HashSet<String>>,
    /// Writers of one account go one after the other.
    locks: Vec<AsyncMutex<()>>,
    /// Held while a blob gets a user or loses one: equal bytes are one blob, which always has the same lock.
    users: Vec<AsyncMutex<()>>,
}

impl Files {
    /// Files in this storage.
    pub fn new(store: Arc<dyn Store>, blobs: Arc<dyn Blobs>, settings: Settings) -> Files {
        let stripes = || (0..limits::STRIPES).map(|_| AsyncMutex::new(())).collect();
        let urls = RwLock::new(settings.urls.clone());
        Files { store, blobs, settings, urls, arriving: Mutex::default(), locks: stripes(), users: stripes() }
    }

    /// Answers a question or carries out an order; done when it is stored.
    ///
    /// # Errors
    /// Storage does not answer.
    pub async fn answer(&self, query: UploadQuery) -> Result<UploadFound, Fault> {
        match query {
            UploadQuery::Slot { account, name, bytes, media_type, purpose } => {
                let wish = crate::slots::Wish { name, bytes, media_type, purpose };
                self.slot(&account, wish).await
            }
            UploadQuery::List { account, limit } => self.list(&account, limit).await,
            UploadQuery::Delete { account, ids } => {
                self.delete(&account, ids.iter().map(|id| crate::lists::token(id))).await
            }
            UploadQuery::Retract { account, urls } => self.retract(&account, &urls).await,
        }
    }

    /// Keeps other writers away from an account's files.
    pub(crate) async fn lock(&self, account: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        let stripe = hasher.finish() as usize % self.locks.len();
        self.locks[stripe].lock().await
    }

    /// Keeps others away from the list of a blob's users.
    pub(crate) async fn users(&self, blob: BlobId) -> MutexGuard<'_, ()> {
        self.users[usize::from(blob.0[0]) % self.users.len()].lock().await
    }

    /// What is known of a file or a slot.
    pub(crate) async fn record(&self, token: &str) -> Result<Option<Record>, Fault> {
        let read = Read::Doc { space: FILE, owner: Owner::from(token) };
        let found = self.store.read(read).await?.into_doc();
        found.map(|bytes| Record::read(&bytes)).transpose()
    }

    /// The beginning of the addresses of an account's files.
    pub(crate) fn base(&self, account: &Bare) -> Option<String> {
        let urls = self.urls.read().unwrap_or_else(PoisonError::into_inner);
        urls.get(account.jid().domain()).map(|url| url.trim_end_matches('/').to_owned())
    }

    /// From now on these domains have uploads, at these addresses; see [`Settings::urls`].
    pub fn replace_urls(&self, urls: BTreeMap<String, String>) {
        *self.urls.write().unwrap_or_else(PoisonError::into_inner) = urls;
    }

    pub(crate) fn now(&self) -> u64 {
        (self.settings.clock)()
    }

    /// Whether nobody else fills that slot; until the guard is dropped nobody else will.
    pub(crate) fn claim(self: &Arc<Self>, token: &str) -> Option<Claim> {
        let mut arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        let free = arriving.insert(token.to_owned());
        free.then(|| Claim { files: self.clone(), token: token.to_owned() })
    }

    /// Whether somebody fills that slot right now.
    pub(crate) fn arrives(&self, token: &str) -> bool {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
    }
}

/// The right to fill a slot.
pub(crate) struct Claim {
    files: Arc<Files>,
    pub(crate) token: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.files.arriving.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}
