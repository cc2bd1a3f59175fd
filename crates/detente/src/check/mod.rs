//! `detente check`.
//!
//! Not here: the checks (config, store-sqlite).

mod certs;
mod connectivity;
mod dns;
mod finding;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use admin::{Failure, FailureKind};
use store::FaultKind;

use crate::adapters::Reader;
use crate::cli::{Check, CheckWhat};
use crate::config_file::{accept, environment, locate, read};
use crate::{objects, servers};

pub(crate) fn run(given: &Check) -> Result<(), Failure> {
    match &given.what {
        Some(what) => outside(what),
        None => inside(given),
    }
}

/// What others see of this server.
fn outside(what: &CheckWhat) -> Result<(), Failure> {
    let (CheckWhat::Dns(given) | CheckWhat::Certs(given) | CheckWhat::Connectivity(given)) = what;
    let mut config = read(&given.common.config)?;
    if !given.dns.is_empty() {
        config.federation.dns_servers = given.dns.iter().map(ToString::to_string).collect();
    }
    let of = given.domain.as_deref();
    let known = |of: &str| {
        config.server.domains.iter().any(|domain| domain == of)
            || dns::subdomains(&config).iter().any(|domain| domain == of)
    };
    if let Some(of) = of.filter(|of| !known(of)) {
        let text = format!("{of} is not one of this server's domains");
        return Err(Failure::new(FailureKind::NotFound, text));
    }
    let failed = |error: String| Failure::new(FailureKind::Failed, error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    let _in_runtime = runtime.enter();
    let resolver =
        || servers::resolver(&config).map_err(|error| failed(format!("DNS cannot be asked: {error}")));
    let findings = match what {
        CheckWhat::Dns(_) => runtime.block_on(dns::check(&config, &resolver()?, of)),
        CheckWhat::Certs(_) => certs::check(&config, &servers::roots(&config)?, of),
        CheckWhat::Connectivity(_) => runtime.block_on(connectivity::check(&config, &resolver()?, of)),
    };
    finding::report(&findings, given.common.json)
}

/// A server of DNS on the command line.
pub(crate) fn name_server(text: &str) -> Result<SocketAddr, String> {
    let alone = |_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
    text.parse().or_else(alone).map_err(|_| "write an address, with a port if it is not 53".to_owned())
}

/// The configuration and what is stored.
fn inside(given: &Check) -> Result<(), Failure> {
    let path = locate(&given.config)?;
    let config = accept(config::check(&path, environment(), &Reader), &path, true)?;
    objects::settings(&config, &config.data_dir())?;
    println!("{} is in order: {}", path.display(), config.server.domains.join(", "));
    if !config.turn.is_on() && config.external.is_empty() {
        println!(
            "calls: people behind different routers cannot call each other, because there is no relay; \
             set `external_address` in [turn] to have one"
        );
    }
    if !config.bytestreams.is_on() && config.federates() {
        println!(
            "files from client to client: between different routers they go slowly, because there is no proxy; \
             set `host` in [bytestreams] to have one"
        );
    }
    if config.federates() {
        println!(
            "other servers: they find this one by the entries of its domains in DNS; \
             `detente check dns` says which are missing"
        );
    }
    if given.data {
        data(&config.data_dir())?;
    }
    Ok(())
}

fn data(directory: &Path) -> Result<(), Failure> {
    if !directory.is_dir() {
        return Err(Failure::new(
            FailureKind::Failed,
            format_args!("there is no folder {}", directory.display()),
        ));
    }
    let found = store_sqlite::check(directory).map_err(|fault| match fault.kind() {
        FaultKind::InUse => Failure::new(
            FailureKind::Unreachable,
            format_args!("{}: stop the server first", directory.display()),
        ),
        _ => fault.into(),
    })?;
    for damage in &found.list {
        println!("damaged: {damage}");
    }
    let unknown = match found.unknown {
        0 => String::new(),
        n => format!("; {n} were written before there were checksums"),
    };
    if found.damaged > 0 {
        let text = format!(
            "{}: {} damaged{unknown}. The server leaves damaged values out; a backup has them",
            directory.display(),
            found.damaged
        );
        return Err(Failure::new(FailureKind::Failed, text));
    }
    println!("{} is in order: {} values are as they were written{unknown}", directory.display(), found.whole);
    Ok(())
}
