//! PLAIN (RFC 4616): reading its one message.
//!
//! Not here: checking the password (the caller, on another thread).

use crate::limits::{AUTHZID_BYTES_MAX, PASSWORD_BYTES_MAX, USERNAME_BYTES_MAX};
use crate::{Condition, Password};

/// The three fields of the message.
pub(crate) struct Message {
    pub(crate) authzid: Option<String>,
    pub(crate) username: String,
    pub(crate) password: Password,
}

/// Reads `[authzid] NUL authcid NUL passwd`.
///
/// A password that SASLprep forbids cannot be anyone's, so it is refused like a wrong one.
pub(crate) fn parse(message: &[u8]) -> Result<Message, Condition> {
    let text = std::str::from_utf8(message).map_err(|_| Condition::MalformedRequest)?;
    let mut fields = text.split('\0');
    let (Some(authzid), Some(username), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Condition::MalformedRequest);
    };
    let lengths_fit = authzid.len() <= AUTHZID_BYTES_MAX
        && (1..=USERNAME_BYTES_MAX).contains(&username.len())
        && (1..=PASSWORD_BYTES_MAX).contains(&password.len());
    if !lengths_fit {
        return Err(Condition::MalformedRequest);
    }
    Ok(Message {
        authzid: (!authzid.is_empty()).then(|| authzid.to_owned()),
        username: username.to_owned(),
        password: Password::parse(password).map_err(|_| Condition::NotAuthorized)?,
    })
}
