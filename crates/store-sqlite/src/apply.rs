//! One write to statements.
//!
//! Not here: logs (`logs`), transactions (`writer`).

use bytes::Bytes;
use model::storage::{Owner, Space, Write};
use rusqlite::Connection;

use crate::fault::Outcome;
use crate::slots::Slots;
use crate::sql;
use crate::sums::{At, sum};

/// What the writer knows about the tables without looking.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) slots: Slots,
    /// The highest id that any log ever held.
    pub(crate) highest: i64,
    /// Whether log rows may await deletion.
    pub(crate) doomed: bool,
}

impl Tables {
    /// Writes, within a transaction of the caller.
    pub(crate) fn apply(&mut self, db: &Connection, write: &Write) -> Outcome<()> {
        match write {
            Write::DocPut { space, owner, value } => {
                let slot = self.slots.make(db, *space, owner)?;
                db.prepare_cached(sql::DOC_PUT)?.execute((slot, &**value, sum(At::Doc { slot }, value)))?;
            }
            Write::DocDelete { space, owner } => {
                if let Some(slot) = self.slots.find(db, *space, owner)? {
                    db.prepare_cached(sql::DOC_DELETE)?.execute([slot])?;
                }
            }
            Write::MapPut { space, owner, key, value } => self.map_put(db, *space, owner, key, value)?,
            Write::MapDelete { space, owner, key } => {
                if let Some(slot) = self.slots.find(db, *space, owner)? {
                    db.prepare_cached(sql::MAP_DELETE)?.execute((slot, &**key))?;
                }
            }
            Write::MapClear { space, owner, prefix } => self.map_clear(db, *space, owner, prefix)?,
            Write::LogAppend { space, owner, entry } => self.log_append(db, *space, owner, entry)?,
            Write::LogReplace { space, owner, id, value } => {
                self.log_replace(db, *space, owner, *id, value)?;
            }
            Write::LogDelete { space, owner, what } => self.log_delete(db, *space, owner, what)?,
            Write::Purge { owner } => self.purge(db, owner)?,
        }
        Ok(())
    }

    fn map_put(
        &mut self,
        db: &Connection,
        space: Space,
        owner: &Owner,
        key: &str,
        value: &Bytes,
    ) -> Outcome<()> {
        store::check_key(key)?;
        let slot = self.slots.make(db, space, owner)?;
        db.prepare_cached(sql::MAP_PUT)?.execute((slot, key, &**value, sum(At::Map { slot, key }, value)))?;
        Ok(())
    }

    fn map_clear(&mut self, db: &Connection, space: Space, owner: &Owner, prefix: &str) -> Outcome<()> {
        let Some(slot) = self.slots.find(db, space, owner)? else {
            return Ok(());
        };
        match store::prefix_end(prefix) {
            Some(end) => db.prepare_cached(sql::MAP_CLEAR)?.execute((slot, prefix, end))?,
            None => db.prepare_cached(sql::MAP_CLEAR_FROM)?.execute((slot, prefix))?,
        };
        Ok(())
    }

    fn purge(&mut self, db: &Connection, owner: &Owner) -> Outcome<()> {
        let slots: Vec<i64> = db
            .prepare_cached(sql::SLOTS_OF_OWNER)?
            .query_map([owner.as_str()], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for slot in slots {
            db.prepare_cached(sql::DOC_DELETE)?.execute([slot])?;
            db.prepare_cached(sql::MAP_CLEAR_FROM)?.execute((slot, ""))?;
            self.log_doom(db, slot, i64::MAX)?;
            db.prepare_cached(sql::SLOT_DROP)?.execute([slot])?;
        }
        self.slots.forget(owner);
        Ok(())
    }
}
