//! What is answered to an authority that wants proof of a name by HTTP.
//!
//! RFC 8555 section 8.3 (http-01)
//!
//! Not here: the route (`http/challenge.rs`), proof by TLS (`TlsStore`), asking for certificates (crate `acme`).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Where authorities look.
pub(crate) const PATH: &str = "/.well-known/acme-challenge/";

/// The answers, by token.
#[derive(Debug, Default)]
pub struct Challenges(RwLock<HashMap<String, String>>);

impl Challenges {
    /// From now on this is answered for a token.
    pub fn begin(&self, token: &str, answer: &str) {
        let mut answers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), answer.to_owned());
    }

    /// No longer.
    pub fn end(&self, token: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    /// The answer to a token.
    pub fn answer(&self, token: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}
