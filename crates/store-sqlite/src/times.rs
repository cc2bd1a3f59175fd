//! Finding a time in a log without an index on time.
//!
//! A log is ordered by id. Its times run along, except that the clock may have stepped back: then an entry is
//! older than one before it, by at most the log's `lag`, which the writer keeps. So if some entry is older
//! than `t - lag`, all entries before it are older than `t`; and if some entry is later than `t + lag`, all
//! behind it are later than `t`. Such entries are found by bisection. That is exact whatever the clock did: a
//! great lag only narrows less, and the filters by time still apply to each entry.
//!
//! Not here: those filters (`pages`).

use model::storage::LogQuery;
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Outcome;
use crate::pages::{Place, Range};
use crate::sql;

/// So few ids need no bisection.
const SPAN: i64 = 64;

/// Ids outside the result are outside the query's times.
pub(crate) fn narrow(db: &Connection, place: Place, range: Range, query: &LogQuery) -> Outcome<Range> {
    let mut range = range;
    let ms = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
    if query.from_ms.is_none() && query.to_ms.is_none() {
        return Ok(range);
    }
    // Ids may be huge numbers with huge gaps: begin with those that are there.
    if let Some((last, _)) = end(db, place, range)? {
        range.up_to = range.up_to.min(last);
    }
    if let Some(from) = query.from_ms {
        let (older, _) = bisect(db, place, range, ms(from).saturating_sub(place.lag))?;
        range.above = older;
    }
    if let Some(to) = query.to_ms {
        let too_late = ms(to).saturating_add(place.lag).saturating_add(1);
        let (_, later) = bisect(db, place, range, too_late)?;
        range.up_to = later.map_or(range.up_to, |id| id - 1);
    }
    Ok(range)
}

fn end(db: &Connection, place: Place, range: Range) -> Outcome<Option<(i64, i64)>> {
    let mut latest = db.prepare_cached(sql::LOG_LATEST)?;
    Ok(latest.query_row((place.slot, range.above), |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// An entry older than `ms` (or the start of the range), and behind it, near it, one that is not (if any).
fn bisect(db: &Connection, place: Place, range: Range, ms: i64) -> Outcome<(i64, Option<i64>)> {
    let mut next = db.prepare_cached(sql::LOG_NEXT)?;
    let (mut low, mut high, mut not_older) = (range.above, range.up_to, None);
    while high.saturating_sub(low) > SPAN {
        let middle = low + (high - low) / 2;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let entry: Option<(i64, i64)> = next.query_row((place.slot, middle, high), row).optional()?;
        match entry {
            Some((id, at)) if at < ms => low = id,
            Some((id, _)) => (high, not_older) = (middle, Some(id)),
            None => high = middle,
        }
    }
    Ok((low, not_older))
}
