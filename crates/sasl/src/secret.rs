//! Bytes that must not leak: wiped when dropped, never printed, compared only in constant time.
//!
//! Not here: passwords (`password.rs`), tokens (`token.rs`).

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// The longest hash output here (SHA-512).
const KEY_BYTES_MAX: usize = 64;

/// A key or hash output of 1 to 64 bytes. Has no `Debug`, `Display` or `PartialEq` on purpose.
#[derive(Clone)]
pub(crate) struct Key {
    bytes: [u8; KEY_BYTES_MAX],
    len: usize,
}

impl Key {
    /// A copy of the bytes; `None` when there are more than 64.
    pub(crate) fn new(from: &[u8]) -> Option<Key> {
        let mut key = Key { bytes: [0; KEY_BYTES_MAX], len: from.len() };
        key.bytes.get_mut(..from.len())?.copy_from_slice(from);
        Some(key)
    }

    /// A key of `len` zero bytes (at most 64), to be filled.
    pub(crate) fn zeroed(len: usize) -> Key {
        Key { bytes: [0; KEY_BYTES_MAX], len: len.min(KEY_BYTES_MAX) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Whether both are the same, in time that depends on the length only.
    pub(crate) fn ct_eq(&self, other: &[u8]) -> Choice {
        self.as_bytes().ct_eq(other)
    }

    /// `self` XOR `other`; `None` when the lengths differ.
    pub(crate) fn xor(&self, other: &[u8]) -> Option<Key> {
        if other.len() != self.len {
            return None;
        }
        let mut out = self.clone();
        out.as_mut_bytes().iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
        Some(out)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_at_most_64_bytes_and_compare_by_content() {
        assert!(Key::new(&[1; 65]).is_none());
        let key = Key::new(&[1, 2, 3]).unwrap();
        assert!(bool::from(key.ct_eq(&[1, 2, 3])));
        for other in [&[1u8, 2, 4][..], &[1, 2], &[1, 2, 3, 0], &[]] {
            assert!(!bool::from(key.ct_eq(other)));
        }
        assert_eq!(key.xor(&[1, 2, 2]).unwrap().as_bytes(), [0, 0, 1]);
        assert!(key.xor(&[1, 2]).is_none());
    }
}
