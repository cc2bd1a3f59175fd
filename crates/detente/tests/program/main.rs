//! The built program, as people and scripts use it.
//!
//! Not here: the parts alone, which have tests of their own.

mod server;
mod stopped;
mod world;
