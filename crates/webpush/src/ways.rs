//! Addresses to which programs may post, for a client: nothing is remembered of them, all stands sealed in the address.
//!
//! RFC 8030 section 2 (an address is a capability), RFC 5116
//!
//! Not here: HTTP (net), what becomes of what is posted (the program).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::secret::Secret;

/// What an address stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The service that gave it out.
    pub service: String,
    /// The client that is told.
    pub client: String,
    /// The program, as the client calls it.
    pub application: String,
    /// Which of its ways.
    pub instance: String,
    /// Until when it holds, in Unix milliseconds.
    pub until_ms: u64,
}

/// Makes and reads them.
pub struct Ways(LessSafeKey);

impl Ways {
    /// With the key that follows from the secret.
    ///
    /// # Panics
    /// Never: the key is as long as the cipher wants it.
    pub fn new(secret: &Secret) -> Ways {
        // 32 bytes are a key for AES-256.
        #[allow(clippy::expect_used)]
        Ways(LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, &secret.derive(&[b"ways"])[..]).expect("32 bytes"),
        ))
    }

    /// The last part of an address; `None` if the system gives no random numbers.
    pub fn seal(&self, way: &Way) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = serde_json::to_vec(way).ok()?;
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .ok()?;
        Some(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// What the last part of an address stands for; `None` if it is not ours or holds no longer.
    pub fn open(&self, token: &str, now_ms: u64) -> Option<Way> {
        if token.len() > limits::WAY_CHARS_MAX {
            return None;
        }
        let bytes = BASE64.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        serde_json::from_slice(plain).ok().filter(|way: &Way| way.until_ms > now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_gave_out_is_a_way() {
        let ways = Ways::new(&Secret::new([1; 32]));
        let way = Way {
            service: "push.example".into(),
            client: "alice@example.org/phone".into(),
            application: "a".into(),
            instance: "i".into(),
            until_ms: 1_000,
        };
        let token = ways.seal(&way).unwrap();
        assert!(
            !token.contains("alice")
                && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
        assert_eq!(ways.open(&token, 999), Some(way.clone()));
        assert_eq!(ways.open(&token, 1_000), None, "its time is over");
        assert_eq!(Ways::new(&Secret::new([2; 32])).open(&token, 0), None);
        let long = token.repeat(100);
        let mut changed = token.clone().into_bytes();
        changed[30] = if changed[30] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for bad in ["", "A", "%", &token[1..], &token[..40], &changed, &long, "é"] {
            assert_eq!(ways.open(bad, 0), None, "{bad}");
        }
    }
}
