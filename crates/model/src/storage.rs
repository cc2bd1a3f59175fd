//! What may be written to and read from storage, as plain data.
//!
//! Four shapes: *Doc* (one value per owner), *Map* (owner, key, value), *Log* (append-only, paged by id and
//! time) and *Blob* (bytes by content hash, see [`BlobId`]). Serves XEP-0059 (Result Set Management) 1.0 and
//! XEP-0313 (Message Archive Management) 1.1.3 queries, the extended ones included.
//!
//! Not here: how it is stored (`store` and its engines), and what the values mean (the features).

mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use read::{Bounds, Loaded, LogQuery, Page, Paging, Read, Size, With};
pub use write::{Batch, Cull, Write};

/// Who owns a value: the text of a bare JID (an account, a room) or of a domain. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// The owner's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Owner {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Owner {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Arc<str>> for Owner {
    fn from(text: Arc<str>) -> Self {
        Self(text)
    }
}

impl AsRef<str> for Owner {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Whose drawer it is: one name per feature and shape, such as `roster` or `archive`.
///
/// A space holds one shape only, for all its life. The name is stored, so it may never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub &'static str);

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Chosen by the writer: from 1 to `i64::MAX`, greater than every id that this log ever held.
    pub id: u64,
    /// When it happened, in Unix milliseconds; at most `i64::MAX`.
    pub at_ms: u64,
    /// The bare JID of the other side, for [`With`] filters.
    pub with: Option<Arc<str>>,
    /// The resource of the other side, for filters by full JID.
    pub resource: Option<Arc<str>>,
    /// Flags of the feature's own choice, for cheap filtering.
    pub tag: u32,
    /// The entry itself.
    pub value: Bytes,
}

/// The name of a blob: the SHA-256 hash of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

impl BlobId {
    /// Reads 64 lower-case hexadecimal digits; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut id = [0u8; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(id))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_read_back_what_they_write() {
        let id = BlobId(std::array::from_fn(|i| (i * 8 + 3) as u8));
        assert_eq!(BlobId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn blob_ids_refuse_what_is_not_their_one_form() {
        let good = BlobId([0xab; 32]).to_string();
        for bad in ["", "ab", &good[1..], &good.to_uppercase(), &good.replacen('a', "/", 1), &"é".repeat(32)]
        {
            assert_eq!(BlobId::parse(bad), None, "{bad}");
        }
    }
}
