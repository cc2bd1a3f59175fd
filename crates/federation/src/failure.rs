//! What senders are told when their stanza does not arrive.
//!
//! RFC 6120 sections 8.3.3.16 and 8.3.3.17
//!
//! Not here: when that is (`lane.rs`), how it gets to them (engine).

use stanza::{Condition, ErrorType, StanzaError};

use crate::counters::Failure;

/// The error for it.
pub(crate) fn error(failure: Failure) -> StanzaError {
    let not_found = StanzaError::from(Condition::RemoteServerNotFound);
    let timeout = StanzaError::from(Condition::RemoteServerTimeout);
    match failure {
        Failure::NotFound => not_found,
        Failure::Forbidden => not_found.text("the server's address is not one of the public network"),
        Failure::Unreachable | Failure::Expired => timeout,
        Failure::NoTls => timeout.ty(ErrorType::Cancel).text("the server does not offer encryption"),
        Failure::Certificate => {
            timeout.ty(ErrorType::Cancel).text("the server's certificate does not prove who it is")
        }
        Failure::NotAuthenticated => {
            timeout.ty(ErrorType::Cancel).text("the server does not believe this one")
        }
        Failure::Blocked => {
            StanzaError::from(Condition::NotAllowed).text("this server does not talk with that one")
        }
        Failure::TooLarge => {
            StanzaError::from(Condition::PolicyViolation).text("the server takes no stanza of that size")
        }
        Failure::Full => Condition::ResourceConstraint.into(),
    }
}
