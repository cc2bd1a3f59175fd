//! Suite: documents, maps and their owners.
//!
//! Not here: atomicity (`batches`), logs (`paging`).

use std::sync::Arc;

use super::*;

/// A document is what was put last, until it is deleted.
pub fn docs_are_put_read_and_deleted(subject: &Subject) {
    assert_eq!(subject.doc(ALICE), None);
    subject.commit(doc_put(ALICE, "one"));
    subject.commit(doc_put(ALICE, "two"));
    assert_eq!(subject.doc(ALICE), Some(Bytes::from("two")));
    let delete = Write::DocDelete { space: DOC, owner: ALICE.into() };
    subject.commit(delete.clone());
    assert_eq!(subject.doc(ALICE), None);
    subject.commit(delete);
}

/// No bytes, one MiB, and every byte there is come back as they went in.
pub fn values_may_be_empty_and_huge(subject: &Subject) {
    let huge: Bytes = (0..1 << 20).map(|i: u32| (i ^ (i >> 8)) as u8).collect::<Vec<_>>().into();
    for value in [Bytes::new(), huge] {
        let mut last = entry(subject.read(Read::HighestId).into_highest_id() + 1);
        last.value = value.clone();
        subject.commit(vec![
            doc_put(ALICE, value.clone()),
            map_put(ALICE, "k", value.clone()),
            append(ALICE, last),
        ]);
        assert!(subject.doc(ALICE).unwrap() == value);
        assert!(map(subject, ALICE)[0].1 == value);
        assert!(subject.page(backwards(ALICE, None, 1)).entries[0].value == value);
    }
}

/// Keys come sorted by their bytes; a later put replaces, a delete removes one.
pub fn maps_keep_keys_in_order(subject: &Subject) {
    subject.commit(vec![map_put(ALICE, "b", "1"), map_put(ALICE, "B", "2"), map_put(ALICE, "a", "3")]);
    subject.commit(map_put(ALICE, "b", "4"));
    assert_eq!(texts(&map(subject, ALICE)), [("B", "2"), ("a", "3"), ("b", "4")]);
    subject.commit(Write::MapDelete { space: MAP, owner: ALICE.into(), key: "a".into() });
    assert_eq!(texts(&map(subject, ALICE)), [("B", "2"), ("b", "4")]);
    assert_eq!(get(subject, "b"), Some(Bytes::from("4")));
    assert_eq!(get(subject, "a"), None);
}

/// How much a map holds.
pub fn maps_have_a_size(subject: &Subject) {
    let size = || subject.read(Read::MapSize { space: MAP, owner: ALICE.into() }).into_size();
    assert_eq!((size().count, size().bytes), (0, 0));
    subject.commit(vec![map_put(ALICE, "ab", "123"), map_put(ALICE, "\u{1F600}", "")]);
    assert_eq!((size().count, size().bytes), (2, 9));
    subject.commit(map_put(ALICE, "ab", "1"));
    assert_eq!((size().count, size().bytes), (2, 7));
}

/// Quotes, wildcards and characters of four bytes have no meaning, as keys, owners and other sides.
pub fn odd_texts_are_only_texts(subject: &Subject) {
    subject.commit(TEXTS.iter().map(|text| map_put(ALICE, text, *text)).collect::<Batch>());
    let mut sorted = TEXTS;
    sorted.sort_unstable();
    assert_eq!(texts(&map(subject, ALICE)), sorted.map(|text| (text, text)));
    for text in TEXTS {
        assert_eq!(get(subject, text), Some(Bytes::from(text)));
        subject.commit(doc_put(text, text));
    }
    for text in TEXTS {
        assert_eq!(subject.doc(text), Some(Bytes::from(text)));
        subject.commit(Write::MapDelete { space: MAP, owner: ALICE.into(), key: text.into() });
        assert_eq!(get(subject, text), None);
    }
    assert!(map(subject, ALICE).is_empty());
    assert_eq!(subject.refused(map_put(ALICE, "a\0b", "")), FaultKind::Misuse);
}

/// Pages of a map below a prefix end where the prefix ends.
pub fn map_ranges_page_below_a_prefix(subject: &Subject) {
    let keys = ["a", "n%1", "n%2", "n%3", "n_1", "n", "o", "n%\u{10ffff}"];
    subject.commit(keys.iter().map(|key| map_put(ALICE, key, "")).collect::<Batch>());
    let range = |prefix: &str, after: Option<&str>, limit| {
        let (prefix, after) = (prefix.into(), after.map(Arc::from));
        let read = Read::MapRange { space: MAP, owner: ALICE.into(), prefix, after, limit };
        subject.read(read).into_map().into_iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(range("n%", None, 2), ["n%1", "n%2"]);
    assert_eq!(range("n%", Some("n%2"), 9), ["n%3", "n%\u{10ffff}"]);
    assert_eq!(range("n%", Some("a"), 1), ["n%1"]);
    assert_eq!(range("n%", Some("z"), 9), [""; 0]);
    assert_eq!(range("", Some("n_1"), 9), ["o"]);
    assert_eq!(range("", None, 0), [""; 0]);
    assert_eq!(range("\u{10ffff}", None, 9), [""; 0]);
}

/// Clearing removes what begins with the prefix, and nothing that only looks alike.
pub fn clearing_below_a_prefix_spares_the_rest(subject: &Subject) {
    for owner in [ALICE, BOB] {
        subject.commit(["n%1", "n%2", "n_1", "nx1"].map(|key| map_put(owner, key, "")).to_vec());
    }
    let clear = |prefix: &str| Write::MapClear { space: MAP, owner: ALICE.into(), prefix: prefix.into() };
    subject.commit(clear("n%"));
    assert_eq!(texts(&map(subject, ALICE)), [("n_1", ""), ("nx1", "")]);
    subject.commit(clear(""));
    assert!(map(subject, ALICE).is_empty());
    assert_eq!(map(subject, BOB).len(), 4);
}

/// Equal keys of other owners and other spaces are other values.
pub fn owners_do_not_see_each_other(subject: &Subject) {
    let other = Space("map.other");
    subject.commit(vec![
        map_put(ALICE, "k", "alice"),
        map_put(BOB, "k", "bob"),
        Write::MapPut { space: other, owner: ALICE.into(), key: "k".into(), value: Bytes::from("other") },
    ]);
    assert_eq!(texts(&map(subject, ALICE)), [("k", "alice")]);
    assert_eq!(texts(&map(subject, BOB)), [("k", "bob")]);
    assert_eq!(
        texts(&subject.read(Read::Map { space: other, owner: ALICE.into() }).into_map()),
        [("k", "other")]
    );
    assert!(map(subject, "alice@example.or").is_empty());
}

/// Whoever has something left in a space is listed, once, page by page.
pub fn owners_are_listed_in_pages(subject: &Subject) {
    let owners = |space, after: Option<&str>, limit| {
        let read = Read::Owners { space, after: after.map(Owner::from), limit };
        subject.read(read).into_owners().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    subject.commit(["c", "a", "b", "d"].map(|owner| doc_put(owner, "")).to_vec());
    subject.commit(vec![
        map_put("m", "1", ""),
        map_put("m", "2", ""),
        append("l", entry(1)),
        append("l", entry(2)),
    ]);
    subject.commit(Write::DocDelete { space: DOC, owner: "b".into() });
    assert_eq!(owners(DOC, None, 2), ["a", "c"]);
    assert_eq!(owners(DOC, Some("c"), 2), ["d"]);
    assert_eq!(owners(DOC, Some("b"), 9), ["c", "d"]);
    assert_eq!((owners(MAP, None, 9), owners(LOG, None, 9)), (vec!["m".to_owned()], vec!["l".to_owned()]));
    subject.commit(Write::MapClear { space: MAP, owner: "m".into(), prefix: "".into() });
    subject.commit(Write::LogDelete { space: LOG, owner: "l".into(), what: Cull::All });
    assert_eq!((owners(MAP, None, 9), owners(LOG, None, 9)), (vec![], vec![]));
    assert_eq!(owners(Space("never"), None, 9), [""; 0]);
}

/// Several questions are answered in their order; none of them may be another `Many`.
pub fn many_answers_in_order(subject: &Subject) {
    subject.commit(vec![doc_put(ALICE, "d"), map_put(ALICE, "k", "m")]);
    let loaded = subject.read(Read::Many(vec![
        Read::Map { space: MAP, owner: ALICE.into() },
        Read::Doc { space: DOC, owner: BOB.into() },
        Read::Doc { space: DOC, owner: ALICE.into() },
    ]));
    let map = Loaded::Map(vec![("k".into(), Bytes::from("m"))]);
    assert_eq!(loaded.into_many(), [map, Loaded::Doc(None), Loaded::Doc(Some(Bytes::from("d")))]);
    let nested = subject.try_read(Read::Many(vec![Read::Many(vec![])]));
    assert_eq!(nested.unwrap_err().kind(), FaultKind::Misuse);
}

fn map(subject: &Subject, owner: &str) -> Vec<(Arc<str>, Bytes)> {
    subject.read(Read::Map { space: MAP, owner: owner.into() }).into_map()
}

fn get(subject: &Subject, key: &str) -> Option<Bytes> {
    subject.read(Read::MapGet { space: MAP, owner: ALICE.into(), key: key.into() }).into_doc()
}

fn texts(map: &[(Arc<str>, Bytes)]) -> Vec<(&str, &str)> {
    map.iter().map(|(key, value)| (&**key, std::str::from_utf8(value).unwrap())).collect()
}
