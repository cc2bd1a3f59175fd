//! Features of accounts and hosts: one small file each.
//!
//! Not here: the rules of RFC 6121 that all of them rely on (kernel), rooms and PubSub.

mod archive;
mod carbons;
mod offline;
mod roster;
mod rsm;
mod stanza_ids;
mod when;

use kernel::Feature;

/// What the operator may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {}

/// All features.
pub fn all(_options: &Options) -> Vec<Box<dyn Feature>> {
    vec![
        Box::new(archive::Archive),
        Box::new(carbons::Carbons),
        Box::new(offline::Offline),
        Box::new(roster::Roster),
        Box::new(stanza_ids::StanzaIds),
    ]
}
