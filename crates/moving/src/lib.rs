//! Moving in and out: everything that accounts and rooms have, as one XML file that other servers understand.
//!
//! XEP-0227 1.1
//!
//! Both ways are streams: what is held in memory at once is bounded, however large the file is (`limits.rs`).
//!
//! Not here: files and the command line (detente); what the data mean (features, pubsub, accounts).

mod export;
mod import;
mod kept;
pub mod limits;
mod reader;
mod source;
mod user;

use model::spec::{Part, Spec};

pub use export::{Counts, Export, export};
pub use import::{Import, Summary, import};
pub use source::{Fault, Open};

/// What this crate implements.
pub const PARTS: &[Part] = &[Part {
    name: "moving",
    path: "crates/moving/src/lib.rs",
    specs: &[Spec::complete("XEP-0227", "1.1").note("rooms and services besides, in a namespace of our own")],
}];
