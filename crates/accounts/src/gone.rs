//! Names of accounts that were removed: they are not given to somebody else.
//!
//! Rooms, nodes of other accounts, and contacts here and on other servers go on knowing whoever had the name: members
//! stay members, subscriptions stay. Who comes later under that name would inherit all of it. So nobody gets it by
//! registering or by an invitation that leaves the choice; an operator may give it again, knowing to whom.
//!
//! Not here: what else of an account is removed (`query.rs`).

use std::sync::Arc;

use address::Bare;
use bytes::Bytes;
use model::storage::{Owner, Read, Space, Write};
use store::Fault;

use crate::Accounts;
use crate::accounts::SERVER;

/// By address: when it was removed, in Unix seconds as text.
const GONE: Space = Space("gone");

/// The write that goes with the removal.
pub(crate) fn bury(account: &Bare, now: u64) -> Write {
    let key = Arc::from(account.as_str());
    let value = Bytes::from(now.to_string());
    Write::MapPut { space: GONE, owner: Owner::from(SERVER), key, value }
}

impl Accounts {
    /// Whether an account of this name was removed.
    pub(crate) async fn is_gone(&self, account: &Bare) -> Result<bool, Fault> {
        let key = Arc::from(account.as_str());
        let read = Read::MapGet { space: GONE, owner: Owner::from(SERVER), key };
        Ok(self.store.read(read).await?.into_doc().is_some())
    }
}
