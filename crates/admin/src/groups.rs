//! Commands about groups of people who see one another, and what is stored of them: one row for each member.
//!
//! Not here: groups in the configuration (config), what groups do (kernel).

use std::collections::BTreeMap;
use std::sync::Arc;

use address::Bare;
use kernel::Group;
use model::storage::{Batch, Owner, Read, Space, Write};
use serde_json::{Value, json};
use store::{Fault, Store};

use crate::args::Args;
use crate::limits::{GROUP_MEMBERS_MAX, GROUP_NAME_BYTES_MAX, GROUPS_MAX};
use crate::{Failure, FailureKind, Port};

/// One map of the server: the key is group, slash, member; the value is what the member is called.
const GROUPS: Space = Space("groups");

fn owner() -> Owner {
    Owner::from("server")
}

/// All rows, by group.
type Rows = BTreeMap<String, Vec<(Bare, Option<String>)>>;

fn rows(map: Vec<(Arc<str>, bytes::Bytes)>) -> Rows {
    let mut rows = Rows::new();
    for (key, value) in map {
        let Some((group, member)) = key.split_once('/') else { continue };
        let Ok(member) = Bare::parse(member) else { continue };
        let name = std::str::from_utf8(&value).ok().filter(|name| !name.is_empty()).map(str::to_owned);
        rows.entry(group.to_owned()).or_default().push((member, name));
    }
    rows
}

fn all() -> Read {
    Read::Map { space: GROUPS, owner: owner() }
}

/// The groups that were made by commands.
///
/// # Errors
/// The store cannot be read.
pub async fn stored_groups(store: &dyn Store) -> Result<Vec<Group>, Fault> {
    let rows = rows(store.read(all()).await?.into_map());
    Ok(rows.into_iter().map(|(name, members)| Group { name, members }).collect())
}

async fn read(port: &dyn Port) -> Result<Rows, Failure> {
    Ok(rows(port.read(all()).await?.into_map()))
}

fn name(args: &Args) -> Result<String, Failure> {
    let name = args.text("name").unwrap_or_default().trim().to_owned();
    let fits = !name.is_empty() && name.len() <= GROUP_NAME_BYTES_MAX && !name.contains(char::is_control);
    match fits && !name.contains('/') {
        true => Ok(name),
        false => {
            let what =
                format!("a group's name has 1 to {GROUP_NAME_BYTES_MAX} bytes without slashes and controls");
            Err(Failure::new(FailureKind::Usage, what))
        }
    }
}

fn missing(what: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::NotFound, what)
}

pub(crate) async fn list(port: &dyn Port, _: Args) -> Result<Value, Failure> {
    let rows = read(port).await?;
    let groups: Vec<Value> =
        rows.iter().map(|(name, members)| json!({ "name": name, "members": members.len() })).collect();
    Ok(json!({ "groups": groups }))
}

pub(crate) async fn show(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let name = name(&args)?;
    let rows = read(port).await?;
    let members = rows.get(&name).ok_or_else(|| missing(format_args!("there is no group {name}")))?;
    let members: Vec<Value> =
        members.iter().map(|(jid, called)| json!({ "jid": jid.as_str(), "called": called })).collect();
    Ok(json!({ "name": name, "members": members }))
}

pub(crate) async fn add(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let (name, jid) = (name(&args)?, args.account("jid")?);
    let called = args.text("called").unwrap_or_default().trim();
    if called.len() > GROUP_NAME_BYTES_MAX || called.contains(char::is_control) {
        return Err(Failure::new(FailureKind::Usage, "that cannot stand in a list of contacts"));
    }
    if !port.domains().iter().any(|domain| domain == jid.domain()) {
        return Err(missing(format_args!("{} is not one of this server's domains", jid.domain())));
    }
    let rows = read(port).await?;
    let members = rows.get(&name);
    let known = members.is_some_and(|members| members.iter().any(|(member, _)| *member == jid));
    if members.is_none() && rows.len() >= GROUPS_MAX {
        return Err(Failure::new(
            FailureKind::Refused,
            format_args!("there are {GROUPS_MAX} groups already"),
        ));
    }
    if !known && members.is_some_and(|members| members.len() >= GROUP_MEMBERS_MAX) {
        return Err(Failure::new(
            FailureKind::Refused,
            format_args!("it has {GROUP_MEMBERS_MAX} members already"),
        ));
    }
    let key = format!("{name}/{jid}").into();
    let value = called.to_owned().into_bytes().into();
    port.write(Batch::from(Write::MapPut { space: GROUPS, owner: owner(), key, value })).await?;
    port.regroup();
    Ok(json!({ "name": name, "jid": jid.as_str() }))
}

pub(crate) async fn remove(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let (name, jid) = (name(&args)?, args.account("jid")?);
    let rows = read(port).await?;
    let known = rows.get(&name).is_some_and(|members| members.iter().any(|(member, _)| *member == jid));
    if !known {
        return Err(missing(format_args!("{jid} is not in the group {name}")));
    }
    let key = format!("{name}/{jid}").into();
    port.write(Batch::from(Write::MapDelete { space: GROUPS, owner: owner(), key })).await?;
    port.regroup();
    Ok(json!({ "name": name, "jid": jid.as_str() }))
}

/// Takes an account that is no more out of all groups: who comes later under its name inherits nothing.
pub(crate) async fn forget(port: &dyn Port, account: &Bare) -> Result<(), Failure> {
    let rows = read(port).await?;
    let of = rows.iter().filter(|(_, members)| members.iter().any(|(member, _)| member == account));
    let gone = of.map(|(name, _)| Write::MapDelete {
        space: GROUPS,
        owner: owner(),
        key: format!("{name}/{account}").into(),
    });
    let gone: Batch = gone.collect();
    if !gone.is_empty() {
        port.write(gone).await?;
        port.regroup();
    }
    Ok(())
}
