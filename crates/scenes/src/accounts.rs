//! Accounts without credentials: enough for what the engine asks of them.
//!
//! Not here: passwords; streams in scenes are authenticated by decree.

use address::Bare;
use model::query::{AccountFound, AccountInfo, AccountQuery};
use model::spaces::ACCOUNT;
use model::storage::{Batch, Owner, Read, Write};
use store::{Fault, Store, block_on};

/// The document of an operator of its domain; others' are empty.
const ADMIN: &str = r#"{"admin":true}"#;

/// Answers or does what is asked.
pub(crate) fn answer(store: &dyn Store, query: &AccountQuery) -> Result<AccountFound, Fault> {
    let exists = |account: &Bare| -> Result<bool, Fault> {
        let read = Read::Doc { space: ACCOUNT, owner: Owner::from(account.text()) };
        Ok(block_on(store.read(read))?.into_doc().is_some())
    };
    Ok(match query {
        AccountQuery::Create { account, .. } if exists(account)? => AccountFound::Exists,
        AccountQuery::Create { account, .. } => {
            create(store, account)?;
            AccountFound::Done
        }
        AccountQuery::Remove { account } if exists(account)? => {
            block_on(store.commit(Batch::from(Write::Purge { owner: Owner::from(account.text()) })))?;
            AccountFound::Done
        }
        AccountQuery::SetPassword { account, .. }
        | AccountQuery::Suspend { account, .. }
        | AccountQuery::CheckPassword { account, .. }
            if exists(account)? =>
        {
            AccountFound::Done
        }
        AccountQuery::SetAdmin { account, admin } if exists(account)? => {
            put(store, account, if *admin { ADMIN } else { "{}" })?;
            AccountFound::Done
        }
        AccountQuery::Show { account } if exists(account)? => {
            let read = Read::Doc { space: ACCOUNT, owner: Owner::from(account.text()) };
            let admin = block_on(store.read(read))?.into_doc().is_some_and(|doc| doc == ADMIN);
            let account = account.clone();
            AccountFound::Accounts(vec![AccountInfo { account, suspended: false, admin, created: 0 }])
        }
        AccountQuery::List { .. } => AccountFound::Accounts(Vec::new()),
        AccountQuery::Count { .. } => AccountFound::Count(0),
        _ => AccountFound::No,
    })
}

/// Makes an account.
pub(crate) fn create(store: &dyn Store, account: &Bare) -> Result<(), Fault> {
    put(store, account, "{}")
}

fn put(store: &dyn Store, account: &Bare, value: &'static str) -> Result<(), Fault> {
    let owner = Owner::from(account.text());
    block_on(store.commit(Batch::from(Write::DocPut { space: ACCOUNT, owner, value: value.into() })))
}
