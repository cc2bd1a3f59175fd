//! Every statement that runs in normal work, in one place, so that one test can look at all their plans.
//!
//! Not here: migrations (`schema`), settings (`connect`).

pub(crate) const META_HIGHEST: &str = "SELECT value FROM meta WHERE name = 'highest_id'";
pub(crate) const META_HIGHEST_SET: &str = "INSERT INTO meta (name, value) VALUES ('highest_id', ?1) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

pub(crate) const SLOT: &str = "SELECT id, floor, lag FROM slot WHERE space = ?1 AND owner = ?2";
pub(crate) const SLOT_MAKE: &str = "INSERT INTO slot (space, owner) VALUES (?1, ?2) RETURNING id";
pub(crate) const SLOT_LAST: &str = "SELECT max(floor, last), lag FROM slot WHERE id = ?1";
pub(crate) const SLOT_FLOOR: &str = "SELECT floor FROM slot WHERE id = ?1";
pub(crate) const SLOT_FLOOR_SET: &str = "UPDATE slot SET floor = ?2 WHERE id = ?1 AND floor < ?2";
pub(crate) const SLOT_LAST_SET: &str = "UPDATE slot SET last = ?2 WHERE id = ?1 AND last < ?2";
pub(crate) const SLOT_LAG_SET: &str = "UPDATE slot SET lag = ?2 WHERE id = ?1";
pub(crate) const SLOT_DROP: &str = "DELETE FROM slot WHERE id = ?1";
pub(crate) const SLOTS_OF_OWNER: &str = "SELECT id FROM slot WHERE owner = ?1";

const HAS_SOMETHING: &str = "(EXISTS (SELECT 1 FROM doc WHERE doc.slot = slot.id) \
     OR EXISTS (SELECT 1 FROM map WHERE map.slot = slot.id) \
     OR EXISTS (SELECT 1 FROM log WHERE log.slot = slot.id AND log.id > slot.floor))";

/// Owners of a space, from the beginning or after one.
pub(crate) fn owners(after: bool) -> String {
    let after = if after { "owner > ?3 AND " } else { "" };
    format!("SELECT owner FROM slot WHERE space = ?1 AND {after}{HAS_SOMETHING} ORDER BY owner LIMIT ?2")
}

pub(crate) const DOC: &str = "SELECT value, sum FROM doc WHERE slot = ?1";
pub(crate) const DOC_PUT: &str = "INSERT INTO doc (slot, value, sum) VALUES (?1, ?2, ?3) \
     ON CONFLICT (slot) DO UPDATE SET value = excluded.value, sum = excluded.sum";
pub(crate) const DOC_DELETE: &str = "DELETE FROM doc WHERE slot = ?1";

pub(crate) const MAP_GET: &str = "SELECT value, sum FROM map WHERE slot = ?1 AND key = ?2";
/// The lengths stand at the head of a row: values are not read for them.
pub(crate) const MAP_SIZE: &str =
    "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(value)), 0) FROM map WHERE slot = ?1";
pub(crate) const MAP_PUT: &str = "INSERT INTO map (slot, key, value, sum) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (slot, key) DO UPDATE SET value = excluded.value, sum = excluded.sum";
pub(crate) const MAP_DELETE: &str = "DELETE FROM map WHERE slot = ?1 AND key = ?2";
pub(crate) const MAP_CLEAR: &str = "DELETE FROM map WHERE slot = ?1 AND key >= ?2 AND key < ?3";
pub(crate) const MAP_CLEAR_FROM: &str = "DELETE FROM map WHERE slot = ?1 AND key >= ?2";

/// A range of keys: from a prefix or after a key, to the end of the prefix or of the map.
pub(crate) fn map_range(after: bool, end: bool) -> String {
    let start = if after { ">" } else { ">=" };
    let end = if end { " AND key < ?4" } else { "" };
    format!("SELECT key, value, sum FROM map WHERE slot = ?1 AND key {start} ?2{end} ORDER BY key LIMIT ?3")
}

pub(crate) const LOG_APPEND: &str =
    "INSERT INTO log (slot, id, at, peer, resource, tag, value, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
pub(crate) const LOG_REPLACE: &str = "UPDATE log SET value = ?3, sum = ?4 WHERE slot = ?1 AND id = ?2";
pub(crate) const LOG_DELETE: &str = "DELETE FROM log WHERE slot = ?1 AND id = ?2";
pub(crate) const LOG_DELETE_SOME: &str = "DELETE FROM log WHERE rowid IN \
     (SELECT rowid FROM log WHERE slot = ?1 AND id <= ?2 ORDER BY id LIMIT ?3)";
pub(crate) const LOG_HAS: &str = "SELECT 1 FROM log WHERE slot = ?1 AND id = ?2 AND id > ?3";
pub(crate) const LOG_FIRST: &str = "SELECT id, at FROM log WHERE slot = ?1 AND id > ?2 ORDER BY id LIMIT 1";
pub(crate) const LOG_LATEST: &str =
    "SELECT id, at FROM log WHERE slot = ?1 AND id > ?2 ORDER BY id DESC LIMIT 1";
pub(crate) const LOG_NEXT: &str =
    "SELECT id, at FROM log WHERE slot = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT 1";
pub(crate) const LOG_COUNT: &str =
    "SELECT count(*), coalesce(sum(octet_length(value)), 0) FROM log WHERE slot = ?1 AND id > ?2";
pub(crate) const LOG_FIRST_AT: &str =
    "SELECT id FROM log WHERE slot = ?1 AND id > ?2 AND at >= ?3 ORDER BY id LIMIT 1";
pub(crate) const LOG_NTH_NEWEST: &str =
    "SELECT id FROM log WHERE slot = ?1 AND id > ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3";

/// Which column filters a page has besides those that all have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Any,
    Bare,
    Full,
}

/// Parameters: 1 slot, 2 id above, 3 id up to, 4 and 5 times, 6 and 7 tag, 8 bare, 9 resource.
fn log_where(side: Side) -> (&'static str, &'static str) {
    match side {
        Side::Any => ("log_by_id", ""),
        Side::Bare => ("log_by_peer", " AND peer = ?8"),
        Side::Full => ("log_by_peer", " AND peer = ?8 AND resource = ?9"),
    }
}

/// A page: the caller takes as many rows as it wants.
pub(crate) fn log_page(side: Side, backwards: bool) -> String {
    let (index, filter) = log_where(side);
    let order = if backwards { "DESC" } else { "ASC" };
    format!(
        "SELECT id, at, peer, resource, tag, value, sum FROM log INDEXED BY {index} \
         WHERE slot = ?1 AND id > ?2 AND id <= ?3 AND at >= ?4 AND at <= ?5 AND (tag & ?6) = ?7{filter} \
         ORDER BY id {order}"
    )
}

/// The number of what a page's filters let through.
pub(crate) fn log_matching(side: Side) -> String {
    let (index, filter) = log_where(side);
    format!(
        "SELECT count(*) FROM log INDEXED BY {index} \
         WHERE slot = ?1 AND id > ?2 AND id <= ?3 AND at >= ?4 AND at <= ?5 AND (tag & ?6) = ?7{filter}"
    )
}

pub(crate) const DOOM: &str = "INSERT INTO doom (slot, up_to) VALUES (?1, ?2) \
     ON CONFLICT (slot) DO UPDATE SET up_to = max(up_to, excluded.up_to)";
pub(crate) const DOOM_NEXT: &str = "SELECT slot, up_to FROM doom ORDER BY slot LIMIT 1";
pub(crate) const DOOM_DONE: &str = "DELETE FROM doom WHERE slot = ?1";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn statements() -> Vec<String> {
        let mut all: Vec<String> = [
            META_HIGHEST,
            META_HIGHEST_SET,
            SLOT,
            SLOT_MAKE,
            SLOT_LAST,
            SLOT_FLOOR,
            SLOT_FLOOR_SET,
            SLOT_LAST_SET,
            SLOT_LAG_SET,
            LOG_NEXT,
            SLOT_DROP,
            SLOTS_OF_OWNER,
            DOC,
            DOC_PUT,
            DOC_DELETE,
            MAP_GET,
            MAP_SIZE,
            MAP_PUT,
            MAP_DELETE,
            MAP_CLEAR,
            MAP_CLEAR_FROM,
            LOG_APPEND,
            LOG_REPLACE,
            LOG_DELETE,
            LOG_DELETE_SOME,
            LOG_HAS,
            LOG_FIRST,
            LOG_LATEST,
            LOG_COUNT,
            LOG_FIRST_AT,
            LOG_NTH_NEWEST,
            DOOM,
            DOOM_DONE,
        ]
        .map(String::from)
        .into();
        all.extend([true, false].map(owners));
        all.extend(
            [(true, true), (true, false), (false, true), (false, false)].map(|(a, e)| map_range(a, e)),
        );
        for side in [Side::Any, Side::Bare, Side::Full] {
            all.extend([log_page(side, true), log_page(side, false), log_matching(side)]);
        }
        all
    }

    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = explain.raw_bind_nulls();
        rows.map(|detail| detail.unwrap()).collect()
    }

    trait Explain {
        fn raw_bind_nulls(&mut self) -> impl Iterator<Item = rusqlite::Result<String>>;
    }

    impl Explain for rusqlite::Statement<'_> {
        fn raw_bind_nulls(&mut self) -> impl Iterator<Item = rusqlite::Result<String>> {
            self.raw_query().mapped(|row| row.get(3))
        }
    }

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::prepare(&mut connection, std::path::Path::new("x")).unwrap();
        connection
    }

    #[test]
    fn no_statement_walks_through_a_table_or_sorts() {
        let connection = database();
        for sql in statements() {
            for step in plan(&connection, &sql) {
                assert!(!step.contains("SCAN") && !step.contains("TEMP B-TREE"), "{sql}\n{step}");
            }
        }
        // The one scan there is: it stops at its first row.
        assert_eq!(plan(&connection, DOOM_NEXT), ["SCAN doom"]);
    }

    #[test]
    fn pages_and_counts_use_the_index_that_covers_their_filters() {
        let connection = database();
        let cases = [
            (log_page(Side::Any, true), "USING INDEX log_by_id (slot=? AND id>? AND id<?)"),
            (log_page(Side::Bare, false), "USING INDEX log_by_peer (slot=? AND peer=? AND id>? AND id<?)"),
            (log_page(Side::Full, false), "USING INDEX log_by_peer (slot=? AND peer=? AND id>? AND id<?)"),
            (log_matching(Side::Any), "USING COVERING INDEX log_by_id (slot=? AND id>? AND id<?)"),
            (
                log_matching(Side::Full),
                "USING COVERING INDEX log_by_peer (slot=? AND peer=? AND id>? AND id<?)",
            ),
        ];
        for (sql, expected) in cases {
            let plan = plan(&connection, &sql);
            assert!(plan.len() == 1 && plan[0].contains(expected), "{sql}\n{plan:?}");
        }
    }
}
