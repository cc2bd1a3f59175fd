//! Suite: blobs.
//!
//! Not here: the other shapes.

use model::storage::BlobId;

use super::*;
use crate::Intake;

/// The name of a blob is its SHA-256 hash (test vector: FIPS 180-4 "abc"); equal bytes are one blob.
pub fn blobs_are_named_by_their_bytes(subject: &Subject) {
    let abc = BlobId::parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
    assert_eq!(size(subject, abc), None);
    assert_eq!(put(subject, &["a", "", "bc"]), abc);
    assert_eq!(put(subject, &["abc"]), abc);
    assert_eq!(size(subject, abc), Some(3));
    block_on(subject.blobs.blob_delete(abc)).unwrap();
    assert_eq!((size(subject, abc), piece(subject, abc, 0..3)), (None, None));
    block_on(subject.blobs.blob_delete(abc)).unwrap();
    let empty = put(subject, &[]);
    assert_eq!((size(subject, empty), piece(subject, empty, 0..9)), (Some(0), Some(Bytes::new())));
}

/// Any range may be asked for; it ends where the blob ends.
pub fn blobs_are_read_in_pieces(subject: &Subject) {
    let id = put(subject, &["0123", "456789"]);
    let cases =
        [(0..10, "0123456789"), (3..5, "34"), (8..99, "89"), (10..12, ""), (99..u64::MAX, ""), (4..4, "")];
    for (range, expected) in cases {
        assert_eq!(piece(subject, id, range.clone()), Some(Bytes::from(expected)), "{range:?}");
    }
}

/// A blob that was not finished does not exist.
pub fn dropped_blobs_leave_nothing(subject: &Subject) {
    let mut intake = intake(subject);
    block_on(intake.write(Bytes::from("abc"))).unwrap();
    let name = intake.id().unwrap();
    drop(intake);
    let abc = BlobId::parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
    assert_eq!((name, size(subject, abc)), (abc, None));
}

fn intake(subject: &Subject) -> Box<dyn Intake> {
    block_on(subject.blobs.blob_put()).unwrap()
}

fn put(subject: &Subject, pieces: &[&'static str]) -> BlobId {
    let mut intake = intake(subject);
    for piece in pieces {
        block_on(intake.write(Bytes::from(*piece))).unwrap();
    }
    block_on(intake.finish()).unwrap()
}

fn size(subject: &Subject, id: BlobId) -> Option<u64> {
    block_on(subject.blobs.blob_size(id)).unwrap()
}

fn piece(subject: &Subject, id: BlobId, range: std::ops::Range<u64>) -> Option<Bytes> {
    block_on(subject.blobs.blob_read(id, range)).unwrap()
}
