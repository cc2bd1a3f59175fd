//! What the server does for an account or a host, one small file per feature.
//!
//! Not here: bytes on the wire and negotiation (stream), the order of things and RFC 6121's rules (kernel), rooms and
//! nodes.

mod archive;
pub mod blocking;
mod carbons;
pub mod last;
mod offline;
pub mod ping;
pub mod private;
pub mod register;
mod roster;
mod rsm;
#[cfg(test)]
mod scene;
mod stanza_ids;
pub mod time;
pub mod vcard;
pub mod version;
mod when;

use kernel::Feature;

/// All features of accounts and hosts. `version` is the program's, for those who ask (XEP-0092).
pub fn all(version: &'static str) -> Vec<Box<dyn Feature>> {
    vec![
        Box::new(archive::Archive),
        Box::new(blocking::Blocking),
        Box::new(carbons::Carbons),
        Box::new(last::Last),
        Box::new(offline::Offline),
        Box::new(ping::Ping),
        Box::new(private::Private),
        Box::new(register::Register),
        Box::new(roster::Roster),
        Box::new(stanza_ids::StanzaIds),
        Box::new(time::Time),
        Box::new(vcard::Vcard),
        Box::new(version::Version { version }),
    ]
}
