//! Leaving a room, by oneself or otherwise.
//!
//! XEP-0045 1.35.5 sections 7.14, 11.1 and 17.3
//!
//! Not here: why somebody is put out (`roles.rs`, `affiliations.rs`, `ghosts.rs`).

use std::sync::Arc;

use address::Jid;
use stanza::{Payload, Stanza, ns};

use crate::destroy;
use crate::here::Here;
use crate::item::Notice;
use crate::occupants::Occupant;
use crate::room::Standing;

/// Unavailable presence (section 7.14). From others than occupants it is ignored (section 17.3).
pub(crate) fn left(here: &mut Here<'_>, stanza: &Stanza) {
    let Some(from) = &stanza.from else { return };
    // A parting word is shown; nothing else of that presence.
    let last = stanza.payload.without(|child| !child.is("status", ns::CLIENT));
    let last = if last.inner().len() > crate::limits::REASON_BYTES_MAX { Payload::default() } else { last };
    here.out(from, &Notice::default(), &last);
}

impl Here<'_> {
    /// A client is no longer here; if it was the only one, neither is its occupant.
    pub(crate) fn out(&mut self, client: &Jid, notice: &Notice<'_>, last: &Payload) {
        let Some(occupant) = self.room.occupants.of(client) else { return };
        if occupant.visits.len() > 1 {
            let nick = occupant.nick.clone();
            return self.client_out(client, &nick, notice, last);
        }
        let nick = occupant.nick.clone();
        if let Some(occupant) = self.expel(&nick) {
            self.tell_gone(&occupant, notice, last, None);
            self.tell_left(&occupant, notice, last);
            self.after_leaving();
        }
    }

    /// One of several clients goes: only it hears of that, others at most that the presence shown is now another's.
    fn client_out(&mut self, client: &Jid, nick: &Arc<str>, notice: &Notice<'_>, last: &Payload) {
        let Some(occupant) = self.room.occupants.get(nick).cloned() else { return };
        self.tell_gone(&occupant, notice, last, Some(client));
        if self.room.occupants.unvisit(client) {
            self.broadcast(nick, &Notice::default(), &[]);
        }
    }

    /// Takes an occupant out of the room; nobody has been told yet.
    pub(crate) fn expel(&mut self, nick: &str) -> Option<Occupant> {
        let occupant = self.room.occupants.remove(nick)?;
        self.forsake(&occupant.address);
        Some(occupant)
    }

    /// The last one may have left: temporary rooms end then, and rooms that were never configured.
    pub(crate) fn after_leaving(&mut self) {
        let ends = match self.room.standing {
            Standing::Locked(_) => true,
            Standing::Open => !self.room.config.persistent,
            Standing::Absent | Standing::Gone(_) => false,
        };
        if ends && self.room.occupants.is_empty() {
            destroy::forget(self);
        }
    }
}

/// The room is forgotten for a technical reason (333): each client hears that it is no longer in it.
pub(crate) fn all_out(here: &mut Here<'_>) {
    let notice = Notice { codes: &[333], ..Notice::default() };
    for occupant in here.room.occupants.take() {
        here.tell_gone(&occupant, &notice, &Payload::default(), None);
    }
}
