//! Names that nobody can guess.
//!
//! XEP-0363 section 10 (long random parts in addresses).
//!
//! Not here: names of files (`names.rs`).

use aws_lc_rs::{digest, rand};
use store::{Fault, FaultKind};
use subtle::ConstantTimeEq;

/// Random bytes of a token and of a secret: more than anybody can try.
const BYTES: usize = 20;

/// A new token, in hexadecimal digits.
pub(crate) fn token() -> Result<String, Fault> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| Fault::new(FaultKind::Misuse, "no random numbers"))?;
    Ok(hex(&bytes))
}

/// Whether a text has the form of a token.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What is stored of a secret.
pub(crate) fn hash(secret: &str) -> String {
    hex(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

/// Whether that is the secret of this hash.
pub(crate) fn proves(secret: &str, wanted: &str) -> bool {
    hash(secret).as_bytes().ct_eq(wanted.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_secrets_are_known_again() {
        let (one, two) = (token().unwrap(), token().unwrap());
        assert!(is_token(&one) && is_token(&two) && one != two);
        for bad in
            ["", "..", &one[1..], &one.to_uppercase(), &format!("{one}0"), &one.replace(&one[..1], "/")]
        {
            assert!(bad == one || !is_token(bad), "{bad}");
        }
        assert!(proves(&one, &hash(&one)) && !proves(&two, &hash(&one)));
    }
}
