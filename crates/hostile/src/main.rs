//! `detente-attack`: all rows against a program, a table, and the page of the repository.
//!
//! Not here: the attack itself (`lib.rs`).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use hostile::{Depth, absent, all, attack, document, lines, unknown_users};

/// Attacks a Détente server with bad input. Only ever one that it has started itself, on this machine.
#[derive(Parser)]
struct Args {
    /// The program to attack.
    #[arg(required_unless_present = "list")]
    program: Option<PathBuf>,
    /// Shows the page of all rows and tries nothing.
    #[arg(long)]
    list: bool,
    /// Only rows whose id begins so, as in "A" or "C-05".
    #[arg(long, default_value = "")]
    only: String,
    /// Only what `make test` runs.
    #[arg(long)]
    short: bool,
    /// Writes the page of all rows there, if all have passed.
    #[arg(long, conflicts_with_all = ["only", "short"])]
    document: Option<PathBuf>,
    /// Instead of rows: whether unknown users can be told from known ones by time, with so many logins of each kind.
    #[arg(long)]
    timing: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("detente-attack: {fault}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    let Some(program) = args.program.as_ref().filter(|_| !args.list) else {
        print!("{}", document(&all(), &absent()));
        return Ok(true);
    };
    if let Some(samples) = args.timing {
        let timings = unknown_users(program, samples)?;
        timings.iter().for_each(|timing| println!("{timing}"));
        return Ok(timings.iter().all(hostile::Timing::passed));
    }
    let (rows, absent) = (all(), absent());
    let depth = if args.short { Depth::Short } else { Depth::Whole };
    let summary = attack(program, &rows, depth, &args.only)?;
    print!("{}", lines(&rows, &summary, if args.only.is_empty() { &absent } else { &[] }));
    if let (Some(path), true) = (&args.document, summary.passed()) {
        std::fs::write(path, document(&rows, &absent)).map_err(|error| error.to_string())?;
    }
    Ok(summary.passed())
}
