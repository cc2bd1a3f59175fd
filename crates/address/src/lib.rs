//! XMPP addresses: parsed and prepared once, at the trust boundary, then compared as bytes.
//!
//! RFC 7622 (structure, lengths), RFC 6122 (stringprep profiles, as deployed servers enforce them;
//! see docs/decisions/003-addresses.md), RFC 3920 section 3.
//!
//! Not here: escaping of forbidden characters (XEP-0106), which is a client's business.

mod jid;
mod resource;

pub use jid::{Bare, Jid, JidError, PART_BYTES_MAX};
