//! The push service of a domain: notifications for browsers (Web Push), and a way in for other programs (UnifiedPush).
//!
//! XEP-0357 0.4.1 (the service's side), XEP-0050 1.3.0, XEP-0030 2.5.0
//!
//! The service is one place, without state of its own: what a client registered is stored with its account.
//!
//! Not here: encryption, HTTP (crate `webpush`), when somebody is to be told (features, `push`).

mod commands;
pub mod limits;
mod nodes;
mod parts;
mod publish;
mod service;
#[cfg(test)]
mod tests;
mod unified;

pub use parts::PARTS;
pub use service::{NAME, Pushes, Random, gone};
