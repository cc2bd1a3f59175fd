//! Encrypts tokens before they are stored, so that a copy of the database holds none that works.
//!
//! AES-256-GCM (NIST SP 800-38D) with a random nonce; the account and the installation are bound to the ciphertext.
//!
//! Not here: where the key is kept (a file beside the database; the caller's).

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sasl::Token;
use zeroize::Zeroize;

/// The key in use.
pub(crate) struct Seal(RandomizedNonceKey);

impl Seal {
    /// `None` if the library refuses the key, which it does for a wrong length only.
    pub(crate) fn new(key: &[u8; 32]) -> Option<Seal> {
        RandomizedNonceKey::new(&AES_256_GCM, key).ok().map(Seal)
    }

    /// The form for storage. `about` says whose it is.
    pub(crate) fn close(&self, token: &Token, about: &str) -> Option<String> {
        let mut bytes = token.expose().as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(about), &mut bytes).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Some(STANDARD_NO_PAD.encode(sealed))
    }

    /// The token again; `None` if it was sealed with another key, for somebody else, or was altered.
    pub(crate) fn open(&self, sealed: &str, about: &str) -> Option<Token> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.open_in_place(nonce, Aad::from(about), sealed).ok()?;
        let token = std::str::from_utf8(text).ok().map(|text| Token::stored(text.to_owned()));
        bytes.zeroize();
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l01_what_is_sealed_opens_only_with_the_same_key_for_the_same_owner() {
        let (seal, other) = (Seal::new(&[1; 32]).unwrap(), Seal::new(&[2; 32]).unwrap());
        let token = Token::random().unwrap();
        let sealed = seal.close(&token, "a@x/phone").unwrap();
        assert!(!sealed.contains(token.expose()));
        assert_eq!(seal.open(&sealed, "a@x/phone").unwrap().expose(), token.expose());
        assert!(seal.open(&sealed, "b@x/phone").is_none());
        assert!(other.open(&sealed, "a@x/phone").is_none());
        for broken in ["", "AAAA", "!", &sealed[1..]] {
            assert!(seal.open(broken, "a@x/phone").is_none(), "{broken}");
        }
        assert_ne!(sealed, seal.close(&token, "a@x/phone").unwrap(), "a fresh nonce each time");
    }
}
