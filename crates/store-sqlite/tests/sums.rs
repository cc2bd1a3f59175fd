//! bytes that the disk gives back changed. The record is left out, the rest goes on, and it is said.
//!
//! Not here: damage that the database notices itself (`damage`).

#![allow(clippy::unwrap_used)]

mod temp;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use model::spaces::ACCOUNT;
use model::storage::{Batch, Entry, LogQuery, Owner, Paging, Read, Space, Write};
use rusqlite::Connection;
use store::{Blobs, FaultKind, Store, block_on};
use store_sqlite::{Options, Sqlite, check};
use temp::Temp;

const DOC: Space = Space("doc");
const MAP: Space = Space("map");
const LOG: Space = Space("log");

fn alice() -> Owner {
    Owner::from("alice")
}

fn open(path: &Path) -> Sqlite {
    Sqlite::open(path, Options::default()).unwrap()
}

fn change(path: &Path, sql: &str) {
    Connection::open(path.join("detente.db")).unwrap().execute_batch(sql).unwrap();
}

fn filled(temp: &Temp) -> Sqlite {
    let store = open(temp.path());
    let value = |n: u64| Bytes::from(format!("value {n} {}", "x".repeat(6_000)));
    let mut batch = Batch::new();
    for space in [DOC, ACCOUNT] {
        batch.push(Write::DocPut { space, owner: alice(), value: value(0) });
    }
    for n in 1..=9 {
        let key = format!("k{n}").into();
        batch.push(Write::MapPut { space: MAP, owner: alice(), key, value: value(n) });
        let entry = Entry { id: n, at_ms: n, with: None, resource: None, tag: 0, value: value(n) };
        batch.push(Write::LogAppend { space: LOG, owner: alice(), entry });
    }
    batch.push(Write::LogReplace { space: LOG, owner: alice(), id: 9, value: value(99) });
    block_on(store.commit(batch)).unwrap();
    store
}

fn page(store: &Sqlite, page: Paging, limit: u32) -> (Vec<u64>, bool) {
    let query = LogQuery { page, limit, ..LogQuery::new(LOG, alice()) };
    let page = block_on(store.read(query.into())).unwrap().into_page();
    (page.entries.iter().map(|entry| entry.id).collect(), page.complete)
}

fn keys(store: &Sqlite) -> Vec<String> {
    let map = block_on(store.read(Read::Map { space: MAP, owner: alice() })).unwrap().into_map();
    map.iter().map(|(key, _)| key.to_string()).collect()
}

#[test]
fn a_damaged_record_is_left_out_and_pages_go_on() {
    let temp = Temp::new();
    drop(filled(&temp));
    assert_eq!(check(temp.path()).unwrap().damaged, 0);
    // As many bytes, others; a value in the place of another.
    change(
        temp.path(),
        "UPDATE map SET value = cast(replace(cast(value AS TEXT), 'x', 'y') AS BLOB) WHERE key = 'k3';
         UPDATE log SET value = zeroblob(length(value)) WHERE id = 3;
         UPDATE log SET (value, sum) = (SELECT value, sum FROM log WHERE id = 8) WHERE id = 4;
         UPDATE doc SET value = substr(value, 2);",
    );
    let store = open(temp.path());
    assert_eq!(keys(&store), ["k1", "k2", "k4", "k5", "k6", "k7", "k8", "k9"]);
    assert_eq!(page(&store, Paging::Forwards { after: None }, 3), (vec![1, 2, 5], false));
    assert_eq!(page(&store, Paging::Forwards { after: Some(2) }, 9), (vec![5, 6, 7, 8, 9], true));
    assert_eq!(page(&store, Paging::Backwards { before: Some(6) }, 2), (vec![2, 5], false));
    let get = |key: &str| block_on(store.read(Read::MapGet { space: MAP, owner: alice(), key: key.into() }));
    assert_eq!(get("k3").unwrap().into_doc(), None);
    assert!(get("k4").unwrap().into_doc().is_some());
    let doc = |space| block_on(store.read(Read::Doc { space, owner: alice() }));
    assert_eq!(doc(DOC).unwrap().into_doc(), None);
    assert_eq!(doc(ACCOUNT).unwrap_err().kind(), FaultKind::Corrupt, "an account is never taken for none");
    drop(store);
    let found = check(temp.path()).unwrap();
    assert_eq!((found.damaged, found.unknown, found.whole), (5, 0, 15), "{found:?}");
    for what in ["doc of alice", "account of alice", "map of alice: k3", "log of alice: 3", "log of alice: 4"]
    {
        assert!(found.list.contains(&what.to_owned()), "{what} in {:?}", found.list);
    }
    // What is written anew is whole.
    let store = open(temp.path());
    let put = Write::MapPut { space: MAP, owner: alice(), key: "k3".into(), value: Bytes::from("new") };
    block_on(store.commit(put.into())).unwrap();
    assert_eq!(keys(&store).len(), 9);
}

/// Bits of the file itself, wherever they are: what comes back is what was written, or nothing.
#[test]
fn no_bit_that_flips_gives_other_values() {
    let temp = Temp::new();
    drop(filled(&temp));
    let file = temp.path().join("detente.db");
    let whole = fs::read(&file).unwrap();
    let texts = |store: &Sqlite| -> Option<Vec<Bytes>> {
        let query = LogQuery { limit: 100, ..LogQuery::new(LOG, alice()) };
        let page = block_on(store.read(query.into())).ok()?.into_page();
        Some(page.entries.into_iter().map(|entry| entry.value).collect())
    };
    let right = texts(&open(temp.path())).unwrap();
    let mut noticed = 0;
    for at in (4096..whole.len()).step_by(whole.len() / 60) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&file, &flipped).unwrap();
        let Ok(store) = Sqlite::open(temp.path(), Options::default()) else { continue };
        let Some(now) = texts(&store) else { continue };
        noticed += usize::from(now.len() < right.len());
        assert!(now.iter().all(|value| right.contains(value)), "byte {at}");
    }
    assert!(noticed > 0, "some of them were in a value");
}

#[test]
fn blobs_are_checked_and_a_directory_in_use_is_not() {
    let temp = Temp::new();
    let store = filled(&temp);
    assert_eq!(check(temp.path()).unwrap_err().kind(), FaultKind::InUse);
    let put = async || {
        let mut intake = store.blob_put().await?;
        intake.write(Bytes::from("abc")).await?;
        intake.finish().await
    };
    let name = block_on(put()).unwrap().to_string();
    drop(store);
    fs::write(temp.path().join("blobs").join(&name[..2]).join(&name[2..]), "abd").unwrap();
    let found = check(temp.path()).unwrap();
    assert_eq!((found.damaged, found.list), (1, vec![format!("blob {name}")]));
}
