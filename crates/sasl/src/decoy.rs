//! Keys for users who do not exist, so that nobody can find out who does.
//!
//! Asking twice must give the same salt twice, so the salt is an HMAC of the name under a secret of the server.
//!
//! Not here: finding the real keys (crate `store`).

use crate::limits::{ITERATIONS_DEFAULT, ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES, SALT_BYTES_MAX};
use crate::secret::Key;
use crate::{Hash, Password, ScramKeys};
use subtle::Choice;

/// One look of the records in storage, for decoys to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// PBKDF2 iterations, brought into 4,096 to 1,000,000.
    pub iterations: u32,
    /// Bytes of salt, brought into 1 to 64.
    pub salt_len: usize,
    /// How many of the accounts look like this, relative to the other shapes.
    pub weight: u32,
}

/// Maker of decoys. The secret must outlive restarts and be the same on all nodes of a cluster, or salts would change and
/// give the decoys away.
pub struct Decoy {
    secret: Key,
    shapes: Vec<Shape>,
}

/// The answer to "which keys has this user": real ones or a decoy, not told apart by anything visible.
pub struct Keys {
    pub(crate) keys: ScramKeys,
    pub(crate) real: Choice,
}

impl Decoy {
    /// Decoys that look like records made by this server with default settings.
    pub fn new(secret: &[u8; 32]) -> Decoy {
        Decoy::with_shapes(secret, Vec::new())
    }

    /// Decoys that look like a mixture of records, for servers with imported accounts or another iteration count. Keep the
    /// shapes fixed while the server runs: a change of weights changes the look of some unknown names.
    pub fn with_shapes(secret: &[u8; 32], shapes: Vec<Shape>) -> Decoy {
        let mut key = Key::zeroed(secret.len());
        key.as_mut_bytes().copy_from_slice(secret);
        Decoy { secret: key, shapes }
    }

    /// The answer for this user. Give `None` for unknown and for disabled users alike; give the *prepared* name, or all
    /// spellings of a name would get different salts. Computes the decoy in any case, so it takes the same time.
    pub fn keys(&self, username: &str, hash: Hash, found: Option<ScramKeys>) -> Keys {
        let decoy = self.decoy(username, hash);
        match found.filter(|keys| keys.hash() == hash) {
            Some(keys) => Keys { keys, real: Choice::from(1) },
            None => Keys { keys: decoy, real: Choice::from(0) },
        }
    }

    fn decoy(&self, username: &str, hash: Hash) -> ScramKeys {
        let derive = |label: &str, output: Hash| {
            let parts = [label.as_bytes(), b"\0", hash.name().as_bytes(), b"\0", username.as_bytes()];
            output.hmac(self.secret.as_bytes(), &parts)
        };
        // The shape must not depend on the hash: a real user has one look for all of them.
        let draw = Hash::Sha256.hmac(self.secret.as_bytes(), &[b"shape\0", username.as_bytes()]);
        let shape = self.shape(draw.as_bytes());
        // The longest output, so that there is enough for every salt length.
        let salt = derive("salt", Hash::Sha512);
        let salt_len = shape.salt_len.clamp(1, SALT_BYTES_MAX);
        ScramKeys::decoy(
            hash,
            salt.as_bytes()[..salt_len].to_vec(),
            shape.iterations.clamp(ITERATIONS_MIN, ITERATIONS_MAX),
            derive("stored", hash),
            derive("server", hash),
        )
    }

    fn shape(&self, draw: &[u8]) -> Shape {
        let total: u64 = self.shapes.iter().map(|shape| u64::from(shape.weight)).sum();
        let mut rest = draw.iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte)).checked_rem(total);
        for shape in &self.shapes {
            match rest {
                Some(n) if n < u64::from(shape.weight) => return *shape,
                Some(n) => rest = Some(n - u64::from(shape.weight)),
                None => break,
            }
        }
        Shape { iterations: ITERATIONS_DEFAULT, salt_len: SALT_BYTES, weight: 1 }
    }
}

impl Keys {
    /// Whether the password belongs to the user. Takes as long for a decoy as for real keys: milliseconds, so keep it off
    /// the connection's thread.
    pub fn verify_password(&self, password: &Password) -> bool {
        (self.keys.matches(password) & self.real).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 2] = [
        Shape { iterations: 10_000, salt_len: 16, weight: 3 },
        Shape { iterations: 4_096, salt_len: 36, weight: 1 },
    ];

    fn look(decoy: &Decoy, name: &str, hash: Hash) -> (Vec<u8>, u32) {
        let keys = decoy.keys(name, hash, None).keys;
        (keys.salt().to_vec(), keys.iterations())
    }

    #[test]
    fn c05a_a_decoy_is_stable_and_differs_by_name_hash_and_secret() {
        let decoy = Decoy::new(&[7; 32]);
        let first = look(&decoy, "bob", Hash::Sha256);
        assert_eq!(first, look(&Decoy::new(&[7; 32]), "bob", Hash::Sha256));
        assert_eq!((first.0.len(), first.1), (SALT_BYTES, ITERATIONS_DEFAULT));
        assert_ne!(first.0, look(&decoy, "bob", Hash::Sha1).0);
        assert_ne!(first.0, look(&decoy, "eve", Hash::Sha256).0);
        assert_ne!(first.0, look(&Decoy::new(&[8; 32]), "bob", Hash::Sha256).0);
    }

    #[test]
    fn c05a_decoys_copy_the_mixture_of_looks() {
        let decoy = Decoy::with_shapes(&[7; 32], SHAPES.to_vec());
        let mut old = 0;
        for n in 0..1_000 {
            let name = format!("user{n}");
            let (salt, iterations) = look(&decoy, &name, Hash::Sha256);
            assert_eq!(salt.len(), if iterations == 4_096 { 36 } else { 16 });
            assert_eq!(look(&decoy, &name, Hash::Sha1).1, iterations);
            old += usize::from(iterations == 4_096);
        }
        assert!((200..300).contains(&old), "a quarter was asked for, got {old} of 1,000");
    }

    #[test]
    fn c05b_no_password_opens_a_decoy() {
        let keys = Decoy::new(&[7; 32]).keys("bob", Hash::Sha1, None);
        assert!(!keys.verify_password(&Password::parse("pencil").unwrap()));
    }
}
