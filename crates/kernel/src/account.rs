//! An account as it stands in memory: its sessions, its roster, and the features' own drawers.
//!
//! RFC 6121 section 2 (roster) and 4 (presence sessions).
//!
//! Not here: credentials (accounts), queues and counters of stream management (engine).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use address::{Bare, Jid};
use model::link::{About, SessionId};
use stanza::Stanza;

use crate::{HostFacts, Roster, Slots};

/// A place: the unit that RFC 6121's rules are about. Owned by one task and changed only inside a turn.
#[derive(Debug)]
pub struct Account {
    /// Its address.
    pub jid: Bare,
    /// Whether there is such an account; a place for an address that nobody registered answers like one that is
    /// offline (RFC 6121 section 8.5.1).
    pub exists: bool,
    /// What the operator says about its domain.
    pub facts: Arc<HostFacts>,
    /// Its connected resources, in the order in which they were bound.
    pub sessions: Vec<Session>,
    /// Its contacts.
    pub roster: Roster,
    /// Whom it has blocked (XEP-0191): bare and full addresses, domains.
    pub blocked: BTreeSet<Jid>,
    /// Messages that several sessions got, by the id of their input: as long as one of these sessions keeps it, it need
    /// not find another way. At most [`crate::limits::SHARED_MAX`].
    pub(crate) shared: VecDeque<(u64, Vec<SessionId>)>,
    /// Features' own state.
    pub slots: Slots,
}

/// A connected resource.
#[derive(Debug)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Its full address.
    pub jid: Jid,
    /// Its presence, once it is available.
    pub available: Option<Available>,
    /// Whether it asked for the roster and so gets pushes (RFC 6121 section 2.1.6: an interested resource).
    pub interested: bool,
    /// To whom it sent directed presence (RFC 6121 section 4.6), at most [`crate::limits::DIRECTED_MAX`].
    pub directed: BTreeSet<Jid>,
    /// How it is connected, as known when it was bound or last resumed.
    pub about: Arc<About>,
    /// Features' own state.
    pub slots: Slots,
}

/// The presence of an available resource.
#[derive(Clone, Debug)]
pub struct Available {
    /// The last presence it broadcast.
    pub stanza: Arc<Stanza>,
    /// RFC 6121 section 4.7.2.3.
    pub priority: i8,
}

impl Account {
    /// An account without sessions, contacts or state.
    pub fn new(jid: Bare, exists: bool) -> Account {
        Account {
            jid,
            exists,
            facts: Arc::default(),
            sessions: Vec::new(),
            roster: Roster::default(),
            blocked: BTreeSet::new(),
            shared: VecDeque::new(),
            slots: Slots::default(),
        }
    }

    /// Remembers that several sessions got a message.
    pub(crate) fn share(&mut self, id: u64, sessions: &[SessionId]) {
        if sessions.len() > 1 {
            if self.shared.len() >= crate::limits::SHARED_MAX {
                self.shared.pop_front();
            }
            self.shared.push_back((id, sessions.to_vec()));
        }
    }

    /// A session did not get it after all: whether another did.
    pub fn unshare(&mut self, id: u64, session: SessionId) -> bool {
        let Some((_, sessions)) = self.shared.iter_mut().rev().find(|(known, _)| *known == id) else {
            return false;
        };
        sessions.retain(|known| *known != session);
        !sessions.is_empty()
    }

    /// The session with that number.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// The session with that number, to change.
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// The session with that resource.
    pub fn resource(&self, resource: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.jid.resource() == Some(resource))
    }

    /// Sessions that are available, with their presence.
    pub fn available(&self) -> impl Iterator<Item = (&Session, &Available)> {
        self.sessions
            .iter()
            .filter_map(|session| session.available.as_ref().map(|presence| (session, presence)))
    }

    /// Whether the account has blocked that address (XEP-0191 section 5: by full address, by bare address, by resource of
    /// a domain, by domain). Its own resources and its own host can never be blocked.
    pub fn blocks(&self, jid: &Jid) -> bool {
        let exempt = jid.bare_str() == self.jid.as_str() || jid.as_str() == self.jid.domain();
        let forms = [jid.as_str(), jid.bare_str(), jid.domain()];
        !exempt && !self.blocked.is_empty() && forms.iter().any(|form| self.blocked.contains(*form))
    }

    /// Whether `jid` may see this account's presence: a subscribed contact, or the account itself.
    pub fn shows_presence_to(&self, jid: &Jid) -> bool {
        jid.bare_str() == self.jid.as_str()
            || self.roster.item(jid.bare_str()).is_some_and(|item| item.shown_to())
    }
}

impl Session {
    /// A session that was just bound: not yet available.
    pub fn new(id: SessionId, jid: Jid, about: Arc<About>) -> Session {
        Session {
            id,
            jid,
            available: None,
            interested: false,
            directed: BTreeSet::new(),
            about,
            slots: Slots::default(),
        }
    }
}
