//! What clients saw of a server, written down, and the judgement whether anything was lost, doubled, reordered or shown
//! to somebody who may not see it.
//!
//! Clients (simulated or real) append [`Event`]s to a [`History`]; every message carries its [`Key`] in its body, so that
//! what it is does not depend on the server. When all faults are healed and everything has been read back, [`check`]
//! says what cannot be. All checks are O(n log n).
//!
//! Not here: clients, servers, files; this crate does no I/O.

mod check;
mod event;
mod finding;
mod key;
mod log;

pub use check::check;
pub use event::{Direction, Event, Phase, Right, Via, What};
pub use finding::{Finding, Kind, Report};
pub use key::Key;
pub use log::{BadLine, History};
