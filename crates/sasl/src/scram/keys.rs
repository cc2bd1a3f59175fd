//! What a server stores instead of a password: StoredKey and ServerKey (RFC 5802 3).
//!
//! Not here: reading other servers' formats (crate `admin`), deciding who has which keys (crate `store`).

use crate::limits::{ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES, SALT_BYTES_MAX};
use crate::secret::Key;
use crate::{Condition, Hash, Password};
use aws_lc_rs::rand;
use std::fmt;
use std::num::NonZeroU32;
use subtle::Choice;

/// The keys of one user for one hash. They do not let anybody log in, but they let one try passwords offline, so they have no
/// `Debug`, `Display` or `PartialEq` and are wiped when dropped.
#[derive(Clone)]
pub struct ScramKeys {
    hash: Hash,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    stored_key: Key,
    server_key: Key,
}

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// The iteration count is outside [`ITERATIONS_MIN`] to [`ITERATIONS_MAX`].
    Iterations(u64),
    /// The salt is empty or longer than [`SALT_BYTES_MAX`]; its length in bytes.
    Salt(usize),
    /// A key has another length than the hash's output; its length in bytes.
    KeyLength(usize),
}

/// A fresh salt of [`SALT_BYTES`] bytes.
///
/// Errors: [`Condition::TemporaryAuthFailure`] when the system gives no random bytes.
pub fn random_salt() -> Result<[u8; SALT_BYTES], Condition> {
    let mut salt = [0; SALT_BYTES];
    rand::fill(&mut salt).map_err(|_| Condition::TemporaryAuthFailure)?;
    Ok(salt)
}

impl ScramKeys {
    /// Derives the keys of a password. Slow on purpose (see `examples/cost.rs`): keep it off the connection's thread.
    pub fn derive(
        hash: Hash,
        password: &Password,
        salt: &[u8],
        iterations: u32,
    ) -> Result<ScramKeys, KeysError> {
        let (salt, iterations) = checked(salt.to_vec(), u64::from(iterations))?;
        let salted = hash.pbkdf2(password.expose().as_bytes(), &salt, iterations);
        Ok(ScramKeys::of_salted(hash, &salted, salt, iterations))
    }

    /// Makes the keys from a SaltedPassword, as upgrade tasks (XEP-0480) and some other servers' stores give it.
    pub fn from_salted_password(
        hash: Hash,
        salted_password: &[u8],
        salt: Vec<u8>,
        iterations: u64,
    ) -> Result<ScramKeys, KeysError> {
        let (salt, iterations) = checked(salt, iterations)?;
        let salted = key_of(hash, salted_password)?;
        Ok(ScramKeys::of_salted(hash, &salted, salt, iterations))
    }

    /// Takes keys from storage or from another server, within the limits.
    pub fn import(
        hash: Hash,
        salt: Vec<u8>,
        iterations: u64,
        stored_key: &[u8],
        server_key: &[u8],
    ) -> Result<ScramKeys, KeysError> {
        let (salt, iterations) = checked(salt, iterations)?;
        let (stored_key, server_key) = (key_of(hash, stored_key)?, key_of(hash, server_key)?);
        Ok(ScramKeys { hash, salt, iterations, stored_key, server_key })
    }

    /// Keys that nobody has, of lengths that are right by construction.
    pub(crate) fn decoy(
        hash: Hash,
        salt: Vec<u8>,
        iterations: u32,
        stored_key: Key,
        server_key: Key,
    ) -> ScramKeys {
        let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        ScramKeys { hash, salt, iterations, stored_key, server_key }
    }

    fn of_salted(hash: Hash, salted: &Key, salt: Vec<u8>, iterations: NonZeroU32) -> ScramKeys {
        let client_key = hash.hmac(salted.as_bytes(), &[b"Client Key"]);
        let stored_key = hash.digest(client_key.as_bytes());
        let server_key = hash.hmac(salted.as_bytes(), &[b"Server Key"]);
        ScramKeys { hash, salt, iterations, stored_key, server_key }
    }

    /// Whether the password belongs to these keys. As slow as [`ScramKeys::derive`].
    pub fn verify_password(&self, password: &Password) -> bool {
        self.matches(password).into()
    }

    pub(crate) fn matches(&self, password: &Password) -> Choice {
        let salted = self.hash.pbkdf2(password.expose().as_bytes(), &self.salt, self.iterations);
        let client_key = self.hash.hmac(salted.as_bytes(), &[b"Client Key"]);
        self.stored_key.ct_eq(self.hash.digest(client_key.as_bytes()).as_bytes())
    }

    /// For which hash they are.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The salt; the client gets to see it.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The iteration count; the client gets to see it.
    pub fn iterations(&self) -> u32 {
        self.iterations.get()
    }

    /// The StoredKey, for storage. Do not print it.
    pub fn stored_key(&self) -> &[u8] {
        self.stored_key.as_bytes()
    }

    /// The ServerKey, for storage. Do not print it.
    pub fn server_key(&self) -> &[u8] {
        self.server_key.as_bytes()
    }
}

fn checked(salt: Vec<u8>, iterations: u64) -> Result<(Vec<u8>, NonZeroU32), KeysError> {
    if !(1..=SALT_BYTES_MAX).contains(&salt.len()) {
        return Err(KeysError::Salt(salt.len()));
    }
    u32::try_from(iterations)
        .ok()
        .filter(|count| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(count))
        .and_then(NonZeroU32::new)
        .map(|count| (salt, count))
        .ok_or(KeysError::Iterations(iterations))
}

fn key_of(hash: Hash, bytes: &[u8]) -> Result<Key, KeysError> {
    let fits = bytes.len() == hash.output_len();
    fits.then(|| Key::new(bytes)).flatten().ok_or(KeysError::KeyLength(bytes.len()))
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeysError::Iterations(n) => {
                write!(f, "{n} iterations are outside {ITERATIONS_MIN} to {ITERATIONS_MAX}")
            }
            KeysError::Salt(n) => write!(f, "a salt of {n} bytes is outside 1 to {SALT_BYTES_MAX}"),
            KeysError::KeyLength(n) => write!(f, "a key of {n} bytes does not fit the hash"),
        }
    }
}

impl std::error::Error for KeysError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_records_outside_the_limits_are_refused() {
        let import = |salt: usize, iterations, stored: usize, server: usize| {
            let keys =
                ScramKeys::import(Hash::Sha1, vec![1; salt], iterations, &vec![1; stored], &vec![2; server]);
            keys.map(|keys| keys.iterations()).map_err(|e| e.to_string())
        };
        for iterations in [0, 1, 4_095, 1_000_001, 1 << 31, 1 << 32, (1 << 32) + 4_096, u64::MAX] {
            assert!(import(16, iterations, 20, 20).unwrap_err().contains("iterations"), "{iterations}");
        }
        assert_eq!(import(16, 4_096, 20, 20), Ok(4_096));
        assert_eq!(import(64, 1_000_000, 20, 20), Ok(1_000_000));
        for (salt, stored, server) in [(0, 20, 20), (65, 20, 20), (16, 19, 20), (16, 20, 32), (16, 0, 20)] {
            assert!(import(salt, 4_096, stored, server).is_err(), "{salt} {stored} {server}");
        }
        let password = Password::parse("pencil").unwrap();
        assert!(ScramKeys::derive(Hash::Sha1, &password, b"salt", 4_095).is_err());
    }

    #[test]
    fn c13_equal_after_preparation_is_equal() {
        let keys =
            ScramKeys::derive(Hash::Sha256, &Password::parse("I\u{ad}X").unwrap(), b"salt", 4_096).unwrap();
        assert!(keys.verify_password(&Password::parse("\u{2168}").unwrap()));
        assert!(!keys.verify_password(&Password::parse("ix").unwrap()));
    }
}
