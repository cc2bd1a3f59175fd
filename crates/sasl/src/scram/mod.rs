//! SCRAM (RFC 5802, RFC 7677): keys, messages, and the server's part of the exchange.
//!
//! Not here: downgrade attributes (`downgrade.rs`), keys of unknown users (`decoy.rs`).

mod keys;
mod nonce;
mod parse;
mod server;

pub use keys::{KeysError, ScramKeys, random_salt};
pub use nonce::Nonce;
pub(crate) use server::{Challenged, Pending, Setup};
