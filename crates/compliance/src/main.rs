//! `detente-compliance`: asks one server all rows and writes what came of it; or makes the page of several results.
//!
//! Not here: the rows (`lib.rs`).

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use compliance::{Account, Results, Seen, Server, all, attempt, document};

/// Asks any running XMPP server, over the wire, what it does of the XMPP Compliance Suites and of newer specifications.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    /// Asks a server all rows.
    Ask(Box<Ask>),
    /// Writes the page of these results, the first of which is ours.
    Page {
        /// Files that `ask --results` wrote.
        results: Vec<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Ask {
    /// Domain of the accounts.
    #[arg(long)]
    domain: String,
    /// Address of the server.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Its port for clients, STARTTLS.
    #[arg(long, default_value_t = 5222)]
    c2s: u16,
    /// Its port for clients, direct TLS.
    #[arg(long, default_value_t = 5223)]
    c2s_tls: u16,
    /// Its port for HTTP in the clear.
    #[arg(long, default_value_t = 5280)]
    http: u16,
    /// Its port for HTTP over TLS, with /xmpp-websocket and /http-bind.
    #[arg(long, default_value_t = 5281)]
    https: u16,
    /// Its port for servers, STARTTLS.
    #[arg(long, default_value_t = 5269)]
    s2s: u16,
    /// Its port for servers, direct TLS.
    #[arg(long, default_value_t = 5270)]
    s2s_tls: u16,
    /// Its port for components.
    #[arg(long, default_value_t = 5347)]
    component: u16,
    /// A component that it knows, as DOMAIN:SECRET.
    #[arg(long)]
    component_as: Option<String>,
    /// Two accounts without contacts, as NAME:PASSWORD.
    #[arg(long = "account", required = true, num_args = 2)]
    accounts: Vec<String>,
    /// What the page shall call it; else what it says itself.
    #[arg(long)]
    software: Option<String>,
    /// Only rows whose key contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Writes the results there.
    #[arg(long)]
    results: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Args::parse().work {
        Work::Ask(ask) => run(*ask),
        Work::Page { results } => page(&results),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("detente-compliance: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn account(text: &str) -> Result<Account, String> {
    let (name, password) = text.split_once(':').ok_or("an account is NAME:PASSWORD")?;
    Ok(Account { name: name.into(), password: password.into() })
}

fn run(ask: Ask) -> Result<(), String> {
    let component_as = ask.component_as.as_deref().and_then(|text| text.split_once(':'));
    let server = Server {
        domain: ask.domain,
        address: ask.address,
        c2s: ask.c2s,
        c2s_tls: ask.c2s_tls,
        http: ask.http,
        https: ask.https,
        s2s: ask.s2s,
        s2s_tls: ask.s2s_tls,
        component: ask.component,
        component_as: component_as.map(|(name, secret)| (name.to_owned(), secret.to_owned())),
        accounts: [account(&ask.accounts[0])?, account(&ask.accounts[1])?],
        // Process ids are as good as any number that differs from run to run.
        names: std::process::id().wrapping_mul(1_000).into(),
    };
    let mut rows = std::collections::BTreeMap::new();
    for row in all().iter().filter(|row| row.key().contains(&ask.only)) {
        let Some(verdict) = attempt(row, &server) else { continue };
        let word = match verdict.passes {
            Seen::Passes => "passes ",
            Seen::Missing => "missing",
            Seen::Broken => "BROKEN ",
        };
        println!("{word}  {:<60} {}", row.key(), verdict.why);
        rows.insert(row.key(), verdict);
    }
    let software = ask.software.unwrap_or_else(|| compliance::software(&server));
    let results = Results { software, rows };
    if let Some(path) = ask.results {
        let text = serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn page(paths: &[PathBuf]) -> Result<(), String> {
    let mut results = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        results.push(serde_json::from_str::<Results>(&text).map_err(|error| error.to_string())?);
    }
    print!("{}", document(&all(), &results));
    Ok(())
}
