//! Measures durable appends and pages: `cargo run --release -p store-sqlite --example rate [directory]`.
//!
//! Not here: judgement. The numbers depend on the disk; give a directory on the one that counts.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::storage::{Batch, Entry, LogQuery, Owner, Paging, Space, With, Write};
use store::{Store, block_on};
use store_sqlite::{Durability, Options, Sqlite};

const ARCHIVE: Space = Space("archive");
const OWNERS: u64 = 10_000;
const RUN: Duration = Duration::from_secs(4);

fn main() {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = base.join(format!("detente-rate-{}", std::process::id()));
    println!("appends of 1 KiB to {OWNERS} archives, each waiter awaits its own commit");
    println!(
        "{:<8} {:>8} {:>6} {:>12} {:>9} {:>9} {:>9}",
        "sync", "waiters", "batch", "entries/s", "p50 ms", "p99 ms", "max ms"
    );
    for durability in [Durability::Full, Durability::Normal] {
        for (waiters, batch) in [(1, 1), (1, 128), (64, 1), (64, 2), (1000, 1)] {
            fresh(&directory, durability, |store| appends(store, durability, waiters, batch));
        }
    }
    fresh(&directory, Durability::Full, pages);
}

fn fresh(directory: &Path, durability: Durability, work: impl FnOnce(&Sqlite)) {
    let store = Sqlite::open(directory, Options { durability, ..Options::default() }).unwrap();
    work(&store);
    drop(store);
    std::fs::remove_dir_all(directory).unwrap();
}

fn entry(id: u64) -> Entry {
    let with = Some(format!("friend{}@example.net", id % 7).into());
    Entry {
        id,
        at_ms: id * 10,
        with,
        resource: Some("phone".into()),
        tag: 0,
        value: Bytes::from(vec![b'x'; 1024]),
    }
}

fn appends(store: &Sqlite, durability: Durability, waiters: u64, batch: u64) {
    let owners: Vec<Owner> = (0..OWNERS).map(|n| Owner::from(format!("user{n}@example.org"))).collect();
    let (written, begin) = (AtomicU64::new(0), Instant::now());
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..waiters)
            .map(|waiter| {
                let (owners, written) = (&owners, &written);
                let work = move || waiter_loop(store, owners, waiter, waiters, batch, begin, written);
                thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, work).unwrap()
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let rate = written.into_inner() as f64 / begin.elapsed().as_secs_f64();
    let ms = percentiles(&mut waits);
    println!(
        "{:<8} {waiters:>8} {batch:>6} {rate:>12.0} {:>9.2} {:>9.2} {:>9.1}",
        format!("{durability:?}"),
        ms[0],
        ms[1],
        ms[2]
    );
}

/// Each waiter has owners of its own, so that ids increase per owner without coordination.
fn waiter_loop(
    store: &Sqlite,
    owners: &[Owner],
    waiter: u64,
    waiters: u64,
    batch: u64,
    begin: Instant,
    written: &AtomicU64,
) -> Vec<Duration> {
    let (mut waits, mut id, mut random) = (Vec::new(), 0, waiter.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    while begin.elapsed() < RUN {
        let mut writes = Batch::new();
        for _ in 0..batch {
            id += 1;
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let owner = (random % (OWNERS / waiters)) * waiters + waiter;
            let owner = owners[owner as usize].clone();
            writes.push(Write::LogAppend { space: ARCHIVE, owner, entry: entry(id) });
        }
        let asked = Instant::now();
        block_on(store.commit(writes)).unwrap();
        waits.push(asked.elapsed());
        written.fetch_add(batch, Ordering::Relaxed);
    }
    waits
}

fn pages(store: &Sqlite) {
    const ENTRIES: u64 = 100_000;
    let owner = Owner::from("romeo@example.org");
    for chunk in 0..ENTRIES / 1000 {
        let ids = chunk * 1000 + 1..=(chunk + 1) * 1000;
        let append = |id| Write::LogAppend { space: ARCHIVE, owner: owner.clone(), entry: entry(id) };
        block_on(store.commit(ids.map(append).collect())).unwrap();
    }
    let query = || LogQuery::new(ARCHIVE, owner.clone());
    let with = Some(With::Bare("friend3@example.net".into()));
    let full =
        |resource: &str| Some(With::Full { bare: "friend3@example.net".into(), resource: resource.into() });
    let last = Paging::Backwards { before: None };
    let cases = [
        ("first page", query()),
        ("last page", LogQuery { page: last, ..query() }),
        ("after an id in the middle", LogQuery { page: Paging::Forwards { after: Some(50_000) }, ..query() }),
        ("one contact, last page", LogQuery { with: with.clone(), page: last, ..query() }),
        ("one resource, last page", LogQuery { with: full("phone"), page: last, ..query() }),
        ("unknown resource (walks 14k)", LogQuery { with: full("tablet"), ..query() }),
        ("from a time in the middle", LogQuery { from_ms: Some(500_000), ..query() }),
        ("from a time at the end", LogQuery { from_ms: Some(999_900), ..query() }),
        ("count all", LogQuery { limit: 0, count: true, ..query() }),
        ("count one contact", LogQuery { limit: 0, count: true, with, ..query() }),
    ];
    println!("\npages of 50 out of {ENTRIES} entries of 1 KiB");
    println!("{:<30} {:>9} {:>9} {:>9}", "query", "p50 ms", "p99 ms", "max ms");
    for (name, query) in cases {
        let mut waits: Vec<Duration> = (0..300)
            .map(|_| {
                let asked = Instant::now();
                block_on(store.read(query.clone().into())).unwrap();
                asked.elapsed()
            })
            .collect();
        let ms = percentiles(&mut waits);
        println!("{name:<30} {:>9.3} {:>9.3} {:>9.3}", ms[0], ms[1], ms[2]);
    }
}

/// Median, 99th percentile and maximum in milliseconds.
fn percentiles(waits: &mut [Duration]) -> [f64; 3] {
    waits.sort_unstable();
    [50, 99, 100].map(|percent| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1000.0)
}
