//! What single operations cost, counted instead of timed: requests for memory, and instructions of the processor.
//!
//! Counts don't depend on how busy a machine is, so they guard what was won: `tests/memory.rs` bounds requests for memory,
//! `scripts/costs` bounds instructions (with valgrind). Real streams, the real engine, all features and rooms, from bytes to
//! bytes; storage is in memory, and at once.
//!
//! Not here: TLS, sockets, threads and disks (`bench`, which measures a whole server beside others).

mod heap;
mod server;
mod works;

pub use heap::Meter;
pub use works::{WORKS, Work, Worker};
