//! What the shell around streams, engine and disk does, one step at a time.
//!
//! Not here: order and time (world).

use std::sync::PoisonError;

use engine::{Input, Output, Ticket};
use history::{Phase, What};
use model::query::{AccountFound, AccountQuery, Found, Password, Query};
use store::{Fault as Broken, FaultKind};
use stream::{Answer, Ask};

use crate::server::refusal;
use crate::world::{Due, World};

/// Most inputs that one run of the engine takes.
const BATCH_MAX: u64 = 8;

impl World {
    pub(crate) fn bytes_up(&mut self, link: u64) {
        let now = self.now;
        let Some(bytes) = self.links.get_mut(&link).map(|known| known.up.take(now)) else { return };
        // The network cuts where it likes.
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let piece = 1 + self.rng.below(rest.len() as u64) as usize;
            let (head, tail) = rest.split_at(piece);
            let instant = self.instant();
            if let Some(conn) = self.server.conns.get_mut(&link) {
                conn.stream.handle_input(instant, head);
            }
            rest = tail;
        }
        self.after_stream(link);
    }

    pub(crate) fn up_ends(&mut self, link: u64) {
        let now = self.instant();
        if let Some(conn) = self.server.conns.get_mut(&link)
            && !std::mem::replace(&mut conn.ended, true)
        {
            conn.stream.handle_eof(now);
            self.say(|| format!("link {link}: the server notices that it is over"));
            self.after_stream(link);
        }
    }

    pub(crate) fn timers(&mut self) {
        let (now, mono) = (self.instant(), self.now);
        if self.server.engine.as_ref().and_then(|engine| engine.poll_timeout()).is_some_and(|at| at <= mono) {
            self.server.inputs.push_back(Input::Timeout);
            self.wake();
        }
        let due = self
            .server
            .conns
            .iter()
            .filter(|(_, conn)| conn.stream.poll_timeout().is_some_and(|at| at <= now));
        let due: Vec<u64> = due.map(|(link, _)| *link).collect();
        for link in due {
            if let Some(conn) = self.server.conns.get_mut(&link) {
                conn.stream.handle_timeout(now);
            }
            self.after_stream(link);
        }
    }

    fn wake(&mut self) {
        if !self.server.busy && self.server.engine.is_some() {
            self.server.busy = true;
            let wait = self.rng.below(3);
            self.later(wait, Due::Engine);
        }
    }

    /// Carries out what a stream wants.
    pub(crate) fn after_stream(&mut self, link: u64) {
        let mut closed = false;
        while let Some(output) = self.server.conns.get_mut(&link).and_then(|conn| conn.stream.poll_output()) {
            match output {
                stream::Output::Up(up) => {
                    self.server.inputs.push_back(Input::Up(up));
                    self.wake();
                }
                stream::Output::Ask(ask) => self.ask(link, ask),
                stream::Output::Closed => closed = true,
                stream::Output::Note(note) => self.say(|| format!("link {link}: {note:?}")),
                stream::Output::StartTls | stream::Output::Authenticated(_) => {}
            }
        }
        let mut bytes = Vec::new();
        if let Some(conn) = self.server.conns.get_mut(&link) {
            conn.stream.take_bytes(&mut bytes);
        }
        if !bytes.is_empty() {
            let due = self.now + self.net_ms();
            if let Some(known) = self.links.get_mut(&link) {
                let due = known.down.send(due, bytes);
                self.at(due, Due::Down(link));
            }
        }
        if closed {
            self.server.conns.remove(&link);
            let after = self.links.get(&link).map_or(0, |known| known.down.last_due()).max(self.now);
            self.at(after, Due::DownEnds(link));
        }
    }

    fn ask(&mut self, link: u64, ask: Ask) {
        let answer = match ask {
            Ask::Password { account, .. } => {
                let known = self.server.passwords.get(account.as_str());
                let given = self.links.get(&link).map(|known| self.clients[known.client].password);
                Answer::Password(given.as_ref() == known)
            }
            Ask::Login(_) => Answer::Login(None),
            _ => Answer::Refused(sasl::Condition::InvalidMechanism),
        };
        let wait = self.disk_ms();
        self.later(wait, Due::Login(link, answer));
    }

    pub(crate) fn login(&mut self, link: u64, answer: Answer) {
        let now = self.instant();
        if let Some(conn) = self.server.conns.get_mut(&link) {
            conn.stream.handle_answer(now, answer);
            self.after_stream(link);
        }
    }

    /// One round of the engine's loop.
    pub(crate) fn run_engine(&mut self) {
        let time = self.time();
        self.server.busy = false;
        let Some(mut engine) = self.server.engine.take() else { return };
        let most = 1 + self.rng.below(BATCH_MAX);
        let mut later = std::collections::VecDeque::new();
        let mut taken = 0;
        while let Some(input) = self.server.inputs.pop_front() {
            let full = engine.has_work() || engine.is_congested();
            if matches!(input, Input::Up(_)) && (taken >= most || full) {
                later.push_back(input);
                continue;
            }
            taken += 1;
            engine.handle(time, input);
        }
        engine.finish();
        let outputs: Vec<Output> = std::iter::from_fn(|| engine.poll_output()).collect();
        // What waits for storage is woken by its answers.
        let go_on = (engine.has_work() || !later.is_empty()) && !engine.is_congested();
        self.server.inputs = later;
        self.server.engine = Some(engine);
        for output in outputs {
            self.carry_out(output);
        }
        if go_on {
            self.wake();
        }
        self.pump();
        self.orders();
    }

    fn carry_out(&mut self, output: Output) {
        let wait = self.disk_ms();
        match output {
            Output::Commit(ticket, batch) => {
                let due = self.server.disk.submit(self.now + wait, ticket, batch);
                self.at(due, Due::Disk);
            }
            Output::Ask(ticket, query) => {
                let stuck = self.server.disk.slow_until.saturating_sub(self.now);
                self.later(wait + stuck, Due::Read(self.server.life, ticket, query));
            }
        }
    }

    pub(crate) fn disk(&mut self) {
        let (now, fails) = (self.now, (self.plan.disk_fails, self.plan.disk_flaky));
        if self.server.engine.is_none() {
            return;
        }
        while let Some((ticket, outcome)) = self.server.disk.complete(now, fails, &mut self.rng) {
            if let Err(fault) = &outcome {
                self.say(|| format!("disk: {fault}"));
            }
            let outcome = outcome.map_err(|fault| refusal(&fault));
            self.server.inputs.push_back(Input::Committed(ticket, outcome));
        }
        self.wake();
    }

    pub(crate) fn answer(&mut self, ticket: Ticket, query: Query) {
        if self.server.engine.is_none() {
            return;
        }
        let sick = self.now < self.server.disk.sick_until && self.rng.chance(self.plan.disk_fails / 4);
        let found = match query {
            _ if sick => Err(Broken::new(FaultKind::Io, "the disk is sick")),
            Query::Read(read) => self.server.disk.read(read).map(Found::Loaded),
            Query::Account(query) => Ok(Found::Account(self.order(&query))),
            Query::Upload(_) => Err(Broken::new(FaultKind::Io, "there is no place for files")),
            Query::Request(_) => Err(store::Fault::new(store::FaultKind::Misuse, "a request for the engine")),
            Query::Activate(_) => Ok(Found::Activated(model::bytestream::Activated::Off)),
            Query::Push(_) => Ok(Found::Push(model::push::PushFound::Off)),
            Query::Sessions(_) => Ok(Found::Sessions(Vec::new())),
        };
        self.server.inputs.push_back(Input::Found(ticket, found.map_err(|fault| refusal(&fault))));
        self.wake();
    }

    fn order(&mut self, query: &AccountQuery) -> AccountFound {
        match query {
            AccountQuery::SetPassword { account, .. } => {
                *self.server.passwords.entry(account.as_str().to_owned()).or_default() += 1;
                AccountFound::Done
            }
            _ => AccountFound::No,
        }
    }

    /// An operator gives an account another password.
    pub(crate) fn new_password(&mut self, account: usize) {
        let bare = self.plan.accounts[account].bare.clone();
        let Ok(account) = address::Bare::parse(&bare) else { return };
        if self.server.engine.is_none() {
            return;
        }
        self.history.push(What::Revoke { account: bare.clone(), phase: Phase::Asked });
        let done = self.server.orders_done.clone();
        let reply = move |found: AccountFound| {
            if matches!(found, AccountFound::Done) {
                done.lock().unwrap_or_else(PoisonError::into_inner).push(bare);
            }
        };
        let query = AccountQuery::SetPassword { account, password: Password::new("another") };
        self.server.inputs.push_back(Input::Account(query, Box::new(reply)));
        self.wake();
    }

    fn orders(&mut self) {
        let done =
            std::mem::take(&mut *self.server.orders_done.lock().unwrap_or_else(PoisonError::into_inner));
        for account in done {
            self.history.push(What::Revoke { account, phase: Phase::Done });
        }
    }

    /// Gives streams what the engine says.
    fn pump(&mut self) {
        let now = self.instant();
        let links: Vec<u64> = self.server.conns.keys().copied().collect();
        for link in links {
            let deaf = self.links.get(&link).is_some_and(|known| known.deaf_until > self.now);
            let Some(conn) = self.server.conns.get_mut(&link).filter(|conn| !deaf && !conn.pipe.is_empty())
            else {
                continue;
            };
            while let Some(down) = conn.pipe.take() {
                conn.stream.handle_down(now, down);
            }
            self.after_stream(link);
            if let (Some(conn), Some(known)) = (self.server.conns.get(&link), self.links.get(&link)) {
                conn.pipe.set_behind(known.down.bytes());
            }
        }
    }
}
