//! Who serves which component's domain, and what waits for it.
//!
//! XEP-0114 1.6
//!
//! Not here: what is durable of what waits (engine), the connections themselves (`carrier.rs`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use model::away::{Away, Patience};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::limits;

/// A stanza that waits for a component, or is on its way.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) away: Away,
    /// When it is given up.
    pub(crate) until: Instant,
}

/// To a connection.
#[derive(Debug)]
pub(crate) enum Command {
    /// Something waits.
    More,
    /// Is the component still there? Answered when it says anything.
    Ping(oneshot::Sender<()>),
    /// Another connection has its domain now.
    Replaced,
    /// The operator no longer wants it.
    Close,
}

/// The connection that serves a domain.
pub(crate) struct Holder {
    pub(crate) id: u64,
    pub(crate) to: mpsc::UnboundedSender<Command>,
    /// From where; `None`: a socket of this machine's files.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) tls: bool,
    /// Since when, in Unix milliseconds.
    pub(crate) since_ms: u64,
}

/// A component's domain.
pub(crate) struct Seat {
    /// In the order of their numbers, which is that of sending.
    waiting: BTreeMap<u64, Waiting>,
    pub(crate) holder: Option<Holder>,
    /// When the last connection was lost, or the server began.
    away_since: Instant,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Seats(HashMap<String, Seat>);

impl Seats {
    /// The domain's seat.
    pub(crate) fn of(&mut self, domain: &str) -> &mut Seat {
        self.0.entry(domain.to_owned()).or_insert_with(|| Seat {
            waiting: BTreeMap::new(),
            holder: None,
            away_since: Instant::now(),
        })
    }

    /// All that has waited too long, or is for domains that are no longer wanted.
    pub(crate) fn expired(&mut self, now: Instant, wanted: impl Fn(&str) -> bool) -> Vec<Away> {
        let mut expired = Vec::new();
        for (domain, seat) in &mut self.0 {
            let wanted = wanted(domain);
            let late = seat.waiting.extract_if(.., |_, waiting| !wanted || waiting.until <= now);
            expired.extend(late.map(|(_, waiting)| waiting.away));
        }
        self.0.retain(|domain, seat| wanted(domain) || seat.holder.is_some());
        expired
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Seat)> {
        self.0.iter()
    }
}

impl Seat {
    /// A stanza comes. It is given back if it is not worth waiting: nobody has been here for a while.
    pub(crate) fn add(&mut self, away: Away, wait: std::time::Duration, now: Instant) -> Result<(), Away> {
        let until = match away.patience {
            Patience::Long => now + wait,
            Patience::Brief if self.holder.is_some() => now + limits::BRIEF,
            Patience::Brief => self.away_since + limits::BRIEF,
        };
        if until <= now {
            return Err(away);
        }
        self.waiting.insert(away.number, Waiting { away, until });
        if let Some(holder) = &self.holder {
            let _ = holder.to.send(Command::More);
        }
        Ok(())
    }

    /// What could not be delivered waits again, each where it was.
    pub(crate) fn again(&mut self, back: impl IntoIterator<Item = Waiting>) {
        self.waiting.extend(back.into_iter().map(|waiting| (waiting.away.number, waiting)));
        if let Some(holder) = &self.holder {
            let _ = holder.to.send(Command::More);
        }
    }

    /// It cannot be sent yet.
    pub(crate) fn keep(&mut self, waiting: Waiting) {
        self.waiting.insert(waiting.away.number, waiting);
    }

    /// The next to send, for whoever holds the seat.
    pub(crate) fn next(&mut self, id: u64) -> Option<Waiting> {
        self.holder.as_ref().filter(|holder| holder.id == id)?;
        self.waiting.pop_first().map(|(_, waiting)| waiting)
    }

    /// A connection is gone. Whether it held the seat.
    pub(crate) fn leave(&mut self, id: u64) -> bool {
        let held = self.holder.as_ref().is_some_and(|holder| holder.id == id);
        if held {
            self.holder = None;
            self.away_since = Instant::now();
        }
        held
    }

    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
