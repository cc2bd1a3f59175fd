//! Attacks a running server with bad input, row by row, and says what came of it.
//!
//! A row is one kind of bad input with its id (`A-02`), what must happen, and on which transports. It runs over
//! STARTTLS, direct TLS, WebSocket and BOSH alike, each execution from a loopback address of its own. After it three
//! things are looked at: others are served as before, processor and memory stayed within a budget, and the log has a
//! line without secrets.
//!
//! Not here: parts alone, which have such tests of their own (`crates/xml`, `crates/sasl`, `crates/stream`,
//! `crates/net`).

mod client;
pub mod dns;
mod login;
mod meter;
mod report;
mod row;
mod rows;
mod runner;
mod server;
mod stage;
mod timing;
mod verdict;
mod witness;

pub use report::{document, lines};
pub use rows::{absent, all};
pub use runner::{Depth, Summary, attack};
pub use server::{Options, Server};
pub use timing::{Timing, unknown_users};

/// What went wrong, in words.
pub type Fault = String;
/// A step that may go wrong.
pub type Outcome<T = ()> = Result<T, Fault>;

/// Any error as words.
pub(crate) fn words(error: impl std::fmt::Display) -> Fault {
    error.to_string()
}
