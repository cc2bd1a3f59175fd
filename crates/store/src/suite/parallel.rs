//! Suite: many callers at once.
//!
//! Not here: what one caller may write (`batches`).

use std::thread;

use super::*;

/// What a resolved commit wrote is there for the very next read.
pub fn commits_are_seen_by_later_reads(subject: &Subject) {
    for n in 0..200u64 {
        let mut batch = appends(ALICE, [n + 1]);
        batch.push(doc_put(ALICE, n.to_string()));
        subject.commit(batch);
        assert_eq!(subject.doc(ALICE), Some(Bytes::from(n.to_string())));
        assert_eq!(ids(&subject.page(backwards(ALICE, None, 1))), [n + 1]);
    }
}

/// Sixty-four callers, each with several batches under way: all are written, each caller's in its order, and
/// a batch that is refused harms no other.
pub fn callers_keep_their_order(subject: &Subject) {
    const CALLERS: u64 = 64;
    const BATCHES: u64 = 40;
    let owner = |caller: u64| format!("user{caller}@example.org");
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (store, owner) = (&subject.store, owner(caller));
            scope.spawn(move || {
                let mut under_way = Vec::new();
                for n in 1..=BATCHES {
                    // Only in this order do the ids increase.
                    let mut batch = appends(&owner, [n]);
                    batch.push(doc_put(&owner, n.to_string()));
                    under_way.push(store.commit(batch));
                    if n % 10 == 0 {
                        let refused =
                            store.commit(vec![doc_put(&owner, "wrong"), append(&owner, entry(n))].into());
                        for done in under_way.drain(..) {
                            block_on(done).unwrap();
                        }
                        assert_eq!(block_on(refused).unwrap_err().kind(), FaultKind::Misuse);
                    }
                }
            });
        }
    });
    for caller in 0..CALLERS {
        assert_eq!(subject.ids(&owner(caller)), (1..=BATCHES).collect::<Vec<_>>());
        assert_eq!(subject.doc(&owner(caller)), Some(Bytes::from(BATCHES.to_string())));
    }
}
