//! The writer's memory of slots: which number a (space, owner) has, and the end of its log.
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
    /// Once it was asked for.
    end: Option<End>,
}

/// The end of a log, as far as the next append must know it.
#[derive(Clone, Copy, Default)]
pub(crate) struct End {
    /// The highest id that the log ever held; 0 if none.
    pub(crate) id: i64,
    /// No entry is later than this, in Unix milliseconds.
    pub(crate) latest: i64,
    /// No entry is older, by more milliseconds than this, than one before it (see `times`).
    pub(crate) lag: i64,
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
        self.remember(space, owner, slot, Some(End::default()));
        Ok(slot)
    }

    /// The end of the log in this slot.
    pub(crate) fn end(&mut self, db: &Connection, space: Space, owner: &Owner, slot: i64) -> Outcome<End> {
        if let Some(end) = self.known(space, owner).and_then(|known| known.end) {
            return Ok(end);
        }
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (used, lag): (i64, i64) = db.prepare_cached(sql::SLOT_LAST)?.query_row([slot], pair)?;
        let newest: Option<(i64, i64)> =
            db.prepare_cached(sql::LOG_LATEST)?.query_row([slot, 0], pair).optional()?;
        let (id, at) = newest.unwrap_or_default();
        // An earlier entry may be later, but by the lag at most.
        let end = End { id: id.max(used), latest: at.saturating_add(lag), lag };
        self.set_end(space, owner, end);
        Ok(end)
    }

    pub(crate) fn set_end(&mut self, space: Space, owner: &Owner, end: End) {
        if let Some(known) = self.known(space, owner) {
            known.end = Some(end);
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

    fn remember(&mut self, space: Space, owner: &Owner, slot: i64, end: Option<End>) {
        if self.known.len() >= OWNERS_MAX {
            self.known.clear();
        }
        self.known.entry(owner.clone()).or_default().push(Known { space, slot, end });
    }
}
