//! Many devices that write to each other, and one canary that only asks whether the server is there.
//!
//! Not here: one device (`device`), what becomes of the history (`judge`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::account::Account;
use bench::target::Target;
use history::{Direction, History, What};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::book::Book;
use crate::chance::Chance;
use crate::device::Device;
use crate::paging;
use crate::world::{DOMAIN, World};

/// What all devices share.
pub(crate) struct Shared {
    pub(crate) target: Target,
    pub(crate) book: Book,
    /// Names this run in the keys.
    pub(crate) run: u64,
    over: AtomicBool,
    quiet: AtomicBool,
    patience_ms: AtomicU64,
    padding: AtomicU64,
}

impl Shared {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn may_send(&self) -> bool {
        !self.quiet.load(Ordering::Relaxed)
    }

    /// How long a silent server is waited for.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Ordering::Relaxed))
    }

    /// What makes messages longer.
    pub(crate) fn padding(&self) -> String {
        " lorem ipsum".repeat(self.padding.load(Ordering::Relaxed) as usize / 12)
    }
}

/// How many, and how busy.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) accounts: usize,
    /// Every account has one device, every second one two.
    pub(crate) messages_per_second: f64,
    pub(crate) seed: u64,
}

impl Default for Size {
    fn default() -> Self {
        Size { accounts: 12, messages_per_second: 400.0, seed: 1 }
    }
}

/// The crowd.
pub(crate) struct Crowd {
    pub(crate) runtime: Runtime,
    pub(crate) shared: Arc<Shared>,
    accounts: Vec<Account>,
    devices: Vec<JoinHandle<()>>,
    canary: JoinHandle<()>,
    expected: usize,
}

fn account(n: usize) -> Account {
    Account { name: format!("user{n}"), password: format!("pw{n}") }
}

impl Crowd {
    /// Makes the accounts (the server must run) and lets everybody in.
    pub(crate) fn gather(world: &World, size: Size) -> Outcome<Crowd> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let shared = Arc::new(Shared {
            target: Target::direct(world.at, DOMAIN, Duration::from_secs(60))?,
            book: Book::default(),
            run: u64::from(std::process::id()) * 1000 + size.seed % 1000,
            over: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            patience_ms: AtomicU64::new(15_000),
            padding: AtomicU64::new(60),
        });
        let accounts: Vec<Account> = (0..size.accounts).map(account).collect();
        for account in &accounts {
            world.add(&account.name, &account.password)?;
        }
        world.add("canary", "canary")?;
        let count = size.accounts + size.accounts / 2;
        let pace = Duration::from_secs_f64(count as f64 / size.messages_per_second.max(0.001));
        let mut chance = Chance::new(size.seed);
        let mut devices = Vec::new();
        for (n, account) in accounts.iter().enumerate() {
            // Neighbours, so that there is order to be kept, and now and then the own account's other device is copied.
            let peers = [n + 1, n + 2, n + 5].map(|peer| format!("user{}@{DOMAIN}", peer % size.accounts));
            for resource in ["phone", "desk"].iter().take(1 + n % 2) {
                let device = Device::new(
                    shared.clone(),
                    account.clone(),
                    resource,
                    peers.to_vec(),
                    pace,
                    chance.next(),
                );
                devices.push(runtime.spawn(device.live()));
            }
        }
        let canary = runtime.spawn(canary(shared.clone()));
        let crowd = Crowd { runtime, shared, accounts, expected: devices.len(), devices, canary };
        crowd.all_here(Duration::from_secs(60))?;
        Ok(crowd)
    }

    /// Waits until all devices are connected; gives how long it took.
    pub(crate) fn all_here(&self, patience: Duration) -> Outcome<Duration> {
        wait_for("all devices connected", patience, || self.shared.book.open().online.len() == self.expected)
    }

    pub(crate) fn patience(&self, patience: Duration) {
        self.shared.patience_ms.store(patience.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn quiet(&self, quiet: bool) {
        self.shared.quiet.store(quiet, Ordering::Relaxed);
    }

    /// How many messages have been acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.book.open().acknowledged
    }

    /// Waits until some more messages have been acknowledged: the server works.
    pub(crate) fn works(&self, patience: Duration) -> Outcome<Duration> {
        let from = self.acknowledged();
        wait_for("messages acknowledged", patience, || self.acknowledged() > from + 20)
    }

    /// Nobody sends any more; waits until all devices are connected, all is acknowledged and nothing moves. Gives how
    /// long that took.
    pub(crate) fn drain(&self, patience: Duration) -> Outcome<Duration> {
        self.quiet(true);
        let begin = Instant::now();
        let book = &self.shared.book;
        self.all_here(patience)?;
        wait_for("everything acknowledged", patience, || book.open().open == 0)?;
        let (mut seen, mut since) = (u64::MAX, Instant::now());
        wait_for("no more messages coming", patience, || {
            let now = book.open().history.events.len() as u64;
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(700)
        })?;
        Ok(begin.elapsed())
    }

    /// Everybody leaves; then all archives are read from both ends. The whole history.
    pub(crate) fn finish(mut self) -> Outcome<(History, Arc<Shared>)> {
        self.shared.book.write(What::Drained);
        self.shared.over.store(true, Ordering::Relaxed);
        let (devices, canary) = (std::mem::take(&mut self.devices), self.canary);
        self.runtime.block_on(async {
            for task in devices.into_iter().chain([canary]) {
                task.await?;
            }
            for account in &self.accounts {
                for direction in [Direction::Forwards, Direction::Backwards] {
                    let mut session = self.shared.target.authenticate(account, "reader").await?;
                    self.shared.book.session(&session.jid);
                    let read = paging::read_all(&mut session, direction);
                    let pages = self.shared.target.patiently("reading archives", read).await?;
                    pages.into_iter().for_each(|page| self.shared.book.write(page));
                    session.leave().await;
                }
            }
            Outcome::Ok(())
        })?;
        let history = std::mem::take(&mut self.shared.book.open().history);
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        Ok((history, self.shared))
    }
}

/// Asks again and again.
pub(crate) fn wait_for(what: &str, patience: Duration, mut done: impl FnMut() -> bool) -> Outcome<Duration> {
    let begin = Instant::now();
    while !done() {
        if begin.elapsed() > patience {
            return Err(format!("waited {patience:?} in vain for: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(begin.elapsed())
}

/// Pings ten times a second and notes how long it takes. While the server is away it tries to come back.
async fn canary(shared: Arc<Shared>) {
    let account = Account { name: "canary".into(), password: "canary".into() };
    while !shared.is_over() {
        let Ok(Ok(mut session)) =
            tokio::time::timeout(Duration::from_secs(5), shared.target.authenticate(&account, "canary"))
                .await
        else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut number = 0;
        while !shared.is_over() {
            number += 1;
            let begin = Instant::now();
            let id = format!("c{number}");
            let ping = format!("<iq type='get' id='{id}' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>");
            let answer = tokio::time::timeout(Duration::from_secs(60), session.request(&id, &ping)).await;
            if !matches!(answer, Ok(Ok(_))) {
                break;
            }
            shared.book.open().pings.push((begin, begin.elapsed()));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if shared.is_over() {
            session.leave().await;
        }
    }
}
