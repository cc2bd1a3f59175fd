//! Plain shared types: what crates say to one another. No behaviour.
//!
//! Not here: any rule about what the values mean.

pub mod link;
