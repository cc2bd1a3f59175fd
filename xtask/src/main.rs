//! Chores of the repository, run as `cargo xtask NAME`.
//!
//! Not here: anything that the server needs at run time.

mod tidy;
mod titles;
mod xeps;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask NAME

  tidy           check the house rules: floors, budgets, headers, namespaces and the rest
  xeps           write docs/xeps.md and docs/doap.xml from the features' cards
  xeps --check   only compare them
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(&root()),
        ["xeps"] => xeps::run(&root(), xeps::Mode::Write),
        ["xeps", "--check"] => xeps::run(&root(), xeps::Mode::Check),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("unknown chore: {}\n\n{USAGE}", words.join(" "));
            ExitCode::from(2)
        }
    }
}

/// The folder of the workspace: the parent of this package's folder.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("xtask"), PathBuf::from);
    here.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}
