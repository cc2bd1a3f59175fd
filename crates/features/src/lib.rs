//! What the server does for an account or a host, one small file per feature.
//!
//! Not here: bytes on the wire and negotiation (stream), the order of things (kernel), rooms and nodes.

pub mod blocking;
mod datetime;
pub mod last;
pub mod ping;
pub mod private;
pub mod register;
#[cfg(test)]
mod scene;
pub mod time;
pub mod vcard;
pub mod version;

use kernel::Feature;

/// All features of accounts and hosts. `version` is the program's, for those who ask (XEP-0092).
pub fn all(version: &'static str) -> Vec<Box<dyn Feature>> {
    vec![
        Box::new(blocking::Blocking),
        Box::new(last::Last),
        Box::new(ping::Ping),
        Box::new(private::Private),
        Box::new(register::Register),
        Box::new(time::Time),
        Box::new(vcard::Vcard),
        Box::new(version::Version { version }),
    ]
}
