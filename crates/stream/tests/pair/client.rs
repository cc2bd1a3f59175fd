//! The client's side: framing of what it says, and its SASL.
//!
//! Not here: what it says (the tests).

use aws_lc_rs::{digest, hmac, pbkdf2};
use sasl::{Hash, decode_base64, encode_base64};
use std::num::NonZeroU32;
use stream::Open;

use super::Pair;

/// `[…]` marks and the text between them.
pub fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        let end = rest[at..].find(']').map(|end| at + end + 1).unwrap_or(rest.len());
        parts.extend([&rest[..at], &rest[at..end]].into_iter().filter(|part| !part.is_empty()));
        rest = &rest[end..];
    }
    parts.extend(Some(rest).filter(|part| !part.is_empty()));
    parts
}

pub fn tcp(part: &str) -> String {
    match part.strip_prefix("[open") {
        Some(attributes) => format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'{}>",
            attributes.trim_end_matches(']')
        ),
        None if part == "[close]" => "</stream:stream>".to_owned(),
        None => part.to_owned(),
    }
}

pub fn web_socket(part: &str) -> String {
    match part.strip_prefix("[open") {
        Some(attributes) => {
            format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'{}/>", attributes.trim_end_matches(']'))
        }
        None if part == "[close]" => "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>".to_owned(),
        None => with_namespace(part),
    }
}

pub enum Bosh {
    Open(Open),
    Close,
    Element(String),
}

pub fn bosh(part: &str) -> Bosh {
    match part.strip_prefix("[open") {
        Some(attributes) => Bosh::Open(Pair::open_of(attributes.trim_end_matches(']'))),
        None if part == "[close]" => Bosh::Close,
        None => Bosh::Element(with_namespace(part)),
    }
}

/// A stanza in a frame says its namespace.
fn with_namespace(part: &str) -> String {
    for name in ["message", "presence", "iq"] {
        let Some(rest) = part.strip_prefix(&format!("<{name}")) else { continue };
        let tag = &rest[..rest.find('>').unwrap_or(rest.len())];
        if rest.starts_with([' ', '>', '/']) && !tag.contains("xmlns=") {
            return format!("<{name} xmlns='jabber:client'{rest}");
        }
    }
    part.to_owned()
}

pub fn plain(authzid: &str, username: &str, password: &str) -> String {
    encode_base64(format!("{authzid}\0{username}\0{password}").as_bytes())
}

/// The initiator's message of `HT-SHA-256-*`.
pub fn hashed_token(username: &str, token: &str, binding: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    let mut data = b"Initiator".to_vec();
    data.extend_from_slice(binding);
    let mut message = format!("{username}\0").into_bytes();
    message.extend_from_slice(hmac::sign(&key, &data).as_ref());
    encode_base64(&message)
}

/// A SCRAM client (RFC 5802).
pub struct Scram {
    hash: Hash,
    gs2: String,
    binding: Vec<u8>,
    bare: String,
    signature: Vec<u8>,
}

impl Scram {
    /// `binding`: for `-PLUS`, the kind and the data.
    pub fn new(hash: Hash, username: &str, binding: Option<(&str, &[u8])>) -> Scram {
        let gs2 = binding.map_or("n,,".to_owned(), |(name, _)| format!("p={name},,"));
        let binding = binding.map(|(_, data)| data.to_vec()).unwrap_or_default();
        Scram { hash, gs2, binding, bare: format!("n={username},r=clientnonce"), signature: Vec::new() }
    }

    pub fn first(&self) -> String {
        encode_base64(format!("{}{}", self.gs2, self.bare).as_bytes())
    }

    /// The answer to the server's challenge.
    pub fn last(&mut self, challenge: &str, password: &str) -> String {
        let server = String::from_utf8(decode_base64(challenge).unwrap().to_vec()).unwrap();
        let field = |name: &str| server.split(',').find_map(|f| f.strip_prefix(name)).unwrap();
        let salt = decode_base64(field("s=")).unwrap();
        let iterations: u32 = field("i=").parse().unwrap();
        let salted = salted(self.hash, &salt, iterations, password);
        let mut bound = self.gs2.clone().into_bytes();
        bound.extend_from_slice(&self.binding);
        let without_proof = format!("c={},r={}", encode_base64(&bound), field("r="));
        let message = format!("{},{server},{without_proof}", self.bare);
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = digest::digest(self.digest(), &client_key);
        let signature = self.hmac(stored_key.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server_key = self.hmac(&salted, b"Server Key");
        self.signature = self.hmac(&server_key, message.as_bytes());
        encode_base64(format!("{without_proof},p={}", encode_base64(&proof)).as_bytes())
    }

    /// What the server must prove in the end.
    pub fn expected(&self) -> String {
        encode_base64(format!("v={}", encode_base64(&self.signature)).as_bytes())
    }

    fn hmac(&self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self.hash {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn digest(&self) -> &'static digest::Algorithm {
        match self.hash {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }
}

/// RFC 5802: SaltedPassword.
pub fn salted(hash: Hash, salt: &[u8], iterations: u32, password: &str) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    let mut salted = vec![0; hash.output_len()];
    let iterations = NonZeroU32::new(iterations).unwrap();
    pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
    salted
}

/// The text of the first element of that name.
pub fn text_of(xml: &str, name: &str) -> String {
    let start = xml.find(&format!("<{name}")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    let open = start + xml[start..].find('>').unwrap() + 1;
    let end = open + xml[open..].find('<').unwrap();
    xml[open..end].to_owned()
}
