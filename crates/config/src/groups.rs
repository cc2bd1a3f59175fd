//! Groups of the operator as types, and their check.
//!
//! Not here: what each setting means and may be (`settings.rs`), what groups do (kernel).

use address::Bare;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// Most groups.
const GROUPS_MAX: usize = 100;
/// Most members of one group: each has all others in memory and tells all others.
const MEMBERS_MAX: usize = 500;
/// Most bytes of a group's name, and of a member's.
const NAME_BYTES_MAX: usize = 200;

/// `[group.NAME]`, named as in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Group {
    pub name: Option<String>,
    pub members: Vec<String>,
}

impl Group {
    /// The members: address, and name if there is one. What is none is left out.
    pub fn people(&self) -> impl Iterator<Item = (Bare, Option<String>)> {
        self.members.iter().filter_map(|text| parse(text))
    }
}

/// `alice@example.org` or `Alice <alice@example.org>`.
fn parse(text: &str) -> Option<(Bare, Option<String>)> {
    let (name, jid) = match text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, jid)) => (Some(name.trim().to_owned()).filter(|name| !name.is_empty()), jid),
        None => (None, text.trim()),
    };
    let jid = Bare::parse(jid).ok().filter(|jid| jid.local().is_some())?;
    let fits =
        name.as_ref().is_none_or(|name| name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control));
    fits.then_some((jid, name))
}

pub(crate) fn check(source: &mut Source, config: &Config) {
    if config.group.len() > GROUPS_MAX {
        source.error("group", format!("there are more than {GROUPS_MAX} groups"), "join some of them");
    }
    for (key, group) in &config.group {
        let section = format!("group.{key}");
        let name = group.name.as_deref().unwrap_or(key);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            let fix = format!("write at most {NAME_BYTES_MAX} bytes without control characters");
            source.error(&section, "its name cannot stand in a roster", fix);
        }
        if group.members.len() > MEMBERS_MAX {
            let fix = "divide it: each member tells all others whether it is there";
            source.error(&section, format!("it has more than {MEMBERS_MAX} members"), fix);
        }
        for (at, text) in group.members.iter().enumerate() {
            let path = format!("{section}.members[{at}]");
            match parse(text) {
                Some((jid, _)) if config.server.domains.iter().any(|domain| domain == jid.domain()) => {}
                Some((jid, _)) => {
                    let what = format!("\"{}\" is not one of this server's domains", jid.domain());
                    source.error(&path, what, "name accounts of this server only");
                }
                None => {
                    let fix =
                        "write an address, as in \"alice@example.org\" or \"Alice <alice@example.org>\"";
                    source.error(&path, format!("\"{text}\" is no member"), fix);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_an_address_perhaps_with_a_name() {
        for (text, expected) in [
            ("alice@example.org", Some(("alice@example.org", None))),
            ("Alice A. <Alice@example.org>", Some(("alice@example.org", Some("Alice A.")))),
            (" <alice@example.org> ", Some(("alice@example.org", None))),
            ("example.org", None),
            ("Alice alice@example.org", None),
            ("Alice <>", None),
            ("A\nB <alice@example.org>", None),
            ("", None),
        ] {
            let found = parse(text);
            let found = found.as_ref().map(|(jid, name)| (jid.as_str(), name.as_deref()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
