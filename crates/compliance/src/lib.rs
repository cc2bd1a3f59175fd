//! Asks any running XMPP server, over the wire, what it does of the XMPP Compliance Suites and of newer specifications.
//!
//! XEP-0479 0.1.0 (XMPP Compliance Suites 2023)
//!
//! Each row is an exchange that shows the behaviour, not only that it is announced: it passes, it is missing, or it is
//! broken, with what was seen. Nothing here knows which server it talks to.
//!
//! Not here: starting servers and making accounts (`scripts/compliance`, `interop/peers`), bad input (crate `hostile`).

mod caps;
mod client;
mod document;
mod http;
mod lanes;
mod rows;
mod scram;
mod server;
mod socket;
mod verdict;

pub use document::document;
pub use rows::{Level, Row, all};
pub use server::{Account, Server};
pub use verdict::{Results, Seen, Verdict};

use verdict::Lack;

/// What the server calls itself; "unknown" if it does not say.
pub fn software(server: &Server) -> String {
    rows::software(server).unwrap_or_else(|_| "unknown".into())
}

/// Tries one row.
pub fn attempt(row: &Row, server: &Server) -> Option<Verdict> {
    let run = row.run?;
    Some(match run(server) {
        Ok(()) => Verdict { passes: Seen::Passes, why: String::new() },
        Err(Lack::Missing(why)) => Verdict { passes: Seen::Missing, why },
        Err(Lack::Broken(why)) => Verdict { passes: Seen::Broken, why },
    })
}
