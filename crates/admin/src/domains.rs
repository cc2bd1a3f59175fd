//! Commands about domains, and which were added by them: one row for each.
//!
//! Not here: domains in the configuration (config), what follows in a running server (detente).

use std::time::Duration;

use address::{Bare, Jid};
use model::query::{AccountFound, AccountQuery, Which};
use model::storage::{Batch, Owner, Read, Space, Write};
use serde_json::{Value, json};
use store::{Fault, Store};

use crate::args::Args;
use crate::limits::{DOMAINS_MAX, LIST_DEFAULT};
use crate::{Failure, FailureKind, Port};

/// One map of the server: the key is the domain.
const DOMAINS: Space = Space("domains");
/// Where services of a domain have something stored under an address.
const SERVED: [Space; 5] =
    [Space("muc-room"), Space("muc-listed"), Space("muc-owned"), Space("nodes"), Space("push-web")];
/// How long a command waits until the running server has taken a change over, and how often it looks.
const WAIT: (Duration, Duration) = (Duration::from_secs(15), Duration::from_millis(50));
/// How long it still waits after the server has looked.
const AGAIN: Duration = Duration::from_secs(1);

fn all() -> Read {
    Read::Map { space: DOMAINS, owner: owner() }
}

fn owner() -> Owner {
    Owner::from("server")
}

/// The domains that were added by commands, sorted.
///
/// # Errors
/// The store cannot be read.
pub async fn stored_domains(store: &dyn Store) -> Result<Vec<String>, Fault> {
    let mut found: Vec<String> =
        store.read(all()).await?.into_map().into_iter().map(|(key, _)| key.to_string()).collect();
    found.sort();
    Ok(found)
}

async fn stored(port: &dyn Port) -> Result<Vec<String>, Failure> {
    let found = port.read(all()).await?.into_map();
    Ok(found.into_iter().map(|(key, _)| key.to_string()).collect())
}

fn name(args: &Args) -> Result<String, Failure> {
    let text = args.text("name").unwrap_or_default();
    let domain = Jid::parse(text).ok().filter(|jid| jid.is_domain() && jid.as_str().is_ascii());
    domain.map(|jid| jid.as_str().to_owned()).ok_or_else(|| {
        let text = format!("\"{text}\" is no domain; write the part behind the @, as in example.org");
        Failure::new(FailureKind::Usage, text)
    })
}

/// Those of the configuration, and those that were added.
pub(crate) async fn list(port: &dyn Port, _: Args) -> Result<Value, Failure> {
    let (added, mut known) = (stored(port).await?, port.domains());
    // What was added while no server ran, or could not be taken over.
    known.extend(added.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<_>>());
    let served = port.domains();
    let rows: Vec<Value> = known
        .iter()
        .map(|name| {
            let from = if added.contains(name) { "command" } else { "configuration" };
            json!({ "domain": name, "from": from, "served": served.contains(name) })
        })
        .collect();
    Ok(json!({ "domains": rows }))
}

pub(crate) async fn add(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let name = name(&args)?;
    let known = stored(port).await?;
    if port.domains().contains(&name) || known.contains(&name) {
        return Err(Failure::new(
            FailureKind::Exists,
            format_args!("{name} is a domain of this server already"),
        ));
    }
    if known.len() >= DOMAINS_MAX {
        let text = format!("{DOMAINS_MAX} domains were added already");
        return Err(Failure::new(FailureKind::Refused, text));
    }
    let key = name.as_str().into();
    let row = Write::MapPut { space: DOMAINS, owner: owner(), key, value: Default::default() };
    port.write(Batch::from(row)).await?;
    let before = port.rehosted();
    if port.rehost() && !comes(port, before, &name, true).await {
        // Not half: it would come by surprise at the next start.
        let key = name.as_str().into();
        port.write(Batch::from(Write::MapDelete { space: DOMAINS, owner: owner(), key })).await?;
        // It may have been on its way all the same.
        port.rehost();
        let text = format!("{name} cannot be served; the log of the server says why");
        return Err(Failure::new(FailureKind::Refused, text));
    }
    Ok(json!({ "domain": name }))
}

pub(crate) async fn remove(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let name = name(&args)?;
    if !stored(port).await?.contains(&name) {
        return Err(match port.domains().contains(&name) {
            true => {
                let text = format!(
                    "{name} stands in the configuration: take it out of `domains` in [server], and reload"
                );
                Failure::new(FailureKind::Refused, text)
            }
            false => Failure::new(
                FailureKind::NotFound,
                format_args!("{name} is not one of this server's domains"),
            ),
        });
    }
    if port.configured().contains(&name) {
        let key = name.as_str().into();
        port.write(Batch::from(Write::MapDelete { space: DOMAINS, owner: owner(), key })).await?;
        let text = format!(
            "{name} stands in the configuration, too, so it is still served and nothing of it was removed: take it out of \
             `domains` in [server], and reload"
        );
        return Err(Failure::new(FailureKind::Refused, text));
    }
    let purge = args.flag("purge");
    // While the domain is still there: contacts elsewhere are told.
    let accounts = if purge { remove_accounts(port, &name).await? } else { 0 };
    let key = name.as_str().into();
    port.write(Batch::from(Write::MapDelete { space: DOMAINS, owner: owner(), key })).await?;
    let before = port.rehosted();
    if port.rehost() && !comes(port, before, &name, false).await {
        let text = format!("{name} is still served until the next start; the log of the server says why");
        return Err(Failure::new(FailureKind::Failed, text));
    }
    // Who has come in between is gone now, too: nobody can any more.
    let late = if purge { remove_accounts(port, &name).await? } else { 0 };
    let places = if purge { purge_places(port, &name).await? } else { 0 };
    Ok(json!({ "domain": name, "accounts": accounts + late, "places": places, "purged": purge }))
}

/// Waits until a domain is served, or no longer.
async fn comes(port: &dyn Port, before: u64, name: &str, served: bool) -> bool {
    let mut until = tokio::time::Instant::now() + WAIT.0;
    let mut taken_over = false;
    while port.domains().iter().any(|known| known == name) != served {
        let now = tokio::time::Instant::now();
        if now > until {
            return false;
        }
        // It was looked at; but that may have been the look before.
        if !taken_over && port.rehosted() != before {
            (taken_over, until) = (true, until.min(now + AGAIN));
        }
        tokio::time::sleep(WAIT.1).await;
    }
    true
}

/// How many.
async fn remove_accounts(port: &dyn Port, domain: &str) -> Result<usize, Failure> {
    let mut removed = 0;
    loop {
        let query = AccountQuery::List {
            domain: domain.to_owned(),
            after: None,
            limit: LIST_DEFAULT,
            which: Which::All,
        };
        let AccountFound::Accounts(found) = port.account(query).await? else {
            return Err(Failure::new(FailureKind::Failed, "the accounts cannot be listed"));
        };
        if found.is_empty() {
            return Ok(removed);
        }
        for info in found {
            match port.account(AccountQuery::Remove { account: info.account.clone() }).await? {
                AccountFound::Done | AccountFound::No => removed += 1,
                _ => {
                    let text = format!("{} cannot be removed; {removed} accounts are gone", info.account);
                    return Err(Failure::new(FailureKind::Failed, text));
                }
            }
        }
    }
}

/// Rooms, nodes and what else services of a domain have stored, but for what belongs to another domain below it.
async fn purge_places(port: &dyn Port, domain: &str) -> Result<usize, Failure> {
    let (below, others) = (format!(".{domain}"), port.domains());
    let of_other = |place: &str| {
        others
            .iter()
            .any(|other| other.ends_with(&below) && (place == other || place.ends_with(&format!(".{other}"))))
    };
    let is_own = |owner: &Owner| {
        let place = Bare::parse(owner.as_str()).ok();
        place.is_some_and(|place| {
            let place = place.domain();
            (place == domain || place.ends_with(&below)) && !of_other(place)
        })
    };
    let mut purged = 0;
    for space in SERVED {
        let mut after = None;
        loop {
            let read = Read::Owners { space, after: after.clone(), limit: LIST_DEFAULT };
            let owners = port.read(read).await?.into_owners();
            let Some(last) = owners.last().cloned() else { break };
            for owner in owners.into_iter().filter(is_own) {
                port.write(Batch::from(Write::Purge { owner })).await?;
                purged += 1;
            }
            after = Some(last);
        }
    }
    Ok(purged)
}
