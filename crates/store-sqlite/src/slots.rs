//! The writer's memory of slots: which number a (space, owner) has, and the last id of its log.
//!
//! Without it each append would look both up first.
//!
//! Not here: readers, which look slots up as they go (`pages`).

use std::collections::HashMap;

use model::storage::{Owner, Space};
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Outcome;
use crate::sql;

/// Owners remembered; beyond it the memory starts anew. About 100 bytes each.
const OWNERS_MAX: usize = 65_536;

#[derive(Default)]
pub(crate) struct Slots {
    known: HashMap<Owner, Vec<Known>>,
}

struct Known {
    space: Space,
    slot: i64,
    /// The highest id that the log ever held, once it was asked for.
    last: Option<i64>,
}

impl Slots {
    /// The slot, if there is one.
    pub(crate) fn find(&mut self, db: &Connection, space: Space, owner: &Owner) -> Outcome<Option<i64>> {
        if let Some(known) = self.known(space, owner) {
            return Ok(Some(known.slot));
        }
        let mut find = db.prepare_cached(sql::SLOT)?;
        let slot = find.query_row((space.0, owner.as_str()), |row| row.get(0)).optional()?;
        if let Some(slot) = slot {
            self.remember(space, owner, slot, None);
        }
        Ok(slot)
    }

    /// The slot, made if there was none.
    pub(crate) fn make(&mut self, db: &Connection, space: Space, owner: &Owner) -> Outcome<i64> {
        if let Some(slot) = self.find(db, space, owner)? {
            return Ok(slot);
        }
        let slot =
            db.prepare_cached(sql::SLOT_MAKE)?.query_row((space.0, owner.as_str()), |row| row.get(0))?;
        self.remember(space, owner, slot, Some(0));
        Ok(slot)
    }

    /// The highest id that the log in this slot ever held; 0 if none.
    pub(crate) fn last(&mut self, db: &Connection, space: Space, owner: &Owner, slot: i64) -> Outcome<i64> {
        if let Some(last) = self.known(space, owner).and_then(|known| known.last) {
            return Ok(last);
        }
        let last = db.prepare_cached(sql::SLOT_LAST)?.query_row([slot], |row| row.get(0))?;
        self.set_last(space, owner, last);
        Ok(last)
    }

    pub(crate) fn set_last(&mut self, space: Space, owner: &Owner, last: i64) {
        if let Some(known) = self.known(space, owner) {
            known.last = Some(last);
        }
    }

    /// Forgets an owner: its slots are gone.
    pub(crate) fn forget(&mut self, owner: &Owner) {
        self.known.remove(owner);
    }

    /// Forgets all: something was rolled back.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }

    fn known(&mut self, space: Space, owner: &Owner) -> Option<&mut Known> {
        self.known.get_mut(owner)?.iter_mut().find(|known| known.space == space)
    }

    fn remember(&mut self, space: Space, owner: &Owner, slot: i64, last: Option<i64>) {
        if self.known.len() >= OWNERS_MAX {
            self.known.clear();
        }
        self.known.entry(owner.clone()).or_default().push(Known { space, slot, last });
    }
}
