//! `detente check`.
//!
//! Not here: the checks (config).

use admin::Failure;

use crate::adapters::Reader;
use crate::cli::ConfigFile;
use crate::config_file::{accept, environment, locate};

pub(crate) fn run(given: &ConfigFile) -> Result<(), Failure> {
    let path = locate(given)?;
    let config = accept(config::check(&path, environment(), &Reader), &path, true)?;
    println!("{} is in order: {}", path.display(), config.server.domains.join(", "));
    Ok(())
}
