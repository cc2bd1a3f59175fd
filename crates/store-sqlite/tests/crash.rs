//! What a resolved commit wrote survives `kill -9`.
//!
//! The test runs itself as a child that appends and prints each id after its commit, and kills it at random.
//!
//! Not here: loss of power, which needs a machine of its own.

#![allow(clippy::unwrap_used)]

mod temp;

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use model::storage::{Batch, Cull, Entry, LogQuery, Owner, Paging, Read, Space, Write};
use store::{Store, block_on};
use store_sqlite::{Options, Sqlite};
use temp::Temp;

const LOG: Space = Space("log");
const LAST: Space = Space("last");
const DIRECTORY: &str = "DETENTE_TEST_CRASH_DIRECTORY";
const CALLERS: u64 = 8;
const ROUNDS: u32 = 6;

fn owner(caller: u64) -> Owner {
    Owner::from(format!("user{caller}@example.org"))
}

/// Appends without end when the parent asks for it; otherwise there is nothing to test here.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = Sqlite::open(directory, Options::default()).unwrap();
    let start = block_on(store.read(Read::HighestId)).unwrap().into_highest_id();
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let store = &store;
            scope.spawn(move || append_for_ever(store, caller, start));
        }
    });
}

fn append_for_ever(store: &Sqlite, caller: u64, start: u64) {
    for id in start + 1.. {
        let entry = Entry {
            id,
            at_ms: id,
            with: Some("friend@example.net".into()),
            resource: None,
            tag: 0,
            value: Bytes::from(vec![id as u8; 500]),
        };
        let mut batch = Batch::from(Write::LogAppend { space: LOG, owner: owner(caller), entry });
        batch.push(Write::DocPut { space: LAST, owner: owner(caller), value: Bytes::from(id.to_string()) });
        if id % 100 == 0 {
            let what = Cull::KeepNewest(1000);
            batch.push(Write::LogDelete { space: LOG, owner: owner(caller), what });
        }
        block_on(store.commit(batch)).unwrap();
        // One write call each, so that no line is torn by the kill; a closed pipe ends the child.
        if writeln!(std::io::stdout(), "\nid {caller} {id}").is_err() {
            return;
        }
    }
}

/// The highest id that the child has told of, for each caller.
fn run_and_kill(directory: &Path, lifetime: Duration) -> [u64; CALLERS as usize] {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        let mut told = [0; CALLERS as usize];
        for line in output.lines() {
            let line = line.unwrap();
            if let ["id", caller, id] = *line.split(' ').collect::<Vec<_>>() {
                told[caller.parse::<usize>().unwrap()] = id.parse().unwrap();
            }
        }
        told
    });
    // The time of the kill is the random input of this test, not something it waits for.
    thread::sleep(lifetime);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn told_ids_survive_kills() {
    let temp = Temp::new();
    let seed = std::process::id().wrapping_mul(2_654_435_761);
    let mut told = [0; CALLERS as usize];
    for round in 0..ROUNDS {
        let lifetime = Duration::from_millis(300 + u64::from((seed >> (round * 4)) % 16) * 40);
        for (told, now) in told.iter_mut().zip(run_and_kill(temp.path(), lifetime)) {
            *told = now.max(*told);
        }
        check(temp.path(), told);
    }
    assert!(told.iter().all(|id| *id > 0), "the children did nothing: {told:?}");
}

fn check(directory: &Path, told: [u64; CALLERS as usize]) {
    let store = Sqlite::open(directory, Options::default()).unwrap();
    let highest = block_on(store.read(Read::HighestId)).unwrap().into_highest_id();
    for (caller, told) in (0..).zip(told) {
        let page = Paging::Backwards { before: None };
        let query = LogQuery { page, limit: 100_000, ..LogQuery::new(LOG, owner(caller)) };
        let page = block_on(store.read(query.into())).unwrap().into_page();
        let ids: Vec<u64> = page.entries.iter().map(|entry| entry.id).collect();
        let last = ids.last().copied().unwrap_or(0);
        assert!(last >= told, "caller {caller}: {told} was told, {last} is there");
        assert!(ids.is_sorted_by(|a, b| a < b) && highest >= last);
        // Each run goes on from the highest id of all, so only there may ids be missing.
        let gaps = ids.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert!(gaps < ROUNDS as usize, "caller {caller}: {gaps} gaps");
        assert!(page.entries.iter().all(|entry| entry.value == vec![entry.id as u8; 500]));
        // Both halves of each batch are there or neither.
        let doc = block_on(store.read(Read::Doc { space: LAST, owner: owner(caller) })).unwrap().into_doc();
        assert_eq!(doc.map_or(0, |doc| std::str::from_utf8(&doc).unwrap().parse().unwrap()), last);
    }
}
