//! A damaged file: refused, not built on, and taken up again once it is whole.
//!
//! Not here: a full disk (`full`).

#![allow(clippy::unwrap_used)]

mod temp;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::storage::{Read, Space, Write};
use store::{FaultKind, Store, block_on};
use store_sqlite::{Options, Sqlite};
use temp::Temp;

const MAP: Space = Space("map");
const PAGE: usize = 4096;

fn put(key: u32) -> Write {
    let key = format!("{key:05}").into();
    Write::MapPut { space: MAP, owner: "a".into(), key, value: Bytes::from(vec![7; 1000]) }
}

#[test]
fn a_damaged_file_is_refused_until_it_is_whole() {
    let temp = Temp::new();
    let file = temp.path().join("detente.db");
    let open = || Sqlite::open(temp.path(), Options::default()).unwrap();
    block_on(open().commit((0..2000).map(put).collect())).unwrap();
    let store = open();
    let whole = fs::read(&file).unwrap();
    // All but the schema: no page of it is in the engine's memory yet.
    let mut damaged = OpenOptions::new().write(true).open(&file).unwrap();
    let begin = 20 * PAGE;
    damaged.seek(SeekFrom::Start(begin as u64)).unwrap();
    damaged.write_all(&vec![0xff; whole.len() - begin]).unwrap();

    let commit = |key| block_on(store.commit(put(key).into())).map_err(|fault| fault.kind());
    assert_eq!(commit(1000), Err(FaultKind::Corrupt));
    assert_eq!(commit(0), Err(FaultKind::Corrupt), "nothing is written while part of the file is bad");
    assert_eq!(store.fault().unwrap().kind(), FaultKind::Corrupt);
    let read = || block_on(store.read(Read::Map { space: MAP, owner: "a".into() }));
    assert_eq!(read().unwrap_err().kind(), FaultKind::Corrupt);

    damaged.seek(SeekFrom::Start(begin as u64)).unwrap();
    damaged.write_all(&whole[begin..]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while commit(3000).is_err() {
        assert!(Instant::now() < deadline, "it did not recover");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(store.fault(), None);
    assert_eq!(read().unwrap().into_map().len(), 2001);
}
