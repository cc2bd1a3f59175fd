//! What a client does not want to be woken for.
//!
//! XEP-0357 0.4.1 (`<enable/>`, which these extend), XEP-0372 0.6.0 (mentions)
//!
//! The three filters are those of Tigase, which Siskin, Beagle and others send.
//!
//! Not here: what nobody is woken for (`worth.rs`).

use std::collections::{BTreeMap, BTreeSet};

use address::Jid;
use kernel::Account;
use serde::{Deserialize, Serialize};
use stanza::ns;
use xml::El;

use super::worth::{Notice, Weight};

/// The filters of one registration.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Filter {
    /// Not for people who are no contacts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ignore_unknown: bool,
    /// Not for these.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    muted: BTreeSet<String>,
    /// For what is said in these rooms, on these terms, and in no other; `None`: in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<BTreeMap<String, Rule>>,
}

/// When a room wakes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rule {
    Always,
    /// When this nickname is mentioned.
    Mentioned(String),
    Never,
}

impl Filter {
    /// Reads the filters in `<enable/>`. What is no address, or no rule, is passed over.
    pub(super) fn read(enable: El<'_>) -> Filter {
        let address = |el: El<'_>| Some(Jid::parse(&el.attr("jid")?).ok()?.bare_str().to_owned());
        let muted = enable.child("muted", ns::PUSH_MUTED).into_iter();
        let rooms = enable.child("groupchat", ns::PUSH_GROUPCHAT).map(|groupchat| {
            let room = |room: El<'_>| Some((address(room)?, Rule::read(room)?));
            groupchat.children_named("room", ns::PUSH_GROUPCHAT).filter_map(room).collect()
        });
        Filter {
            ignore_unknown: enable.child("ignore-unknown", ns::PUSH_IGNORE_UNKNOWN).is_some(),
            muted: muted
                .flat_map(|muted| muted.children_named("item", ns::PUSH_MUTED).filter_map(address))
                .collect(),
            rooms,
        }
    }

    /// Whether nothing is filtered.
    pub(super) fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// Whether the client wants to be woken.
    pub(super) fn lets(&self, account: &Account, notice: &Notice<'_>) -> bool {
        let sender = notice.from.bare_str();
        if self.muted.contains(sender) {
            return false;
        }
        if notice.weight == Weight::Errand {
            return true;
        }
        if !notice.is_groupchat() {
            let known = || account.roster.item(sender).is_some_and(|item| item.listed || item.seen());
            return !self.ignore_unknown || sender == account.jid.as_str() || known();
        }
        match self.rooms.as_ref().map(|rooms| rooms.get(sender)) {
            None | Some(Some(Rule::Always)) => true,
            Some(Some(Rule::Mentioned(nick))) => notice.mentions(account.jid.as_str(), nick),
            Some(Some(Rule::Never) | None) => false,
        }
    }
}

impl Rule {
    fn read(room: El<'_>) -> Option<Rule> {
        match &*room.attr("allow")? {
            "always" => Some(Rule::Always),
            "never" => Some(Rule::Never),
            "mentioned" => Some(Rule::Mentioned(room.attr("nick")?.into_owned())),
            _ => None,
        }
    }
}
