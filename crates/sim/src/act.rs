//! Clients in the world: their bytes, their connections, their turns.
//!
//! Not here: what they say (client).

use crate::client::Phase;
use crate::client::Wish;
use crate::world::{Due, World};

/// How often a client looks around once everything is healed, in milliseconds.
const HEALED_MS: u64 = 3_000;
/// How long the server's end of a connection may be too busy to hear that it is over.
const DEAF_MS_MAX: u64 = 10_000;

impl World {
    /// It is a client's turn.
    pub(crate) fn act(&mut self, client: usize) {
        let wait = if self.healed { HEALED_MS } else { self.rng.long_tail(1, self.plan.think_ms * 4) };
        self.later(wait, Due::Act(client));
        match self.clients[client].phase {
            Phase::Off => {
                let wanted = match self.healed {
                    true => self.clients[client].device.there_at_last,
                    false => self.rng.chance(500),
                };
                if wanted {
                    self.come(client);
                }
            }
            Phase::On if self.healed => {
                self.clients[client].mend(&mut self.history);
            }
            Phase::On => {
                let cuts = self.plan.cuts;
                let wish = self.clients[client].something(&mut self.history, cuts);
                if let (Wish::Cut | Wish::Leave, Some(link)) = (wish, self.clients[client].link) {
                    match wish {
                        Wish::Cut => self.cut(link),
                        _ if self.plan.hasty => self.hurry(client, link),
                        _ => self.go(client, link),
                    }
                }
            }
            // Amid a login: patience has an end.
            _ if self.rng.chance(50) => {
                if let Some(link) = self.clients[client].link {
                    self.go(client, link);
                }
            }
            _ => {}
        }
        self.flush(client);
    }

    fn come(&mut self, client: usize) {
        // It is not told at once that its password has changed.
        if self.healed || self.rng.chance(700) {
            let account = self.clients[client].account.clone();
            self.clients[client].password = self.server.passwords.get(&account).copied().unwrap_or(0);
        }
        if let Some(link) = self.connect(client) {
            let forget = !self.healed && self.rng.chance(100);
            let known = &mut self.clients[client];
            if forget {
                known.session_over(&mut self.history);
            }
            known.open(link);
            self.say(|| format!("client {client}: connects by link {link}"));
        }
    }

    /// A client gives its connection up, not its session.
    fn go(&mut self, client: usize, link: u64) {
        self.flush(client);
        self.say(|| format!("client {client}: leaves link {link}"));
        self.leave(link);
        self.clients[client].disconnected(&mut self.history);
    }

    /// A client says something, leaves, and is back before that has arrived.
    fn hurry(&mut self, client: usize, link: u64) {
        self.clients[client].write_message(&mut self.history);
        self.go(client, link);
        let deaf = self.rng.long_tail(0, DEAF_MS_MAX);
        if let Some(known) = self.links.get_mut(&link) {
            known.deaf_until = self.now + deaf;
            self.later(deaf, Due::Engine);
        }
        self.come(client);
    }

    /// Sends what a client has written, and lets it go if it wants to.
    pub(crate) fn flush(&mut self, client: usize) {
        let known = &mut self.clients[client];
        let out = std::mem::take(&mut known.out);
        let Some(link) = known.link else { return };
        if !out.is_empty() {
            self.say(|| format!("client {client} > {}", String::from_utf8_lossy(&out)));
            let due = self.now + self.net_ms();
            if let Some(known) = self.links.get_mut(&link) {
                let due = known.up.send(due, out);
                self.at(due, Due::Up(link));
            }
        }
        if self.clients[client].leaving {
            self.leave(link);
            self.clients[client].disconnected(&mut self.history);
        }
    }

    pub(crate) fn bytes_down(&mut self, link: u64) {
        let now = self.now;
        let Some(known) = self.links.get_mut(&link).filter(|known| !known.left) else { return };
        let (client, bytes) = (known.client, known.down.take(now));
        let mut rest = &bytes[..];
        while !rest.is_empty() && self.clients[client].link == Some(link) {
            let piece = 1 + self.rng.below(rest.len() as u64) as usize;
            let (head, tail) = rest.split_at(piece);
            let mut said = Vec::new();
            self.clients[client].bytes(&mut self.history, head, &mut said);
            for line in said {
                self.say(|| format!("client {client} < {line}"));
            }
            self.flush(client);
            rest = tail;
        }
    }

    pub(crate) fn down_ends(&mut self, link: u64) {
        let Some(client) = self.links.get(&link).filter(|known| !known.left).map(|known| known.client) else {
            return;
        };
        if self.clients[client].link == Some(link) {
            self.say(|| format!("client {client}: its link {link} is over"));
            self.clients[client].disconnected(&mut self.history);
        }
        if let Some(known) = self.links.get_mut(&link) {
            known.left = true;
        }
        // TCP tells the other side too, as soon as it has read the rest.
        let wait = self.rng.long_tail(0, 1_000);
        self.later(wait, Due::UpEnds(link));
    }
}
