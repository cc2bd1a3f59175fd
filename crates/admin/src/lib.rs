//! Administration: one table of commands, carried out in a running server through its socket, or on a store that no
//! server has open.
//!
//! Not here: the command line (detente), ad-hoc commands over XMPP (features), what orders do (accounts, engine).

mod args;
mod certs;
mod client;
mod components;
mod domains;
mod failure;
mod groups;
mod invites;
pub mod limits;
mod measures;
mod monitor;
mod notices;
mod port;
mod reports;
mod room_form;
mod rooms;
mod servers;
mod sessions;
mod socket;
mod table;
mod users;

pub use args::{Arg, ArgKind, Args};
pub use certs::Certificates;
pub use client::ask;
pub use domains::stored_domains;
pub use failure::{Failure, FailureKind};
pub use groups::stored_groups;
pub use measures::{Kind as MeasureKind, Measure};
pub use monitor::{Gauges, More};
pub use port::{Domains, Live, Port, Servers};
pub use servers::stored_blocks;
pub use socket::{Socket, bind};
pub use table::{COMMANDS, Command, command, run};
