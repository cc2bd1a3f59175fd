//! The one secret of which all keys of push are made.
//!
//! RFC 5869
//!
//! Not here: where it is kept (the program).

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// 32 random bytes.
pub struct Secret(Zeroizing<[u8; 32]>);

/// The length of what is derived.
pub(crate) struct Bytes(pub(crate) usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl Secret {
    /// Takes them.
    pub fn new(bytes: impl Into<Zeroizing<[u8; 32]>>) -> Secret {
        Secret(bytes.into())
    }

    /// A key for one purpose.
    pub(crate) fn derive(&self, purpose: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let prk = Salt::new(HKDF_SHA256, b"push").extract(&self.0[..]);
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are far below the 8160 that HKDF can give.
        #[allow(clippy::expect_used)]
        prk.expand(purpose, Bytes(32)).and_then(|okm| okm.fill(&mut key[..])).expect("32 bytes");
        key
    }

    /// A private key on P-256, and its public key: the first of the candidates that is one.
    pub(crate) fn p256(&self) -> (Zeroizing<[u8; 32]>, Vec<u8>) {
        let candidates = (0..=u8::MAX).map(|count| self.derive(&[b"vapid", &[count]]));
        let keys = candidates.filter_map(|key| {
            let private = PrivateKey::from_private_key(&ECDH_P256, &key[..]).ok()?;
            Some((key, private.compute_public_key().ok()?.as_ref().to_vec()))
        });
        // All but one of 2^32 values are keys; that 256 in a row are none does not happen.
        #[allow(clippy::expect_used)]
        { keys }.next().expect("a key among 256 values")
    }
}
