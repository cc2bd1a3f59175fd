//! Components over a real socket, with a real engine behind it.
//!
//! XEP-0114 1.6, XEP-0356 0.4.1
//!
//! Not here: TLS and addresses (detente), real components (interop).
#![allow(clippy::unwrap_used, reason = "a test may")]

mod connecting;
mod privileges;
mod waiting;
mod world;
