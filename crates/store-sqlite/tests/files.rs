//! The data directory: who may open it, what lies in it, and data of earlier releases.
//!
//! Not here: crashes (`crash`).

#![allow(clippy::unwrap_used)]

mod temp;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use model::storage::{BlobId, Cull, Entry, LogQuery, Read, Space, Write};
use rusqlite::Connection;
use store::{Blobs, Fault, FaultKind, Store, block_on};
use store_sqlite::{Options, Sqlite};
use temp::Temp;

const DOC: Space = Space("doc");
const MAP: Space = Space("map");
const LOG: Space = Space("log");

fn open(directory: &Path) -> Result<Sqlite, Fault> {
    Sqlite::open(directory, Options::default())
}

fn append(id: u64) -> Write {
    let entry = Entry { id, at_ms: id, with: None, resource: None, tag: 0, value: Bytes::from_static(b"v") };
    Write::LogAppend { space: LOG, owner: "a".into(), entry }
}

fn ids(store: &Sqlite) -> Vec<u64> {
    let query = LogQuery { limit: u32::MAX, ..LogQuery::new(LOG, "a".into()) };
    block_on(store.read(query.into())).unwrap().into_page().entries.iter().map(|entry| entry.id).collect()
}

#[test]
fn a_second_process_is_refused_while_the_first_lives() {
    let temp = Temp::new();
    let first = open(temp.path()).unwrap();
    let fault = open(temp.path()).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::InUse);
    assert!(fault.cause().contains(&std::process::id().to_string()), "{fault}");
    drop(first);
    open(temp.path()).unwrap();
}

#[test]
fn newer_and_foreign_files_are_refused_and_left_alone() {
    let temp = Temp::new();
    drop(open(temp.path()).unwrap());
    let file = temp.path().join("detente.db");
    let raise =
        "UPDATE meta SET value = 2000 WHERE name = 'schema_version'; PRAGMA wal_checkpoint(TRUNCATE);";
    Connection::open(&file).unwrap().execute_batch(raise).unwrap();
    assert_refused(&temp, FaultKind::TooNew);
    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE songs (name)").unwrap();
    assert_refused(&temp, FaultKind::Foreign);
    fs::write(&file, "not a database at all, but long enough to be taken for one".repeat(100)).unwrap();
    assert_refused(&temp, FaultKind::Foreign);
}

fn assert_refused(temp: &Temp, kind: FaultKind) {
    let before = fs::read(temp.path().join("detente.db")).unwrap();
    assert_eq!(open(temp.path()).unwrap_err().kind(), kind);
    assert!(fs::read(temp.path().join("detente.db")).unwrap() == before);
}

/// The fixture is what a release with schema 1 left behind. Never change it: later schemas must read it.
#[test]
fn data_of_schema_1_is_read() {
    let temp = Temp::new();
    let fixture = include_str!("fixtures/schema_1.sql");
    Connection::open(temp.path().join("detente.db")).unwrap().execute_batch(fixture).unwrap();
    let store = open(temp.path()).unwrap();
    let doc =
        |owner: &str| block_on(store.read(Read::Doc { space: DOC, owner: owner.into() })).unwrap().into_doc();
    assert_eq!((doc("a"), doc("b")), (Some(Bytes::from("document")), None));
    let map = block_on(store.read(Read::Map { space: MAP, owner: "a".into() })).unwrap().into_map();
    assert_eq!(map, [("k1".into(), Bytes::from("v1")), ("k2".into(), Bytes::from("v2"))]);
    let page = block_on(store.read(LogQuery::new(LOG, "a".into()).into())).unwrap().into_page();
    let expected = Entry {
        id: 7,
        at_ms: 7000,
        with: Some("b@example.org".into()),
        resource: Some("phone".into()),
        tag: 3,
        value: Bytes::from("seven"),
    };
    assert_eq!(page.entries[0], expected);
    assert_eq!(ids(&store), [7, 9]);
    assert_eq!(block_on(store.read(Read::HighestId)).unwrap().into_highest_id(), 12);
    block_on(store.commit(append(12).into())).unwrap();
    assert_eq!(ids(&store), [7, 9, 12]);
    // Its values have no checksums; what is written from now on has.
    drop(store);
    let found = store_sqlite::check(temp.path()).unwrap();
    assert_eq!((found.damaged, found.whole), (0, 1), "{found:?}");
    assert!(found.unknown > 0);
}

#[test]
fn large_deletions_are_seen_at_once_and_end_after_a_restart() {
    let temp = Temp::new();
    let store = open(temp.path()).unwrap();
    block_on(store.commit((1..=5000).map(append).collect())).unwrap();
    let delete = Write::LogDelete { space: LOG, owner: "a".into(), what: Cull::UpTo(4990) };
    block_on(store.commit(delete.into())).unwrap();
    assert_eq!(ids(&store), (4991..=5000).collect::<Vec<_>>());
    block_on(store.commit(Write::Purge { owner: "a".into() }.into())).unwrap();
    block_on(store.commit(append(6000).into())).unwrap();
    drop(store);
    // As if it had been stopped before the rows were gone.
    let sabotage = "INSERT INTO slot (id, space, owner) VALUES (700, 'log', 'x'); \
         INSERT INTO log (slot, id, at, tag, value) SELECT 700, value, 1, 0, x'' FROM generate_series(1, 3000); \
         DELETE FROM slot WHERE id = 700; INSERT OR REPLACE INTO doom VALUES (700, 9223372036854775807);";
    let sabotage = sabotage.replace(
        "generate_series(1, 3000)",
        "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 3000) SELECT value FROM n)",
    );
    Connection::open(temp.path().join("detente.db")).unwrap().execute_batch(&sabotage).unwrap();
    let store = open(temp.path()).unwrap();
    assert_eq!(ids(&store), [6000]);
    let look = Connection::open(temp.path().join("detente.db")).unwrap();
    let rows = || look.query_row("SELECT count(*) FROM log", [], |row| row.get::<_, i64>(0)).unwrap();
    // The writer sweeps while it has nothing else to do; this ends when it has.
    while rows() > 1 {
        block_on(store.commit(vec![].into())).unwrap();
    }
    assert_eq!(ids(&store), [6000]);
}

#[test]
fn ids_of_deleted_entries_stay_used_after_a_restart() {
    for what in [Cull::Ids(vec![2, 3]), Cull::UpTo(3), Cull::All] {
        let temp = Temp::new();
        let delete = Write::LogDelete { space: LOG, owner: "a".into(), what };
        block_on(open(temp.path()).unwrap().commit(vec![append(1), append(3), delete].into())).unwrap();
        let store = open(temp.path()).unwrap();
        assert_eq!(block_on(store.commit(append(3).into())).unwrap_err().kind(), FaultKind::Misuse);
        assert_eq!(block_on(store.read(Read::HighestId)).unwrap().into_highest_id(), 3);
        block_on(store.commit(append(4).into())).unwrap();
    }
}

#[test]
fn what_waits_is_written_before_the_engine_goes() {
    let temp = Temp::new();
    let store = open(temp.path()).unwrap();
    for id in 1..=500 {
        drop(store.commit(append(id).into()));
    }
    drop(store);
    assert!(!temp.path().join("detente.db-wal").exists(), "the journal is empty after a clean end");
    assert_eq!(ids(&open(temp.path()).unwrap()), (1..=500).collect::<Vec<_>>());
}

#[test]
fn blobs_are_files_after_their_hash_and_unfinished_ones_go() {
    let temp = Temp::new();
    let store = open(temp.path()).unwrap();
    let put = async || {
        let mut intake = store.blob_put().await?;
        intake.write(Bytes::from("abc")).await?;
        intake.finish().await
    };
    let id = block_on(put()).unwrap();
    let name = id.to_string();
    let file = temp.path().join("blobs").join(&name[..2]).join(&name[2..]);
    assert_eq!(fs::read(&file).unwrap(), b"abc");
    let unfinished = temp.path().join("blobs/new/17");
    fs::write(&unfinished, "half").unwrap();
    drop(store);
    let store = open(temp.path()).unwrap();
    assert!(!unfinished.exists());
    let id = BlobId::parse(&name).unwrap();
    assert_eq!(block_on(store.blob_size(id)).unwrap(), Some(3));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_what_is_made() {
    use std::os::unix::fs::PermissionsExt;
    let temp = Temp::new();
    let directory = temp.path().join("new/data");
    let store = open(&directory).unwrap();
    block_on(store.commit(append(1).into())).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["", "blobs", "blobs/new"] {
        assert_eq!(mode(&directory.join(name)), 0o700, "{name}");
    }
    for name in ["detente.db", "detente.db-wal", "detente.db-shm", "detente.lock"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
}
