//! Certificates from an authority that gives them by ACME: asked for, kept, renewed in time, put into service.
//!
//! RFC 8555, RFC 8737 (tls-alpn-01), RFC 9773 (when to renew), RFC 2136 and RFC 8945 (proof by DNS)
//!
//! Not here: listeners that show the proof, and TLS itself (net), settings (config).

mod account;
mod answer;
mod dns;
mod due;
mod folder;
mod hook;
mod http;
mod keeper;
pub mod limits;
mod order;
mod parts;
mod settings;
mod trouble;

pub use keeper::Keeper;
pub use parts::PARTS;
pub use settings::{Plan, Settings, Standing, Update, Way, roots};
