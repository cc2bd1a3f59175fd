//! The name of a bytestream, by which its two ends are found.
//!
//! XEP-0065 1.8.2 section 5.3.2 (`DST.ADDR`)
//!
//! Not here: who asks for it (`handshake.rs`).

use std::fmt;

use sha1::{Digest, Sha1};

/// SHA-1 over stream id, requester and target.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name([u8; 20]);

impl Name {
    /// The length of its text in bytes.
    pub const TEXT_BYTES: usize = 40;

    /// Of a stream with this id between these full addresses.
    pub fn of(sid: &str, requester: &str, target: &str) -> Name {
        let mut hash = Sha1::new();
        for part in [sid, requester, target] {
            hash.update(part.as_bytes());
        }
        Name(hash.finalize().into())
    }

    /// Reads 40 hexadecimal digits; XEP-0065 writes them small, clients in the field also large.
    pub fn read(text: &[u8]) -> Option<Name> {
        let mut name = [0; 20];
        if text.len() != Name::TEXT_BYTES {
            return None;
        }
        for (byte, pair) in name.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16);
            // Two digits are at most 255.
            *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
        }
        Some(Name(name))
    }
}

impl From<[u8; 20]> for Name {
    fn from(hash: [u8; 20]) -> Name {
        Name(hash)
    }
}

impl From<Name> for [u8; 20] {
    fn from(name: Name) -> [u8; 20] {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hashes() {
        // FIPS 180-4: "abc".
        let abc = Name::of("a", "b", "c");
        assert_eq!(abc.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(Name::read(abc.to_string().as_bytes()), Some(abc));
        assert_eq!(Name::read(abc.to_string().to_uppercase().as_bytes()), Some(abc));
        for bad in [&b""[..], b"a9", &[b'g'; 40], &[b'a'; 41], &[0xff; 40]] {
            assert_eq!(Name::read(bad), None);
        }
    }
}
