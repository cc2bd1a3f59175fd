//! Servers talk with one another: what arrives, what comes back, and who is believed.
//!
//! Not here: bytes on a stream (s2s).
#![allow(clippy::unwrap_used, reason = "a test may")]

mod believing;
mod breaking;
mod missing;
mod talking;
mod watching;
mod world;
