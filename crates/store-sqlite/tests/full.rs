//! No space left: refused, nothing half done, and well again by itself.
//!
//! Not here: a disk that fails (see `writer`).

#![allow(clippy::unwrap_used)]

mod temp;

use bytes::Bytes;
use model::storage::{Batch, Cull, Entry, LogQuery, Owner, Read, Space, Write};
use store::{FaultKind, Store, block_on};
use store_sqlite::{Options, Sqlite};
use temp::Temp;

const LOG: Space = Space("log");
const DOC: Space = Space("doc");

fn append(id: u64) -> Write {
    let value = Bytes::from(vec![1; 8 << 10]);
    let entry = Entry { id, at_ms: id, with: None, resource: None, tag: 0, value };
    Write::LogAppend { space: LOG, owner: Owner::from("a"), entry }
}

fn count(store: &Sqlite) -> u64 {
    let query = LogQuery { limit: 0, count: true, ..LogQuery::new(LOG, "a".into()) };
    block_on(store.read(query.into())).unwrap().into_page().count.unwrap()
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let temp = Temp::new();
    let store = Sqlite::open(temp.path(), Options { pages_max: Some(2000), ..Options::default() }).unwrap();
    let commit = |batch: Batch| block_on(store.commit(batch)).map_err(|fault| fault.kind());
    let mut id = 0;
    let kind = loop {
        id += 1;
        if let Err(kind) = commit(append(id).into()) {
            break kind;
        }
    };
    assert_eq!(kind, FaultKind::Full);
    assert_eq!(store.fault().unwrap().kind(), FaultKind::Full);
    assert_eq!(count(&store), id - 1, "what was refused is not there");
    // A batch that fails at its end has not happened at its beginning.
    let doc = Write::DocPut { space: DOC, owner: "b".into(), value: Bytes::new() };
    assert_eq!(commit(vec![doc, append(id), append(id + 1)].into()), Err(FaultKind::Full));
    assert_eq!(block_on(store.read(Read::Doc { space: DOC, owner: "b".into() })).unwrap().into_doc(), None);
    // Making room works while there is none, and then all goes on.
    let half = Write::LogDelete { space: LOG, owner: "a".into(), what: Cull::UpTo(id / 2) };
    commit(half.into()).unwrap();
    commit(append(id).into()).unwrap();
    assert_eq!(store.fault(), None);
    assert_eq!(count(&store), id - id / 2);
    drop(store);
    let store = Sqlite::open(temp.path(), Options::default()).unwrap();
    assert_eq!(count(&store), id - id / 2);
}
