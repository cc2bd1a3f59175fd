//! The roster: who an account's contacts are and who sees whose presence.
//!
//! RFC 6121 section 2 and appendix A.
//!
//! Not here: the iq that manages it (features, roster), the rules by which subscriptions change (`subscription.rs`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use address::Jid;
use model::storage::{Loaded, Owner, Space};
use serde::{Deserialize, Serialize};
use xml::Writer;

use crate::{Effects, Shared};

/// Where contacts are stored: a map from bare JID to [`Item`].
pub const ROSTER: Space = Space("roster");
/// Where the roster's version is stored.
pub(crate) const VERSION: Space = Space("roster-version");

/// One direction of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// None.
    #[default]
    None,
    /// Asked for, not yet answered.
    Pending,
    /// There is one.
    Active,
}

/// A contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The name that the user gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The groups that the user put it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Whether the user sees the contact's presence.
    #[serde(default)]
    pub to: Direction,
    /// Whether the contact sees the user's presence.
    #[serde(default)]
    pub from: Direction,
    /// The user has agreed in advance (RFC 6121 section 3.4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// The contact's waiting request as it came, to be shown at the next login (RFC 6121 section 3.1.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Whether the user put it in the roster, or got there by asking; a mere request from a stranger does not.
    #[serde(default)]
    pub listed: bool,
    /// What groups of the operator say of the contact. Never stored.
    #[serde(skip)]
    pub shared: Option<Arc<Shared>>,
}

impl Item {
    /// Whether the contact may see the user's presence.
    pub fn shown_to(&self) -> bool {
        self.from == Direction::Active || self.shared.is_some()
    }

    /// Whether the user sees the contact's presence.
    pub fn seen(&self) -> bool {
        self.to == Direction::Active || self.shared.is_some()
    }

    /// Whether the user sees it in the roster.
    pub fn in_roster(&self) -> bool {
        self.listed || self.shared.is_some()
    }

    /// The `subscription` attribute (RFC 6121 section 2.1.2.5).
    pub fn subscription(&self) -> &'static str {
        match (self.seen(), self.shown_to()) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }

    /// Writes `<item/>` (RFC 6121 section 2.1.2).
    pub fn write(&self, contact: &str, w: &mut Writer) {
        w.open("item", stanza::ns::ROSTER).attr("jid", contact);
        let shared = self.shared.as_deref();
        let name = self.name.as_deref().or_else(|| shared?.name.as_deref());
        w.attr_opt("name", name).attr("subscription", self.subscription());
        let asks = self.to == Direction::Pending && shared.is_none();
        w.attr_opt("ask", asks.then_some("subscribe"));
        w.attr_opt("approved", self.approved.then_some("true"));
        let more = shared.map(|shared| &shared.groups[..]).unwrap_or_default();
        for group in self.groups.iter().chain(more.iter().filter(|group| !self.groups.contains(group))) {
            w.leaf("group", stanza::ns::ROSTER, group);
        }
        w.close();
    }

    /// The bytes of its texts, as a contact with that address.
    pub fn bytes(&self, contact: &str) -> usize {
        let texts = self.groups.iter().chain(&self.name).chain(&self.request);
        contact.len() + texts.map(String::len).sum::<usize>()
    }

    /// Whether nothing is left that is worth storing.
    pub(crate) fn is_blank(&self) -> bool {
        !self.listed && !self.approved && self.to == Direction::None && self.from == Direction::None
    }
}

/// All contacts of an account, by bare JID, and the version of the whole.
#[derive(Debug, Default)]
pub struct Roster {
    /// Sorted by address. A tree would take twice the memory, and rosters are many and small.
    items: Vec<(Jid, Item)>,
    /// Bytes of all texts in them.
    bytes: usize,
    version: u64,
    /// Changes with what groups say; 0 without them.
    shared: u64,
}

impl Roster {
    /// The contact with that bare JID.
    pub fn item(&self, contact: &str) -> Option<&Item> {
        self.find(contact).ok().map(|at| &self.items[at].1)
    }

    /// Where that contact is, or where it would be.
    fn find(&self, contact: &str) -> Result<usize, usize> {
        self.items.binary_search_by(|(jid, _)| jid.as_str().cmp(contact))
    }

    /// All contacts, sorted by address.
    pub fn iter(&self) -> impl Iterator<Item = (&Jid, &Item)> {
        self.items.iter().map(|(jid, item)| (jid, item))
    }

    /// Contacts that the user sees in the roster: without strangers who only asked.
    pub fn listed(&self) -> impl Iterator<Item = (&Jid, &Item)> {
        self.iter().filter(|(_, item)| item.in_roster())
    }

    /// How many, strangers who asked included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether a contact may become this without the whole becoming too large. What does not grow always may.
    pub fn fits(&self, contact: &str, item: &Item) -> bool {
        let (old, new) = (self.item(contact).map_or(0, |old| old.bytes(contact)), item.bytes(contact));
        new <= old || self.bytes - old + new <= crate::limits::ROSTER_BYTES_MAX
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The version for roster versioning (RFC 6121 section 2.6): it changes with every change.
    pub fn version(&self) -> String {
        match self.shared {
            0 => self.version.to_string(),
            shared => format!("{}-{shared:x}", self.version),
        }
    }

    /// Lays what groups say over the contacts. Gives back those of whom something else is said now.
    pub(crate) fn share(&mut self, contacts: BTreeMap<Jid, Arc<Shared>>) -> Vec<Jid> {
        let mut changed = Vec::new();
        for (jid, item) in self.items.iter_mut().filter(|(_, item)| item.shared.is_some()) {
            if !contacts.contains_key(jid) {
                item.shared = None;
                changed.push(jid.clone());
            }
        }
        self.items.retain(|(_, item)| item.shared.is_some() || !item.is_blank());
        self.bytes = self.items.iter().map(|(jid, item)| item.bytes(jid.as_str())).sum();
        let mut hasher = DefaultHasher::new();
        for (contact, shared) in contacts {
            (contact.as_str(), &shared.groups, &shared.name).hash(&mut hasher);
            let known = self.item(contact.as_str());
            if known.is_some_and(|item| item.shared.as_ref() == Some(&shared)) {
                continue;
            }
            let item = Item { shared: Some(shared), ..known.cloned().unwrap_or_default() };
            changed.push(contact.clone());
            self.put(contact, item);
        }
        let any = self.items.iter().any(|(_, item)| item.shared.is_some());
        self.shared = if any { hasher.finish() | 1 } else { 0 };
        changed
    }

    /// Sets or (if nothing worth keeping is left) removes a contact, and stores that.
    pub fn set(&mut self, owner: &Owner, contact: &Jid, item: Item, fx: &mut Effects) {
        let key = contact.as_str();
        if item.is_blank() && item.shared.is_some() {
            // Nothing of the user's own is left, but the groups' remains.
            let key = key.into();
            fx.write(model::storage::Write::MapDelete { space: ROSTER, owner: owner.clone(), key });
            self.put(contact.clone(), item);
        } else if item.is_blank() {
            if let Ok(at) = self.find(key) {
                let (_, old) = self.items.remove(at);
                self.bytes -= old.bytes(key);
                fx.write(model::storage::Write::MapDelete {
                    space: ROSTER,
                    owner: owner.clone(),
                    key: key.into(),
                });
            }
        } else {
            // Writing text, options and lists as JSON cannot fail.
            #[allow(clippy::unwrap_used)]
            fx.put_map(ROSTER, owner.clone(), key, serde_json::to_vec(&item).unwrap());
            self.put(contact.clone(), item);
        }
    }

    fn put(&mut self, contact: Jid, item: Item) {
        self.bytes += item.bytes(contact.as_str());
        match self.find(contact.as_str()) {
            Ok(at) => {
                let old = std::mem::replace(&mut self.items[at].1, item);
                self.bytes -= old.bytes(contact.as_str());
            }
            Err(at) => self.items.insert(at, (contact, item)),
        }
    }

    /// Counts a change that clients see, and stores the new version.
    pub(crate) fn touch(&mut self, owner: &Owner, fx: &mut Effects) {
        self.version += 1;
        fx.put_doc(VERSION, owner.clone(), self.version.to_string().into_bytes());
    }

    pub(crate) fn hydrate(&mut self, items: Loaded, version: Loaded) {
        let stored = items.into_map();
        self.items.reserve_exact(stored.len());
        // They come in the order of their keys, so each is put at the end.
        for (key, value) in stored {
            match (Jid::parse(&key), serde_json::from_slice(&value)) {
                (Ok(jid), Ok(item)) => self.put(jid, item),
                _ => tracing::error!(contact = %key, "a stored contact is unreadable and left out"),
            }
        }
        let version = version.into_doc().and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok());
        self.version = version.unwrap_or(0);
    }
}
