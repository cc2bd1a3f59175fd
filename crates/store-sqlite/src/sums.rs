//! Checksums of stored values: a disk that gives back other bytes than it was given is noticed.
//!
//! CRC-32, over the value and the place where it belongs, so that a value in the wrong place is noticed too. It is no
//! protection from people.
//!
//! Not here: the database's own structure, which `fsck` has the database check.

use bytes::Bytes;
use rusqlite::Row;

/// Where a value belongs.
#[derive(Clone, Copy)]
pub(crate) enum At<'a> {
    Doc { slot: i64 },
    Map { slot: i64, key: &'a str },
    Log { slot: i64, id: i64 },
}

/// The checksum, as it is stored.
pub(crate) fn sum(at: At<'_>, value: &[u8]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    match at {
        At::Doc { slot } => crc.update(&slot.to_le_bytes()),
        At::Map { slot, key } => {
            crc.update(&slot.to_le_bytes());
            crc.update(key.as_bytes());
        }
        At::Log { slot, id } => {
            crc.update(&slot.to_le_bytes());
            crc.update(&id.to_le_bytes());
        }
    }
    crc.update(value);
    crc.finalize().into()
}

/// What a look at a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Whole,
    /// Written before there were checksums.
    Unknown,
    Damaged,
}

/// Looks at the value and the checksum in these columns.
pub(crate) fn judge(row: &Row<'_>, at: At<'_>, value: usize, checksum: usize) -> rusqlite::Result<Verdict> {
    let stored: Option<i64> = row.get(checksum)?;
    Ok(match stored {
        None => Verdict::Unknown,
        Some(stored) if stored == sum(at, row.get_ref(value)?.as_blob()?) => Verdict::Whole,
        Some(_) => Verdict::Damaged,
    })
}

/// The value, copied once; `None` if it is damaged.
pub(crate) fn value(
    row: &Row<'_>,
    at: At<'_>,
    value: usize,
    checksum: usize,
) -> rusqlite::Result<Option<Bytes>> {
    match judge(row, at, value, checksum)? {
        Verdict::Damaged => Ok(None),
        Verdict::Whole | Verdict::Unknown => Ok(Some(Bytes::copy_from_slice(row.get_ref(value)?.as_blob()?))),
    }
}
