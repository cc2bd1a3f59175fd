//! Plain types that the floors above share.
//!
//! Not here: behaviour, I/O, clocks, XML.

pub mod storage;
