//! The program: reads its command line and hands over to the part that was asked for.
//!
//! Not here: what the parts do.

mod adapters;
#[cfg(feature = "breakable")]
mod breakable;
mod calls;
mod certs;
mod check;
mod cli;
mod config_file;
mod documents;
mod domains;
mod exit;
mod first_run;
mod gateways;
mod group;
mod init;
mod invite;
mod log;
mod neighbours;
mod notify;
mod objects;
mod password;
mod proxy;
mod push;
mod reach;
mod reload;
mod reports;
mod retention;
mod room;
mod s2s;
mod secret;
mod serve;
mod servers;
mod services;
mod session;
mod show;
mod status;
mod transfer;
mod translate;
mod uploads;
mod user;
mod xeps;

use std::io::Write;

use clap::Parser;

use cli::{Cli, Command};

/// Known faults are for the simulation; nobody shall run them by mistake.
const _: () =
    assert!(!zoo::OPEN, "built with the feature `zoo` of the crate `zoo`: this is not the program to run");
use exit::Exit;

fn main() -> std::process::ExitCode {
    let outcome = match Cli::parse().command {
        Command::Init(args) => init::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::User(command) => user::run(command),
        Command::Invite(args) => invite::run(args),
        Command::Session(command) => session::run(command),
        Command::Component(command) => gateways::run(command),
        Command::Domain(command) => domains::run(command),
        Command::Cert(command) => certs::run(command),
        Command::S2s(command) => s2s::run(command),
        Command::Group(command) => group::run(command),
        Command::Room(command) => room::run(command),
        Command::Reports(command) => reports::run(command),
        Command::Export(args) => transfer::export(args),
        Command::Import(args) => transfer::import(&args),
        Command::Status(common) => status::run(&common),
        Command::Announce { text, domain, common } => session::announce(text, domain, &common),
        Command::Completions { shell } => documents::completions(shell),
        Command::Man { dir } => documents::man(&dir),
        Command::Xeps { json } => xeps::run(json),
    };
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            // Whether somebody reads it or not: the exit code says it too.
            let _ = writeln!(std::io::stderr(), "detente: {}", failure.text);
            Exit::of(failure.kind).into()
        }
    }
}
