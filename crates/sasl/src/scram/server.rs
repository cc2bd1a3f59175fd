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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoy, Password, ScramKeys};

    struct Vector {
        from: &'static str,
        mechanism: Mechanism,
        salt: &'static [u8],
        iterations: u32,
        attributes: &'static str,
        nonce: &'static str,
        messages: [&'static str; 4],
    }

    const FAKE_DATA: &[u8] = b"THIS IS FAKE CB DATA";
    const SALT_1: &[u8] = &[0x41, 0x25, 0xc2, 0x47, 0xe4, 0x3a, 0xb1, 0xe9, 0x3c, 0x6d, 0xff, 0x76];
    const SALT_2: &[u8] =
        &[0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];

    /// The user is `user` and the password `pencil` in all of them. The SHA-512 one was computed with another
    /// implementation.
    const VECTORS: [Vector; 5] = [
        Vector {
            from: "RFC 5802 5",
            mechanism: Mechanism::ScramSha1,
            salt: SALT_1,
            iterations: 4_096,
            attributes: "",
            nonce: "3rfcNHYJY1ZVvWVs7j",
            messages: [
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ],
        },
        Vector {
            from: "RFC 7677 3",
            mechanism: Mechanism::ScramSha256,
            salt: SALT_2,
            iterations: 4_096,
            attributes: "",
            nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            messages: [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        },
        Vector {
            from: "SHA-512",
            mechanism: Mechanism::ScramSha512,
            salt: SALT_2,
            iterations: 10_000,
            attributes: "",
            nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            messages: [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=10000",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=sScffJ11LZ4TfY4PVI/6/9rMIHpix12AijdjQOPWK26er2vRtW/osDSi/hegaCFWfI91sJZd0bevncVEhUg0wQ==",
                "v=RjtcFh+1kT0TmNH2klLiCXHiJLvMLwWuSSjecIns8FBSn0XXRb3iv2qU96STCkYC2Go0feONylPqhw46oweC5A==",
            ],
        },
        Vector {
            from: "XEP-0474 4.3",
            mechanism: Mechanism::ScramSha1Plus,
            salt: SALT_1,
            iterations: 4_096,
            attributes: ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
            nonce: "a09117a6-ac50-4f2f-93f1-93799c2bddf6",
            messages: [
                "p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
                "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                 s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
                "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
                 r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                 x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=",
                "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=",
            ],
        },
        Vector {
            from: "XEP-0515 4.3",
            mechanism: Mechanism::ScramSha1Plus,
            salt: SALT_1,
            iterations: 4_096,
            attributes: ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304",
            nonce: "a09117a6-ac50-4f2f-93f1-93799c2bddf6",
            messages: [
                "p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
                "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                 s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304",
                "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
                 r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                 p=KHUfN8dSy1K95crT4D5y1ItLJfs=",
                "v=3w34ZIMVRkx2f2Ozb3/ecRPVdv4=",
            ],
        },
    ];

    fn setup(vector: &Vector) -> Setup {
        Setup {
            mechanism: vector.mechanism,
            hash: vector.mechanism.scram_hash().unwrap(),
            plus_offered: vector.mechanism.is_plus(),
            bindings: vec![(Binding::TlsExporter, FAKE_DATA.to_vec())],
            nonce: Nonce::fixed(vector.nonce).unwrap(),
            attributes: vector.attributes.to_owned(),
        }
    }

    #[test]
    fn published_exchanges_are_reproduced_byte_for_byte() {
        for vector in &VECTORS {
            let [first, server_first, last, server_final] = vector.messages;
            let pending = setup(vector).handle_first(first.as_bytes()).unwrap();
            assert_eq!(pending.username(), "user");
            let password = Password::parse("pencil").unwrap();
            let keys = ScramKeys::derive(pending.hash(), &password, vector.salt, vector.iterations).unwrap();
            let keys = Decoy::new(&[0; 32]).keys("user", pending.hash(), Some(keys));
            let (challenged, message) = pending.handle_keys(keys).unwrap();
            assert_eq!(String::from_utf8(message).unwrap(), server_first, "{}", vector.from);
            let success = challenged.handle_final(last.as_bytes()).unwrap();
            assert_eq!(success.data.as_deref(), Some(server_final.as_bytes()), "{}", vector.from);
            assert_eq!(success.binding.is_some(), vector.mechanism.is_plus());
        }
    }
}
