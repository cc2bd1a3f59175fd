//! Reading logs: pages, ends, counts (XEP-0059, XEP-0313).
//!
//! Not here: the other shapes and transactions (`readers`).

use model::storage::{Bounds, Entry, LogQuery, Owner, Page, Paging, Space, With};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use crate::fault::Outcome;
use crate::sql::{self, Side};
use crate::sums::{self, At};
use crate::times;

/// A log where it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) slot: i64,
    /// The id up to which it is deleted.
    pub(crate) floor: i64,
    /// See `times`.
    pub(crate) lag: i64,
}

/// Ids above `above`, up to and including `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) above: i64,
    pub(crate) up_to: i64,
}

impl Range {
    fn after(self, id: Option<u64>) -> Self {
        let above = id.map_or(0, |id| i64::try_from(id).unwrap_or(i64::MAX));
        Self { above: self.above.max(above), ..self }
    }

    fn before(self, id: Option<u64>) -> Self {
        let up_to = id.map_or(i64::MAX, |id| i64::try_from(id).map_or(i64::MAX, |id| id - 1));
        Self { up_to: self.up_to.min(up_to), ..self }
    }

    fn holds(self, id: i64) -> bool {
        id > self.above && id <= self.up_to
    }
}

/// The ends of a log.
pub(crate) fn bounds(db: &Connection, place: Place, count: bool) -> Outcome<Bounds> {
    let at = (place.slot, place.floor);
    let end = |sql: &str| {
        let mut statement = db.prepare_cached(sql)?;
        statement.query_row(at, |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))).optional()
    };
    let first = end(sql::LOG_FIRST)?;
    let last = end(sql::LOG_LATEST)?;
    let counted = match count {
        true => Some(
            db.prepare_cached(sql::LOG_COUNT)?
                .query_row(at, |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))?,
        ),
        false => None,
    };
    let (count, bytes) = counted.unzip();
    Ok(Bounds { first, last, count, bytes })
}

/// A page of a log; `None` is a log that does not exist.
pub(crate) fn page(db: &Connection, place: Option<Place>, query: &LogQuery) -> Outcome<Page> {
    let anchor = match query.page {
        Paging::Forwards { after: id } | Paging::Backwards { before: id } => id,
    };
    let Some(place) = place else {
        let named =
            anchor.or(query.after_id).or(query.before_id).or(query.ids.iter().flatten().next().copied());
        let count = query.count.then_some(0);
        return Ok(Page { complete: true, count, missing_anchor: named.is_some(), ..Page::default() });
    };
    let missing_anchor = is_missing(db, place, anchor, query)?;
    let filter = Range { above: place.floor, up_to: i64::MAX }.after(query.after_id).before(query.before_id);
    let filter = times::narrow(db, place, filter, query)?;
    let (range, backwards) = match query.page {
        Paging::Forwards { after } => (filter.after(after), false),
        Paging::Backwards { before } => (filter.before(before), true),
    };
    let (mut entries, complete) = match &query.ids {
        None => {
            let mut room = Room::of(query);
            let entries = select(db, place, query, range, backwards, &mut room)?;
            (entries, !room.exceeded)
        }
        Some(ids) => select_ids(db, place, query, range, backwards, Room::of(query), ids)?,
    };
    let count = match (query.count, &query.ids) {
        (false, _) => None,
        (true, None) => Some(count(db, place, query, filter)?),
        (true, Some(ids)) => {
            Some(select_ids(db, place, query, filter, false, Room::ENDLESS, ids)?.0.len() as u64)
        }
    };
    if backwards {
        entries.reverse();
    }
    Ok(Page { entries, complete, count, missing_anchor })
}

/// How much a page may still take.
struct Room {
    entries: u64,
    bytes: u64,
    /// There was more than that.
    exceeded: bool,
}

impl Room {
    const ENDLESS: Room = Room { entries: u64::MAX, bytes: u64::MAX, exceeded: false };

    fn of(query: &LogQuery) -> Room {
        Room { entries: query.limit.into(), bytes: query.bytes, exceeded: false }
    }

    /// Whether one more may come.
    fn has_any(&mut self) -> bool {
        self.exceeded |= self.entries == 0 || self.bytes == 0;
        !self.exceeded
    }

    fn take(&mut self, entry: &Entry) {
        self.entries -= 1;
        self.bytes = self.bytes.saturating_sub(entry.value.len() as u64);
    }
}

fn is_missing(db: &Connection, place: Place, anchor: Option<u64>, query: &LogQuery) -> Outcome<bool> {
    let mut has = db.prepare_cached(sql::LOG_HAS)?;
    let single = [anchor, query.after_id, query.before_id];
    for id in single.into_iter().flatten().chain(query.ids.iter().flatten().copied()) {
        let known = match i64::try_from(id) {
            Ok(id) => has.exists((place.slot, id, place.floor))?,
            Err(_) => false,
        };
        if !known {
            return Ok(true);
        }
    }
    Ok(false)
}

fn select(
    db: &Connection,
    place: Place,
    query: &LogQuery,
    range: Range,
    backwards: bool,
    room: &mut Room,
) -> Outcome<Vec<Entry>> {
    let (side, values) = filters(place, query, range);
    let mut statement = db.prepare_cached(&sql::log_page(side, backwards))?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut entries = Vec::new();
    // Row by row, in the order of the index: what is beyond the page is not read.
    while let Some(row) = rows.next()? {
        if !room.has_any() {
            break;
        }
        match entry(row, place.slot)? {
            Some(entry) => {
                room.take(&entry);
                entries.push(entry);
            }
            // The page goes on behind it (E-29).
            None => damaged(query.space, &query.owner, &row.get::<_, i64>(0)?),
        }
    }
    Ok(entries)
}

/// Single ids, each looked up for itself: the caller bounds their number.
fn select_ids(
    db: &Connection,
    place: Place,
    query: &LogQuery,
    range: Range,
    backwards: bool,
    mut room: Room,
    ids: &[u64],
) -> Outcome<(Vec<Entry>, bool)> {
    let mut ids: Vec<i64> = ids.iter().filter_map(|id| i64::try_from(*id).ok()).collect();
    ids.retain(|id| range.holds(*id));
    ids.sort_unstable();
    ids.dedup();
    if backwards {
        ids.reverse();
    }
    let mut found = Vec::new();
    for id in ids {
        if room.exceeded {
            break;
        }
        found.extend(select(db, place, query, Range { above: id - 1, up_to: id }, backwards, &mut room)?);
    }
    Ok((found, !room.exceeded))
}

fn count(db: &Connection, place: Place, query: &LogQuery, range: Range) -> Outcome<u64> {
    let (side, values) = filters(place, query, range);
    let mut statement = db.prepare_cached(&sql::log_matching(side))?;
    Ok(statement.query_row(params_from_iter(values), |row| unsigned(row, 0))?)
}

/// The values of all filters, in the order that `sql` documents.
fn filters(place: Place, query: &LogQuery, range: Range) -> (Side, Vec<Value>) {
    // No entry is later than `i64::MAX`: asking for one must find nothing, not the latest.
    let range = match query.from_ms {
        Some(from) if from > i64::MAX as u64 => Range { above: i64::MAX, ..range },
        _ => range,
    };
    let ms = |bound: Option<u64>, open: i64| bound.map_or(open, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
    let mut values: Vec<Value> = [
        place.slot,
        range.above,
        range.up_to,
        ms(query.from_ms, 0),
        ms(query.to_ms, i64::MAX),
        query.tag_mask.into(),
        query.tag_want.into(),
    ]
    .map(Value::Integer)
    .into();
    let side = match &query.with {
        None => Side::Any,
        Some(With::Bare(bare)) => {
            values.push(Value::Text(bare.to_string()));
            Side::Bare
        }
        Some(With::Full { bare, resource }) => {
            values.extend([bare, resource].map(|text| Value::Text(text.to_string())));
            Side::Full
        }
    };
    (side, values)
}

/// A record that is not what was written: it stays where it is, and nobody is given it.
pub(crate) fn damaged(space: Space, owner: &Owner, key: &dyn std::fmt::Display) {
    tracing::error!(space = space.0, %owner, %key, "a stored record is damaged and left out; see `detente check --data`");
}

/// `None` if it is damaged.
fn entry(row: &Row<'_>, slot: i64) -> rusqlite::Result<Option<Entry>> {
    let Some(value) = sums::value(row, At::Log { slot, id: row.get(0)? }, 5, 6)? else { return Ok(None) };
    Ok(Some(Entry {
        id: unsigned(row, 0)?,
        at_ms: unsigned(row, 1)?,
        with: row.get(2)?,
        resource: row.get(3)?,
        tag: row.get(4)?,
        value,
    }))
}

/// A number that is stored signed but never below zero.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let signed: i64 = row.get(column)?;
    u64::try_from(signed).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, signed))
}
