//! Credentials that expire and that nobody has to store: the name says until when, the password is made from the name.
//!
//! draft-uberti-behave-turn-rest-00, which is what TURN servers in the field understand
//!
//! Not here: who gets them (features, XEP-0215), the key that follows from them (`integrity.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::integrity::hmac;
use crate::limits::{CLOCK_LEEWAY_SECONDS, CREDENTIAL_SECONDS_MAX, USERNAME_BYTES_MAX};

/// What a client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Expiry (Unix seconds), a colon, and whose it is.
    pub username: String,
    /// What proves it.
    pub password: String,
}

/// Credentials for a user until that Unix second.
pub fn issue(secret: &[u8], user: &str, until: u64) -> Credentials {
    let username = format!("{until}:{user}");
    let password = password(secret, &username);
    Credentials { username, password }
}

/// A name for an account that says nothing to who listens on the way, and is always the same.
pub fn pseudonym(secret: &[u8], account: &str) -> String {
    hmac(secret, &[b"account:", account.as_bytes()])
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The password that belongs to a name.
pub fn password(secret: &[u8], username: &str) -> String {
    STANDARD.encode(hmac(secret, &[username.as_bytes()]))
}

/// What a name says: until when it holds, and whose it is.
pub(crate) fn read(username: &str) -> Option<(u64, &str)> {
    let (until, user) = username.split_once(':')?;
    let digits = !until.is_empty() && until.len() <= 12 && until.bytes().all(|byte| byte.is_ascii_digit());
    let until = if digits { until.parse().ok()? } else { return None };
    (username.len() <= USERNAME_BYTES_MAX).then_some((until, user))
}

/// Whether such a name may begin something now: not past, and not of a length that was never given.
pub(crate) fn is_fresh(until: u64, now: u64) -> bool {
    until > now && until <= now + CREDENTIAL_SECONDS_MAX + CLOCK_LEEWAY_SECONDS
}
