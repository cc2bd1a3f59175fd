//! The settings of safety as types, and their check.
//!
//! Not here: what each setting means and may be (`settings.rs`).

use address::Jid;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// `[safety]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Safety {
    pub strangers: Strangers,
    pub strangers_local: bool,
    pub block_lists: Vec<String>,
    pub directory: Directory,
    pub reports_to: Vec<String>,
    pub reports_to_origin: bool,
}

impl Default for Safety {
    fn default() -> Safety {
        Safety {
            strangers: Strangers::Allow,
            strangers_local: false,
            block_lists: Vec::new(),
            directory: Directory::OptIn,
            reports_to: Vec::new(),
            reports_to_origin: true,
        }
    }
}

/// What becomes of what strangers send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Strangers {
    #[default]
    Allow,
    Hold,
    Refuse,
}

/// Who is found in the directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Directory {
    Off,
    #[default]
    OptIn,
    All,
}

impl Safety {
    /// The lists, each as the address of a service and a node; what is none is left out.
    pub fn lists(&self) -> impl Iterator<Item = (Jid, String)> {
        self.block_lists.iter().filter_map(|list| parse(list))
    }
}

impl Config {
    /// What becomes of what strangers send to accounts of that domain.
    pub fn strangers(&self, domain: &str) -> Strangers {
        self.domain.get(domain).and_then(|own| own.strangers).unwrap_or(self.safety.strangers)
    }
}

fn parse(list: &str) -> Option<(Jid, String)> {
    let (service, node) = list.split_once('/')?;
    let service = Jid::parse(service).ok().filter(Jid::is_bare)?;
    let fits = !node.is_empty() && node.len() <= 1_023 && !node.contains(char::is_whitespace);
    fits.then(|| (service, node.to_owned()))
}

pub(crate) fn check(source: &mut Source, config: &Config) {
    for (at, list) in config.safety.block_lists.iter().enumerate() {
        if parse(list).is_none() {
            let fix = "write the address of the service, a slash and the node, as in \"lists.example/muc_bans_sha256\"";
            source.error(&format!("safety.block_lists[{at}]"), format!("\"{list}\" is no list"), fix);
        }
    }
    for (at, text) in config.safety.reports_to.iter().enumerate() {
        if Jid::parse(text).is_err() {
            let fix = "write an address, as in \"antispam.example.org\"";
            source.error(&format!("safety.reports_to[{at}]"), format!("\"{text}\" is no address"), fix);
        }
    }
    if config.safety.reports_to.len() > REPORTS_TO_MAX {
        let what = format!("there are more than {REPORTS_TO_MAX} addresses");
        source.error("safety.reports_to", what, "remove those that matter least");
    }
    if config.safety.block_lists.len() > LISTS_MAX {
        let what = format!("there are more than {LISTS_MAX} lists");
        source.error("safety.block_lists", what, "remove those that matter least");
    }
}

/// Most addresses to which reports go on.
const REPORTS_TO_MAX: usize = 8;
/// Most lists of banned addresses.
const LISTS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_service_and_a_node() {
        for (text, expected) in [
            ("lists.example/muc_bans_sha256", Some(("lists.example", "muc_bans_sha256"))),
            ("bans@lists.example/a/b", Some(("bans@lists.example", "a/b"))),
            ("lists.example", None),
            ("lists.example/", None),
            ("/node", None),
            ("a b/node", None),
            ("lists.example/a b", None),
        ] {
            let parsed = parse(text);
            let found = parsed.as_ref().map(|(service, node)| (service.as_str(), node.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
