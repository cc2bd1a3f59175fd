//! Answers to questions, each from one snapshot.
//!
//! Not here: the pages of logs (`pages`), the threads (`pool`).

use std::sync::Arc;

use bytes::Bytes;
use model::spaces::ACCOUNT;
use model::storage::{Bounds, Loaded, Owner, Read, Size, Space};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use store::{Fault, FaultKind};

use crate::fault::Outcome;
use crate::pages::{self, Place};
use crate::sql;
use crate::sums::{self, At};

/// Answers within one read transaction, so that all parts come from one moment.
pub(crate) fn read(db: &mut Connection, read: Read) -> Result<Loaded, Fault> {
    let answer = |db: &mut Connection| -> Outcome<Loaded> {
        let snapshot = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let loaded = match read {
            Read::Many(reads) => {
                Loaded::Many(reads.into_iter().map(|read| one(&snapshot, read)).collect::<Outcome<_>>()?)
            }
            read => one(&snapshot, read)?,
        };
        // Nothing was written; this only ends the snapshot.
        snapshot.commit()?;
        Ok(loaded)
    };
    Ok(answer(db)?)
}

fn one(db: &Connection, read: Read) -> Outcome<Loaded> {
    Ok(match read {
        Read::Doc { space, owner } => Loaded::Doc(doc(db, space, &owner)?),
        Read::Map { space, owner } => Loaded::Map(map_range(db, space, &owner, "", None, u32::MAX)?),
        Read::MapRange { space, owner, prefix, after, limit } => {
            Loaded::Map(map_range(db, space, &owner, &prefix, after.as_deref(), limit)?)
        }
        Read::MapGet { space, owner, key } => Loaded::Doc(map_value(db, space, &owner, &key)?),
        Read::MapSize { space, owner } => Loaded::Size(map_size(db, space, &owner)?),
        Read::Owners { space, after, limit } => Loaded::Owners(owners(db, space, after.as_ref(), limit)?),
        Read::Log(query) => {
            let place = place(db, query.space, &query.owner)?;
            Loaded::Page(pages::page(db, place, &query)?)
        }
        Read::LogBounds { space, owner, count } => Loaded::Bounds(match place(db, space, &owner)? {
            Some(place) => pages::bounds(db, place, count)?,
            None => Bounds { count: count.then_some(0), bytes: count.then_some(0), ..Bounds::default() },
        }),
        Read::HighestId => Loaded::HighestId(
            db.prepare_cached(sql::META_HIGHEST)?
                .query_row([], |row| pages::unsigned(row, 0))
                .optional()?
                .unwrap_or(0),
        ),
        Read::Many(_) => return Err(Fault::new(FaultKind::Misuse, "a Many inside a Many").into()),
    })
}

fn place(db: &Connection, space: Space, owner: &Owner) -> Outcome<Option<Place>> {
    let mut find = db.prepare_cached(sql::SLOT)?;
    let row = find.query_row((space.0, owner.as_str()), |row| {
        Ok(Place { slot: row.get(0)?, floor: row.get(1)?, lag: row.get(2)? })
    });
    Ok(row.optional()?)
}

fn doc(db: &Connection, space: Space, owner: &Owner) -> Outcome<Option<Bytes>> {
    let Some(place) = place(db, space, owner)? else {
        return Ok(None);
    };
    let at = At::Doc { slot: place.slot };
    match db.prepare_cached(sql::DOC)?.query_row([place.slot], |row| sums::value(row, at, 0, 1)).optional()? {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => {
            pages::damaged(space, owner, &"-");
            // Whoever has it exists: that nobody does would let others take the name.
            match space == ACCOUNT {
                true => {
                    Err(Fault::new(FaultKind::Corrupt, format_args!("{owner}: the account's record")).into())
                }
                false => Ok(None),
            }
        }
    }
}

fn map_value(db: &Connection, space: Space, owner: &Owner, key: &str) -> Outcome<Option<Bytes>> {
    let Some(place) = place(db, space, owner)? else {
        return Ok(None);
    };
    let at = At::Map { slot: place.slot, key };
    let found = db
        .prepare_cached(sql::MAP_GET)?
        .query_row((place.slot, key), |row| sums::value(row, at, 0, 1))
        .optional()?;
    if found == Some(None) {
        pages::damaged(space, owner, &key);
    }
    Ok(found.flatten())
}

fn map_range(
    db: &Connection,
    space: Space,
    owner: &Owner,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Outcome<Vec<(Arc<str>, Bytes)>> {
    let Some(place) = place(db, space, owner)? else {
        return Ok(Vec::new());
    };
    // Below the prefix, `after` says nothing that the prefix does not.
    let after = after.filter(|after| *after >= prefix);
    let start = after.unwrap_or(prefix);
    let end = store::prefix_end(prefix);
    let mut select = db.prepare_cached(&sql::map_range(after.is_some(), end.is_some()))?;
    let mut rows = match end {
        Some(end) => select.query((place.slot, start, limit, end))?,
        None => select.query((place.slot, start, limit))?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: Arc<str> = row.get(0)?;
        match sums::value(row, At::Map { slot: place.slot, key: &key }, 1, 2)? {
            Some(value) => found.push((key, value)),
            None => pages::damaged(space, owner, &key),
        }
    }
    Ok(found)
}

fn map_size(db: &Connection, space: Space, owner: &Owner) -> Outcome<Size> {
    let Some(place) = place(db, space, owner)? else { return Ok(Size::default()) };
    let size = |row: &rusqlite::Row<'_>| {
        Ok(Size { count: pages::unsigned(row, 0)?, bytes: pages::unsigned(row, 1)? })
    };
    Ok(db.prepare_cached(sql::MAP_SIZE)?.query_row([place.slot], size)?)
}

fn owners(db: &Connection, space: Space, after: Option<&Owner>, limit: u32) -> Outcome<Vec<Owner>> {
    let mut select = db.prepare_cached(&sql::owners(after.is_some()))?;
    let row = |row: &rusqlite::Row<'_>| Ok(Owner::from(row.get::<_, Arc<str>>(0)?));
    let rows = match after {
        Some(after) => select.query_map((space.0, limit, after.as_str()), row)?.collect::<Result<_, _>>()?,
        None => select.query_map((space.0, limit), row)?.collect::<Result<_, _>>()?,
    };
    Ok(rows)
}
