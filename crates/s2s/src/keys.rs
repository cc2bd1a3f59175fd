//! Dialback keys, the handshake of components, and stream identifiers.
//!
//! XEP-0185 version 1.0, XEP-0114 version 1.6, RFC 6120 section 4.7.3.
//!
//! Not here: who is asked about a key (`dialback.rs`).

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;

use crate::{Pair, Secret};

/// Bytes of randomness in an identifier: 160 bits.
const ID_BYTES: usize = 20;

/// The key by which `originating` asks `receiving` to be believed on the stream `id` (XEP-0185 section 2). Spaces keep
/// `example.in` + `form.example` and `example.info` + `rm.example` apart.
pub(crate) fn dialback_key(secret: &Secret, receiving: &str, originating: &str, id: &str) -> String {
    let hashed = hex(digest::digest(&digest::SHA256, secret.bytes()).as_ref());
    let key = hmac::Key::new(hmac::HMAC_SHA256, hashed.as_bytes());
    hex(hmac::sign(&key, format!("{receiving} {originating} {id}").as_bytes()).as_ref())
}

/// The key that proves `pair.local` to `pair.remote`.
pub(crate) fn own_key(secret: &Secret, pair: &Pair, id: &str) -> String {
    dialback_key(secret, pair.remote.as_str(), pair.local.as_str(), id)
}

/// What a component must send (XEP-0114 section 3).
pub(crate) fn handshake(secret: &Secret, id: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(id.as_bytes());
    hash.update(secret.bytes());
    hex(hash.finish().as_ref())
}

/// Whether both are the same, in time that depends on the lengths only. Hexadecimal digits may be of either case.
pub(crate) fn same(expected: &str, given: &str) -> bool {
    let given = given.to_ascii_lowercase();
    bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
}

/// Unpredictable identifiers from the one seed that the shell gave: HMAC-SHA-256 of a counter under the seed, as good as
/// the seed, and repeatable in a test.
pub(crate) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Random {
        Random { seed, drawn: 0 }
    }

    /// An identifier.
    pub(crate) fn id(&mut self) -> String {
        self.drawn += 1;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.seed);
        let tag = hmac::sign(&key, &self.drawn.to_be_bytes());
        hex(tag.as_ref().get(..ID_BYTES).unwrap_or_default())
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_of_the_specifications() {
        let secret = |text: &str| Secret::new(text.as_bytes());
        for (secret, receiving, originating, id, key) in [
            // XEP-0185 section 3
            (
                secret("s3cr3tf0rd14lb4ck"),
                "xmpp.example.com",
                "example.org",
                "D60000229F",
                "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643",
            ),
            // XEP-0220 section 2.1.1
            (
                secret("s3cr3tf0rd14lb4ck"),
                "montague.example",
                "capulet.example",
                "D60000229F",
                "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3",
            ),
            // XEP-0220 section 2.2.2
            (
                secret("d14lb4ck43v3r"),
                "capulet.example",
                "montague.example",
                "417GAF25",
                "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d",
            ),
        ] {
            assert_eq!(dialback_key(&secret, receiving, originating, id), key);
        }
    }

    #[test]
    fn g01_g02_keys_depend_on_every_part() {
        let secret = Secret::new(*b"secret");
        let keys: HashSet<String> = [
            ("example.in", "form.example", "1"),
            ("example.info", "rm.example", "1"),
            ("form.example", "example.in", "1"),
            ("example.in", "form.example", "2"),
        ]
        .map(|(receiving, originating, id)| dialback_key(&secret, receiving, originating, id))
        .into();
        assert_eq!(keys.len(), 4);
        let other = dialback_key(&Secret::new(*b"Secret"), "example.in", "form.example", "1");
        assert!(!keys.contains(&other));
    }

    #[test]
    fn handshakes_are_compared_as_hexadecimal() {
        let hash = handshake(&Secret::new(*b"test"), "3BF96D32");
        assert_eq!(hash.len(), 40);
        assert!(same(&hash, &hash) && same(&hash, &hash.to_ascii_uppercase()));
        assert!(!same(&hash, &hash[1..]) && !same(&hash, "") && !same(&hash, &hash.replace('a', "b")));
        // The example of the specification, whose secret is not written there, is of this form.
        assert_eq!("aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e".len(), hash.len());
    }

    #[test]
    fn identifiers_never_repeat_and_depend_on_the_seed() {
        let mut random = Random::new([1; 32]);
        let ids: HashSet<String> = (0..10_000).map(|_| random.id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 2 * ID_BYTES));
        assert!(!ids.contains(&Random::new([2; 32]).id()));
    }
}
