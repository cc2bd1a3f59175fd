//! A summary that only the client can read, by a key that the client has chosen.
//!
//! Tigase's extension of XEP-0357, `tigase:push:encrypt:aes-128-gcm`
//!
//! Not here: what it says (features, `push`).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;

/// Seals a text: gives the nonce, and the sealed text with its tag. `None` if the system gives no random numbers.
pub fn seal_summary(key: &[u8; 16], text: &[u8]) -> Option<([u8; 12], Vec<u8>)> {
    let mut nonce = [0; 12];
    rand::fill(&mut nonce).ok()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).ok()?);
    let mut sealed = text.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
    Some((nonce, sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_opens_it() {
        let (nonce, mut sealed) = seal_summary(&[1; 16], b"hello").unwrap();
        assert_ne!(nonce, seal_summary(&[1; 16], b"hello").unwrap().0);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).unwrap());
        let nonce = Nonce::assume_unique_for_key(nonce);
        assert_eq!(key.open_in_place(nonce, Aad::empty(), &mut sealed).unwrap(), b"hello");
    }
}
