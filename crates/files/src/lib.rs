//! Files that people upload: who may put what where, how long it stays, and when it goes.
//!
//! XEP-0363 1.2.0 (slots, purposes, quotas); the bytes themselves are [`store::Blobs`].
//!
//! Not here: the iq request (`features/upload.rs`), HTTP (crate `net`).

mod arrival;
mod files;
mod ids;
pub mod limits;
mod lists;
mod names;
mod record;
mod remove;
mod settings;
mod slots;
mod stored;
mod sweep;
mod usage;

pub use arrival::{Arrival, Put, Refusal};
pub use files::Files;
pub use settings::Settings;
pub use stored::Stored;
