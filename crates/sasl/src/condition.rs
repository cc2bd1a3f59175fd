//! SASL error conditions (RFC 6120 6.5).
//!
//! Not here: the `<failure/>` element around them (crate `stream`).

use std::fmt;

/// Why an exchange failed, as the peer gets to see it (RFC 6120 6.5).
///
/// An unknown user, a disabled account, a wrong password, a wrong token and wrong channel binding data are all
/// [`Condition::NotAuthorized`], so the answer tells nobody which accounts exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The client gave up (RFC 6120 6.5.1).
    Aborted,
    /// The account is closed for now (6.5.2). Only for someone who has proved to be its owner.
    AccountDisabled,
    /// The credentials were right but are no longer valid (6.5.3).
    CredentialsExpired,
    /// The mechanism needs a secure channel first (6.5.4).
    EncryptionRequired,
    /// The data was not base64 (6.5.5).
    IncorrectEncoding,
    /// The authenticated user may not act as that identity (6.5.6).
    InvalidAuthzid,
    /// The mechanism was not offered (6.5.7).
    InvalidMechanism,
    /// The message breaks the syntax of the mechanism (6.5.8).
    MalformedRequest,
    /// The mechanism is too weak for this user (6.5.9).
    MechanismTooWeak,
    /// The proof of identity was not accepted (6.5.10).
    NotAuthorized,
    /// We could not decide; the client may try again (6.5.11).
    TemporaryAuthFailure,
}

impl Condition {
    /// The element name in the namespace `urn:ietf:params:xml:ns:xmpp-sasl`.
    pub const fn name(self) -> &'static str {
        match self {
            Condition::Aborted => "aborted",
            Condition::AccountDisabled => "account-disabled",
            Condition::CredentialsExpired => "credentials-expired",
            Condition::EncryptionRequired => "encryption-required",
            Condition::IncorrectEncoding => "incorrect-encoding",
            Condition::InvalidAuthzid => "invalid-authzid",
            Condition::InvalidMechanism => "invalid-mechanism",
            Condition::MalformedRequest => "malformed-request",
            Condition::MechanismTooWeak => "mechanism-too-weak",
            Condition::NotAuthorized => "not-authorized",
            Condition::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Condition {}
