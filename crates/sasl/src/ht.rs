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
