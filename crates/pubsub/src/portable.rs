//! Nodes on their way out of this server, or in: between what is stored and the elements of XEP-0060.
//!
//! XEP-0227 1.1 section 4.9, XEP-0060 1.30.0 (sections 6, 8.2, 8.8, 8.9)
//!
//! Not here: the file that they stand in (crate `moving`), its reading and writing (`arriving.rs` for one node's parts).

use std::sync::Arc;

use address::{Bare, Jid};
use bytes::Bytes;
use model::storage::{Owner, Read, Space};
use stanza::{ns, when};
use xml::Writer;

use crate::config::{Access, Offer};
use crate::items::{Index, Item};
use crate::node::{self, Affiliation, MARK, Record, Subscription};
use crate::{form, pep, service};

pub use crate::arriving::{Arriving, photo};

/// The namespace of what XEP-0227 has no word for.
pub(crate) const OWN: &str = ns::MOVING;

/// What to read to know an account's or a service's nodes; the answers belong into [`Leaving::new`].
pub fn reads(owner: &Owner) -> Vec<Read> {
    let map = |space| Read::Map { space, owner: owner.clone() };
    vec![map(node::NODES), map(node::AFFILIATIONS), map(node::SUBSCRIPTIONS)]
}

/// Who has nodes: the space to ask for owners.
pub const NODES: Space = node::NODES;

/// Which fields a node of that name has, of an account or of a service.
pub(crate) fn offer(account: bool, node: &str) -> Offer {
    match account {
        true => Offer { collections: false, access: pep::access(node) },
        false => Offer { collections: true, access: service::ACCESS },
    }
}

/// The nodes of one owner on their way out.
pub struct Leaving {
    owner: Owner,
    account: bool,
    maps: [Vec<(Arc<str>, Bytes)>; 3],
}

impl Leaving {
    /// What [`reads`] brought, of an account or of a service.
    pub fn new(owner: Owner, account: bool, maps: [Vec<(Arc<str>, Bytes)>; 3]) -> Leaving {
        Leaving { owner, account, maps }
    }

    /// The names of the nodes.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.maps[0].iter().map(|(name, _)| name)
    }

    /// Writes `<configure/>`, `<affiliations/>` and `<subscriptions/>` of all nodes, to stand in
    /// `pubsub#owner`; in bounded pieces.
    pub fn configuration(&self, mut put: impl FnMut(Bytes)) {
        for (name, value) in &self.maps[0] {
            let Ok(record) = serde_json::from_slice::<Record>(value) else { continue };
            let mut w = Writer::new(ns::PUBSUB_OWNER);
            w.open("configure", ns::PUBSUB_OWNER).attr("node", &**name);
            w.attr_ns(OWN, "created", when::milliseconds(record.created_ms));
            w.attr_ns(OWN, "creator", &record.creator);
            let fields = offer(self.account, name).fields(&record.config);
            form::write(&mut w, "submit", ns::PUBSUB_NODE_CONFIG, &fields);
            w.close();
            self.affiliations(name, &mut w);
            self.subscriptions(name, &mut w);
            put(w.finish());
        }
    }

    fn of<'a>(&'a self, map: usize, node: &'a str) -> impl Iterator<Item = (&'a str, &'a Bytes)> {
        let mine = move |(key, value): &'a (Arc<str>, Bytes)| {
            let (name, rest) = key.split_once(MARK)?;
            (name == node).then_some((rest, value))
        };
        self.maps[map].iter().filter_map(mine)
    }

    fn affiliations(&self, node: &str, w: &mut Writer) {
        let mut all = self.of(1, node).peekable();
        if all.peek().is_none() {
            return;
        }
        w.open("affiliations", ns::PUBSUB_OWNER).attr("node", node);
        for (jid, value) in all {
            let word = std::str::from_utf8(value).ok().and_then(Affiliation::parse).map(Affiliation::word);
            w.open("affiliation", ns::PUBSUB_OWNER).attr("jid", jid).attr_opt("affiliation", word).close();
        }
        w.close();
    }

    fn subscriptions(&self, node: &str, w: &mut Writer) {
        let mut all = self.of(2, node).peekable();
        if all.peek().is_none() {
            return;
        }
        w.open("subscriptions", ns::PUBSUB_OWNER).attr("node", node);
        for (jid, value) in all {
            let Ok(held) = serde_json::from_slice::<Subscription>(value) else { continue };
            w.open("subscription", ns::PUBSUB_OWNER).attr("jid", jid).attr("subscription", held.state.word());
            if held != (Subscription { state: held.state, ..Subscription::default() }) {
                // Options have no words that all servers share: as they are stored.
                w.attr_ns(OWN, "options", String::from_utf8_lossy(value));
            }
            w.close();
        }
        w.close();
    }

    /// What to read to know which items a node has; the answer belongs into [`Leaving::items`].
    pub fn index(&self, node: &str) -> Read {
        Index::read(&self.owner, node)
    }

    /// What to read for each of a node's items, the oldest first; each answer belongs into [`Leaving::item`].
    pub fn items(&self, node: &str, index: model::storage::Loaded) -> Vec<Read> {
        Index::hydrate(index).0.iter().map(|entry| Item::read(&self.owner, node, entry.seq)).collect()
    }

    /// Writes `<item/>`, to stand in `pubsub`.
    pub fn item(&self, stored: &Bytes) -> Option<Bytes> {
        let item = Item::hydrate(stored)?;
        let mut w = Writer::new(ns::PUBSUB);
        w.open("item", ns::PUBSUB).attr("id", &item.id).attr("publisher", &item.by);
        w.attr_ns(OWN, "at", when::milliseconds(item.at_ms));
        if !item.payload.is_empty() {
            w.raw_from(&item.payload, "");
        }
        w.close();
        Some(w.finish())
    }
}

/// An address that an affiliation or a subscription may be of.
pub(crate) fn bare(text: &str) -> Option<Bare> {
    Jid::parse(text).ok().map(|jid| jid.bare())
}

/// The strictest access, for nodes that came with one that is not known here.
pub(crate) const STRICT: Access = Access::Whitelist;
