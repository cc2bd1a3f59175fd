//! Unpredictable identifiers from the one seed that the shell gave.
//!
//! RFC 6120 section 4.7.3 (stream identifiers), RFC 5802 section 5.1 (nonces).
//!
//! Not here: where the seed comes from (net).

use aws_lc_rs::hmac;

/// Bytes of randomness in an identifier: 128 bits.
const ID_BYTES: usize = 16;
/// Bytes of randomness in a nonce: 144 bits.
const NONCE_BYTES: usize = 18;

/// HMAC-SHA-256 of a counter under the seed: as good as the seed, and repeatable in a test.
pub(crate) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Random {
        Random { seed, drawn: 0 }
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.seed);
        let tag = hmac::sign(&key, &self.drawn.to_be_bytes());
        let mut out = [0; 32];
        // A tag of HMAC-SHA-256 has 32 bytes.
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// A stream identifier.
    pub(crate) fn id(&mut self) -> String {
        hex(&self.draw()[..ID_BYTES])
    }

    /// A server nonce for SCRAM.
    pub(crate) fn nonce(&mut self) -> Option<sasl::Nonce> {
        sasl::Nonce::fixed(&hex(&self.draw()[..NONCE_BYTES]))
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
    fn never_repeats_and_depends_on_the_seed() {
        let mut random = Random::new([1; 32]);
        let ids: HashSet<String> = (0..10_000).map(|_| random.id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 32));
        assert!(!ids.contains(&Random::new([2; 32]).id()));
        assert!(ids.contains(&Random::new([1; 32]).id()), "the same seed gives the same ids");
    }
}
