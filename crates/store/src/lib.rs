//! The storage traits, their memory engine and the conformance suite for every engine.
//!
//! Independent of any runtime: all futures here resolve from any executor.
//!
//! Not here: what is stored (`model::storage`), databases (`store-sqlite`).

mod blobs;
mod clock;
mod fault;
pub mod memory;
mod promise;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

use std::future::Future;
use std::pin::Pin;

use model::storage::{Batch, Entry, Loaded, Read};

pub use blobs::{BlobHash, Blobs, Intake};
pub use clock::{Clock, system_clock};
pub use fault::{Fault, FaultKind};
pub use promise::{Fulfil, Promise, block_on, promise};

/// A future on the heap that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An engine for the shapes Doc, Map and Log.
///
/// Promises, held for every engine by [`suite`](crate::suite!):
/// * A batch happens wholly or not at all, also across a crash.
/// * Batches happen in the order of the calls of `commit`, whether or not their futures are polled; one that
///   fails does not keep the ones behind it from happening.
/// * What a resolved `commit` wrote is seen by every `read` called afterwards.
/// * All parts of one `read` come from one moment in time.
pub trait Store: Send + Sync {
    /// Hands a batch over, at once, and resolves when it is on stable storage, or when it is certain that it
    /// failed. To drop the future is not to withdraw the batch.
    ///
    /// The queue is bounded: when storage is too slow for what is handed over, the answer is
    /// [`FaultKind::Busy`], and nothing was written.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Fault>>;

    /// Answers a question.
    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Fault>>;
}

/// The smallest text greater than every text that begins with `prefix`; `None` if there is none. For engines,
/// which turn a prefix into a range of keys with it.
pub fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Stepping a `char` range skips the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Whether an entry may be appended to a log whose highest id ever is `last`. For engines.
pub fn check_entry(entry: &Entry, last: u64) -> Result<(), Fault> {
    const MAX: u64 = i64::MAX as u64;
    if entry.id <= last || entry.id > MAX || entry.at_ms > MAX {
        let Entry { id, at_ms, .. } = entry;
        let cause = format!("log entry {id} at {at_ms} ms, where the last id is {last}");
        return Err(Fault::new(FaultKind::Misuse, cause));
    }
    Ok(())
}

/// Whether a text may be a key of a map. For engines.
pub fn check_key(key: &str) -> Result<(), Fault> {
    match key.contains('\0') {
        true => Err(Fault::new(FaultKind::Misuse, "U+0000 in a key")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::prefix_end;

    #[test]
    fn a_prefix_ends_before_the_next_text() {
        let cases = [
            ("", None),
            ("a", Some("b")),
            ("a%", Some("a&")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ];
        for (prefix, end) in cases {
            assert_eq!(prefix_end(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}
