//! `detente check`.
//!
//! Not here: the checks (config, store-sqlite).

use std::path::Path;

use admin::{Failure, FailureKind};
use store::FaultKind;

use crate::adapters::Reader;
use crate::cli::Check;
use crate::config_file::{accept, environment, locate};
use crate::objects;

pub(crate) fn run(given: &Check) -> Result<(), Failure> {
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
            "other servers: they find this one by the entries of its domains in DNS, \
             as docs/manual/federation.md has them"
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
