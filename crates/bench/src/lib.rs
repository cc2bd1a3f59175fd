//! `detente-bench`: measures any XMPP server from outside, and is also the bare relay that marks the floor.
//!
//! It connects as ordinary clients do (RFC 6120, XEP-0368), so ours and other servers are measured alike. The main
//! figure is the CPU time that the server's processes spend per operation. Every work counts what it sent and
//! received and fails when anything is lost, doubled or out of order.
//!
//! Its client (`target`, `login`, `session`, `tls`) is public for others that want a client from outside.
//!
//! Not here: starting servers and comparing them (`bench/run`).

pub mod account;
mod cli;
pub mod login;
pub mod meter;
mod phase;
mod relay;
mod report;
pub mod scan;
mod scram;
pub mod session;
pub mod target;
pub mod tls;
pub mod wire;
mod work;

pub use cli::Mechanism;
pub use scram::KeyCache;

use clap::Parser;

/// Why a run failed, in words for the person who reads the terminal.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
/// A result of this program.
pub type Outcome<T> = Result<T, Fault>;

/// The program: reads its command line, does the work, reports.
pub fn run() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    let done = match cli.work {
        cli::Work::Relay(ref relay) => relay::serve(&cli, relay),
        _ => work::run(&cli),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("detente-bench: FAILED: {fault}");
            std::process::ExitCode::FAILURE
        }
    }
}
