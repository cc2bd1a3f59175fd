//! Commands about accounts.
//!
//! Not here: what an order does to sessions (engine) and in storage (accounts).

use address::Bare;
use model::query::{AccountFound, AccountInfo, AccountQuery, SessionFilter, Which};
use serde_json::{Value, json};
use stanza::when;

use crate::args::Args;
use crate::limits::LIST_DEFAULT;
use crate::{Failure, FailureKind, Port, groups, sessions};

/// Carries an order out and turns the answer into success or failure.
pub(crate) async fn order(port: &dyn Port, account: &Bare, query: AccountQuery) -> Result<Value, Failure> {
    match port.account(query).await? {
        AccountFound::Done => Ok(json!({ "jid": account.as_str() })),
        AccountFound::No => Err(no_such(account)),
        AccountFound::Exists => {
            Err(Failure::new(FailureKind::Exists, format_args!("{account} exists already")))
        }
        AccountFound::Refused(why) => Err(Failure::new(FailureKind::Refused, why)),
        AccountFound::Accounts(_)
        | AccountFound::Count(_)
        | AccountFound::Invited(_)
        | AccountFound::Invitations(_) => Err(strange()),
    }
}

pub(crate) fn no_such(account: &Bare) -> Failure {
    Failure::new(FailureKind::NotFound, format_args!("there is no account {account}"))
}

pub(crate) fn strange() -> Failure {
    Failure::new(
        FailureKind::Failed,
        "the account store gave an answer to another question; please report this",
    )
}

pub(crate) async fn add(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    let create = AccountQuery::Create { account: account.clone(), password: args.password("password") };
    let made = order(port, &account, create).await?;
    if args.flag("admin") {
        order(port, &account, AccountQuery::SetAdmin { account: account.clone(), admin: true }).await?;
    }
    Ok(made)
}

pub(crate) async fn passwd(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    let set = AccountQuery::SetPassword { account: account.clone(), password: args.password("password") };
    order(port, &account, set).await
}

pub(crate) async fn suspend(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    order(port, &account, AccountQuery::Suspend { account: account.clone(), suspended: true }).await
}

pub(crate) async fn resume(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    order(port, &account, AccountQuery::Suspend { account: account.clone(), suspended: false }).await
}

pub(crate) async fn promote(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    order(port, &account, AccountQuery::SetAdmin { account: account.clone(), admin: true }).await
}

pub(crate) async fn demote(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    order(port, &account, AccountQuery::SetAdmin { account: account.clone(), admin: false }).await
}

pub(crate) async fn remove(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    let removed = order(port, &account, AccountQuery::Remove { account: account.clone() }).await?;
    groups::forget(port, &account).await?;
    Ok(removed)
}

pub(crate) async fn show(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    let shown = match port.account(AccountQuery::Show { account: account.clone() }).await? {
        AccountFound::Accounts(found) => found.first().map(info).ok_or_else(|| no_such(&account))?,
        AccountFound::No => return Err(no_such(&account)),
        _ => return Err(strange()),
    };
    let mut shown = shown;
    if let Some(found) = port.sessions(SessionFilter::Of(account)).await? {
        shown["sessions"] = found.iter().map(sessions::row).collect();
    }
    Ok(shown)
}

/// The domain that is named, or all.
pub(crate) fn of_ours(port: &dyn Port, args: &Args) -> Result<Vec<String>, Failure> {
    match args.place("domain")? {
        Some(domain) if port.domains().iter().any(|ours| ours == domain.as_str()) => {
            Ok(vec![domain.to_string()])
        }
        Some(domain) => {
            let text = format!("{domain} is not one of this server's domains: {}", port.domains().join(", "));
            Err(Failure::new(FailureKind::NotFound, text))
        }
        None => Ok(port.domains()),
    }
}

/// A page: `users`, and `more` with the last address if there are others behind it.
pub(crate) async fn list(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let limit = args.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_DEFAULT).max(1);
    let after = match args.text("after") {
        Some(_) => Some(args.account("after")?),
        None => None,
    };
    let mut domains = of_ours(port, &args)?;
    domains.sort();
    // Domain by domain; a page goes on where the one before it ended.
    if let Some(after) = &after {
        domains.retain(|domain| domain.as_str() >= after.domain());
    }
    let mut users: Vec<Value> = Vec::new();
    for domain in domains {
        let after = after.clone().filter(|after| after.domain() == domain);
        let missing = limit - users.len() as u32;
        match port.account(AccountQuery::List { domain, after, limit: missing, which: Which::All }).await? {
            AccountFound::Accounts(found) => users.extend(found.iter().map(info)),
            _ => return Err(strange()),
        }
        if users.len() as u32 >= limit {
            break;
        }
    }
    let more = users.last().filter(|_| users.len() as u32 == limit).map(|last| last["jid"].clone());
    Ok(json!({ "users": users, "more": more }))
}

fn info(info: &AccountInfo) -> Value {
    json!({
        "jid": info.account.as_str(),
        "admin": info.admin,
        "suspended": info.suspended,
        "created": when::seconds(info.created),
    })
}
