//! The tokens of one installation of an account, as versioned JSON.
//!
//! XEP-0484 0.2 section 5.3 (two slots).
//!
//! Not here: when tokens are made, used and forgotten (`tokens.rs`).

use bytes::Bytes;
use sasl::{Candidate, Mechanism, Slot, Token};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::seal::Seal;

/// The version that this release writes and reads. Tokens are soon replaced: what is not understood is forgotten.
const VERSION: u32 = 1;

/// One installation.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<Kept>,
    /// Last login with a token or issue of one, in Unix seconds.
    pub(crate) used: u64,
}

/// One token.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) sealed: String,
    pub(crate) mechanism: String,
    /// Unix seconds.
    pub(crate) issued: u64,
    /// Unix seconds.
    pub(crate) expires: u64,
    /// The greatest count so far.
    #[serde(default)]
    pub(crate) count: u64,
}

impl Entry {
    pub(crate) fn empty(used: u64) -> Entry {
        Entry { v: VERSION, new: None, current: None, used }
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Entry> {
        serde_json::from_slice(bytes).ok().filter(|entry: &Entry| entry.v == VERSION)
    }

    pub(crate) fn write(&self) -> Bytes {
        // Plain values always serialise.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Whether none of its tokens can work any more.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        [&self.new, &self.current].into_iter().flatten().all(|kept| kept.expires <= now)
    }

    /// For the exchange, the new one first.
    pub(crate) fn candidates(&self, seal: &Seal, about: &str, now: u64) -> Vec<Candidate> {
        let slots = [(Slot::New, &self.new), (Slot::Current, &self.current)];
        let candidate = |(slot, kept): (Slot, &Option<Kept>)| {
            let kept = kept.as_ref()?;
            Some(Candidate {
                slot,
                token: seal.open(&kept.sealed, about)?,
                mechanism: Mechanism::parse(&kept.mechanism)?,
                expired: kept.expires <= now,
            })
        };
        slots.into_iter().filter_map(candidate).collect()
    }

    /// Where that token is, if it is still there and for that mechanism.
    pub(crate) fn slot_of(
        &self,
        seal: &Seal,
        about: &str,
        token: &Token,
        mechanism: Mechanism,
    ) -> Option<Slot> {
        let same = |kept: &Option<Kept>| {
            let Some(kept) = kept.as_ref().filter(|kept| kept.mechanism == mechanism.name()) else {
                return false;
            };
            let held = seal.open(&kept.sealed, about);
            held.is_some_and(|held| held.expose().as_bytes().ct_eq(token.expose().as_bytes()).into())
        };
        [(Slot::New, &self.new), (Slot::Current, &self.current)]
            .into_iter()
            .find(|(_, kept)| same(kept))
            .map(|(slot, _)| slot)
    }
}
