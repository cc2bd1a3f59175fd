//! FAST tokens (XEP-0484 0.2): making them, holding them, and the counter against replay.
//!
//! Not here: the message that proves possession (`ht.rs`); expiry and slots in storage (crate `features`).

use crate::{Condition, Mechanism};
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::{Zeroize, Zeroizing};

/// Random bytes in a token: 256 bits, twice what the HT drafts ask for.
const TOKEN_RANDOM_BYTES: usize = 32;

/// A secret token. Its text is also the HMAC key, so it must be stored as it is. Has no `Debug`, `Display` or `PartialEq` on
/// purpose.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A fresh token of 256 random bits: 43 characters that need no escaping in XML.
    ///
    /// Errors: [`Condition::TemporaryAuthFailure`] when the system gives no random bytes.
    pub fn random() -> Result<Token, Condition> {
        let mut bytes = [0; TOKEN_RANDOM_BYTES];
        rand::fill(&mut bytes).map_err(|_| Condition::TemporaryAuthFailure)?;
        let token = Token(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes)));
        bytes.zeroize();
        Ok(token)
    }

    /// A token read from storage.
    pub fn stored(text: String) -> Token {
        Token(Zeroizing::new(text))
    }

    /// The text for the attribute `token` and for storage. Do not print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The place of a token (XEP-0484 5.3). A fresh token goes into `New`; its first use moves it to `Current`, overwriting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Given to the client, not yet used. Looked at first.
    New,
    /// Used before.
    Current,
}

/// A token that the client may be using.
pub struct Candidate {
    /// Where it was found.
    pub slot: Slot,
    /// The secret.
    pub token: Token,
    /// The mechanism it was asked for. With another one it does not work (XEP-0484 3.3).
    pub mechanism: Mechanism,
    /// Whether its time is over or it is no longer trusted, judged by the caller. Someone who proves to have it learns
    /// `credentials-expired`, everybody else `not-authorized`.
    pub expired: bool,
}

/// Whether the attribute `count` of `<fast/>` may be used with a token whose greatest count so far is `last` (0 for a fresh
/// token); gives the count to store.
///
/// In TLS 1.3 early data the count is required; elsewhere it is checked when present (XEP-0484 3.3). Storing it and
/// comparing it must be one step, or two parallel uses could both pass.
///
/// Errors: [`Condition::NotAuthorized`].
pub fn check_count(last: u64, count: Option<u64>, early_data: bool) -> Result<u64, Condition> {
    match count {
        Some(count) if count > last => Ok(count),
        None if !early_data => Ok(last),
        _ => Err(Condition::NotAuthorized),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c22_a_count_must_grow() {
        let no = Err(Condition::NotAuthorized);
        for (last, count, early_data, expected) in [
            (0, Some(1), true, Ok(1)),
            (5, Some(9), false, Ok(9)),
            (5, Some(5), true, no),
            (5, Some(5), false, no),
            (5, Some(4), true, no),
            (0, Some(0), true, no),
            (u64::MAX, Some(u64::MAX), true, no),
            (5, None, true, no),
            (5, None, false, Ok(5)),
        ] {
            assert_eq!(check_count(last, count, early_data), expected, "{last} {count:?} {early_data}");
        }
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(a.expose().len(), 43);
        assert_ne!(a.expose(), b.expose());
        assert_eq!(Token::stored(a.expose().to_owned()).expose(), a.expose());
    }
}
