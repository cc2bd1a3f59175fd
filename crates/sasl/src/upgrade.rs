//! SASL upgrade tasks (XEP-0480 0.2): getting the keys for another hash from a client that knows the password.
//!
//! Not here: the XML and the order of tasks (crate `stream`), storing the result (crate `features`).

use crate::{Condition, Hash, ScramKeys, random_salt};

/// The name of the task, for `<upgrade/>` and `<task/>`.
pub const fn task_name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => "UPGR-SCRAM-SHA-1",
        Hash::Sha256 => "UPGR-SCRAM-SHA-256",
        Hash::Sha512 => "UPGR-SCRAM-SHA-512",
    }
}

/// The hash of the task with exactly that name.
pub fn parse_task(name: &str) -> Option<Hash> {
    Hash::ALL.into_iter().find(|hash| task_name(*hash) == name)
}

/// One upgrade under way: what was asked of the client.
#[derive(Clone, Debug)]
pub struct Upgrade {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
}

impl Upgrade {
    /// Starts one, with a fresh salt, and iterations as all new keys have.
    ///
    /// Errors: [`Condition::TemporaryAuthFailure`] when the system gives no random bytes.
    pub fn start(hash: Hash, iterations: u32) -> Result<Upgrade, Condition> {
        Ok(Upgrade { hash, salt: random_salt()?.to_vec(), iterations })
    }

    /// For `<salt/>`, in base64.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// For its attribute `iterations`.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Takes the SaltedPassword from `<hash/>`. We cannot check that it belongs to the same password; the user is
    /// authenticated and could as well change it.
    ///
    /// Errors: [`Condition::MalformedRequest`] for a wrong length.
    pub fn finish(self, salted_password: &[u8]) -> Result<ScramKeys, Condition> {
        ScramKeys::from_salted_password(self.hash, salted_password, self.salt, u64::from(self.iterations))
            .map_err(|_| Condition::MalformedRequest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Password;

    #[test]
    fn an_upgrade_gives_the_keys_of_the_password() {
        let upgrade = Upgrade::start(Hash::Sha256, 4_096).unwrap();
        let iterations = std::num::NonZeroU32::new(upgrade.iterations()).unwrap();
        let salted = Hash::Sha256.pbkdf2(b"pencil", upgrade.salt(), iterations);
        let keys = upgrade.clone().finish(salted.as_bytes()).unwrap();
        assert!(keys.verify_password(&Password::parse("pencil").unwrap()));
        assert!(!keys.verify_password(&Password::parse("Pencil").unwrap()));
        assert_eq!(upgrade.finish(&[1; 20]).err(), Some(Condition::MalformedRequest));
        assert_eq!(parse_task("UPGR-SCRAM-SHA-512"), Some(Hash::Sha512));
        assert_eq!(parse_task("SCRAM-SHA-512"), None);
    }
}
