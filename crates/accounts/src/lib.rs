//! Accounts: who exists, who may log in, with which keys and tokens. The only crate that reads or writes credentials.
//!
//! RFC 5802 and RFC 7677 (SCRAM keys), XEP-0077 2.4 (in-band registration before login), XEP-0388 1.0, XEP-0484 0.2
//! (tokens).
//!
//! Two sides ask: the engine and operators with [`model::query::AccountQuery`] (see [`Accounts::answer`]), and streams
//! that authenticate with [`stream::Ask`] (see [`Accounts::ask`]). Nothing that they learn before a secret is proven
//! tells whether an account exists.
//!
//! Not here: the mechanisms (sasl), failed logins per address (net), what follows for sessions (engine).

mod accounts;
mod ask;
mod gone;
mod invites;
pub mod limits;
pub mod portable;
mod query;
mod record;
mod registration;
mod seal;
mod settings;
mod token_record;
mod tokens;
mod window;
mod work;

pub use accounts::Accounts;
use model::spec::{Part, Spec};

/// What this crate implements that no feature does.
pub const PARTS: &[Part] = &[Part {
    name: "invites",
    path: "crates/accounts/src/invites.rs",
    specs: &[Spec::complete("XEP-0445", "0.2.0")],
}];

pub use settings::{Orders, Settings};
