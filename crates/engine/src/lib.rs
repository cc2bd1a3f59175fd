//! The engine: owns every account and session, runs turns, and lets nothing out before it is stored.
//!
//! XEP-0198 1.6.3 (queues, counters, resumption), XEP-0352 1.0.0 (what waits for an inactive client).
//!
//! Inputs are taken in batches. All that a batch writes is committed at once; what it sends, and the acknowledgements
//! of what it received, leave in order after that commit. The engine itself is a pure machine ([`Engine`]); [`run`]
//! is the loop around it.
//!
//! Not here: what happens to a stanza (kernel, features), how it travels (stream, net), how it is stored (store).

mod asks;
mod away;
mod bind;
mod commissions;
mod commit;
mod contained;
mod csi;
mod departures;
mod device;
mod domains;
mod engine;
mod estate;
mod fair;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod held;
mod hosts;
mod ids;
mod input;
pub mod limits;
mod operator;
mod places;
mod privileges;
mod requests;
mod resume;
mod route;
mod run;
mod sm;
mod spool;
mod spots;
mod timers;
mod turns;
mod unread;
mod words;

pub use engine::{Engine, Output, Random, Ticket};
pub use input::{Input, Standing, Time};
pub use run::{
    Accounts, Bytestreams, Files, Handle, NoBytestreams, NoFiles, NoPushes, Pushes, Services, run, start_time,
};
pub use spool::spooled;
