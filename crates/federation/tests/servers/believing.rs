//! Whom a server believes, and what senders hear of those whom it does not.
//!
//! Not here: servers that are believed (`talking.rs`).
