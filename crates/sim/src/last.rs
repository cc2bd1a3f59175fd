//! The end of a run: everything is healed, moves until it is at rest, and is read back.
//!
//! Not here: the judgement (crate `history`).

use history::{Direction, Phase as Change, Right, What};

use crate::client::Client;
use crate::world::World;

/// Longer than a session may be resumed and a dead connection goes unnoticed, in milliseconds.
const REST_MS: u64 = 17 * 60_000;
/// How long something small may take once all is well, in milliseconds.
const SMALL_MS: u64 = 30_000;

impl World {
    /// From the last fault to the last read.
    pub(crate) fn end(&mut self) {
        self.heal();
        self.run_until(self.now + REST_MS);
        for client in 0..self.clients.len() {
            self.clients[client].settle(&mut self.history);
            self.flush(client);
        }
        self.run_until(self.now + SMALL_MS);
        for client in 0..self.clients.len() {
            self.clients[client].ask_ack();
            self.flush(client);
        }
        self.run_until(self.now + SMALL_MS);
        for client in &mut self.clients {
            if client.device.there_at_last {
                if !client.is_on() {
                    self.flaws.push(format!("{} cannot come back", client.account));
                } else if !client.owes_nothing() {
                    self.flaws.push(format!("{}: the server never acknowledged all", client.jid));
                }
            }
            if client.has_caught_up() && client.is_on() {
                self.history.push(What::CaughtUp { device: client.jid.clone() });
            }
        }
        // Who is not here by now does not come back: the time to resume is over.
        for client in self.clients.iter_mut().filter(|client| !client.is_on()) {
            client.session_over(&mut self.history);
        }
        self.truth();
        self.unanswered();
        self.history.push(What::Drained);
        for direction in [Direction::Forwards, Direction::Backwards] {
            for client in self.readers() {
                self.clients[client].walk(&mut self.history, direction, None, true);
                self.flush(client);
            }
            for _ in 0..100 {
                let busy = |client: &Client| client.reading.as_ref().is_some_and(|reading| !reading.done);
                if !self.readers().into_iter().any(|client| busy(&self.clients[client])) {
                    break;
                }
                self.run_until(self.now + SMALL_MS);
            }
        }
        for client in &mut self.clients {
            self.flaws.append(&mut client.flaws);
        }
        self.flaws
            .extend(self.server.disk.misuse.iter().map(|misuse| format!("storage was misused: {misuse}")));
    }

    fn heal(&mut self) {
        self.say(|| "everything is healed".to_owned());
        self.healed = true;
        self.plan.net_ms_max = 20;
        self.plan.disk_flaky = 0;
        self.server.disk.sick_until = 0;
        self.server.disk.slow_until = 0;
        self.history.push(What::Fault { what: "everything is healed".to_owned() });
        for client in 0..self.clients.len() {
            let known = &mut self.clients[client];
            known.device.acks = 1_000;
            if !known.device.there_at_last
                && let Some(link) = known.link
            {
                // Half of those who go say so.
                if self.rng.chance(500) && self.clients[client].is_on() {
                    self.clients[client].out.extend(b"</stream:stream>");
                    self.clients[client].session_over(&mut self.history);
                    self.clients[client].leaving = true;
                    self.flush(client);
                } else {
                    self.cut(link);
                }
            }
        }
    }

    /// The first device of each account.
    fn readers(&self) -> Vec<usize> {
        let first = |client: &&Client| client.device.name == "d0" && client.is_on();
        self.clients.iter().filter(first).map(|client| client.number).collect()
    }

    /// Whether this account's roster and a contact's say different things of whether it sees him. That happens by design:
    /// what a blocked contact says of subscriptions is dropped (XEP-0191 section 3.2).
    fn rosters_differ(&self, account: &str) -> bool {
        let readers: Vec<&Client> = self.readers().into_iter().map(|client| &self.clients[client]).collect();
        let says = |roster: Option<&String>, one: &str| roster.is_some_and(|it| it == one || it == "both");
        let own = readers.iter().find(|reader| reader.account == account);
        own.is_none_or(|own| {
            let others = readers.iter().filter(|other| other.account != account);
            let apart = |other: &&&Client| {
                says(own.roster.get(&other.account), "to") != says(other.roster.get(account), "from")
            };
            others.filter(apart).count() > 0
        })
    }

    /// Requests to other devices that nobody answered, if somebody had to: the device itself if its session in which it
    /// heard of it goes on, else the server. Between accounts where one has
    /// blocked the other answers are dropped (XEP-0191 section 3.2). What became of an answer that a session left behind nobody knows, nor what a
    /// connection without stream management has swallowed.
    fn unanswered(&mut self) {
        let mut owed = Vec::new();
        for client in self.clients.iter().filter(|client| client.is_on()) {
            let lost = |id: &String, peer: &Client| {
                let heard = peer.heard.get(&(client.jid.clone(), id.clone()));
                !peer.device.sm || heard.is_some_and(|session| Some(*session) != peer.session)
            };
            let parted = |to: &str| {
                let blocks = |one: &Client, other: &str| one.has_blocked.iter().any(|known| known == other);
                let (own, other) = (&client.account, to.split('/').next().unwrap_or_default());
                self.clients.iter().any(|one| {
                    (one.account == *own && blocks(one, other)) || (one.account == other && blocks(one, own))
                })
            };
            for (id, to) in &client.asked_peers {
                let excused = parted(to) || self.clients.iter().any(|peer| peer.jid == *to && lost(id, peer));
                owed.extend(client.session.filter(|_| !excused).map(|session| (session, id.clone())));
            }
        }
        for (session, id) in owed {
            self.history.push(What::Ask { session, id });
        }
    }

    /// What is true, by the rosters and lists of the accounts themselves.
    fn truth(&mut self) {
        let readers: Vec<&Client> = self.readers().into_iter().map(|client| &self.clients[client]).collect();
        let mut truth = Vec::new();
        for of in &readers {
            for to in readers.iter().filter(|to| to.account != of.account) {
                let subscribed = of.roster.get(&to.account).is_some_and(|it| it == "from" || it == "both");
                let on = subscribed && !of.blocked.contains(&to.account) && !to.blocked.contains(&of.account);
                let (owner, peer) = (of.account.clone(), to.account.clone());
                truth.push(What::Perm { owner, peer, right: Right::Presence, on, phase: Change::Done });
            }
        }
        for client in self.clients.iter().filter(|client| !client.jid.is_empty()) {
            let here = client.is_on() && client.available && client.device.there_at_last;
            truth.push(What::Online { device: client.jid.clone(), here });
            if here && !self.rosters_differ(&client.account) {
                let blocked = readers.iter().find(|reader| reader.account == client.account);
                let hides = |seen: &String| {
                    let bare = seen.split('/').next().unwrap_or_default();
                    blocked.is_some_and(|reader| reader.blocked.contains(bare))
                };
                // Whom one has blocked is not shown, whatever was heard before.
                let others = client.sees.iter().filter(|seen| !hides(seen)).cloned().collect();
                truth.push(What::Sees { device: client.jid.clone(), others });
            }
        }
        for what in truth {
            self.history.push(what);
        }
    }
}
