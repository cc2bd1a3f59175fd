//! Completions and manual pages, from the command line's own description.
//!
//! Not here: the description (`cli.rs`).

use std::io;
use std::path::Path;

use admin::{Failure, FailureKind};
use clap::CommandFactory;

use crate::cli::Cli;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    clap_complete::generate(shell, &mut Cli::command(), "detente", &mut io::stdout());
    Ok(())
}

pub(crate) fn man(dir: &Path) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::new(FailureKind::Failed, format_args!("{}: {error}", dir.display()));
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)
}
