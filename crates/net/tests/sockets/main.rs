//! The whole crate over real sockets on loopback, with an engine and an account store that are just enough.
//!
//! Nothing here waits for time to pass: every step waits for something that is sent or counted.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod bosh;
mod files;
mod http;
mod limits;
mod push;
mod relay;
mod shared_port;
mod tcp;
mod tls;
mod websocket;
mod world;
