//! `detente export` and `detente import`.
//!
//! Not here: the file's form (moving).

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use address::Jid;
use admin::{Failure, FailureKind};
use config::Config;
use moving::{Export, Fault, Import, Summary};
use serde_json::json;
use store::FaultKind;
use store_sqlite::Sqlite;

use crate::cli::{self, ConfigFile};
use crate::serve::failed;
use crate::{config_file, secret, services, show, translate};

fn open(file: &ConfigFile) -> Result<(Config, Sqlite), Failure> {
    let config = config_file::read(file)?;
    let data = config.data_dir();
    let store = Sqlite::open(&data, translate::storage(&config)).map_err(|fault| match fault.kind() {
        FaultKind::InUse => Failure::new(
            FailureKind::Unreachable,
            format_args!("a server runs on {}: stop it first", data.display()),
        ),
        _ => fault.into(),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
    let config = runtime.block_on(crate::domains::with_added(config, &store))?;
    Ok((config, store))
}

fn told(fault: Fault) -> Failure {
    match fault {
        Fault::Store(fault) => fault.into(),
        other => failed(other),
    }
}

/// Writes what is stored into a file that only its owner can read, or to standard output.
///
/// # Errors
/// There is no such domain or account, the server runs, or something cannot be read or written.
pub(crate) fn export(given: cli::Export) -> Result<(), Failure> {
    let (config, store) = open(&given.config)?;
    let only = match &given.jid {
        Some(jid) => Some(Jid::parse(jid).map_err(|error| Failure::new(FailureKind::Usage, error))?),
        None => None,
    };
    let wanted = given.domain.as_deref().or(only.as_ref().map(Jid::domain));
    let domains: Vec<String> =
        config.server.domains.iter().filter(|domain| wanted.is_none_or(|w| w == *domain)).cloned().collect();
    if domains.is_empty() {
        return Err(failed(format_args!("{} is none of this server's domains", wanted.unwrap_or_default())));
    }
    let (rooms, nodes) = services::addresses(&config, &domains);
    let what = Export { domains, rooms, nodes, only: only.clone() };
    let counts = match &given.output {
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            moving::export(&store, &what, &mut out).map_err(told)?
        }
        Some(path) => {
            let name = |error: std::io::Error| failed(format_args!("{}: {error}", path.display()));
            // Whole or not at all.
            let part = PathBuf::from(format!("{}.part", path.display()));
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
            let mut out = BufWriter::new(file.map_err(name)?);
            let counts = moving::export(&store, &what, &mut out).map_err(told)?;
            out.flush().and_then(|()| out.get_ref().sync_all()).map_err(name)?;
            fs::rename(&part, path).map_err(name)?;
            counts
        }
    };
    if let Some(only) = only.filter(|_| counts.accounts == 0) {
        return Err(Failure::new(FailureKind::NotFound, format_args!("{only} does not exist")));
    }
    // Standard output may be the file.
    let said = match given.json {
        true => serde_json::to_string(&counts).map_err(failed)?,
        false => format!(
            "exported: {} accounts, {} rooms, {} archived messages",
            counts.accounts, counts.rooms, counts.archived
        ),
    };
    let _ = writeln!(std::io::stderr(), "{said}");
    Ok(())
}

/// Reads files, one after the other.
///
/// # Errors
/// The server runs, a file is not what it should be, or storage fails.
pub(crate) fn import(given: &cli::Import) -> Result<(), Failure> {
    let (config, store) = open(&given.common.config)?;
    let settings = translate::accounts(&config, secret::token_key(&config.data_dir())?);
    let (rooms, nodes) = services::addresses(&config, &config.server.domains);
    let how = Import {
        domains: config.server.domains.clone(),
        rooms,
        nodes,
        hashes: settings.hashes.clone(),
        iterations: settings.iterations,
        now_ms: (settings.clock)(),
        dry_run: given.dry_run,
    };
    let mut all = Vec::new();
    for path in &given.files {
        let summary = one(&store, &how, path)?;
        if !given.common.json {
            say(path, &summary, given.dry_run);
        }
        all.push(json!({"file": path.display().to_string(), "imported": summary}));
    }
    if given.common.json { show::json(&json!(all)) } else { Ok(()) }
}

fn one(store: &Sqlite, how: &Import, path: &Path) -> Result<Summary, Failure> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut open = |name: &str| Ok(Box::new(File::open(folder.join(name))?) as Box<dyn Read>);
    let file = File::open(path).map_err(|error| failed(format_args!("{}: {error}", path.display())))?;
    moving::import(store, how, &path.display().to_string(), Box::new(file), &mut open).map_err(told)
}

fn say(path: &Path, summary: &Summary, dry_run: bool) {
    for note in &summary.notes {
        println!("note: {note}");
    }
    if summary.more_notes > 0 {
        println!("note: and {} more like these", summary.more_notes);
    }
    let Summary { accounts, existing, contacts, archived, offline, nodes, items, rooms, .. } = summary;
    println!(
        "{}: {}{accounts} accounts with {contacts} contacts, {archived} archived and {offline} waiting messages, {nodes} \
         nodes with {items} items; {rooms} rooms. {existing} accounts and {} rooms were there already and stay as they are.",
        path.display(),
        if dry_run { "would import " } else { "imported " },
        summary.existing_rooms
    );
}
