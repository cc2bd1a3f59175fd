//! The conformance suite: the same tests for every engine.
//!
//! ```ignore
//! store::suite!(subject);   // fn subject() -> store::suite::Subject, a new empty engine each time
//! ```
//!
//! Not here: what only one engine has (files, crashes, full disks).

// All of this is test code, though it is compiled into a library for the engines' tests.
#![allow(clippy::unwrap_used)]

mod batches;
mod blobs;
mod maps;
mod paging;
mod parallel;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use model::storage::{Batch, Cull, Entry, Loaded, LogQuery, Owner, Page, Paging, Read, Space, Write};

use crate::{Blobs, Fault, FaultKind, Store, block_on};

pub use batches::*;
pub use blobs::*;
pub use maps::*;
pub use paging::*;
pub use parallel::*;

/// An engine under test.
pub struct Subject {
    store: Arc<dyn Store>,
    blobs: Arc<dyn Blobs>,
    /// Whatever must live as long as the engine, such as its directory. Dropped last.
    _guard: Box<dyn Any>,
}

impl Subject {
    /// An empty engine and what must live as long as it does.
    pub fn new(engine: impl Store + Blobs + 'static, guard: impl Any) -> Self {
        let engine = Arc::new(engine);
        let store: Arc<dyn Store> = engine.clone();
        Self { store, blobs: engine, _guard: Box::new(guard) }
    }

    fn commit(&self, writes: impl Into<Batch>) {
        block_on(self.store.commit(writes.into())).unwrap();
    }

    fn refused(&self, writes: impl Into<Batch>) -> FaultKind {
        block_on(self.store.commit(writes.into())).unwrap_err().kind()
    }

    fn read(&self, read: impl Into<Read>) -> Loaded {
        block_on(self.store.read(read.into())).unwrap()
    }

    fn try_read(&self, read: Read) -> Result<Loaded, Fault> {
        block_on(self.store.read(read))
    }

    fn doc(&self, owner: &str) -> Option<Bytes> {
        self.read(Read::Doc { space: DOC, owner: owner.into() }).into_doc()
    }

    fn ids(&self, owner: &str) -> Vec<u64> {
        ids(&self.page(LogQuery { limit: u32::MAX, ..LogQuery::new(LOG, owner.into()) }))
    }

    fn page(&self, query: LogQuery) -> Page {
        self.read(query).into_page()
    }
}

const DOC: Space = Space("doc");
const MAP: Space = Space("map");
const LOG: Space = Space("log");
const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

/// Texts that careless engines stumble over.
const TEXTS: [&str; 10] =
    ["a", "a'b\"c", "%", "_", "a\\", "💂🏽\u{10ffff}", "é", "e\u{301}", "'; drop table map; --", "Ａ"];

fn doc_put(owner: &str, value: impl Into<Bytes>) -> Write {
    Write::DocPut { space: DOC, owner: owner.into(), value: value.into() }
}

fn map_put(owner: &str, key: &str, value: impl Into<Bytes>) -> Write {
    Write::MapPut { space: MAP, owner: owner.into(), key: key.into(), value: value.into() }
}

fn entry(id: u64) -> Entry {
    Entry {
        id,
        at_ms: id * 1000,
        with: None,
        resource: None,
        tag: 0,
        value: Bytes::from(format!("entry {id}")),
    }
}

fn append(owner: &str, entry: Entry) -> Write {
    Write::LogAppend { space: LOG, owner: owner.into(), entry }
}

fn appends(owner: &str, ids: impl IntoIterator<Item = u64>) -> Batch {
    ids.into_iter().map(|id| append(owner, entry(id))).collect()
}

fn ids(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.id).collect()
}

fn forwards(owner: &str, after: Option<u64>, limit: u32) -> LogQuery {
    LogQuery { page: Paging::Forwards { after }, limit, ..LogQuery::new(LOG, Owner::from(owner)) }
}

fn backwards(owner: &str, before: Option<u64>, limit: u32) -> LogQuery {
    LogQuery { page: Paging::Backwards { before }, limit, ..LogQuery::new(LOG, Owner::from(owner)) }
}

/// Makes one `#[test]` of each test of the suite. The argument names a `fn() -> store::suite::Subject`.
#[macro_export]
macro_rules! suite {
    ($make:path) => {
        $crate::suite!(@ $make:
            docs_are_put_read_and_deleted, values_may_be_empty_and_huge, maps_keep_keys_in_order, maps_have_a_size,
            odd_texts_are_only_texts, map_ranges_page_below_a_prefix, clearing_below_a_prefix_spares_the_rest,
            owners_do_not_see_each_other, owners_are_listed_in_pages, many_answers_in_order,
            batches_are_all_or_nothing, batches_happen_in_their_order, ids_must_increase,
            ids_are_never_used_again, purge_takes_all_of_one_owner, logs_keep_every_field,
            entries_are_replaced_in_place, culls_take_what_they_name, bounds_are_the_ends, pages_are_bounded_in_bytes,
            pages_forwards_have_no_hole_and_no_repeat, pages_backwards_have_no_hole_and_no_repeat,
            deletions_between_pages_make_no_hole, unknown_anchors_are_told, filters_keep_pages_exact,
            times_may_step_back, a_limit_of_nothing_counts, commits_are_seen_by_later_reads, callers_keep_their_order,
            blobs_are_named_by_their_bytes, blobs_are_read_in_pieces, dropped_blobs_leave_nothing);
    };
    (@ $make:path: $($test:ident),*) => {
        $(
            #[test]
            fn $test() {
                $crate::suite::$test(&$make());
            }
        )*
    };
}

#[cfg(test)]
mod memory {
    use super::Subject;
    use crate::memory::Memory;

    fn subject() -> Subject {
        Subject::new(Memory::new(), ())
    }

    suite!(subject);
}
