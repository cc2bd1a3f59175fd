//! Encryption for one browser.
//!
//! RFC 8291, RFC 8188 (`aes128gcm`, one record)
//!
//! Not here: where it is sent (`post.rs`).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use model::push::{Subscription, TEXT_BYTES_MAX};

use crate::secret::Bytes;

/// RFC 8188 section 2.1: the size of a record, of which there is one.
const RECORD: u32 = 4_096;

/// Encrypts a text.
///
/// # Errors
/// The subscription's key is no point on P-256, the text is too long, or the system gives no random numbers.
pub(crate) fn encrypt(to: &Subscription, text: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut salt = [0; 16];
    rand::fill(&mut salt)?;
    encrypt_with(to, text, &PrivateKey::generate(&ECDH_P256)?, &salt)
}

/// Whether something can be encrypted for it.
pub(crate) fn is_usable(to: &Subscription) -> bool {
    encrypt(to, b"").is_ok()
}

fn encrypt_with(
    to: &Subscription,
    text: &[u8],
    own: &PrivateKey,
    salt: &[u8; 16],
) -> Result<Vec<u8>, Unspecified> {
    if text.len() > TEXT_BYTES_MAX || to.auth.len() != 16 {
        return Err(Unspecified);
    }
    let public = own.compute_public_key()?;
    let (key, nonce) = keys(own, &to.key, [&to.key, public.as_ref()], &to.auth, salt)?;
    // RFC 8188 section 2: the last record ends with 2, and without padding nothing follows.
    let mut sealed = [text, &[2]].concat();
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed)?;
    let public = public.as_ref();
    let head = [&salt[..], &RECORD.to_be_bytes(), &[public.len() as u8], public];
    Ok([&head.concat()[..], &sealed].concat())
}

/// RFC 8291 section 3.4: key and nonce, from one side's private and the other's public key. `both` are the public keys of
/// the browser and of the sender.
fn keys(
    private: &PrivateKey,
    public: &[u8],
    both: [&[u8]; 2],
    auth: &[u8],
    salt: &[u8],
) -> Result<(LessSafeKey, Nonce), Unspecified> {
    let mut input = [0; 32];
    agree(private, UnparsedPublicKey::new(&ECDH_P256, public), Unspecified, |secret| {
        let prk = Salt::new(HKDF_SHA256, auth).extract(secret);
        prk.expand(&[b"WebPush: info\0", both[0], both[1]], Bytes(32))?.fill(&mut input)
    })?;
    let prk = Salt::new(HKDF_SHA256, salt).extract(&input);
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    prk.expand(&[b"Content-Encoding: aes128gcm\0"], Bytes(16))?.fill(&mut key)?;
    prk.expand(&[b"Content-Encoding: nonce\0"], Bytes(12))?.fill(&mut nonce)?;
    Ok((LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?), Nonce::assume_unique_for_key(nonce)))
}

/// The other side, for tests.
pub(crate) mod browser {
    use super::*;

    /// What was sent cannot be read.
    #[derive(Debug)]
    pub struct Unreadable;

    /// A browser that has subscribed.
    pub struct Browser {
        private: PrivateKey,
        auth: [u8; 16],
    }

    impl Browser {
        /// A new one.
        ///
        /// # Errors
        /// The system gives no random numbers.
        pub fn new() -> Result<Browser, Unreadable> {
            let mut auth = [0; 16];
            rand::fill(&mut auth).map_err(|_| Unreadable)?;
            Ok(Browser { private: PrivateKey::generate(&ECDH_P256).map_err(|_| Unreadable)?, auth })
        }

        /// One whose secrets are known.
        ///
        /// # Errors
        /// They are none.
        pub fn known(private: &[u8], auth: [u8; 16]) -> Result<Browser, Unreadable> {
            let private = PrivateKey::from_private_key(&ECDH_P256, private).map_err(|_| Unreadable)?;
            Ok(Browser { private, auth })
        }

        /// What it tells those who shall write to it.
        pub fn subscription(&self, endpoint: &str) -> Subscription {
            let key = self.private.compute_public_key().map(|key| key.as_ref().to_vec()).unwrap_or_default();
            Subscription { endpoint: endpoint.to_owned(), key, auth: self.auth.to_vec() }
        }

        /// Reads what was sent to it.
        ///
        /// # Errors
        /// It was not meant for this browser, or is not whole.
        pub fn read(&self, body: &[u8]) -> Result<Vec<u8>, Unreadable> {
            let (salt, rest) = body.split_at_checked(16).ok_or(Unreadable)?;
            let (_, rest) = rest.split_at_checked(4).ok_or(Unreadable)?;
            let (length, rest) = rest.split_first().ok_or(Unreadable)?;
            let (sender, sealed) = rest.split_at_checked(usize::from(*length)).ok_or(Unreadable)?;
            let own = self.subscription("").key;
            let found = keys(&self.private, sender, [&own, sender], &self.auth, salt);
            let (key, nonce) = found.map_err(|_| Unreadable)?;
            let mut text = sealed.to_vec();
            let text = key.open_in_place(nonce, Aad::empty(), &mut text).map_err(|_| Unreadable)?;
            let end =
                text.iter().rposition(|byte| *byte != 0).filter(|at| text[*at] == 2).ok_or(Unreadable)?;
            Ok(text[..end].to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::browser::Browser;
    use super::*;
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64.decode(text).unwrap()
    }

    /// RFC 8291 appendix A.
    #[test]
    fn agrees_with_the_rfc() {
        let to = Subscription {
            endpoint: String::new(),
            key: bytes(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg"),
        };
        let own = bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let own = PrivateKey::from_private_key(&ECDH_P256, &own).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let text = b"When I grow up, I want to be a watermelon";
        let sealed = encrypt_with(&to, text, &own, &salt).unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w\
            EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(BASE64.encode(&sealed), expected);
        let browser = Browser::known(
            &bytes("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
            to.auth.clone().try_into().unwrap(),
        );
        assert_eq!(browser.unwrap().read(&sealed).unwrap(), text);
    }

    #[test]
    fn only_the_browser_reads_it() {
        let (browser, other) = (Browser::new().unwrap(), Browser::new().unwrap());
        for text in [&b""[..], b"a", &[0; TEXT_BYTES_MAX]] {
            let sealed = encrypt(&browser.subscription(""), text).unwrap();
            assert!(sealed.len() <= 4_096, "{}", sealed.len());
            assert_eq!(browser.read(&sealed).unwrap(), text);
            assert!(other.read(&sealed).is_err());
        }
        assert!(encrypt(&browser.subscription(""), &[0; TEXT_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn odd_keys_are_no_keys() {
        let good = Browser::new().unwrap().subscription("");
        assert!(is_usable(&good));
        let mut off = good.key.clone();
        off[64] ^= 1;
        for key in [Vec::new(), vec![4; 65], vec![0; 65], good.key[..64].to_vec(), off] {
            assert!(!is_usable(&Subscription { key, ..good.clone() }));
        }
        for auth in [Vec::new(), vec![0; 15], vec![0; 17]] {
            assert!(!is_usable(&Subscription { auth, ..good.clone() }));
        }
    }
}
