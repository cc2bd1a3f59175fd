//! Looking up whether somebody stands on a list of banned addresses.
//!
//! The lists of a domain are one map: `service node hash` is a key for each address. The hash is SHA-256, as hexadecimal
//! digits, of a bare address or of a domain.
//!
//! Not here: keeping the lists up to date (features, `lists.rs`).

use address::Jid;
use model::storage::{Loaded, Owner, Read, Space};
use sha2::{Digest, Sha256};

use crate::{BlockList, SafetyFacts};

/// Where the lists are stored, one map for each hosted domain.
pub const BANNED: Space = Space("banned");

/// What the keys of a list begin with.
pub fn prefix(list: &BlockList) -> String {
    format!("{} {} ", list.service, list.node)
}

/// SHA-256 as hexadecimal digits.
pub fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The question whether `who` is on a list of the domain `host`; `None` if there are no lists.
pub fn look_up(facts: &SafetyFacts, host: &str, who: &Jid) -> Option<Read> {
    if facts.lists.is_empty() {
        return None;
    }
    let owner = Owner::from(host);
    let hashes = [hash(who.bare_str()), hash(who.domain())];
    let reads = facts.lists.iter().flat_map(|list| {
        let (prefix, owner) = (prefix(list), owner.clone());
        hashes.clone().map(|hash| {
            let key = format!("{prefix}{hash}").into();
            Read::MapGet { space: BANNED, owner: owner.clone(), key }
        })
    });
    Some(Read::Many(reads.collect()))
}

/// What the answer to [`look_up`] says.
pub fn is_banned(answer: Loaded) -> bool {
    answer.into_many().into_iter().any(|found| found.into_doc().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_the_address_and_its_domain() {
        let who = Jid::parse("eve@spam.example/x").unwrap();
        let mut facts = SafetyFacts::default();
        assert_eq!(look_up(&facts, "example.org", &who), None);
        let service = Jid::parse("lists.example").unwrap();
        facts.lists.push(BlockList { service, node: "bans".into() });
        let Some(Read::Many(reads)) = look_up(&facts, "example.org", &who) else { panic!("no question") };
        let keys: Vec<String> = reads.iter().map(|read| format!("{read:?}")).collect();
        let (bare, domain) = (hash("eve@spam.example"), hash("spam.example"));
        // FIPS 180-4, the example of one block.
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(
            keys[0].contains(&format!("lists.example bans {bare}")) && keys[1].contains(&domain),
            "{keys:?}"
        );
        let (none, one) = (Loaded::Doc(None), Loaded::Doc(Some("".into())));
        assert!(!is_banned(Loaded::Many(vec![none.clone(), none.clone()])));
        assert!(is_banned(Loaded::Many(vec![none, one])));
    }
}
