//! The hash functions of SCRAM and what is built on them: HMAC and PBKDF2.
//!
//! Not here: which of them a server should offer (`mechanism.rs`, crate `config`).

use crate::secret::Key;
use aws_lc_rs::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// A hash function of the SCRAM family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1 (RFC 5802). Still sound inside HMAC and PBKDF2.
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
    /// SHA-512 (registered by draft-melnikov-scram-sha-512).
    Sha512,
}

impl Hash {
    /// All of them, weakest first.
    pub const ALL: [Hash; 3] = [Hash::Sha1, Hash::Sha256, Hash::Sha512];

    /// The name as in `SCRAM-<name>`, good as a storage key too.
    pub const fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA-256",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// The hash with exactly that [`name`](Hash::name).
    pub fn parse(name: &str) -> Option<Hash> {
        Hash::ALL.into_iter().find(|hash| hash.name() == name)
    }

    /// Bytes of the output, and so of StoredKey and ServerKey.
    pub const fn output_len(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Key {
        let algorithm = match self {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        };
        self.key_of(digest::digest(algorithm, data).as_ref())
    }

    /// HMAC over the parts, one after the other.
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Key {
        let algorithm = match self {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        for part in parts {
            context.update(part);
        }
        self.key_of(context.sign().as_ref())
    }

    /// `Hi()` of RFC 5802 2.2. This is the slow one: call it off the hot path.
    pub(crate) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Key {
        let algorithm = match self {
            Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut out = Key::zeroed(self.output_len());
        pbkdf2::derive(algorithm, iterations, salt, password, out.as_mut_bytes());
        out
    }

    fn key_of(self, output: &[u8]) -> Key {
        let mut out = Key::zeroed(self.output_len());
        // Equal lengths: the output is of this very hash.
        out.as_mut_bytes().copy_from_slice(output);
        out
    }
}
