//! The server's part of the SCRAM nonce (RFC 5802 5.1).
//!
//! Not here: the client's part (`parse.rs`).

use crate::Condition;
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Random bytes in a nonce: 144 bits, 24 characters.
const NONCE_RANDOM_BYTES: usize = 18;

/// A server nonce. Use each one once.
#[derive(Clone)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh one.
    ///
    /// Errors: [`Condition::TemporaryAuthFailure`] when the system gives no random bytes.
    pub fn random() -> Result<Nonce, Condition> {
        let mut bytes = [0; NONCE_RANDOM_BYTES];
        rand::fill(&mut bytes).map_err(|_| Condition::TemporaryAuthFailure)?;
        Ok(Nonce(STANDARD.encode(bytes)))
    }

    /// A given one, for tests with a known outcome; `None` unless it is printable ASCII without comma.
    pub fn fixed(text: &str) -> Option<Nonce> {
        is_nonce(text).then(|| Nonce(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it is one or more `printable` of RFC 5802 7.
pub(crate) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}
