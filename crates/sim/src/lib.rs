//! The server in a simulated world: one thread, one seed, and everything that can go wrong.
//!
//! Real streams, the real engine and all features; clients, network, disk and clock are simulated. The same seed gives
//! the same run, byte for byte. What the clients saw is judged by the crate `history`.
//!
//! Not here: sockets, TLS, SQLite (they have their own tests), other servers.

mod act;
mod client;
mod disk;
mod last;
mod link;
mod plan;
mod rng;
mod run;
mod serve;
mod server;
mod world;

pub use run::{Outcome, run};
