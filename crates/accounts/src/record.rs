//! The document of an account: keys and standing, as versioned JSON. Never a password.
//!
//! Not here: tokens (`token_record.rs`), who reads and writes it (`accounts.rs`).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sasl::{Hash, ScramKeys};
use serde::{Deserialize, Serialize};
use store::{Fault, FaultKind};

/// The version that this release writes, and the newest that it reads.
const VERSION: u32 = 1;

/// An account.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    v: u32,
    /// Unix seconds.
    pub(crate) created: u64,
    #[serde(default)]
    pub(crate) suspended: bool,
    #[serde(default)]
    pub(crate) admin: bool,
    /// By [`Hash::name`].
    keys: BTreeMap<String, Keys>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Keys {
    salt: String,
    iterations: u32,
    stored: String,
    server: String,
}

impl Record {
    pub(crate) fn new(created: u64, keys: &[ScramKeys]) -> Record {
        let mut record =
            Record { v: VERSION, created, suspended: false, admin: false, keys: BTreeMap::new() };
        record.set_keys(keys);
        record
    }

    /// Replaces all keys.
    pub(crate) fn set_keys(&mut self, keys: &[ScramKeys]) {
        self.keys = keys.iter().map(|keys| (keys.hash().name().to_owned(), Keys::of(keys))).collect();
    }

    /// Adds keys, or replaces those of the same hash.
    pub(crate) fn add_keys(&mut self, keys: &ScramKeys) {
        self.keys.insert(keys.hash().name().to_owned(), Keys::of(keys));
    }

    /// The keys for a hash, if the account has them and they are in order.
    pub(crate) fn keys(&self, hash: Hash) -> Option<ScramKeys> {
        let keys = self.keys.get(hash.name())?;
        let decode = |text: &str| STANDARD.decode(text).ok();
        let (salt, stored, server) = (decode(&keys.salt)?, decode(&keys.stored)?, decode(&keys.server)?);
        ScramKeys::import(hash, salt, u64::from(keys.iterations), &stored, &server).ok()
    }

    /// The hash to check a password with: the wanted one, or else the best that the account has.
    pub(crate) fn best(&self, wanted: Hash) -> Hash {
        let has = |hash: &Hash| self.keys.contains_key(hash.name());
        std::iter::once(wanted).chain(Hash::ALL.into_iter().rev()).find(has).unwrap_or(wanted)
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Record, Fault> {
        // serde_json's words may quote the document, which is secret: only the place is told.
        let corrupt = |error: serde_json::Error| {
            let cause =
                format!("account document: broken at line {} column {}", error.line(), error.column());
            Fault::new(FaultKind::Corrupt, cause)
        };
        let record: Record = serde_json::from_slice(bytes).map_err(corrupt)?;
        if record.v > VERSION {
            let cause = format!("account document of version {}, this release knows {VERSION}", record.v);
            return Err(Fault::new(FaultKind::TooNew, cause));
        }
        Ok(record)
    }

    pub(crate) fn write(&self) -> Bytes {
        // Maps with text keys and plain values always serialise.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

impl Keys {
    fn of(keys: &ScramKeys) -> Keys {
        Keys {
            salt: STANDARD.encode(keys.salt()),
            iterations: keys.iterations(),
            stored: STANDARD.encode(keys.stored_key()),
            server: STANDARD.encode(keys.server_key()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sasl::Password;

    fn keys(hash: Hash) -> ScramKeys {
        ScramKeys::derive(hash, &Password::parse("pencil").unwrap(), b"salt", 4_096).unwrap()
    }

    #[test]
    fn a_record_survives_and_holds_no_password() {
        let record = Record::new(7, &[keys(Hash::Sha256), keys(Hash::Sha1)]);
        let bytes = record.write();
        assert!(!String::from_utf8_lossy(&bytes).contains("pencil"));
        let back = Record::read(&bytes).unwrap();
        assert_eq!((back.created, back.suspended, back.admin), (7, false, false));
        assert!(back.keys(Hash::Sha1).unwrap().verify_password(&Password::parse("pencil").unwrap()));
        assert!(back.keys(Hash::Sha512).is_none());
        assert_eq!(back.best(Hash::Sha512), Hash::Sha256);
        assert_eq!(back.best(Hash::Sha1), Hash::Sha1);
    }

    #[test]
    fn c14_records_that_are_broken_or_too_new_are_faults() {
        for (text, kind) in [
            ("", FaultKind::Corrupt),
            ("{}", FaultKind::Corrupt),
            (r#"{"v":2,"created":0,"keys":{}}"#, FaultKind::TooNew),
        ] {
            assert_eq!(Record::read(text.as_bytes()).err().map(|f| f.kind()), Some(kind), "{text}");
        }
        let wild = r#"{"v":1,"created":0,"keys":{"SHA-1":{"salt":"c2FsdA==","iterations":1,"stored":"","server":""}}}"#;
        assert!(Record::read(wild.as_bytes()).unwrap().keys(Hash::Sha1).is_none());
    }
}
