//! TLS of the server's side: certificates, handshakes, and which application protocol they are for.
//!
//! RFC 8446, RFC 5246 (only as RFC 9325 allows), RFC 7301, RFC 9266, RFC 5929.
//!
//! Not here: encrypted reading and writing after the handshake (`wire.rs`).

mod challenge;
mod der;
mod handshake;
mod identity;
mod secure;
mod servers;
mod store;

pub use der::{Fields, fields};
pub(crate) use handshake::{go_on, read_hello};
pub(crate) use identity::Purpose;
pub use identity::{TlsError, TlsNote};
pub(crate) use secure::{secure, within};
pub use store::TlsStore;
