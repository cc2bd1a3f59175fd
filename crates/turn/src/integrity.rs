//! What shows that a message was not changed: keyed hashes and checksums.
//!
//! RFC 8489 sections 9.2.2 (keys), 14.5 and 14.7, RFC 2104 (HMAC). The hashes are those that clients in the field use:
//! MD5 only to make a key out of a secret that is random anyway, SHA-1 only inside HMAC. MESSAGE-INTEGRITY-SHA256 is
//! never asked for, so no client sends it.
//!
//! Not here: whose key it is (`credentials.rs`).

use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Bytes of a code.
pub(crate) const BYTES: usize = 20;

/// A key of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// RFC 8489 section 9.2.2. Names and passwords are compared as they are: those that we give out are ASCII.
pub fn long_term_key(username: &str, realm: &str, password: &str) -> Key {
    Key(Md5::digest(format!("{username}:{realm}:{password}")).to_vec())
}

/// HMAC-SHA-1.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; BYTES] {
    // HMAC takes keys of every length (RFC 2104 section 2), so this is no error.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return [0; BYTES] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The code of a message up to MESSAGE-INTEGRITY, whose length in the header counts that attribute already.
pub(crate) fn sign(key: &Key, message: &[u8]) -> [u8; BYTES] {
    hmac(&key.0, &[message])
}

/// Whether the code is right, whatever the header says of what follows it.
pub(crate) fn verify(key: &Key, message: &[u8], code: &[u8]) -> bool {
    let length = ((message.len() - crate::message::HEADER + 4 + BYTES) as u16).to_be_bytes();
    let expected = hmac(&key.0, &[&message[..2], &length, &message[4..]]);
    expected.ct_eq(code).into()
}

/// CRC-32 with the mask of RFC 8489 section 14.7.
pub(crate) fn fingerprint(message: &[u8]) -> u32 {
    crc32fast::hash(message) ^ 0x5354_554e
}
