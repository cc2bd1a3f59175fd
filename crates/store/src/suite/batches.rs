//! Suite: batches, their order, and what they may not do.
//!
//! Not here: many callers at once (`parallel`).

use super::*;

/// A batch that fails at its end has not happened at its beginning, and its neighbours are unharmed.
pub fn batches_are_all_or_nothing(subject: &Subject) {
    subject.commit(vec![doc_put(ALICE, "old"), append(ALICE, entry(5))]);
    let fails = vec![
        doc_put(ALICE, "new"),
        doc_put("newcomer", "new"),
        map_put(ALICE, "k", "new"),
        append(ALICE, entry(6)),
        append("newcomer", entry(7)),
        append(ALICE, entry(5)),
    ];
    let results = [
        subject.store.commit(doc_put(BOB, "before").into()),
        subject.store.commit(fails.into()),
        subject.store.commit(Batch::from(vec![doc_put(BOB, "after"), doc_put("newcomer", "after")])),
    ]
    .map(block_on);
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap_err().kind(), FaultKind::Misuse);
    assert_eq!(subject.doc(ALICE), Some(Bytes::from("old")));
    assert_eq!(subject.doc(BOB), Some(Bytes::from("after")));
    assert_eq!(subject.doc("newcomer"), Some(Bytes::from("after")));
    assert_eq!(subject.read(Read::Map { space: MAP, owner: ALICE.into() }).into_map(), []);
    assert_eq!(subject.ids(ALICE), [5]);
    assert_eq!(subject.ids("newcomer"), [0; 0]);
    subject.commit(Batch::new());
}

/// Within a batch, what is written later wins.
pub fn batches_happen_in_their_order(subject: &Subject) {
    subject.commit(vec![
        doc_put(ALICE, "1"),
        Write::Purge { owner: ALICE.into() },
        map_put(ALICE, "a", "1"),
        Write::MapClear { space: MAP, owner: ALICE.into(), prefix: "".into() },
        map_put(ALICE, "b", "2"),
        append(ALICE, entry(3)),
        Write::LogDelete { space: LOG, owner: ALICE.into(), what: Cull::All },
        append(ALICE, entry(4)),
    ]);
    assert_eq!(subject.doc(ALICE), None);
    let map = subject.read(Read::Map { space: MAP, owner: ALICE.into() }).into_map();
    assert_eq!(map, [("b".into(), Bytes::from("2"))]);
    assert_eq!(subject.ids(ALICE), [4]);
}

/// An id that is not above the last one refuses the batch, as do numbers beyond `i64`.
pub fn ids_must_increase(subject: &Subject) {
    subject.commit(appends(ALICE, [3, 7]));
    let at = |id, at_ms| append(ALICE, Entry { id, at_ms, ..entry(1) });
    for bad in [7, 6, 3, 0, 1 << 63, u64::MAX] {
        assert_eq!(subject.refused(at(bad, 0)), FaultKind::Misuse);
    }
    assert_eq!(subject.refused(at(8, 1 << 63)), FaultKind::Misuse);
    assert_eq!(subject.refused(appends(BOB, [9, 9])), FaultKind::Misuse);
    subject.commit(appends(BOB, [7]));
    subject.commit(at(i64::MAX as u64, i64::MAX as u64));
    assert_eq!(subject.ids(ALICE), [3, 7, i64::MAX as u64]);
    assert_eq!(subject.ids(BOB), [7]);
}

/// Not after deletion of the newest, not of all, and the source of ids knows of them after a purge.
pub fn ids_are_never_used_again(subject: &Subject) {
    let highest = || subject.read(Read::HighestId).into_highest_id();
    assert_eq!(highest(), 0);
    subject.commit(appends(ALICE, [1, 2, 3]));
    subject.commit(Write::LogDelete { space: LOG, owner: ALICE.into(), what: Cull::Ids(vec![3]) });
    assert_eq!(subject.refused(append(ALICE, entry(3))), FaultKind::Misuse);
    assert_eq!(subject.ids(ALICE), [1, 2]);
    subject.commit(appends(ALICE, [4, 9]));
    subject.commit(Write::LogDelete { space: LOG, owner: ALICE.into(), what: Cull::All });
    assert_eq!(subject.refused(append(ALICE, entry(9))), FaultKind::Misuse);
    assert_eq!(highest(), 9);
    subject.commit(Write::Purge { owner: ALICE.into() });
    assert_eq!(highest(), 9);
    subject.commit(appends(BOB, [4]));
    assert_eq!(highest(), 9);
}

/// Every space and shape of one owner goes, and a new owner of that name begins with nothing.
pub fn purge_takes_all_of_one_owner(subject: &Subject) {
    for owner in [ALICE, BOB] {
        let mut batch = appends(owner, 1..=3);
        batch.extend([doc_put(owner, "d"), map_put(owner, "k", "m")]);
        batch.push(Write::DocPut { space: Space("doc.other"), owner: owner.into(), value: Bytes::new() });
        subject.commit(batch);
    }
    subject.commit(Write::Purge { owner: ALICE.into() });
    let everything = |owner: &str| {
        subject.read(Read::Many(vec![
            Read::Doc { space: DOC, owner: owner.into() },
            Read::Doc { space: Space("doc.other"), owner: owner.into() },
            Read::Map { space: MAP, owner: owner.into() },
            Read::Log(forwards(owner, None, 9)),
        ]))
    };
    let empty = Page { complete: true, ..Page::default() };
    let nothing = vec![Loaded::Doc(None), Loaded::Doc(None), Loaded::Map(vec![]), Loaded::Page(empty)];
    assert_eq!(everything(ALICE).into_many(), nothing);
    assert_eq!(subject.read(Read::Owners { space: DOC, after: None, limit: 9 }).into_owners(), [BOB.into()]);
    assert_eq!(subject.ids(BOB), [1, 2, 3]);
    assert_eq!(subject.doc(BOB), Some(Bytes::from("d")));
    subject.commit(appends(ALICE, [10]));
    assert_eq!(subject.ids(ALICE), [10]);
}
