//! Writing to logs.
//!
//! A deletion of many entries must be all or nothing and yet not hold up everybody else. So it raises the
//! *floor* of the log, below which readers see nothing, and the rows go later, piece by piece (`sweep`).
//!
//! Not here: reading logs (`pages`).

use bytes::Bytes;
use model::storage::{Cull, Entry, Owner, Space};
use rusqlite::{Connection, OptionalExtension};

use crate::apply::Tables;
use crate::fault::Outcome;
use crate::slots::End;
use crate::sql;
use crate::sums::{At, sum};

/// Rows that a deletion takes along at once. More are left to `sweep`.
const ROWS_AT_ONCE: i64 = 500;

impl Tables {
    pub(crate) fn log_append(
        &mut self,
        db: &Connection,
        space: Space,
        owner: &Owner,
        entry: &Entry,
    ) -> Outcome<()> {
        let slot = self.slots.make(db, space, owner)?;
        let end = self.slots.end(db, space, owner, slot)?;
        // Also makes sure that id and time fit into the database's signed numbers.
        store::check_entry(entry, end.id as u64)?;
        let (id, at) = (entry.id as i64, entry.at_ms as i64);
        let lag = end.lag.max(end.latest - at);
        if lag > end.lag {
            db.prepare_cached(sql::SLOT_LAG_SET)?.execute((slot, lag))?;
        }
        db.prepare_cached(sql::LOG_APPEND)?.execute((
            slot,
            id,
            at,
            entry.with.as_deref(),
            entry.resource.as_deref(),
            entry.tag,
            &*entry.value,
            sum(At::Log { slot, id }, &entry.value),
        ))?;
        self.slots.set_end(space, owner, End { id, latest: end.latest.max(at), lag });
        self.highest = self.highest.max(id);
        Ok(())
    }

    pub(crate) fn log_replace(
        &mut self,
        db: &Connection,
        space: Space,
        owner: &Owner,
        id: u64,
        value: &Bytes,
    ) -> Outcome<()> {
        if let (Some(slot), Ok(id)) = (self.slots.find(db, space, owner)?, i64::try_from(id)) {
            db.prepare_cached(sql::LOG_REPLACE)?.execute((
                slot,
                id,
                &**value,
                sum(At::Log { slot, id }, value),
            ))?;
        }
        Ok(())
    }

    pub(crate) fn log_delete(
        &mut self,
        db: &Connection,
        space: Space,
        owner: &Owner,
        what: &Cull,
    ) -> Outcome<()> {
        let Some(slot) = self.slots.find(db, space, owner)? else {
            return Ok(());
        };
        let last = self.slots.end(db, space, owner, slot)?.id;
        let floor: i64 = db.prepare_cached(sql::SLOT_FLOOR)?.query_row([slot], |row| row.get(0))?;
        let up_to = match what {
            Cull::Ids(ids) => return delete_ids(db, slot, last, ids),
            Cull::All => last,
            Cull::UpTo(id) => i64::try_from(*id).unwrap_or(last).min(last),
            Cull::Before(ms) => before(db, slot, floor, *ms)?.unwrap_or(last),
            Cull::KeepNewest(n) => nth_newest(db, slot, floor, *n)?.unwrap_or(floor),
        };
        if up_to > floor {
            db.prepare_cached(sql::SLOT_FLOOR_SET)?.execute((slot, up_to))?;
            self.log_doom(db, slot, up_to)?;
        }
        Ok(())
    }

    /// Deletes rows up to an id: some now, the rest later. Nobody sees them any more.
    pub(crate) fn log_doom(&mut self, db: &Connection, slot: i64, up_to: i64) -> Outcome<()> {
        let deleted = db.prepare_cached(sql::LOG_DELETE_SOME)?.execute((slot, up_to, ROWS_AT_ONCE))?;
        if deleted as i64 == ROWS_AT_ONCE {
            db.prepare_cached(sql::DOOM)?.execute((slot, up_to))?;
            self.doomed = true;
        }
        Ok(())
    }

    /// Deletes some of the rows that await it, within a transaction of the caller.
    pub(crate) fn sweep(&mut self, db: &Connection, rows: i64) -> Outcome<()> {
        let next: Option<(i64, i64)> = db
            .prepare_cached(sql::DOOM_NEXT)?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((slot, up_to)) = next else {
            self.doomed = false;
            return Ok(());
        };
        let deleted = db.prepare_cached(sql::LOG_DELETE_SOME)?.execute((slot, up_to, rows))?;
        if (deleted as i64) < rows {
            db.prepare_cached(sql::DOOM_DONE)?.execute([slot])?;
        }
        Ok(())
    }
}

/// The caller names single ids, so their number is bounded by the batch.
fn delete_ids(db: &Connection, slot: i64, last: i64, ids: &[u64]) -> Outcome<()> {
    let mut delete = db.prepare_cached(sql::LOG_DELETE)?;
    for id in ids.iter().filter_map(|id| i64::try_from(*id).ok()) {
        delete.execute((slot, id))?;
    }
    if ids.contains(&(last as u64)) {
        db.prepare_cached(sql::SLOT_LAST_SET)?.execute((slot, last))?;
    }
    Ok(())
}

/// The id before the first entry of a time or later. The search ends there, so it costs no more than the
/// deletion that follows.
fn before(db: &Connection, slot: i64, floor: i64, ms: u64) -> Outcome<Option<i64>> {
    let Ok(ms) = i64::try_from(ms) else {
        return Ok(None);
    };
    let mut first = db.prepare_cached(sql::LOG_FIRST_AT)?;
    let kept: Option<i64> = first.query_row((slot, floor, ms), |row| row.get(0)).optional()?;
    Ok(kept.map(|id| id - 1))
}

fn nth_newest(db: &Connection, slot: i64, floor: i64, n: u64) -> Outcome<Option<i64>> {
    let Ok(n) = i64::try_from(n) else {
        return Ok(None);
    };
    let mut newest = db.prepare_cached(sql::LOG_NTH_NEWEST)?;
    Ok(newest.query_row((slot, floor, n), |row| row.get(0)).optional()?)
}
