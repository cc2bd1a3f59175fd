//! Who is in a room.
//!
//! XEP-0045 1.35.5 section 7
//!
//! Not here: what they may do, and telling others of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use address::{Bare, Jid};
use stanza::Payload;

use crate::affiliation::Role;

/// Somebody in a room under one nickname, with one or more clients (XEP-0045 section 7.2.8).
#[derive(Clone, Debug)]
pub(crate) struct Occupant {
    pub(crate) nick: Arc<str>,
    /// The address in the room.
    pub(crate) address: Jid,
    /// Who it is.
    pub(crate) bare: Bare,
    pub(crate) role: Role,
    /// XEP-0421.
    pub(crate) id: Arc<str>,
    /// Clients, the one that was heard of last at the end; never empty.
    pub(crate) visits: Vec<Visit>,
    /// How the presence looks now for those who may not and those who may see who it is.
    pub(crate) shown: Option<[Payload; 2]>,
}

/// A client of an occupant.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) jid: Jid,
    /// What of its presence is shown to others.
    pub(crate) presence: Payload,
}

/// All of them. Lookups by client are hashed; the order of telling is that of nicknames.
#[derive(Debug, Default)]
pub(crate) struct Occupants {
    by_nick: BTreeMap<Arc<str>, Occupant>,
    by_client: HashMap<Jid, Arc<str>>,
}

impl Occupants {
    pub(crate) fn len(&self) -> usize {
        self.by_nick.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_nick.is_empty()
    }

    pub(crate) fn get(&self, nick: &str) -> Option<&Occupant> {
        self.by_nick.get(nick)
    }

    pub(crate) fn get_mut(&mut self, nick: &str) -> Option<&mut Occupant> {
        self.by_nick.get_mut(nick)
    }

    /// The occupant to whom a client belongs.
    pub(crate) fn of(&self, client: &Jid) -> Option<&Occupant> {
        self.by_client.get(client).and_then(|nick| self.by_nick.get(nick))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.by_nick.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Occupant> {
        self.by_nick.values_mut()
    }

    /// The nicknames of a person.
    pub(crate) fn nicks_of(&self, bare: &str) -> Vec<Arc<str>> {
        self.iter().filter(|one| one.bare.as_str() == bare).map(|one| one.nick.clone()).collect()
    }

    /// Whether that person is here.
    pub(crate) fn has(&self, bare: &str) -> bool {
        self.iter().any(|one| one.bare.as_str() == bare)
    }

    pub(crate) fn insert(&mut self, occupant: Occupant) {
        for visit in &occupant.visits {
            self.by_client.insert(visit.jid.clone(), occupant.nick.clone());
        }
        self.by_nick.insert(occupant.nick.clone(), occupant);
    }

    pub(crate) fn remove(&mut self, nick: &str) -> Option<Occupant> {
        let occupant = self.by_nick.remove(nick)?;
        for visit in &occupant.visits {
            self.by_client.remove(&visit.jid);
        }
        Some(occupant)
    }

    /// Adds a client to an occupant, or takes over its new presence; it counts as heard of last.
    pub(crate) fn visit(&mut self, nick: &str, visit: Visit) {
        let Some(occupant) = self.by_nick.get_mut(nick) else { return };
        self.by_client.insert(visit.jid.clone(), occupant.nick.clone());
        occupant.visits.retain(|known| known.jid != visit.jid);
        occupant.visits.push(visit);
        occupant.shown = None;
    }

    /// Takes one of several clients off an occupant; whether it was the one that was shown.
    pub(crate) fn unvisit(&mut self, client: &Jid) -> bool {
        let Some(occupant) = self.by_client.remove(client).and_then(|nick| self.by_nick.get_mut(&nick))
        else {
            return false;
        };
        let last = occupant.visits.last().is_some_and(|visit| visit.jid == *client);
        occupant.visits.retain(|visit| visit.jid != *client);
        occupant.shown = None;
        last
    }

    /// Takes everybody out.
    pub(crate) fn take(&mut self) -> Vec<Occupant> {
        self.by_client.clear();
        std::mem::take(&mut self.by_nick).into_values().collect()
    }
}
