//! Which configuration file is meant, and how its faults are told.
//!
//! Not here: what is in it (config).

use std::io::Write;
use std::path::{Path, PathBuf};

use admin::{Failure, FailureKind};
use config::{Checked, Config, Fault, Level};

use crate::cli::ConfigFile;

const VARIABLE: &str = "DETENTE_CONFIG";
const HERE: &str = "detente.toml";
const SYSTEM: &str = "/etc/detente/detente.toml";

/// The file that is meant.
///
/// # Errors
/// None is named, and none is where it is looked for.
pub(crate) fn locate(given: &ConfigFile) -> Result<PathBuf, Failure> {
    if let Some(path) = &given.config {
        return Ok(path.clone());
    }
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let found = [HERE, SYSTEM].into_iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).ok_or_else(|| {
        let text = format!(
            "no configuration found: neither {HERE} here nor {SYSTEM} exists\n\
             Name one with --config FILE or {VARIABLE}, or make one: detente init DIR --domain NAME"
        );
        Failure::new(FailureKind::Failed, text)
    })
}

/// The configuration as far as its text goes, for commands that need to know little of it.
///
/// # Errors
/// It has errors.
pub(crate) fn read(given: &ConfigFile) -> Result<Config, Failure> {
    let path = locate(given)?;
    accept(config::read(&path, environment()), &path, false)
}

/// Variables that are text; others cannot be ours.
pub(crate) fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// The configuration, after telling its faults.
///
/// # Errors
/// There are errors.
pub(crate) fn accept(checked: Checked, path: &Path, warnings: bool) -> Result<Config, Failure> {
    let shown = |fault: &&Fault| warnings || fault.level == Level::Error;
    for fault in checked.faults.iter().filter(shown) {
        // A server whose standard error cannot be written starts all the same.
        let _ = writeln!(std::io::stderr(), "{fault}\n");
    }
    checked.config.ok_or_else(|| {
        let errors = checked.faults.iter().filter(|fault| fault.level == Level::Error).count();
        let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
        Failure::new(FailureKind::Failed, format_args!("{errors} in {}", path.display()))
    })
}
