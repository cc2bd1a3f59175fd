//! Plain shared types: what crates say to one another. No behaviour.
//!
//! Not here: any rule about what the values mean; I/O, clocks, XML.

pub mod away;
pub mod bytestream;
pub mod grant;
pub mod invite;
pub mod link;
pub mod push;
pub mod query;
pub mod rights;
pub mod spaces;
pub mod spec;
pub mod storage;
pub mod upload;
