//! Making rooms: who may, how many, and what is locked until its creator has configured it.
//!
//! XEP-0045 1.35.5 section 10.1
//!
//! Not here: entering (`join.rs`), the configuration (`owner.rs`).

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Spot, Turn};
use model::query::{Found, Query};
use model::storage::{Loaded, Owner, Read, Write};
use stanza::{Condition, Stanza, StanzaError};

use crate::affiliation::Affiliation;
use crate::config::Config;
use crate::here::Here;
use crate::index::{self, OWNED};
use crate::room::{Entry, Room, Standing};
use crate::service::Shared;
use crate::settings::Creation;
use crate::{admin, destroy, join, limits};

/// Somebody wants to enter a room that is not there: it is made for him at once, so that what he sends next finds it.
/// Whether he has too many is looked up then; one that is too many ends again.
pub(crate) fn wanted(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza, from: Jid) {
    if let Err(error) = permitted(shared, &turn.place.address, &from) {
        return Here::of(shared, turn).refuse_entry(&stanza, error);
    }
    let mut here = Here::of(shared, turn);
    here.make(&from.bare());
    join::enter(&mut here, &stanza, &from, true);
    if here.room.standing == Standing::Absent {
        return;
    }
    let key = here.room.created;
    let (owner, prefix) = (Owner::from(shared.settings.domain.as_str()), index::owned_prefix(&from));
    let most = shared.settings.rooms_per_user;
    let limit = most.saturating_add(1);
    let read = Read::MapRange { space: OWNED, owner, prefix: prefix.into(), after: None, limit };
    let shared = shared.clone();
    turn.ask(Query::Read(read), move |turn, found| {
        let mut here = Here::of(&shared, turn);
        // It may have ended meanwhile, and another may have taken its place.
        if here.room.created != key {
            return;
        }
        let started_ms = shared.settings.started_ms;
        let fits = matches!(&found, Ok(Found::Loaded(Loaded::Map(owned))) if index::living(owned, started_ms) <= most);
        if !fits {
            destroy::unmake(&mut here, "you have as many rooms as anybody may have");
        }
    });
}

fn permitted(shared: &Shared, room: &Bare, from: &Jid) -> Result<(), StanzaError> {
    let settings = &shared.settings;
    let may = match settings.creation {
        Creation::Anyone => true,
        Creation::Local => from.domain() == settings.host.as_str(),
        Creation::Nobody => false,
    };
    let fits = room.local().is_some_and(|local| local.len() <= limits::ROOM_BYTES_MAX);
    match may {
        true if fits => Ok(()),
        true => Err(StanzaError::from(Condition::NotAcceptable).text("the room's address is too long")),
        false => Err(StanzaError::from(Condition::NotAllowed).text("you may not make rooms here")),
    }
}

impl Here<'_> {
    /// Makes the room: nothing of an earlier one under this address is left.
    pub(crate) fn make(&mut self, creator: &Bare) {
        let mut key = [0; 32];
        (self.shared.random)(&mut key);
        *self.room = Room {
            standing: Standing::Locked(self.now_ms),
            creator: Some(creator.clone()),
            created: self.id,
            key,
            config: Config::new(&self.shared.settings),
            last_id: self.room.last_id,
            ..Room::default()
        };
        let owner = self.owner();
        self.fx.write(Write::Purge { owner });
        let owns = Entry { affiliation: Affiliation::Owner, ..Entry::default() };
        admin::put(self, creator.text(), Some(owns));
        self.own(creator, true);
        self.save();
        self.fx.wake(limits::LOCKED_MS);
    }

    /// The creator has said how it shall be (or that the defaults will do): others may come.
    pub(crate) fn unlock(&mut self) {
        if let Standing::Locked(_) = self.room.standing {
            self.room.standing = Standing::Open;
        }
    }
}

/// The creator has said nothing for long: the defaults will do.
pub(crate) fn unlock_in_time(here: &mut Here<'_>) {
    if let Standing::Locked(since) = here.room.standing {
        let over = here.now_ms.saturating_sub(since);
        if over < limits::LOCKED_MS {
            // News come sooner, and ask again after that.
            if here.room.telling.is_empty() {
                here.fx.wake(limits::LOCKED_MS - over);
            }
            return;
        }
        here.unlock();
        here.save();
    }
}
