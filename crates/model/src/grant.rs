//! Rights that are about to be proven, and may be taken back before they are used.
//!
//! Between the moment when an account's keys are read and the moment when its stream gets a resource the password may
//! change, or the account be suspended. What was proven with the old keys is then worth nothing (C-28).
//!
//! Not here: who takes them back (accounts), who asks whether they still hold (accounts, engine).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use address::Bare;

/// Numbers that change with what they stand for. Accounts that share one only fail to log in when the other's password
/// changes at the same moment; a client then tries again.
const STRIPES: usize = 4_096;

/// How often each account's credentials or standing were changed since the start of the process; for many accounts
/// together, so that it does not grow.
#[derive(Clone, Debug)]
pub struct Grants(Arc<[AtomicU64]>);

impl Default for Grants {
    fn default() -> Grants {
        Grants((0..STRIPES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Grants {
    /// A right of this account as things stand: to be taken before its keys are read.
    pub fn of(&self, account: &Bare) -> Grant {
        let at = stripe(account);
        Grant(Some((self.clone(), at, self.0[at].load(Ordering::Acquire))))
    }

    /// Takes back what this account was granted. To be called when the change is stored, before others hear of it.
    pub fn revoke(&self, account: &Bare) {
        self.0[stripe(account)].fetch_add(1, Ordering::AcqRel);
    }
}

fn stripe(account: &Bare) -> usize {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    hasher.finish() as usize % STRIPES
}

/// A right. The default one always holds.
#[derive(Clone, Debug, Default)]
pub struct Grant(Option<(Grants, usize, u64)>);

impl Grant {
    /// Whether it has not been taken back.
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|(grants, at, epoch)| grants.0[*at].load(Ordering::Acquire) == *epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_holds_until_it_is_taken_back() {
        let grants = Grants::default();
        let (bob, eve) = (Bare::parse("bob@a.example").unwrap(), Bare::parse("eve@a.example").unwrap());
        let (before, other) = (grants.of(&bob), grants.of(&eve));
        assert!(before.holds());
        grants.clone().revoke(&bob);
        assert!(!before.holds() && other.holds() && grants.of(&bob).holds() && Grant::default().holds());
    }
}
