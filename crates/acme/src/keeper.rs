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

use crate::account::Unsaved;
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
    accounts: Unsaved,
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
    /// How many were issued since the start.
    issued: u64,
    /// In service, but not in the folder yet: chain and key, PEM.
    unsaved: Option<String>,
}

/// What an attempt has brought.
struct Got {
    left_out: Vec<(String, String)>,
    /// What could not be written, and why.
    unsaved: Option<(String, String)>,
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
        let inner = Inner {
            doors,
            table: Mutex::new(table),
            changed: Notify::new(),
            busy: Default::default(),
            accounts: Unsaved::default(),
        };
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
        let memory = folder.memory(&plan.domain);
        Entry { memory, plan, share: share(), window: None, ask_at: 0, issued: 0, unsaved: None }
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
                if entry.unsaved.is_some() {
                    self.save_again(&entry.plan.domain).await;
                }
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

    /// Gets a certificate for a domain now, and puts it into service. `insist`: also where it is not due; who asks while
    /// another attempt runs is content with what that one brings.
    ///
    /// # Errors
    /// What went wrong, in words; the old one stays.
    pub async fn renew(&self, domain: &str, insist: bool) -> Result<(), String> {
        let before = self.table().entries.get(domain).map_or(0, |entry| entry.issued);
        let _one_at_a_time = self.0.busy.lock().await;
        let found = self.table().entries.get(domain).cloned();
        let Some(entry) = found else { return Err(format!("no certificate is kept for {domain}")) };
        if entry.issued > before || (!insist && self.next(&entry) > unix_now()) {
            return Ok(());
        }
        let settings = self.table().settings.clone();
        let folder = Folder::new(&settings.folder);
        // What could not be kept is not asked for: an authority gives only so many.
        let outcome = match folder.put_memory(domain, &entry.memory) {
            Ok(()) => self.obtain(&settings, &folder, &entry.plan).await,
            Err(error) => Err(Trouble::new(format!(
                "nothing is asked for, because {} cannot be written: {error}",
                settings.folder.display()
            ))),
        };
        let memory = remember(&entry, &outcome, self.0.doors.tls.validity(domain));
        if let Err(error) = folder.put_memory(domain, &memory) {
            tracing::error!("{}: {error}", settings.folder.display());
        }
        let got = outcome.inspect_err(|trouble| self.complain(domain, trouble));
        self.note(domain, memory, got.as_ref().ok());
        got.map(|_| ()).map_err(|trouble| trouble.words)
    }

    fn note(&self, domain: &str, memory: Memory, got: Option<&Got>) {
        let mut table = self.table();
        let Some(known) = table.entries.get_mut(domain) else { return };
        (known.memory, known.share) = (memory, share());
        (known.window, known.ask_at) = (None, 0);
        if let Some(got) = got {
            known.issued += 1;
            known.unsaved = got.unsaved.as_ref().map(|(pem, _)| pem.clone());
        }
    }

    async fn obtain(&self, settings: &Settings, folder: &Folder, plan: &Plan) -> Result<Got, Trouble> {
        let account = account::open(settings, folder, &self.0.accounts).await?;
        let old = self.current(folder, &plan.domain);
        let old = old.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
        let issued = order::obtain(&account, &settings.way, &self.0.doors, plan, old.as_ref()).await;
        if let Err(trouble) = &issued
            && trouble.stranger
        {
            account::forget(settings, folder, &self.0.accounts).await;
        }
        self.deliver(folder, plan, issued?)
    }

    /// Into service and into the folder. What cannot be written serves all the same: an authority gives only so many.
    fn deliver(&self, folder: &Folder, plan: &Plan, issued: order::Issued) -> Result<Got, Trouble> {
        let (domain, pem) = (&plan.domain, issued.pem.as_bytes());
        let served = {
            // The domain may have gone meanwhile, and must not come back; this lock keeps it from going just now.
            let table = self.table();
            let planned = table.entries.contains_key(domain);
            if planned {
                self.0.doors.tls.load(domain, pem, pem)
            } else {
                TlsStore::new().load(domain, pem, pem)
            }
        };
        served.map_err(|error| Trouble {
            limited: true, // it gives only so many of those, too
            ..Trouble::new(format!("what the authority gave cannot be used: {error}"))
        })?;
        for (name, why) in &issued.left_out {
            tracing::warn!(name, domain, "the certificate lacks a name: {why}");
        }
        tracing::info!(domain, "there is a new certificate");
        let written = folder.put_certificate(domain, &issued.pem).map_err(|error| error.to_string());
        let unsaved = written.inspect_err(|why| unwritten(domain, why)).err().map(|why| (issued.pem, why));
        Ok(Got { left_out: issued.left_out, unsaved })
    }

    /// What is in service, but could not be written.
    async fn save_again(&self, domain: &str) {
        let _one_at_a_time = self.0.busy.lock().await;
        let (found, folder) = {
            let table = self.table();
            (table.entries.get(domain).cloned(), Folder::new(&table.settings.folder))
        };
        let Some(Entry { unsaved: Some(pem), memory, .. }) = found else { return };
        let memory = Memory { trouble: None, ..memory };
        let put = folder.put_certificate(domain, &pem).and_then(|()| folder.put_memory(domain, &memory));
        if let Err(error) = put {
            return unwritten(domain, &error.to_string());
        }
        if let Some(known) = self.table().entries.get_mut(domain) {
            (known.memory, known.unsaved) = (memory, None);
        }
        tracing::info!(domain, "the certificate is saved now");
    }

    /// The newest of a domain.
    fn current(&self, folder: &Folder, domain: &str) -> Option<Vec<u8>> {
        let unsaved = self.table().entries.get(domain).and_then(|entry| entry.unsaved.clone());
        unsaved.map(String::into_bytes).or_else(|| folder.certificate(domain))
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
        let asked = match account::open(&settings, &folder, &self.0.accounts).await {
            Ok(account) => window(&account, self.current(&folder, domain)).await,
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

fn unwritten(domain: &str, why: &str) {
    tracing::error!(
        domain,
        "the certificate is in service, but cannot be saved, and is lost when the server stops: {why}"
    );
}

fn remember(entry: &Entry, outcome: &Result<Got, Trouble>, validity: Option<(i64, i64)>) -> Memory {
    match outcome {
        Ok(got) => {
            // However soon the authority wants it again.
            let life = validity.map_or(0, |(from, until)| until.saturating_sub(from).max(0));
            let not_before = unix_now().saturating_add(limits::RENEW_PAUSE_S.min(life / 3));
            Memory {
                left_out: got.left_out.clone(),
                trouble: got.unsaved.as_ref().map(|(_, why)| format!("it cannot be saved: {why}")),
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
async fn window(account: &Account, pem: Option<Vec<u8>>) -> Result<Window, String> {
    let pem = pem.ok_or("there is none")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    use crate::settings::Way;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("detente-keeper-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn settings(folder: &Path) -> Settings {
        let roots = Arc::new(rustls::RootCertStore::empty());
        // Nothing listens there.
        let directory = "https://127.0.0.1:1/directory".to_owned();
        Settings {
            directory,
            contact: vec![],
            way: Way::Tls,
            external: None,
            roots,
            folder: folder.to_owned(),
        }
    }

    fn plan(domain: &str) -> Plan {
        Plan { domain: domain.to_owned(), more: vec![] }
    }

    fn keeper(folder: &Path) -> Keeper {
        Keeper::new(settings(folder), vec![plan("a.example")], Default::default(), Default::default())
    }

    fn issued(domain: &str) -> order::Issued {
        let made = rcgen::generate_simple_self_signed([domain.to_owned()]).unwrap();
        let pem = format!("{}\n{}", made.cert.pem(), made.signing_key.serialize_pem());
        order::Issued { pem, left_out: vec![] }
    }

    /// As `renew` does it with what the authority gave.
    fn take(keeper: &Keeper, path: &Path, issued: order::Issued) -> Result<(), Trouble> {
        let got = keeper.deliver(&Folder::new(path), &plan("a.example"), issued)?;
        let entry = keeper.table().entries.get("a.example").cloned();
        let validity = keeper.0.doors.tls.validity("a.example");
        let got = Ok(got);
        if let Some(entry) = entry {
            let memory = remember(&entry, &got, validity);
            keeper.note("a.example", memory, got.as_ref().ok());
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_cannot_be_saved_serves_and_is_saved_later() {
        let path = folder("unsaved");
        std::fs::write(&path, "a file where the folder should be").unwrap();
        let keeper = keeper(&path);
        take(&keeper, &path, issued("a.example")).unwrap();
        assert!(keeper.0.doors.tls.serves("a.example"));
        let standing = keeper.standing().remove(0);
        assert_eq!(standing.failures, 0);
        assert!(standing.trouble.unwrap().contains("saved"));
        assert!(standing.next > unix_now(), "no other one is ordered");
        keeper.save_again("a.example").await;
        assert!(keeper.table().entries["a.example"].unsaved.is_some(), "it is kept");
        let newest = keeper.current(&Folder::new(&path), "a.example");
        assert!(newest.is_some(), "and known");
        std::fs::remove_file(&path).unwrap();
        keeper.save_again("a.example").await;
        assert_eq!(keeper.standing()[0].trouble, None);
        assert_eq!(Folder::new(&path).certificate("a.example"), newest);
        assert!(keeper.table().entries["a.example"].unsaved.is_none());
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_asked_for_that_could_not_be_kept() {
        let path = folder("nowhere");
        std::fs::write(&path, "a file where the folder should be").unwrap();
        let refused = keeper(&path).renew("a.example", true).await.unwrap_err();
        assert!(refused.contains("nothing is asked for"), "{refused}");
        let mut settings = settings(&path);
        settings.folder = folder("accounts");
        // Memory can be written, accounts cannot.
        std::fs::create_dir_all(settings.folder.join("accounts.json.new")).unwrap();
        let keeper =
            Keeper::new(settings.clone(), vec![plan("a.example")], Default::default(), Default::default());
        let refused = keeper.renew("a.example", true).await.unwrap_err();
        assert!(refused.contains("accounts.json"), "{refused}");
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_dir_all(&settings.folder).unwrap();
    }

    #[test]
    fn what_cannot_be_used_does_not_overwrite_what_can() {
        let path = folder("refused");
        let keeper = keeper(&path);
        take(&keeper, &path, issued("a.example")).unwrap();
        let good = Folder::new(&path).certificate("a.example").unwrap();
        let refused = take(&keeper, &path, issued("b.example")).unwrap_err();
        assert!(refused.limited && refused.words.contains("cannot be used"), "{refused:?}");
        assert_eq!(Folder::new(&path).certificate("a.example").unwrap(), good);
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_domain_that_goes_during_its_order_does_not_come_back() {
        let path = folder("gone");
        let keeper = keeper(&path);
        keeper.replace(settings(&path), vec![]);
        take(&keeper, &path, issued("a.example")).unwrap();
        assert!(!keeper.0.doors.tls.serves("a.example"));
        assert!(Folder::new(&path).certificate("a.example").is_some(), "it may come back later");
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_another_order_is_content_with_it() {
        let path = folder("content");
        let keeper = keeper(&path);
        let busy = keeper.0.busy.lock().await;
        let mut second = std::pin::pin!(keeper.renew("a.example", true));
        tokio::select! {
            biased;
            _ = &mut second => panic!("it does not wait"),
            () = std::future::ready(()) => {}
        }
        take(&keeper, &path, issued("a.example")).unwrap();
        drop(busy);
        assert_eq!(second.await, Ok(()));
        std::fs::remove_dir_all(&path).unwrap();
    }
}
