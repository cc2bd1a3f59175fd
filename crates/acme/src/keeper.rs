//! Keeps certificates: those that are there go into service, and each is renewed in time.
//!
//! RFC 9773 section 4 (asking the authority when)
//!
//! A certificate goes into service at once and for new connections only: what is open goes on with what it has.
//!
//! Not here: getting one (`order.rs`), the moment (`due.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{Account, CertificateIdentifier};
use net::{Challenges, TlsStore};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Notify;

use crate::answer::Doors;
use crate::folder::{Folder, Memory};
use crate::settings::{Plan, Settings, Standing};
use crate::trouble::Trouble;
use crate::{account, due, limits, order};

/// Keeps certificates. Cheap to clone.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    doors: Doors,
    table: Mutex<Table>,
    /// Something has changed: look again.
    changed: Notify,
    /// One order at a time.
    busy: tokio::sync::Mutex<()>,
}

struct Table {
    settings: Settings,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    plan: Plan,
    memory: Memory,
    /// Drawn once: see `due.rs`.
    share: f64,
    /// When the authority wants it renewed, and when to ask again.
    window: Option<(i64, i64)>,
    ask_at: i64,
}

impl Keeper {
    /// Puts into service what is there; nothing is asked for before [`Keeper::run`].
    pub fn new(
        settings: Settings,
        plans: Vec<Plan>,
        tls: Arc<TlsStore>,
        challenges: Arc<Challenges>,
    ) -> Keeper {
        let doors = Doors { tls, http: challenges };
        let table = Table { settings: settings.clone(), entries: BTreeMap::new() };
        let inner =
            Inner { doors, table: Mutex::new(table), changed: Notify::new(), busy: Default::default() };
        let keeper = Keeper(Arc::new(inner));
        keeper.replace(settings, plans);
        keeper
    }

    /// From now on these. A certificate that is planned no longer is left in the folder, but not renewed.
    pub fn replace(&self, settings: Settings, plans: Vec<Plan>) {
        let folder = Folder::new(&settings.folder);
        let mut table = self.table();
        let mut entries = BTreeMap::new();
        for plan in plans {
            let known = table.entries.remove(&plan.domain);
            let entry = known.map(|known| Entry { plan: plan.clone(), ..known });
            let entry = entry.unwrap_or_else(|| self.open(&folder, plan));
            entries.insert(entry.plan.domain.clone(), entry);
        }
        *table = Table { settings, entries };
        drop(table);
        self.0.changed.notify_one();
    }

    fn open(&self, folder: &Folder, plan: Plan) -> Entry {
        match folder.certificate(&plan.domain) {
            // A fault is logged there.
            Some(pem) => _ = self.0.doors.tls.load(&plan.domain, &pem, &pem),
            None => tracing::info!(domain = plan.domain, "there is no certificate yet: one is asked for"),
        }
        Entry { memory: folder.memory(&plan.domain), plan, share: share(), window: None, ask_at: 0 }
    }

    /// How it stands with each.
    pub fn standing(&self) -> Vec<Standing> {
        let of = |entry: &Entry| Standing {
            domain: entry.plan.domain.clone(),
            validity: self.0.doors.tls.validity(&entry.plan.domain),
            next: self.next(entry),
            left_out: entry.memory.left_out.clone(),
            failures: entry.memory.failures,
            trouble: entry.memory.trouble.clone(),
        };
        self.table().entries.values().map(of).collect()
    }

    /// Renews those that are due, again and again.
    pub async fn run(self) {
        loop {
            let now = unix_now();
            let all: Vec<Entry> = self.table().entries.values().cloned().collect();
            for entry in &all {
                if self.next(entry) <= now {
                    let _ = self.renew(&entry.plan.domain, false).await; // it is logged there
                } else if entry.ask_at <= now && self.0.doors.tls.serves(&entry.plan.domain) {
                    self.ask(entry).await;
                }
            }
            let next = self.table().entries.values().map(|entry| self.next(entry)).min();
            let pause = next.map_or(limits::LOOK, |next| {
                Duration::from_secs(next.saturating_sub(unix_now()).max(1).unsigned_abs()).min(limits::LOOK)
            });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    /// Gets a certificate for a domain now, and puts it into service. `insist`: also where it is not due.
    ///
    /// # Errors
    /// What went wrong, in words; the old one stays.
    pub async fn renew(&self, domain: &str, insist: bool) -> Result<(), String> {
        let _one_at_a_time = self.0.busy.lock().await;
        let found = self.table().entries.get(domain).cloned();
        let Some(entry) = found else { return Err(format!("no certificate is kept for {domain}")) };
        if !insist && self.next(&entry) > unix_now() {
            return Ok(());
        }
        let settings = self.table().settings.clone();
        let folder = Folder::new(&settings.folder);
        let outcome = self.obtain(&settings, &folder, &entry.plan).await;
        let memory = remember(&entry, &outcome, self.0.doors.tls.validity(domain));
        if let Err(error) = folder.put_memory(domain, &memory) {
            tracing::error!("{}: {error}", settings.folder.display());
        }
        if let Some(known) = self.table().entries.get_mut(domain) {
            (known.memory, known.share) = (memory, share());
            (known.window, known.ask_at) = (None, 0);
        }
        outcome.map(|_| ()).map_err(|trouble| {
            self.complain(domain, &trouble);
            trouble.words
        })
    }

    async fn obtain(
        &self,
        settings: &Settings,
        folder: &Folder,
        plan: &Plan,
    ) -> Result<Vec<(String, String)>, Trouble> {
        let account = account::open(settings, folder).await?;
        let old = folder.certificate(&plan.domain);
        let old = old.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
        let issued = order::obtain(&account, &settings.way, &self.0.doors, plan, old.as_ref()).await;
        let issued = issued.inspect_err(|trouble| {
            if trouble.stranger {
                account::forget(settings, folder);
            }
        })?;
        let pem = issued.pem.as_bytes();
        // Into the folder first: an authority does not give the same twice.
        let kept = folder.put_certificate(&plan.domain, &issued.pem);
        kept.map_err(|error| Trouble::new(format!("{}: {error}", settings.folder.display())))?;
        let served = self.0.doors.tls.load(&plan.domain, pem, pem);
        served.map_err(|error| Trouble::new(format!("what the authority gave cannot be used: {error}")))?;
        for (name, why) in &issued.left_out {
            tracing::warn!(name, domain = plan.domain, "the certificate lacks a name: {why}");
        }
        tracing::info!(domain = plan.domain, "a new certificate is in service");
        Ok(issued.left_out)
    }

    /// The nearer the end of what is there, the louder.
    fn complain(&self, domain: &str, trouble: &Trouble) {
        let left = self.0.doors.tls.validity(domain).map(|(from, until)| (until - unix_now(), until - from));
        match left {
            Some((left, life)) if left > life / 6 => {
                tracing::warn!(domain, days_left = left / 86_400, "no new certificate: {}", trouble.words);
            }
            Some((left, _)) => {
                tracing::error!(domain, days_left = left / 86_400, "no new certificate: {}", trouble.words);
            }
            None => tracing::error!(domain, "no certificate: {}", trouble.words),
        }
    }

    /// When the next attempt is to be made.
    fn next(&self, entry: &Entry) -> i64 {
        let due = match self.0.doors.tls.validity(&entry.plan.domain) {
            // Names came: do not wait for them until it is old.
            Some(_) if !entry.plan.more.iter().all(|name| entry.memory.names.contains(name)) => 0,
            Some(validity) => due::renewal(validity, entry.window, entry.share),
            None => 0,
        };
        due.max(entry.memory.not_before)
    }

    /// Asks the authority when it wants a certificate renewed.
    async fn ask(&self, entry: &Entry) {
        let domain = &entry.plan.domain;
        let settings = self.table().settings.clone();
        let folder = Folder::new(&settings.folder);
        let asked = match account::open(&settings, &folder).await {
            Ok(account) => window(&account, &folder, domain).await,
            Err(trouble) => Err(trouble.words),
        };
        let (window, pause) = asked.unwrap_or_else(|why| {
            tracing::debug!(domain, "the authority does not say when to renew: {why}");
            (entry.window, limits::ASK_AGAIN_S.1)
        });
        if let Some(known) = self.table().entries.get_mut(domain) {
            (known.window, known.ask_at) = (window, unix_now().saturating_add(pause));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds this lock, and the table is whole at every moment.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(
    entry: &Entry,
    outcome: &Result<Vec<(String, String)>, Trouble>,
    validity: Option<(i64, i64)>,
) -> Memory {
    match outcome {
        Ok(left_out) => {
            // However soon the authority wants it again.
            let life = validity.map_or(0, |(from, until)| until.saturating_sub(from).max(0));
            let not_before = unix_now().saturating_add(limits::RENEW_PAUSE_S.min(life / 3));
            Memory {
                left_out: left_out.clone(),
                names: entry.plan.more.clone(),
                not_before,
                ..Memory::default()
            }
        }
        Err(trouble) => {
            let failures = entry.memory.failures.saturating_add(1);
            let pause = due::pause(failures, trouble.limited, share());
            Memory {
                failures,
                not_before: unix_now().saturating_add(pause),
                trouble: Some(trouble.words.clone()),
                ..entry.memory.clone()
            }
        }
    }
}

type Window = (Option<(i64, i64)>, i64);

/// RFC 9773 section 4.2: when, and how long that holds, in seconds.
async fn window(account: &Account, folder: &Folder, domain: &str) -> Result<Window, String> {
    let pem = folder.certificate(domain).ok_or("there is none")?;
    let leaf = CertificateDer::from_pem_slice(&pem).map_err(|error| error.to_string())?;
    let id = CertificateIdentifier::try_from(&leaf)?;
    let (info, again) = account.renewal_info(&id).await.map_err(|error| error.to_string())?;
    let window = info.suggested_window;
    let (least, most) = limits::ASK_AGAIN_S;
    let again = i64::try_from(again.as_secs()).unwrap_or(most).clamp(least, most);
    Ok((Some((window.start.unix_timestamp(), window.end.unix_timestamp())), again))
}

/// A number from 0 to 1 that nobody foresees.
fn share() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers all come at the same moment, which does no harm here.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
