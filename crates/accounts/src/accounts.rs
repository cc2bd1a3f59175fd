//! The account store: what it holds, and how documents are read and written.
//!
//! Not here: what is asked of it (`query.rs` for orders, `ask.rs` for streams).

use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use address::Bare;
use aws_lc_rs::rand;
use bytes::Bytes;
use model::grant::Grants;
use model::spaces::ACCOUNT;
use model::storage::{Batch, Owner, Read, Space, Write};
use sasl::{Decoy, Hash, ScramKeys, Shape};
use store::{Fault, FaultKind, Store};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::limits;
use crate::record::Record;
use crate::seal::Seal;
use crate::settings::{Orders, Settings};
use crate::window::{Bounds, Window};
use crate::work::Work;

/// What the server keeps secret for itself.
const SECRET: Space = Space("secret");
/// The owner of [`SECRET`]: no address of an account has this form.
pub(crate) const SERVER: &str = "server";

/// The owner of a document like that of an account, in [`SECRET`].
const DECOY: &str = "decoy";
/// The owner of nothing in [`SECRET`].
const MISSING: &str = "nobody";

/// The account store.
pub struct Accounts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    policy: RwLock<Arc<Policy>>,
    secret: [u8; 32],
    pub(crate) grants: Grants,
    pub(crate) seal: Seal,
    pub(crate) work: Work,
    pub(crate) registrations: Mutex<Window>,
    pub(crate) orders: OnceLock<Arc<dyn Orders>>,
    /// Everything about invitations goes one after the other.
    pub(crate) invites: AsyncMutex<()>,
    /// Writers of one account go one after the other.
    locks: Vec<AsyncMutex<()>>,
}

/// What a reload may change.
pub(crate) struct Policy {
    /// Domains that may have accounts.
    pub(crate) domains: Vec<String>,
    /// Domains that take registrations.
    pub(crate) registration: Vec<String>,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) tokens: bool,
    pub(crate) decoy: Decoy,
    iterations: u32,
    /// Read in place of the document of an account that does not exist, so that it takes the same time.
    blank: Bytes,
}

impl Policy {
    fn new(settings: &Settings, secret: &[u8; 32]) -> Result<Policy, Fault> {
        let shape = Shape { iterations: settings.iterations, salt_len: sasl::limits::SALT_BYTES, weight: 1 };
        Ok(Policy {
            domains: settings.domains.clone(),
            registration: settings.registration.clone(),
            hashes: settings.hashes.clone(),
            tokens: settings.tokens,
            decoy: Decoy::with_shapes(secret, vec![shape]),
            iterations: settings.iterations,
            blank: blank(settings)?,
        })
    }

    /// Of new keys.
    pub(crate) fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl Accounts {
    /// Opens the account store; makes the secret for decoys when it is new.
    ///
    /// # Errors
    /// Storage does not answer, or holds a secret that is none.
    pub async fn open(store: Arc<dyn Store>, settings: Settings) -> Result<Accounts, Fault> {
        let secret = secret(&*store).await?;
        let policy = Policy::new(&settings, &secret)?;
        let decoy = Write::DocPut { space: SECRET, owner: DECOY.into(), value: policy.blank.clone() };
        store.commit(Batch::from(decoy)).await?;
        let seal = Seal::new(&settings.token_key).ok_or_else(|| bug("the key for tokens"))?;
        let bounds = Bounds {
            most: limits::REGISTRATIONS_PER_ADDRESS_MAX,
            window_ms: limits::REGISTRATION_WINDOW_SECONDS * 1_000,
            addresses: limits::REGISTRATION_ADDRESSES_MAX,
        };
        Ok(Accounts {
            policy: RwLock::new(Arc::new(policy)),
            secret,
            grants: Grants::default(),
            seal,
            work: Work::new(settings.threads),
            registrations: Mutex::new(Window::new(bounds)),
            orders: OnceLock::new(),
            invites: AsyncMutex::new(()),
            locks: (0..limits::STRIPES).map(|_| AsyncMutex::new(())).collect(),
            store,
            settings,
        })
    }

    /// Takes over from these settings which domains there are, who may register, which keys new passwords get, and
    /// whether tokens are given out. The key for tokens, threads and the clock stay.
    ///
    /// # Errors
    /// There are no hashes, or too few iterations; nothing changes then.
    pub fn reload(&self, settings: &Settings) -> Result<(), Fault> {
        let policy = Policy::new(settings, &self.secret)?;
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        Ok(())
    }

    /// Rights to log in: streams take theirs from here.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What holds now.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says who carries out what sessions must hear of. Until then it is done here. Only the first call counts.
    pub fn set_orders(&self, orders: Arc<dyn Orders>) {
        let _ = self.orders.set(orders);
    }

    /// Whether there is no account at all.
    ///
    /// # Errors
    /// Storage does not answer.
    pub async fn is_empty(&self) -> Result<bool, Fault> {
        let first = Read::Owners { space: ACCOUNT, after: None, limit: 1 };
        Ok(self.store.read(first).await?.into_owners().is_empty())
    }

    /// Keeps other writers away from an account.
    pub(crate) async fn lock(&self, account: &Bare) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        let stripe = hasher.finish() as usize % self.locks.len();
        self.locks[stripe].lock().await
    }

    pub(crate) async fn record(&self, account: &Bare) -> Result<Option<Record>, Fault> {
        let bytes = self.store.read(document(account)).await?.into_doc();
        bytes.map(|bytes| Record::read(&bytes)).transpose()
    }

    /// The document of an account that wants to log in.
    pub(crate) async fn found(&self, account: &Bare) -> Result<Option<Bytes>, Fault> {
        let found = self.store.read(document(account)).await?.into_doc();
        self.even(found.is_some()).await?;
        Ok(found)
    }

    /// Makes up for what storage did not do: to find a document takes a few microseconds longer than to find none, which
    /// thousands of logins would tell (C-05). So each finds one and misses one.
    pub(crate) async fn even(&self, found: bool) -> Result<(), Fault> {
        let owner = if found { MISSING } else { DECOY };
        self.store.read(Read::Doc { space: SECRET, owner: Owner::from(owner) }).await?;
        Ok(())
    }

    /// The document of an account that may log in, or of nobody, and which of the two it is.
    pub(crate) fn standing(&self, found: Option<Bytes>) -> Result<(Record, bool), Fault> {
        let exists = found.is_some();
        let record = Record::read(found.as_ref().unwrap_or(&self.policy().blank))?;
        let may = exists && !record.suspended;
        Ok((record, may))
    }

    pub(crate) async fn put(
        &self,
        account: &Bare,
        record: &Record,
        more: Option<Write>,
    ) -> Result<(), Fault> {
        let put = Write::DocPut { space: ACCOUNT, owner: owner(account), value: record.write() };
        self.store.commit(Batch::from_iter(std::iter::once(put).chain(more))).await
    }

    /// Keys for all hashes of the settings, each with a salt of its own.
    pub(crate) async fn derive(&self, password: sasl::Password) -> Result<Vec<ScramKeys>, Fault> {
        let policy = self.policy();
        let (hashes, iterations) = (policy.hashes.clone(), policy.iterations);
        let derived = self.work.run(move || {
            let derive = |hash: Hash| {
                let salt = sasl::random_salt().map_err(|_| bug("no random numbers"))?;
                ScramKeys::derive(hash, &password, &salt, iterations).map_err(bug)
            };
            hashes.into_iter().map(derive).collect()
        });
        derived.await?
    }

    /// Whether accounts may live at that domain.
    pub(crate) fn serves(&self, domain: &str) -> bool {
        self.policy().domains.iter().any(|ours| ours == domain)
    }

    pub(crate) fn now(&self) -> u64 {
        (self.settings.clock)() / 1_000
    }
}

pub(crate) fn owner(account: &Bare) -> Owner {
    Owner::from(account.text())
}

pub(crate) fn document(account: &Bare) -> Read {
    Read::Doc { space: ACCOUNT, owner: owner(account) }
}

pub(crate) fn bug(cause: impl std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Misuse, cause)
}

/// The secret for decoys. It must outlive restarts, or the salts of unknown names would change.
async fn secret(store: &dyn Store) -> Result<[u8; 32], Fault> {
    let place = || (SECRET, Owner::from(SERVER));
    let (space, owner) = place();
    if let Some(bytes) = store.read(Read::Doc { space, owner }).await?.into_doc() {
        let corrupt = |_| Fault::new(FaultKind::Corrupt, "the secret for decoys has not 32 bytes");
        return <[u8; 32]>::try_from(&bytes[..]).map_err(corrupt);
    }
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| bug("no random numbers"))?;
    let (space, owner) = place();
    let value = Bytes::copy_from_slice(&secret);
    store.commit(Batch::from(Write::DocPut { space, owner, value })).await?;
    Ok(secret)
}

fn blank(settings: &Settings) -> Result<Bytes, Fault> {
    let zeros = [0; 64];
    let keys = settings.hashes.iter().map(|hash| {
        let (key, salt) = (&zeros[..hash.output_len()], vec![0; sasl::limits::SALT_BYTES]);
        ScramKeys::import(*hash, salt, u64::from(settings.iterations), key, key).map_err(bug)
    });
    Ok(Record::new(0, &keys.collect::<Result<Vec<_>, _>>()?).write())
}
