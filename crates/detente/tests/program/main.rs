//! The built program, as people and scripts use it.
//!
//! Not here: the parts alone, which have tests of their own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod domains;
mod outside;
mod rooms;
mod s2s;
mod secrets;
mod server;
mod stopped;
mod world;
