//! Commands about other servers, and which are blocked by command: one row for each domain.
//!
//! Not here: blocks of the configuration (config), what a block does (federation).

use std::sync::Arc;

use address::Jid;
use bytes::Bytes;
use model::storage::{Batch, Owner, Read, Space, Write};
use serde_json::{Value, json};
use store::{Fault, Store};

use crate::args::Args;
use crate::limits::BLOCKS_MAX;
use crate::port::Servers;
use crate::{Failure, FailureKind, Port};

/// One map of the server: the key is the domain, the value nothing.
const BLOCKS: Space = Space("blocked-servers");

fn owner() -> Owner {
    Owner::from("server")
}

fn all() -> Read {
    Read::Map { space: BLOCKS, owner: owner() }
}

fn domains(map: Vec<(Arc<str>, Bytes)>) -> Vec<String> {
    map.into_iter().map(|(domain, _)| domain.as_ref().to_owned()).collect()
}

/// The domains that were blocked by command.
///
/// # Errors
/// The store cannot be read.
pub async fn stored_blocks(store: &dyn Store) -> Result<Vec<String>, Fault> {
    Ok(domains(store.read(all()).await?.into_map()))
}

fn domain(port: &dyn Port, args: &Args) -> Result<String, Failure> {
    let text = args.text("domain").unwrap_or_default();
    let found = Jid::parse(text).ok().filter(Jid::is_domain);
    let Some(domain) = found.map(|jid| jid.as_str().to_owned()) else {
        let what = format!("\"{text}\" is no domain; write the part behind the @, as in example.org");
        return Err(Failure::new(FailureKind::Usage, what));
    };
    match port.domains().contains(&domain) {
        true => Err(Failure::new(FailureKind::Usage, format_args!("{domain} is a domain of this server"))),
        false => Ok(domain),
    }
}

fn servers(port: &dyn Port) -> Result<&dyn Servers, Failure> {
    port.servers().ok_or_else(|| {
        let what = "this server talks with no others: see `enabled` in [federation]";
        Failure::new(FailureKind::Refused, what)
    })
}

pub(crate) async fn list(port: &dyn Port, _: Args) -> Result<Value, Failure> {
    Ok(json!({ "servers": servers(port)?.list().await }))
}

pub(crate) async fn show(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let domain = domain(port, &args)?;
    Ok(servers(port)?.show(&domain).await)
}

pub(crate) async fn test(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let domain = domain(port, &args)?;
    let local = match args.text("from") {
        Some(from) if port.domains().iter().any(|own| own == from) => from.to_owned(),
        Some(from) => {
            let what = format!("{from} is not one of this server's domains");
            return Err(Failure::new(FailureKind::NotFound, what));
        }
        None => port.domains().first().cloned().unwrap_or_default(),
    };
    servers(port)?.test(&local, &domain).await
}

pub(crate) async fn block(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let domain = domain(port, &args)?;
    let known = domains(port.read(all()).await?.into_map());
    if known.len() >= BLOCKS_MAX && !known.contains(&domain) {
        let what = format!("{BLOCKS_MAX} domains are blocked already");
        return Err(Failure::new(FailureKind::Refused, what));
    }
    let (key, value) = (domain.as_str().into(), Bytes::new());
    port.write(Batch::from(Write::MapPut { space: BLOCKS, owner: owner(), key, value })).await?;
    if let Some(servers) = port.servers() {
        servers.bar(&domain, true);
    }
    Ok(json!({ "domain": domain, "blocked": true }))
}

pub(crate) async fn allow(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let domain = domain(port, &args)?;
    let known = domains(port.read(all()).await?.into_map());
    if !known.contains(&domain) {
        let above = known.iter().find(|above| domain.ends_with(&format!(".{above}")));
        let what = match above {
            Some(above) => format!("{domain} is blocked by the block of {above}: allow that"),
            None => format!(
                "{domain} is not blocked by command; `block` and `allow` in [federation] decide the rest"
            ),
        };
        return Err(Failure::new(FailureKind::NotFound, what));
    }
    let key = domain.as_str().into();
    port.write(Batch::from(Write::MapDelete { space: BLOCKS, owner: owner(), key })).await?;
    let mut still = known.iter().any(|above| domain.ends_with(&format!(".{above}")));
    if let Some(servers) = port.servers() {
        servers.bar(&domain, false);
        still |= !servers.configured(&domain);
    }
    Ok(json!({ "domain": domain, "blocked": still }))
}
