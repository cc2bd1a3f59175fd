//! An account on its way in: what stands in `<user/>` becomes writes.
//!
//! XEP-0227 1.1 sections 4.2 to 4.10, XEP-0313 1.1.3, XEP-0203 2.0
//!
//! Not here: the file (`import.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use accounts::portable::Arriving as Account;
use address::{Bare, Jid};
use features::portable;
use kernel::{Direction, Item, ROSTER};
use model::spaces::{ACCOUNT, ARCHIVE, PRIVATE};
use model::storage::{Entry, Owner, Space, Write};
use pubsub::portable::Arriving as Nodes;
use stanza::{Kind, Stanza, ns, when};
use xml::{El, Element};

use crate::kept;
use crate::limits::ID_MAX;

/// An account that is being read.
pub(crate) struct User {
    pub(crate) jid: Bare,
    pub(crate) owner: Owner,
    pub(crate) account: Account,
    pub(crate) nodes: Nodes,
    roster: BTreeMap<String, Item>,
    bytes: usize,
    archive: u64,
    offline: u64,
}

impl User {
    pub(crate) fn new(jid: Bare, now_ms: u64) -> User {
        let owner = Owner::from(jid.text());
        let nodes = Nodes::new(owner.clone(), true, now_ms);
        User {
            jid,
            owner,
            account: Account::default(),
            nodes,
            roster: BTreeMap::new(),
            bytes: 0,
            archive: 0,
            offline: 0,
        }
    }

    /// A contact. `false`: it cannot be one.
    pub(crate) fn contact(&mut self, el: El<'_>) -> bool {
        let Some(jid) = el.attr("jid").and_then(|jid| Jid::parse(&jid).ok()) else { return false };
        if jid.bare_str() == self.jid.as_str() {
            return false;
        }
        let item = self.roster.entry(jid.bare_str().to_owned()).or_default();
        item.listed = true;
        item.name = el.attr("name").filter(|name| !name.is_empty()).map(|name| name.into_owned());
        item.groups = el.children_named("group", ns::ROSTER).map(|group| group.text().into_owned()).collect();
        let subscription = el.attr("subscription");
        let has = |words: [&str; 2]| subscription.as_deref().is_some_and(|word| words.contains(&word));
        item.to = match (has(["to", "both"]), el.attr("ask").as_deref()) {
            (true, _) => Direction::Active,
            (false, Some("subscribe")) => Direction::Pending,
            _ => Direction::None,
        };
        if has(["from", "both"]) {
            (item.from, item.request) = (Direction::Active, None);
        }
        item.approved = matches!(el.attr("approved").as_deref(), Some("true" | "1"));
        self.bytes += item.bytes(jid.bare_str());
        let fits = self.bytes <= kernel::limits::ROSTER_BYTES_MAX;
        if !fits {
            self.roster.remove(jid.bare_str());
        }
        fits
    }

    /// A request that waits for an answer (section 4.8).
    pub(crate) fn request(&mut self, element: &Element) -> bool {
        let Some(from) = element.attr("from").and_then(|from| Jid::parse(&from).ok()) else { return false };
        if element.attr("type").as_deref() != Some("subscribe") {
            return false;
        }
        let stored = children(element);
        let stored =
            if stored.len() <= kernel::limits::REQUEST_BYTES_MAX { stored } else { Default::default() };
        let item = self.roster.entry(from.bare_str().to_owned()).or_default();
        if item.from != Direction::None {
            return true;
        }
        let request = String::from_utf8(stored.to_vec()).ok();
        self.bytes += request.as_ref().map_or(0, String::len) + from.bare_str().len();
        if self.bytes > kernel::limits::ROSTER_BYTES_MAX {
            return false;
        }
        (item.from, item.request) = (Direction::Pending, request);
        true
    }

    /// A row of the private store (XEP-0049).
    pub(crate) fn private(&self, el: El<'_>) -> Option<Write> {
        let key = format!("{{{}}}{}", el.ns(), el.name());
        let value = el.raw(ns::PRIVATE).into_owned();
        let fits = value.len() <= features::private::PRIVATE_BYTES_MAX && !el.ns().is_empty();
        fits.then(|| Write::MapPut {
            space: PRIVATE,
            owner: self.owner.clone(),
            key: key.into(),
            value: value.into(),
        })
    }

    /// A message that waits for a device.
    pub(crate) fn waiting(&mut self, element: &Element, now_ms: u64) -> Option<Write> {
        let mut stanza = Stanza::from_element(element).ok()?;
        if !matches!(stanza.kind, Kind::Message(_)) {
            return None;
        }
        let domain = self.jid.domain();
        let ours = |child: &stanza::Child<'_>| {
            child.is("delay", ns::DELAY) && child.attr("from").as_deref() == Some(domain)
        };
        let last = stanza.payload.children().filter(|child| ours(child)).last();
        let at_ms = last.as_ref().and_then(|delay| when::parse(&delay.attr("stamp")?));
        // The server says it anew when it gives the message to a device.
        let raw = last.filter(|_| at_ms.is_some()).map(|delay| delay.raw().to_vec());
        if let Some(raw) = raw {
            stanza.payload = stanza.payload.without(|child| child.raw() == raw);
        }
        let by = self.jid.as_str();
        let mut ids = stanza
            .payload
            .children()
            .filter(|child| child.is("stanza-id", ns::SID) && child.attr("by").as_deref() == Some(by));
        let id = number(ids.next().and_then(|id| id.attr("id")).as_deref(), self.offline);
        self.offline = id;
        let value = stanza.to_stored().into();
        let at_ms = at_ms.unwrap_or(now_ms);
        let entry = Entry { id, at_ms, with: None, resource: None, tag: 0, value };
        Some(self.append(portable::OFFLINE, entry))
    }

    /// A message of the archive.
    pub(crate) fn archived(&mut self, result: El<'_>) -> Option<Write> {
        let forwarded = result.child("forwarded", ns::FORWARD)?;
        let at_ms = when::parse(&forwarded.child("delay", ns::DELAY)?.attr("stamp")?)?;
        let message = forwarded.child("message", ns::CLIENT)?.raw("");
        let stanza = Stanza::from_stored(&message).ok()?;
        let from_self = stanza.from.as_ref().is_none_or(|from| from.bare_str() == self.jid.as_str());
        let other =
            if from_self { stanza.to.as_ref().or(stanza.from.as_ref()) } else { stanza.from.as_ref() };
        let id = number(result.attr("id").as_deref(), self.archive);
        self.archive = id;
        let entry = Entry {
            id,
            at_ms,
            with: other.map(|other| Arc::from(other.bare_str())),
            resource: other.and_then(|other| other.resource()).map(Arc::from),
            tag: 0,
            value: stanza.to_stored().into(),
        };
        Some(self.append(ARCHIVE, entry))
    }

    fn append(&self, space: Space, entry: Entry) -> Write {
        Write::LogAppend { space, owner: self.owner.clone(), entry }
    }

    /// Something small of ours.
    pub(crate) fn kept(&self, el: El<'_>) -> Option<Write> {
        kept::read(el, &kept::OF_USER, &self.owner)
    }

    /// The last writes: the roster, and then the account itself. How many contacts there are.
    pub(crate) fn finish(self, document: bytes::Bytes) -> (usize, Vec<Write>) {
        let mut writes = Vec::with_capacity(self.roster.len() + 1);
        for (jid, item) in &self.roster {
            // Text, options and lists can always be written.
            let value = serde_json::to_vec(item).unwrap_or_default().into();
            let (owner, key) = (self.owner.clone(), Arc::from(jid.as_str()));
            writes.push(Write::MapPut { space: ROSTER, owner, key, value });
        }
        writes.push(Write::DocPut { space: ACCOUNT, owner: self.owner, value: document });
        (self.roster.len(), writes)
    }
}

/// Canonical content relative to the namespace of stanzas: some servers leave it out on `<presence/>`.
fn children(element: &Element) -> bytes::Bytes {
    let mut w = xml::Writer::new(ns::CLIENT);
    for child in element.children() {
        let raw = child.raw();
        w.raw_from(raw, if element.ns().is_empty() { ns::CLIENT } else { element.ns() });
    }
    w.finish()
}

/// The id of an entry: the given one, if it is a number of ours, else the next after the last.
pub(crate) fn number(given: Option<&str>, last: u64) -> u64 {
    let given = given.filter(|text| !text.starts_with(['0', '+'])).and_then(|text| text.parse().ok());
    given.filter(|id| *id > last && *id <= ID_MAX).unwrap_or(last + 1)
}
