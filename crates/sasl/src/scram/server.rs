//! The server's part of a SCRAM exchange (RFC 5802 3 and 5), in three states: set up, waiting for keys, challenged.
//!
//! Not here: the grammar (`parse.rs`).

use super::nonce::Nonce;
use super::parse::{ClientFinal, ClientFirst, Flag};
use crate::encoding::encode_base64;
use crate::{Binding, Channel, Condition, Hash, Keys, Mechanism, Offer, Success, downgrade};
use subtle::ConstantTimeEq;

/// What is known before the client speaks.
pub(crate) struct Setup {
    mechanism: Mechanism,
    hash: Hash,
    plus_offered: bool,
    bindings: Vec<(Binding, Vec<u8>)>,
    nonce: Nonce,
    attributes: String,
}

/// Client-first is read, the keys are missing.
pub(crate) struct Pending {
    mechanism: Mechanism,
    hash: Hash,
    username: String,
    authzid: Option<String>,
    binding: Option<Binding>,
    /// What `c=` must decode to: the GS2 header and the channel binding data.
    bound: Vec<u8>,
    client_first_bare: String,
    nonce: String,
    attributes: String,
}

/// Server-first is sent.
pub(crate) struct Challenged {
    pending: Pending,
    keys: Keys,
    server_first: String,
}

impl Setup {
    /// `None` when the mechanism is not SCRAM.
    pub(crate) fn new(mechanism: Mechanism, offer: &Offer, channel: &Channel, nonce: Nonce) -> Option<Setup> {
        let hash = mechanism.scram_hash()?;
        let data = |binding: &Binding| channel.data(*binding).map(|data| (*binding, data.to_vec()));
        Some(Setup {
            mechanism,
            hash,
            plus_offered: offer.has_plus(),
            bindings: offer.bindings().iter().filter_map(data).collect(),
            nonce,
            attributes: downgrade::attributes(offer, channel, hash),
        })
    }

    /// Takes client-first.
    pub(crate) fn handle_first(self, message: &[u8]) -> Result<Pending, Condition> {
        let first = ClientFirst::parse(message)?;
        let binding = self.binding(first.flag)?;
        let mut bound = first.header.as_bytes().to_vec();
        if let Some((_, data)) = binding {
            bound.extend_from_slice(data);
        }
        Ok(Pending {
            mechanism: self.mechanism,
            hash: self.hash,
            binding: binding.map(|(binding, _)| *binding),
            bound,
            client_first_bare: first.bare.to_owned(),
            nonce: format!("{}{}", first.nonce, self.nonce.as_str()),
            username: first.username,
            authzid: first.authzid,
            attributes: self.attributes,
        })
    }

    /// RFC 5802 6: the flag must fit the mechanism, and `y` while we offered binding means that somebody removed the offer.
    fn binding(&self, flag: Flag<'_>) -> Result<Option<&(Binding, Vec<u8>)>, Condition> {
        match (flag, self.mechanism.is_plus()) {
            (Flag::NotOffered, false) if self.plus_offered => Err(Condition::NotAuthorized),
            (Flag::NotOffered | Flag::Unsupported, false) => Ok(None),
            (Flag::Bound(name), true) => self
                .bindings
                .iter()
                .find(|(binding, _)| binding.name() == name)
                .map(Some)
                .ok_or(Condition::MalformedRequest),
            _ => Err(Condition::MalformedRequest),
        }
    }
}

impl Pending {
    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// Takes the keys and gives server-first. `None` when they are for another hash.
    pub(crate) fn handle_keys(self, keys: Keys) -> Option<(Challenged, Vec<u8>)> {
        if keys.keys.hash() != self.hash {
            return None;
        }
        let salt = encode_base64(keys.keys.salt());
        let server_first =
            format!("r={},s={salt},i={}{}", self.nonce, keys.keys.iterations(), self.attributes);
        let message = server_first.clone().into_bytes();
        Some((Challenged { pending: self, keys, server_first }, message))
    }
}

impl Challenged {
    /// Takes client-final. All checks give the same failure, and none of them looks at whether the user exists.
    pub(crate) fn handle_final(self, message: &[u8]) -> Result<Success, Condition> {
        let last = ClientFinal::parse(message, self.pending.hash)?;
        let same_nonce = last.nonce.as_bytes().ct_eq(self.pending.nonce.as_bytes());
        let same_bound = last.bound.ct_eq(&self.pending.bound);
        let (hash, keys) = (self.pending.hash, &self.keys.keys);
        let parts = [&self.pending.client_first_bare, ",", &self.server_first, ",", last.without_proof];
        let auth_message = parts.map(str::as_bytes);

        let client_signature = hash.hmac(keys.stored_key(), &auth_message);
        let client_key =
            last.proof.xor(client_signature.as_bytes()).ok_or(Condition::TemporaryAuthFailure)?;
        let right_proof = hash.digest(client_key.as_bytes()).ct_eq(keys.stored_key());
        let server_signature = hash.hmac(keys.server_key(), &auth_message);
        if !bool::from(same_nonce & same_bound & right_proof & self.keys.real) {
            return Err(Condition::NotAuthorized);
        }
        let success = Success::new(self.pending.mechanism, Some(self.pending.username));
        Ok(Success {
            authzid: self.pending.authzid,
            data: Some(format!("v={}", encode_base64(server_signature.as_bytes())).into_bytes()),
            binding: self.pending.binding,
            ..success
        })
    }
}
