//! A password: prepared, bounded, wiped when dropped.
//!
//! SASLprep (RFC 4013) as RFC 5802 2.2 asks of `Normalize`, with the password as a stored string.
//!
//! Not here: rules about good passwords (crate `kernel`); hashing (`scram/keys.rs`).

use crate::limits::PASSWORD_BYTES_MAX;
use std::fmt;
use stringprep::saslprep;
use zeroize::Zeroizing;

/// A prepared password. Has no `Debug`, `Display` or `PartialEq` on purpose.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordError {
    /// Nothing is left of it after preparation.
    Empty,
    /// More than [`PASSWORD_BYTES_MAX`] bytes.
    TooLong,
    /// It holds characters that SASLprep forbids: controls, unassigned in Unicode 3.2 (most emoji), mixed directions.
    Prohibited,
}

impl Password {
    /// Checks the length, then prepares.
    pub fn parse(text: &str) -> Result<Password, PasswordError> {
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let prepared = Zeroizing::new(saslprep(text).map_err(|_| PasswordError::Prohibited)?.into_owned());
        if prepared.is_empty() {
            return Err(PasswordError::Empty);
        }
        Ok(Password(prepared))
    }

    /// The prepared text, for handing it to another verifier (a directory). Do not keep or print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordError::Empty => f.write_str("the password is empty"),
            PasswordError::TooLong => write!(f, "the password is longer than {PASSWORD_BYTES_MAX} bytes"),
            PasswordError::Prohibited => f.write_str("the password holds characters that SASLprep forbids"),
        }
    }
}

impl std::error::Error for PasswordError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_c13_passwords_are_bounded_and_prepared() {
        let long = "x".repeat(1_023);
        let too_long = "x".repeat(1_024);
        let cases: [(&str, Result<&str, PasswordError>); 9] = [
            ("pencil", Ok("pencil")),
            ("I\u{ad}X", Ok("IX")),
            ("\u{2168}", Ok("IX")),
            ("p\u{e9}", Ok("p\u{e9}")),
            ("pe\u{301}", Ok("p\u{e9}")),
            (&long, Ok(&long)),
            (&too_long, Err(PasswordError::TooLong)),
            ("\u{ad}", Err(PasswordError::Empty)),
            ("a\u{7}b", Err(PasswordError::Prohibited)),
        ];
        for (text, expected) in cases {
            let got = Password::parse(text);
            assert_eq!(got.as_ref().map(Password::expose).map_err(|e| *e), expected, "{text:?}");
        }
        assert_eq!(Password::parse("").err(), Some(PasswordError::Empty));
    }
}
