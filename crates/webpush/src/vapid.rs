//! Who we are, for push services: a signed word with each notification.
//!
//! RFC 8292, RFC 7515 and RFC 7518 section 3.4 (ES256)
//!
//! Not here: the request that carries it (`post.rs`).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

use crate::limits;
use crate::secret::Secret;

/// The key of this server.
pub struct Vapid {
    pair: EcdsaKeyPair,
    public: String,
    contact: String,
}

impl Vapid {
    /// The key that follows from the secret. `contact` is where a push service reaches the operator (RFC 8292 section
    /// 2.1): a URI with `mailto:` or `https:`.
    ///
    /// # Panics
    /// Never: what was found to be a key on P-256 is one.
    pub fn new(secret: &Secret, contact: &str) -> Vapid {
        let (private, public) = secret.p256();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &private[..],
            &public,
        );
        // Both halves come from one key that was just read.
        #[allow(clippy::expect_used)]
        let pair = pair.expect("a pair");
        Vapid { pair, public: BASE64.encode(public), contact: contact.to_owned() }
    }

    /// The public key as browsers want it.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The value of `Authorization` for a push service (section 3); `None` if the system gives no random numbers.
    pub(crate) fn authorization(&self, audience: &str, now_s: u64) -> Option<String> {
        let claims = serde_json::json!({
            "aud": audience,
            "exp": now_s.saturating_add(limits::TOKEN_SECONDS),
            "sub": self.contact,
        });
        let signed = format!(
            "{}.{}",
            BASE64.encode(br#"{"typ":"JWT","alg":"ES256"}"#),
            BASE64.encode(claims.to_string())
        );
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("vapid t={signed}.{}, k={}", BASE64.encode(signature.as_ref()), self.public))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    #[test]
    fn what_is_signed_can_be_verified() {
        let vapid = Vapid::new(&Secret::new([7; 32]), "mailto:admin@example.org");
        assert_eq!(
            vapid.public(),
            Vapid::new(&Secret::new([7; 32]), "").public(),
            "the same secret, the same key"
        );
        let header = vapid.authorization("https://push.example", 1_000).unwrap();
        let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(key, vapid.public());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, BASE64.decode(key).unwrap());
        let signature = BASE64.decode(signature).unwrap();
        key.verify(signed.as_bytes(), &signature).unwrap();
        assert!(key.verify(b"other", &signature).is_err());
        let claims: serde_json::Value =
            serde_json::from_slice(&BASE64.decode(signed.split_once('.').unwrap().1).unwrap()).unwrap();
        assert_eq!(claims["aud"], "https://push.example");
        assert_eq!(
            (claims["exp"].as_u64(), claims["sub"].as_str()),
            (Some(44_200), Some("mailto:admin@example.org"))
        );
    }
}
