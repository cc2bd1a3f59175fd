//! The client side of SCRAM (RFC 5802, RFC 7677; SHA-512 alike), with the expensive key derived once per account.
//!
//! Not here: the SASL elements around it (`session.rs`); channel binding (not offered by these clients).

use crate::{Fault, Outcome};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A SCRAM hash.
pub(crate) struct Hash {
    /// Name of the mechanism.
    pub(crate) mechanism: &'static str,
    pbkdf2: pbkdf2::Algorithm,
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
}

/// The hashes, in order of preference.
pub(crate) static HASHES: [Hash; 3] = [
    Hash {
        mechanism: "SCRAM-SHA-256",
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
        hmac: hmac::HMAC_SHA256,
        digest: &digest::SHA256,
    },
    Hash {
        mechanism: "SCRAM-SHA-512",
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
        hmac: hmac::HMAC_SHA512,
        digest: &digest::SHA512,
    },
    Hash {
        mechanism: "SCRAM-SHA-1",
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA1,
        hmac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
    },
];

struct Keys {
    client: hmac::Tag,
    stored: digest::Digest,
    server: hmac::Tag,
}

/// Derived keys, by mechanism, password and salt.
#[derive(Default)]
pub struct KeyCache {
    known: Mutex<HashMap<String, Arc<Keys>>>,
}

/// One exchange under way.
pub(crate) struct Exchange {
    hash: &'static Hash,
    first_bare: String,
    nonce: String,
    expected: Vec<u8>,
    /// The iteration count that the server asked for; 0 before it did.
    pub(crate) iterations: u32,
}

impl Exchange {
    /// Begins an exchange. The nonce need not be secret here, only new.
    pub(crate) fn new(hash: &'static Hash, user: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nonce = format!("{:x}n{:016x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let first_bare = format!("n={user},r={nonce}");
        Self { hash, first_bare, nonce, expected: vec![], iterations: 0 }
    }

    /// The client-first-message, in base64.
    pub(crate) fn first(&self) -> String {
        STANDARD.encode(format!("n,,{}", self.first_bare))
    }

    /// The client-final-message for a challenge, both in base64.
    ///
    /// # Errors
    /// A challenge that is not a server-first-message for this exchange.
    pub(crate) fn answer(&mut self, challenge: &str, password: &str, cache: &KeyCache) -> Outcome<String> {
        let server_first = String::from_utf8(STANDARD.decode(challenge)?)?;
        let nonce = part(&server_first, "r=")?;
        if !nonce.starts_with(&self.nonce) {
            return Err("SCRAM: the server's nonce is not an extension of ours".into());
        }
        self.iterations = part(&server_first, "i=")?.parse()?;
        let keys = cache.keys(self.hash, password, part(&server_first, "s=")?, self.iterations)?;
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let key = |bytes: &[u8]| hmac::Key::new(self.hash.hmac, bytes);
        let signature = hmac::sign(&key(keys.stored.as_ref()), signed.as_bytes());
        let proof: Vec<u8> =
            keys.client.as_ref().iter().zip(signature.as_ref()).map(|(one, other)| one ^ other).collect();
        self.expected = hmac::sign(&key(keys.server.as_ref()), signed.as_bytes()).as_ref().to_vec();
        Ok(STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof))))
    }

    /// Checks the server-final-message (base64).
    ///
    /// # Errors
    /// A server that does not know the password.
    pub(crate) fn check(&self, last: &str) -> Outcome<()> {
        let last = String::from_utf8(STANDARD.decode(last)?)?;
        if STANDARD.decode(part(&last, "v=")?)? == self.expected {
            Ok(())
        } else {
            Err("SCRAM: wrong server signature".into())
        }
    }
}

fn part<'a>(message: &'a str, name: &str) -> Outcome<&'a str> {
    let found = message.split(',').find_map(|part| part.strip_prefix(name));
    found.ok_or_else(|| Fault::from(format!("SCRAM: no {name} in {message:?}")))
}

impl KeyCache {
    fn keys(&self, hash: &Hash, password: &str, salt: &str, iterations: u32) -> Outcome<Arc<Keys>> {
        let name = format!("{} {password} {salt} {iterations}", hash.mechanism);
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = lock().get(&name) {
            return Ok(keys.clone());
        }
        let rounds = NonZeroU32::new(iterations).ok_or("SCRAM: no iterations")?;
        let mut salted = vec![0; hash.digest.output_len()];
        pbkdf2::derive(hash.pbkdf2, rounds, &STANDARD.decode(salt)?, password.as_bytes(), &mut salted);
        let key = hmac::Key::new(hash.hmac, &salted);
        let client = hmac::sign(&key, b"Client Key");
        let stored = digest::digest(hash.digest, client.as_ref());
        let keys = Arc::new(Keys { client, stored, server: hmac::sign(&key, b"Server Key") });
        lock().insert(name, keys.clone());
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchanges printed in RFC 5802 section 5 and RFC 7677 section 3.
    #[test]
    fn the_exchanges_of_the_rfcs() {
        let rfc5802 = (
            &HASHES[2],
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
        let rfc7677 = (
            &HASHES[0],
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
        for (hash, nonce, challenge, answer, last) in [rfc5802, rfc7677] {
            let mut exchange = Exchange::new(hash, "user");
            exchange.nonce = nonce.to_owned();
            exchange.first_bare = format!("n=user,r={nonce}");
            let cache = KeyCache::default();
            let got = exchange.answer(&STANDARD.encode(challenge), "pencil", &cache).unwrap();
            assert_eq!(got, STANDARD.encode(answer));
            assert_eq!(exchange.iterations, 4096);
            exchange.check(&STANDARD.encode(last)).unwrap();
            exchange.check(&STANDARD.encode("v=AAAA")).unwrap_err();
        }
    }
}
