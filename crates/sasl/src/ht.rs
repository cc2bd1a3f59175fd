//! The Hashed Token mechanisms `HT-SHA-256-*` (draft-schmaus-kitten-sasl-ht-09) that XEP-0484 uses.
//!
//! Not here: tokens themselves (`token.rs`), `HT2-*`.

use crate::limits::{TOKENS_MAX, USERNAME_BYTES_MAX};
use crate::secret::Key;
use crate::{Candidate, Condition, Hash, Mechanism, Slot, Success};
use subtle::ConditionallySelectable;

/// The only hash of the family we offer.
const HASH: Hash = Hash::Sha256;

/// The client's message, waiting for the tokens.
pub(crate) struct Pending {
    mechanism: Mechanism,
    binding_data: Vec<u8>,
    username: String,
    proof: Key,
}

/// What the constant-time loop found.
const NONE: u8 = 0;
const FOUND: u8 = 1;

impl Pending {
    /// Reads `authcid NUL initiator-hashed-token`. The hash may hold NUL bytes, the name may not.
    pub(crate) fn parse(
        mechanism: Mechanism,
        binding_data: &[u8],
        message: &[u8],
    ) -> Result<Pending, Condition> {
        let end = message.iter().position(|byte| *byte == 0).ok_or(Condition::MalformedRequest)?;
        let (username, proof) = (&message[..end], &message[end + 1..]);
        let username = std::str::from_utf8(username).map_err(|_| Condition::MalformedRequest)?;
        let lengths_fit =
            (1..=USERNAME_BYTES_MAX).contains(&username.len()) && proof.len() == HASH.output_len();
        if !lengths_fit {
            return Err(Condition::MalformedRequest);
        }
        let proof = Key::new(proof).ok_or(Condition::MalformedRequest)?;
        Ok(Pending { mechanism, binding_data: binding_data.to_vec(), username: username.to_owned(), proof })
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    /// Compares with the candidates: always the same number of HMACs, so time tells nothing about how many there were.
    pub(crate) fn finish(self, mut candidates: Vec<Candidate>) -> Result<Success, Condition> {
        // `New` is looked at first (XEP-0484 5.3).
        candidates.sort_by_key(|candidate| candidate.slot == Slot::Current);
        candidates.truncate(TOKENS_MAX);
        let mut winner = None;
        for place in 0..TOKENS_MAX {
            let candidate = candidates.get(place).filter(|c| c.mechanism == self.mechanism);
            let secret = candidate.map_or("", |c| c.token.expose());
            let right = self.hmac(secret, b"Initiator").ct_eq(self.proof.as_bytes());
            let found = u8::conditional_select(&NONE, &FOUND, right);
            if let Some(candidate) = candidate.filter(|c| found == FOUND && !c.token.expose().is_empty()) {
                winner = winner.or(Some(candidate));
            }
        }
        let winner = winner.ok_or(Condition::NotAuthorized)?;
        if winner.expired {
            return Err(Condition::CredentialsExpired);
        }
        let data = self.hmac(winner.token.expose(), b"Responder").as_bytes().to_vec();
        let (slot, mechanism) = (winner.slot, self.mechanism);
        let success = Success::new(mechanism, Some(self.username));
        Ok(Success { data: Some(data), slot: Some(slot), ..success })
    }

    fn hmac(&self, secret: &str, label: &[u8]) -> Key {
        HASH.hmac(secret.as_bytes(), &[label, &self.binding_data])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;

    const SECRET: &str = "a-token-of-the-test-client";
    const DATA: [u8; 32] = [7; 32];

    /// Computed with another implementation: HMAC-SHA-256 over `Initiator` and `Responder`, without and with `DATA`.
    const UNBOUND: [&str; 2] = [
        "f7361d6caf07e99c2b89c282c61b9a25ccba3788ffeba13d888b511fb1dc622c",
        "880b3aecff58378d910f7a0a2f8868a42fb150666cecb88d878c8c94848bdc45",
    ];
    const BOUND: [&str; 2] = [
        "0f6563a7d0e85038e5218bf110d2f8da0d4841cccef496a903a5f1aafd79e2bd",
        "94ed31dc7b3de5bde074db35379848124ccbd0f2689d12967871c59a84de58d8",
    ];

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn candidate(slot: Slot, secret: &str, mechanism: Mechanism, expired: bool) -> Candidate {
        Candidate { slot, token: Token::stored(secret.to_owned()), mechanism, expired }
    }

    fn run(
        mechanism: Mechanism,
        data: &[u8],
        proof: &str,
        candidates: Vec<Candidate>,
    ) -> Result<(Slot, Vec<u8>), Condition> {
        let message = [b"user\0".to_vec(), unhex(proof)].concat();
        let success = Pending::parse(mechanism, data, &message)?.finish(candidates)?;
        assert_eq!(success.username.as_deref(), Some("user"));
        Ok((success.slot.unwrap(), success.data.unwrap()))
    }

    #[test]
    fn right_tokens_are_taken_and_answered() {
        let none = Mechanism::HtSha256None;
        let expr = Mechanism::HtSha256Expr;
        let right = |slot, mechanism| candidate(slot, SECRET, mechanism, false);
        let other = |slot, mechanism| candidate(slot, "other", mechanism, false);
        for (mechanism, data, [proof, answer], candidates, slot) in [
            (none, &[][..], UNBOUND, vec![right(Slot::Current, none)], Slot::Current),
            (none, &[], UNBOUND, vec![right(Slot::New, none)], Slot::New),
            (none, &[], UNBOUND, vec![other(Slot::New, none), right(Slot::Current, none)], Slot::Current),
            (none, &[], UNBOUND, vec![other(Slot::Current, none), right(Slot::New, none)], Slot::New),
            (none, &[], UNBOUND, vec![right(Slot::New, expr), right(Slot::Current, none)], Slot::Current),
            (expr, &DATA, BOUND, vec![right(Slot::Current, expr)], Slot::Current),
        ] {
            assert_eq!(run(mechanism, data, proof, candidates), Ok((slot, unhex(answer))));
        }
    }

    #[test]
    fn wrong_tokens_are_refused() {
        let (none, endp, expr) = (Mechanism::HtSha256None, Mechanism::HtSha256Endp, Mechanism::HtSha256Expr);
        let refused = Err(Condition::NotAuthorized);
        let with = |secret, mechanism, expired| vec![candidate(Slot::Current, secret, mechanism, expired)];
        for (row, mechanism, data, proof, candidates, expected) in [
            ("C-05d unknown user", none, &[][..], UNBOUND[0], vec![], refused.clone()),
            ("wrong token", none, &[], UNBOUND[0], with("other", none, false), refused.clone()),
            ("wrong and expired", none, &[], UNBOUND[0], with("other", none, true), refused.clone()),
            ("the responder's proof", none, &[], UNBOUND[1], with(SECRET, none, false), refused.clone()),
            ("C-23 bound to another", none, &[], UNBOUND[0], with(SECRET, expr, false), refused.clone()),
            ("C-23 bound to another", expr, &DATA, BOUND[0], with(SECRET, none, false), refused.clone()),
            ("C-23 bound to another", endp, &DATA, BOUND[0], with(SECRET, expr, false), refused.clone()),
            ("C-07 other connection", expr, &[8; 32], BOUND[0], with(SECRET, expr, false), refused.clone()),
            ("C-07 not bound", expr, &DATA, UNBOUND[0], with(SECRET, expr, false), refused),
            (
                "C-24 expired",
                none,
                &[],
                UNBOUND[0],
                with(SECRET, none, true),
                Err(Condition::CredentialsExpired),
            ),
        ] {
            assert_eq!(run(mechanism, data, proof, candidates), expected, "{row}");
        }
    }

    #[test]
    fn an_empty_stored_token_opens_nothing() {
        let proof = HASH.hmac(b"", &[b"Initiator"]);
        let message = [b"user\0", proof.as_bytes()].concat();
        let pending = Pending::parse(Mechanism::HtSha256None, &[], &message).unwrap();
        let candidates = vec![candidate(Slot::New, "", Mechanism::HtSha256None, false)];
        assert_eq!(pending.finish(candidates), Err(Condition::NotAuthorized));
    }
}
