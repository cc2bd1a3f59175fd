//! SCRAM from the client's side, with SHA-1, SHA-256 or SHA-512, with or without channel binding.
//!
//! RFC 5802, RFC 7677, XEP-0474 0.5.0 (the attribute `h`)
//!
//! Not here: how its messages are wrapped (`client.rs`).

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::verdict::{Lack, Said, broken};

struct Hash {
    name: &'static str,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
    bytes: usize,
}

static HASHES: [Hash; 3] = [
    Hash {
        name: "SCRAM-SHA-1",
        digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
        hmac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA1,
        bytes: 20,
    },
    Hash {
        name: "SCRAM-SHA-256",
        digest: &digest::SHA256,
        hmac: hmac::HMAC_SHA256,
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
        bytes: 32,
    },
    Hash {
        name: "SCRAM-SHA-512",
        digest: &digest::SHA512,
        hmac: hmac::HMAC_SHA512,
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
        bytes: 64,
    },
];

/// An exchange.
pub(crate) struct Scram {
    hash: &'static Hash,
    header: String,
    binding: Vec<u8>,
    first: String,
    /// The server's first message.
    pub(crate) challenge: String,
    signature: Vec<u8>,
}

impl Scram {
    /// Begins; gives the first message. `mechanism` may end in `-PLUS`; then the header names the binding.
    pub(crate) fn begin(mechanism: &str, header: &str, binding: &[u8], user: &str) -> Said<(Scram, String)> {
        let name = mechanism.trim_end_matches("-PLUS");
        let Some(hash) = HASHES.iter().find(|hash| hash.name == name) else {
            return broken(format!("no {mechanism} here"));
        };
        let first = format!("n={user},r=fyko+d2lbbFgONRv9qkxdawL");
        let message = BASE64.encode(format!("{header}{first}"));
        let (header, binding) = (header.to_owned(), binding.to_owned());
        let scram = Scram { hash, header, binding, first, challenge: String::new(), signature: Vec::new() };
        Ok((scram, message))
    }

    /// One part of the challenge.
    pub(crate) fn part(&self, name: char) -> Option<&str> {
        self.challenge.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    }

    /// Answers the challenge.
    pub(crate) fn answer(&mut self, challenge: &str, password: &str) -> Said<String> {
        self.challenge = decode(challenge)?;
        let part =
            |name| self.part(name).ok_or_else(|| Lack::Broken(format!("challenge {:?}", self.challenge)));
        let rounds: NonZeroU32 = part('i')?.parse()?;
        let salt = BASE64.decode(part('s')?)?;
        let mut salted = vec![0; self.hash.bytes];
        pbkdf2::derive(self.hash.pbkdf2, rounds, &salt, password.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(self.hash.hmac, key), text);
        let bound = BASE64.encode([self.header.as_bytes(), &self.binding].concat());
        let plain = format!("c={bound},r={}", part('r')?);
        let text = format!("{},{},{plain}", self.first, self.challenge);
        let client = sign(&salted, b"Client Key");
        let stored = digest::digest(self.hash.digest, client.as_ref());
        let signature = sign(stored.as_ref(), text.as_bytes());
        let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server = sign(&salted, b"Server Key");
        self.signature = sign(server.as_ref(), text.as_bytes()).as_ref().to_vec();
        Ok(BASE64.encode(format!("{plain},p={}", BASE64.encode(proof))))
    }

    /// The server's last message must prove that it knows the keys.
    pub(crate) fn check(&self, last: &str) -> Said {
        let last = decode(last)?;
        match last == format!("v={}", BASE64.encode(&self.signature)) {
            true => Ok(()),
            false => broken(format!("not the server's signature: {last}")),
        }
    }

    /// The value of `h` (XEP-0474 section 4) for these offers.
    pub(crate) fn downgrade_hash(&self, mechanisms: &[String], bindings: &[String]) -> String {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort();
            list.join("\u{1e}")
        };
        let mut text = sorted(mechanisms);
        if !bindings.is_empty() {
            text.push('\u{1f}');
            text.push_str(&sorted(bindings));
        }
        BASE64.encode(digest::digest(self.hash.digest, text.as_bytes()))
    }
}

fn decode(text: &str) -> Said<String> {
    Ok(String::from_utf8(BASE64.decode(text.trim())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 5802 section 5, whose nonce is the one that stands above.
    #[test]
    fn the_example_of_the_rfc() {
        let (mut scram, first) = Scram::begin("SCRAM-SHA-1", "n,,", b"", "user").unwrap();
        assert_eq!(decode(&first).unwrap(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let answer = scram.answer(&BASE64.encode(challenge), "pencil").unwrap();
        assert!(decode(&answer).unwrap().ends_with("p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="));
        scram.check(&BASE64.encode("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")).unwrap();
        assert!(scram.check(&BASE64.encode("v=rmF9pqV8S7suAoZWja4dJRkFsKA=")).is_err());
    }
}
