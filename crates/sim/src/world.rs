//! The world: one thread, one clock, one queue of what happens next.
//!
//! Not here: what the server does with it (serve.rs), what people do (client), the end (last.rs).

use std::collections::BTreeMap;
use std::time::Instant;

use engine::{Ticket, Time};
use history::{History, What};
use kernel::Now;
use model::query::Query;
use model::spaces::ACCOUNT;
use model::storage::{Batch, Owner, Space, Write};

use crate::client::Client;
use crate::link::{Lane, Link};
use crate::plan::{Fault, Plan};
use crate::rng::Rng;
use crate::server::{Server, instant};

/// When every run begins: 2026-01-01T00:00:00Z.
const BEGINNING_MS: i64 = 1_767_225_600_000;
/// The most that may happen in a run; more is a loop.
const STEPS_MAX: u64 = 400_000;

/// Something that is going to happen.
pub(crate) enum Due {
    /// A client does something.
    Act(usize),
    /// Bytes arrive at the server, at a client.
    Up(u64),
    Down(u64),
    /// The end of a connection is noticed there.
    UpEnds(u64),
    DownEnds(u64),
    /// The server's tasks run.
    Engine,
    Disk,
    /// A read of the process with that number is done.
    Read(u64, Ticket, Query),
    Login(u64, stream::Answer),
    /// The process comes back.
    Start,
    Fault(Fault),
}

/// See the file's header.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now: u64,
    pub(crate) skew_ms: i64,
    base: Instant,
    queue: BTreeMap<(u64, u64), Due>,
    ticks: u64,
    steps: u64,
    pub(crate) rng: Rng,
    pub(crate) server: Server,
    pub(crate) clients: Vec<Client>,
    pub(crate) links: BTreeMap<u64, Link>,
    links_made: u64,
    pub(crate) history: History,
    /// What cannot be, and no history can say.
    pub(crate) flaws: Vec<String>,
    pub(crate) trace: bool,
    /// Everything is healed.
    pub(crate) healed: bool,
}

impl World {
    pub(crate) fn new(plan: Plan, trace: bool) -> World {
        let mut rng = Rng::new(plan.seed ^ 0x5eed);
        let mut world = World {
            now: 0,
            skew_ms: 0,
            base: Instant::now(),
            queue: BTreeMap::new(),
            ticks: 0,
            steps: 0,
            server: Server::new(),
            clients: Vec::new(),
            links: BTreeMap::new(),
            links_made: 0,
            history: History::new(),
            flaws: Vec::new(),
            trace,
            healed: false,
            rng: rng.fork(),
            plan,
        };
        world.people();
        let time = world.time();
        world.server.start(time, &mut world.rng);
        for (at, fault) in world.plan.faults.clone() {
            world.later(at, Due::Fault(fault));
        }
        for client in 0..world.clients.len() {
            let wait = world.rng.below(world.plan.think_ms);
            world.later(wait, Due::Act(client));
        }
        world
    }

    fn people(&mut self) {
        let everybody: Vec<String> = self.plan.accounts.iter().map(|account| account.bare.clone()).collect();
        for account in self.plan.accounts.clone() {
            let owner = || Owner::from(account.bare.as_str());
            let exists = Write::DocPut { space: ACCOUNT, owner: owner(), value: "{}".into() };
            let never = account.never.then(|| Write::DocPut {
                space: Space("archive-prefs"),
                owner: owner(),
                value: r#"{"default":"never"}"#.into(),
            });
            let batch = std::iter::once(exists).chain(never).collect::<Batch>();
            if let Err(fault) = self.server.disk.put(batch) {
                self.flaws.push(fault.to_string());
            }
            self.server.passwords.insert(account.bare.clone(), 0);
            for device in &account.devices {
                let number = self.clients.len();
                let others = everybody.iter().filter(|other| **other != account.bare).cloned().collect();
                let rng = self.rng.fork();
                self.clients.push(Client::new(number, &account, device.clone(), others, &self.plan, rng));
            }
        }
    }

    pub(crate) fn time(&self) -> Time {
        let unix_ms = (BEGINNING_MS + self.now as i64 + self.skew_ms).max(0) as u64;
        Time { now: Now { unix_ms }, mono_ms: self.now }
    }

    pub(crate) fn instant(&self) -> Instant {
        instant(self.base, self.now)
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9}.{:03} {}", self.now / 1_000, self.now % 1_000, what());
        }
    }

    pub(crate) fn later(&mut self, wait: u64, due: Due) {
        self.at(self.now + wait, due);
    }

    pub(crate) fn at(&mut self, at: u64, due: Due) {
        self.ticks += 1;
        self.queue.insert((at, self.ticks), due);
    }

    /// Runs until that moment, or until nothing moves any more.
    pub(crate) fn run_until(&mut self, until: u64) {
        loop {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                self.flaws.push("it never comes to rest".to_owned());
                return;
            }
            let timer = self.server.next_timer(self.base);
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = timer.into_iter().chain(queued).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(next);
            if timer.is_some_and(|timer| timer <= next) && queued.is_none_or(|queued| queued > next) {
                self.timers();
            } else if let Some((_, due)) = self.queue.pop_first() {
                self.happen(due);
            }
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Act(client) => self.act(client),
            Due::Up(link) => self.bytes_up(link),
            Due::UpEnds(link) => self.up_ends(link),
            Due::Down(link) => self.bytes_down(link),
            Due::DownEnds(link) => self.down_ends(link),
            Due::Engine => self.run_engine(),
            Due::Disk => self.disk(),
            Due::Read(life, ticket, query) if life == self.server.life => self.answer(ticket, query),
            Due::Read(..) => {}
            Due::Login(link, answer) => self.login(link, answer),
            Due::Start => {
                let time = self.time();
                self.say(|| "server: starts".to_owned());
                self.server.start(time, &mut self.rng);
                self.history.push(What::Fault { what: "the server is back".to_owned() });
            }
            Due::Fault(fault) if !self.healed => self.fault(fault),
            Due::Fault(_) => {}
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.say(|| format!("fault: {fault:?}"));
        self.history.push(What::Fault { what: format!("{fault:?}") });
        match fault {
            Fault::Crash(_) if self.server.engine.is_none() => {}
            Fault::Crash(ms) => {
                self.server.crash(&mut self.rng);
                self.net_down();
                self.later(ms, Due::Start);
            }
            Fault::Jump(ms) => self.skew_ms += ms,
            Fault::SickDisk(ms) => self.server.disk.sick_until = self.now + ms,
            Fault::SlowDisk(ms) => self.server.disk.slow_until = self.now + ms,
            Fault::Password(account) => self.new_password(account),
            Fault::NetDown => self.net_down(),
        }
    }

    fn net_down(&mut self) {
        let links: Vec<u64> = self.links.keys().copied().collect();
        for link in links {
            self.cut(link);
        }
    }

    /// A client opens a connection; nobody answers while the server is down.
    pub(crate) fn connect(&mut self, client: usize) -> Option<u64> {
        self.server.engine.as_ref()?;
        self.links_made += 1;
        let (link, now) = (self.links_made, self.instant());
        let (up, down) = (Lane::default(), Lane::default());
        self.links.insert(link, Link { client, up, down, left: false, deaf_until: 0 });
        self.server.accept(link, now, &mut self.rng);
        Some(link)
    }

    /// A connection is lost: both sides notice some time, the server perhaps only by its own patience.
    pub(crate) fn cut(&mut self, link: u64) {
        let Some(known) = self.links.get_mut(&link) else { return };
        known.up.cut();
        known.down.cut();
        self.say(|| format!("link {link}: cut"));
        let (up, down) = (self.rng.long_tail(0, 400_000), self.rng.long_tail(0, 60_000));
        self.later(up, Due::UpEnds(link));
        self.later(down, Due::DownEnds(link));
    }

    /// A client leaves a connection: what it has sent may still arrive, what comes to it does not.
    pub(crate) fn leave(&mut self, link: u64) {
        let Some(known) = self.links.get_mut(&link) else { return };
        known.left = true;
        known.down.cut();
        known.up.closed = true;
        let after = known.up.last_due().max(self.now);
        let wait = self.rng.long_tail(0, 60_000);
        self.at(after + wait, Due::UpEnds(link));
    }

    pub(crate) fn net_ms(&mut self) -> u64 {
        let most = if self.healed { 20 } else { self.plan.net_ms_max };
        self.rng.long_tail(0, most)
    }

    pub(crate) fn disk_ms(&mut self) -> u64 {
        let most = if self.healed { 20 } else { self.plan.disk_ms_max };
        self.rng.long_tail(0, most)
    }
}
