//! Suite: logs, their pages and filters (XEP-0059, XEP-0313).
//!
//! Not here: ids (`batches`).

use model::storage::With;

use super::*;

/// Every field of an entry comes back.
pub fn logs_keep_every_field(subject: &Subject) {
    let full = Entry {
        id: 2,
        at_ms: i64::MAX as u64,
        with: Some("o'neil@example.org".into()),
        resource: Some("💂\u{10ffff}%".into()),
        tag: u32::MAX,
        value: Bytes::from_static(b"\0\xff"),
    };
    let entries = [entry(1), full];
    subject.commit(entries.iter().map(|entry| append(ALICE, entry.clone())).collect::<Batch>());
    assert_eq!(subject.page(forwards(ALICE, None, 9)).entries, entries);
}

/// A replaced entry keeps its place and its fields.
pub fn entries_are_replaced_in_place(subject: &Subject) {
    subject.commit(appends(ALICE, 1..=3));
    let replace = |owner: &str, id| Write::LogReplace {
        space: LOG,
        owner: owner.into(),
        id,
        value: Bytes::from("gone"),
    };
    subject.commit(vec![replace(ALICE, 2), replace(ALICE, 7), replace(BOB, 2)]);
    let expected = [entry(1), Entry { value: Bytes::from("gone"), ..entry(2) }, entry(3)];
    assert_eq!(subject.page(forwards(ALICE, None, 9)).entries, expected);
    subject.commit(Write::LogDelete { space: LOG, owner: ALICE.into(), what: Cull::UpTo(2) });
    subject.commit(replace(ALICE, 2));
    assert_eq!(subject.ids(ALICE), [3]);
}

/// Each way to delete takes what it names and nothing else.
pub fn culls_take_what_they_name(subject: &Subject) {
    let cases: [(Cull, &[u64]); 10] = [
        (Cull::Ids(vec![2, 4, 99]), &[1, 3, 5, 6]),
        (Cull::Ids(vec![]), &[1, 2, 3, 4, 5, 6]),
        (Cull::UpTo(0), &[1, 2, 3, 4, 5, 6]),
        (Cull::UpTo(4), &[5, 6]),
        // Entry 5 is older than entry 3, but behind it: no holes.
        (Cull::Before(3000), &[3, 4, 5, 6]),
        (Cull::Before(u64::MAX), &[]),
        (Cull::KeepNewest(2), &[5, 6]),
        (Cull::KeepNewest(6), &[1, 2, 3, 4, 5, 6]),
        (Cull::KeepNewest(0), &[]),
        (Cull::All, &[]),
    ];
    for (i, (what, left)) in cases.into_iter().enumerate() {
        let owner = format!("user{i}@example.org");
        let mut batch = appends(&owner, 1..=4);
        batch.extend([append(&owner, Entry { at_ms: 10, ..entry(5) }), append(&owner, entry(6))]);
        subject.commit(batch);
        let delete = Write::LogDelete { space: LOG, owner: owner.as_str().into(), what: what.clone() };
        subject.commit(delete.clone());
        assert_eq!(subject.ids(&owner), left, "{what:?}");
        subject.commit(delete);
        assert_eq!(subject.ids(&owner), left, "{what:?} again");
        subject.commit(append(&owner, entry(7)));
        assert_eq!(subject.ids(&owner).last(), Some(&7));
    }
}

/// First, last and number, before and after deletion.
pub fn bounds_are_the_ends(subject: &Subject) {
    let bounds =
        |count| subject.read(Read::LogBounds { space: LOG, owner: ALICE.into(), count }).into_bounds();
    assert_eq!(bounds(true).bytes, Some(0));
    let ends = |bounds: model::storage::Bounds| (bounds.first, bounds.last, bounds.count);
    assert_eq!(ends(bounds(true)), (None, None, Some(0)));
    subject.commit(appends(ALICE, [2, 5, 7]));
    assert_eq!(ends(bounds(true)), (Some((2, 2000)), Some((7, 7000)), Some(3)));
    subject.commit(Write::LogDelete { space: LOG, owner: ALICE.into(), what: Cull::UpTo(2) });
    assert_eq!(ends(bounds(false)), (Some((5, 5000)), Some((7, 7000)), None));
    subject.commit(Write::LogDelete { space: LOG, owner: ALICE.into(), what: Cull::All });
    assert_eq!(ends(bounds(true)), (None, None, Some(0)));
}

/// A page may end early for its bytes; it has one entry at least, and the next page goes on there.
pub fn pages_are_bounded_in_bytes(subject: &Subject) {
    let sized = |id: u64| Entry { value: Bytes::from(vec![b'x'; 100 * id as usize]), ..entry(id) };
    subject.commit((1..=5).map(|id| append(ALICE, sized(id))).collect::<Batch>());
    let bounds = subject.read(Read::LogBounds { space: LOG, owner: ALICE.into(), count: true }).into_bounds();
    assert_eq!((bounds.count, bounds.bytes), (Some(5), Some(1_500)));
    let page = |paging: LogQuery, bytes| subject.page(LogQuery { bytes, ..paging });
    let seen = |page: &Page| (ids(page), page.complete);
    for (bytes, expected) in [
        (0, (vec![], false)),
        (1, (vec![1], false)),
        (100, (vec![1], false)),
        (101, (vec![1, 2], false)),
        (1_000, (vec![1, 2, 3, 4], false)),
        (1_001, (vec![1, 2, 3, 4, 5], true)),
    ] {
        assert_eq!(seen(&page(forwards(ALICE, None, 9), bytes)), expected, "{bytes}");
    }
    assert_eq!(seen(&page(backwards(ALICE, None, 9), 501)), (vec![4, 5], false));
    assert_eq!(seen(&page(backwards(ALICE, Some(2), 9), 1)), (vec![1], true));
    let named = LogQuery { ids: Some(vec![1, 2, 3]), ..forwards(ALICE, None, 9) };
    assert_eq!(seen(&page(named.clone(), 101)), (vec![1, 2], false));
    assert_eq!(seen(&page(named, 301)), (vec![1, 2, 3], true));
}

/// From the oldest to the newest.
pub fn pages_forwards_have_no_hole_and_no_repeat(subject: &Subject) {
    subject.commit(appends(ALICE, (1..=10).map(|n| n * 3)));
    let (mut seen, mut after) = (Vec::new(), None);
    for n in 0..4 {
        let page = subject.page(forwards(ALICE, after, 3));
        assert!(!page.missing_anchor);
        assert_eq!(page.complete, n == 3);
        seen.extend(ids(&page));
        after = seen.last().copied();
    }
    assert_eq!(seen, (1..=10).map(|n| n * 3).collect::<Vec<_>>());
    let beyond = subject.page(forwards(ALICE, Some(30), 3));
    assert_eq!((ids(&beyond), beyond.complete, beyond.missing_anchor), (vec![], true, false));
    assert!(subject.page(forwards(ALICE, Some(21), 3)).complete, "a full last page is the last");
}

/// From the newest to the oldest, each page in the order of the log.
pub fn pages_backwards_have_no_hole_and_no_repeat(subject: &Subject) {
    subject.commit(appends(ALICE, 1..=10));
    let pages: Vec<_> = [None, Some(8), Some(5), Some(2), Some(1)]
        .map(|before| subject.page(backwards(ALICE, before, 3)))
        .map(|page| (ids(&page), page.complete))
        .to_vec();
    let expected = [
        (vec![8, 9, 10], false),
        (vec![5, 6, 7], false),
        (vec![2, 3, 4], false),
        (vec![1], true),
        (vec![], true),
    ];
    assert_eq!(pages, expected);
}

/// An anchor that was deleted meanwhile is told, and the page still goes on at its place.
pub fn deletions_between_pages_make_no_hole(subject: &Subject) {
    let delete = |what| subject.commit(Write::LogDelete { space: LOG, owner: ALICE.into(), what });
    subject.commit(appends(ALICE, 1..=12));
    assert_eq!(ids(&subject.page(forwards(ALICE, None, 3))), [1, 2, 3]);
    delete(Cull::Ids(vec![3, 4]));
    subject.commit(appends(ALICE, [13]));
    let page = subject.page(forwards(ALICE, Some(3), 3));
    assert_eq!((ids(&page), page.missing_anchor), (vec![5, 6, 7], true));
    delete(Cull::UpTo(9));
    let page = subject.page(forwards(ALICE, Some(7), 3));
    assert_eq!((ids(&page), page.missing_anchor, page.complete), (vec![10, 11, 12], true, false));
    assert_eq!(ids(&subject.page(backwards(ALICE, None, 2))), [12, 13]);
    delete(Cull::Ids(vec![12]));
    let page = subject.page(backwards(ALICE, Some(12), 2));
    assert_eq!((ids(&page), page.missing_anchor, page.complete), (vec![10, 11], true, true));
}

/// An id counts as known if it is in this log, whatever the filters say.
pub fn unknown_anchors_are_told(subject: &Subject) {
    subject.commit(vec![
        append(ALICE, entry(1)),
        append(ALICE, with(2, "x@example.org", None)),
        append(BOB, entry(3)),
    ]);
    let query = || forwards(ALICE, None, 9);
    let missing = |query: LogQuery| subject.page(query).missing_anchor;
    assert!(missing(forwards(ALICE, Some(3), 9)), "an id of another archive");
    assert!(missing(forwards(ALICE, Some(u64::MAX), 9)));
    assert!(missing(backwards(ALICE, Some(0), 9)));
    assert!(missing(LogQuery { after_id: Some(3), ..query() }));
    assert!(missing(LogQuery { before_id: Some(3), ..query() }));
    assert!(missing(LogQuery { ids: Some(vec![1, 3]), ..query() }));
    assert!(missing(forwards("nobody@example.org", Some(1), 9)));
    let filter = || Some(With::Bare("x@example.org".into()));
    assert!(!missing(LogQuery { with: filter(), ..forwards(ALICE, Some(1), 9) }));
    assert!(!missing(LogQuery { with: filter(), after_id: Some(1), ids: Some(vec![1, 2]), ..query() }));
    assert!(!missing(query()));
}

/// Filters, alone and together, with the count of all they let through and the pages of it.
pub fn filters_keep_pages_exact(subject: &Subject) {
    let romeo = "romeo@example.net";
    subject.commit(vec![
        append(ALICE, with(1, romeo, Some("orchard"))),
        append(ALICE, with(2, "nurse@example.net", Some("orchard"))),
        append(ALICE, Entry { tag: 0b01, ..with(3, romeo, None) }),
        append(ALICE, Entry { tag: 0b11, ..with(4, romeo, Some("tomb")) }),
        append(ALICE, Entry { at_ms: 4000, ..with(5, romeo, Some("orchard")) }),
        append(ALICE, entry(6)),
        append(BOB, with(7, romeo, Some("orchard"))),
    ]);
    let bare = |jid: &str| Some(With::Bare(jid.into()));
    let full = |resource: &str| Some(With::Full { bare: romeo.into(), resource: resource.into() });
    let all = || LogQuery { count: true, ..forwards(ALICE, None, 9) };
    let cases: Vec<(LogQuery, &[u64])> = vec![
        (LogQuery { with: bare(romeo), ..all() }, &[1, 3, 4, 5]),
        (LogQuery { with: bare("romeo@example.ne"), ..all() }, &[]),
        (LogQuery { with: bare("romeo@example.net/orchard"), ..all() }, &[]),
        (LogQuery { with: full("orchard"), ..all() }, &[1, 5]),
        (LogQuery { with: full(""), ..all() }, &[]),
        (LogQuery { from_ms: Some(4000), ..all() }, &[4, 5, 6]),
        (LogQuery { from_ms: Some(4001), ..all() }, &[6]),
        (LogQuery { to_ms: Some(4000), ..all() }, &[1, 2, 3, 4, 5]),
        (LogQuery { to_ms: Some(999), ..all() }, &[]),
        (LogQuery { from_ms: Some(2000), to_ms: Some(3000), ..all() }, &[2, 3]),
        (LogQuery { from_ms: Some(u64::MAX), ..all() }, &[]),
        (LogQuery { to_ms: Some(u64::MAX), ..all() }, &[1, 2, 3, 4, 5, 6]),
        (LogQuery { after_id: Some(2), before_id: Some(5), ..all() }, &[3, 4]),
        (LogQuery { after_id: Some(5), before_id: Some(2), ..all() }, &[]),
        (LogQuery { ids: Some(vec![6, 2, 4, 2]), ..all() }, &[2, 4, 6]),
        (LogQuery { ids: Some(vec![]), ..all() }, &[]),
        (LogQuery { ids: Some(vec![2, 4]), with: bare(romeo), ..all() }, &[4]),
        (LogQuery { tag_mask: 0b10, tag_want: 0, ..all() }, &[1, 2, 3, 5, 6]),
        (LogQuery { tag_mask: 0b11, tag_want: 0b01, ..all() }, &[3]),
        (LogQuery { with: bare(romeo), from_ms: Some(3000), tag_mask: 1, tag_want: 0, ..all() }, &[5]),
        (LogQuery { space: Space("log.other"), ..all() }, &[]),
    ];
    for (query, expected) in cases {
        check_pages(subject, &query, expected);
    }
}

/// The clock may step back: filters by time stay exact, and the order is that of the ids.
pub fn times_may_step_back(subject: &Subject) {
    // Runs forwards, with two great steps back, small noise throughout, and gaps between the ids.
    let at = |n: u64| {
        10_000 + n * 10 + (n * 7919) % 97 - if n > 300 { 900 } else { 0 } - if n > 600 { 2500 } else { 0 }
    };
    let entries: Vec<Entry> = (1..=900).map(|n| Entry { at_ms: at(n), ..entry(n * n + (1 << 40)) }).collect();
    for chunk in entries.chunks(100) {
        subject.commit(chunk.iter().map(|entry| append(ALICE, entry.clone())).collect::<Batch>());
    }
    for cut in (9_000..19_500).step_by(250) {
        for (from_ms, to_ms) in [(Some(cut), None), (None, Some(cut)), (Some(cut), Some(cut + 300))] {
            let inside = |entry: &&Entry| {
                from_ms.is_none_or(|from| entry.at_ms >= from) && to_ms.is_none_or(|to| entry.at_ms <= to)
            };
            let expected: Vec<u64> = entries.iter().filter(inside).map(|entry| entry.id).collect();
            let query = LogQuery { from_ms, to_ms, count: true, ..forwards(ALICE, None, 10_000) };
            let page = subject.page(query.clone());
            assert_eq!(
                (ids(&page), page.count),
                (expected.clone(), Some(expected.len() as u64)),
                "{from_ms:?} {to_ms:?}"
            );
            let last = subject.page(LogQuery { page: Paging::Backwards { before: None }, limit: 3, ..query });
            assert!(expected.ends_with(&ids(&last)) && last.entries.len() == expected.len().min(3));
        }
    }
}

/// A limit of 0 answers the count alone (XEP-0059 section 2.7); `complete` tells if there was nothing.
pub fn a_limit_of_nothing_counts(subject: &Subject) {
    let query = || LogQuery { count: true, ..forwards(ALICE, None, 0) };
    let answer = |query| {
        let page = subject.page(query);
        (ids(&page), page.count, page.complete)
    };
    assert_eq!(answer(query()), (vec![], Some(0), true));
    subject.commit(appends(ALICE, 1..=5));
    assert_eq!(answer(query()), (vec![], Some(5), false));
    assert_eq!(answer(LogQuery { from_ms: Some(4000), ..query() }), (vec![], Some(2), false));
    assert_eq!(
        answer(LogQuery { page: Paging::Backwards { before: None }, ..query() }),
        (vec![], Some(5), false)
    );
}

/// Whole, in pages of one forwards and in pages of one backwards, the same entries.
fn check_pages(subject: &Subject, query: &LogQuery, expected: &[u64]) {
    let whole = subject.page(query.clone());
    assert_eq!(
        (&*ids(&whole), whole.complete, whole.count),
        (expected, true, Some(expected.len() as u64)),
        "{query:?}"
    );
    let mut after = None;
    for (n, id) in expected.iter().enumerate() {
        let page = subject.page(LogQuery { page: Paging::Forwards { after }, limit: 1, ..query.clone() });
        assert_eq!(
            (ids(&page), page.complete),
            (vec![*id], n + 1 == expected.len()),
            "{query:?} after {after:?}"
        );
        after = Some(*id);
    }
    let mut before = None;
    for (n, id) in expected.iter().rev().enumerate() {
        let page = subject.page(LogQuery { page: Paging::Backwards { before }, limit: 1, ..query.clone() });
        assert_eq!(
            (ids(&page), page.complete),
            (vec![*id], n + 1 == expected.len()),
            "{query:?} before {before:?}"
        );
        before = Some(*id);
    }
}

fn with(id: u64, bare: &str, resource: Option<&str>) -> Entry {
    Entry { with: Some(bare.into()), resource: resource.map(Into::into), ..entry(id) }
}
