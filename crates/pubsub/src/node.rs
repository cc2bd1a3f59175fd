//! Nodes as they stand in memory: configuration, affiliations, subscriptions; and how they are stored.
//!
//! XEP-0060 1.30.0 (sections 4.1 and 4.2)
//!
//! Not here: items (`items.rs`), which are read when they are needed; who may do what (`access.rs`).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use address::{Bare, Jid};
use kernel::Effects;
use model::storage::{Loaded, Owner, Space, Write};
use serde::{Deserialize, Serialize};

use crate::config::{Config, words};
use crate::items::Indexes;

/// A map from a node's name to its record.
pub(crate) const NODES: Space = Space("nodes");
/// A map from node and bare address to an affiliation.
pub(crate) const AFFILIATIONS: Space = Space("node-affiliations");
/// A map from node and address to a subscription.
pub(crate) const SUBSCRIPTIONS: Space = Space("node-subscriptions");
/// What stands between a node's name and the rest of a key. XML cannot have it, so no name does.
pub(crate) const MARK: char = '\u{1}';

words! {
    /// Section 4.1; who has none is not kept.
    Affiliation {
        Owner "owner", Publisher "publisher", PublishOnly "publish-only", Member "member", Outcast "outcast",
    }
}
words! {
    /// Section 4.2; who has none is not kept, and none must be configured.
    State { Pending "pending", Subscribed "subscribed", }
}
words! {
    /// XEP-0248 section 6.1: what a subscriber of a collection hears of.
    Scope { Items "items", Nodes "nodes", All "all", }
}

/// A subscription and its options (section 6.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Subscription {
    pub(crate) state: State,
    /// Whether notifications are wanted at all.
    pub(crate) deliver: bool,
    /// When it ends, in Unix milliseconds.
    pub(crate) until_ms: Option<u64>,
    pub(crate) scope: Scope,
    /// How far below a collection; `None` is `all`.
    pub(crate) depth: Option<u32>,
}

impl Default for Subscription {
    fn default() -> Subscription {
        Subscription {
            state: State::Subscribed,
            deliver: true,
            until_ms: None,
            scope: Scope::Nodes,
            depth: Some(1),
        }
    }
}

impl Subscription {
    /// Whether it has ended.
    pub(crate) fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms.is_some_and(|until| until <= now_ms)
    }
}

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    /// `None`: as nodes of that name begin, which is what most are.
    own: Option<Box<Config>>,
    default: &'static Config,
    /// Who made it.
    pub(crate) creator: Bare,
    /// When, in Unix milliseconds.
    pub(crate) created_ms: u64,
    /// Changes with its items, so that what was read before can be told from what is.
    pub(crate) changes: u64,
    pub(crate) affiliations: BTreeMap<Bare, Affiliation>,
    pub(crate) subscriptions: BTreeMap<Jid, Subscription>,
}

/// A node's record in storage.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) config: Config,
    pub(crate) creator: String,
    pub(crate) created_ms: u64,
}

impl Node {
    pub(crate) fn new(default: &'static Config, config: Config, creator: Bare, created_ms: u64) -> Node {
        let mut node = Node {
            own: None,
            default,
            creator,
            created_ms,
            changes: 0,
            affiliations: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        };
        node.configure(config);
        node
    }

    pub(crate) fn config(&self) -> &Config {
        self.own.as_deref().unwrap_or(self.default)
    }

    /// The subscriptions of an account: of its bare address, and of its resources.
    pub(crate) fn subscriptions_of<'n>(
        &'n self,
        bare: &'n str,
    ) -> impl Iterator<Item = (&'n Jid, &'n Subscription)> {
        let from = (Bound::Included(bare), Bound::Unbounded);
        let same_start = self
            .subscriptions
            .range::<str, _>(from)
            .take_while(move |(jid, _)| jid.as_str().starts_with(bare));
        same_start.filter(move |(jid, _)| jid.bare_str() == bare)
    }

    fn configure(&mut self, config: Config) {
        self.own = (config != *self.default).then(|| Box::new(config));
    }
}

/// All nodes of an account or a service.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    nodes: BTreeMap<Arc<str>, Node>,
    /// How many affiliations and subscriptions there are at all of them.
    affiliations: usize,
    subscriptions: usize,
    changes: u64,
    /// Which items some of them have.
    pub(crate) indexes: Indexes,
}

/// A key of a node's part of a map.
pub(crate) fn key(node: &str, rest: &str) -> String {
    format!("{node}{MARK}{rest}")
}

impl Nodes {
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Node)> {
        self.nodes.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn affiliation_count(&self) -> usize {
        self.affiliations
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.subscriptions
    }

    /// Notes that the items of a node have changed.
    pub(crate) fn touch(&mut self, name: &str) {
        self.changes += 1;
        if let Some(node) = self.nodes.get_mut(name) {
            node.changes = self.changes;
        }
    }

    /// Adds a node.
    pub(crate) fn create(&mut self, owner: &Owner, name: &str, node: Node, fx: &mut Effects) {
        store(owner, name, &node, fx);
        self.nodes.insert(name.into(), node);
        self.touch(name);
        // Nothing can be in it.
        self.indexes.insert(name.into(), Default::default());
    }

    /// Gives a node another configuration.
    pub(crate) fn configure(&mut self, owner: &Owner, name: &str, config: Config, fx: &mut Effects) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.configure(config);
            store(owner, name, node, fx);
        }
    }

    /// Takes a node away with all that it has.
    pub(crate) fn delete(&mut self, owner: &Owner, name: &str, fx: &mut Effects) -> Option<Node> {
        let node = self.nodes.remove(name)?;
        self.affiliations -= node.affiliations.len();
        self.subscriptions -= node.subscriptions.len();
        self.changes += 1;
        self.indexes.remove(name);
        fx.write(Write::MapDelete { space: NODES, owner: owner.clone(), key: name.into() });
        for space in [crate::items::ITEMS, crate::items::INDEX] {
            clear(owner, name, space, fx);
        }
        if !node.affiliations.is_empty() {
            clear(owner, name, AFFILIATIONS, fx);
        }
        if !node.subscriptions.is_empty() {
            clear(owner, name, SUBSCRIPTIONS, fx);
        }
        Some(node)
    }

    /// Sets or takes away somebody's affiliation.
    pub(crate) fn affiliate(
        &mut self,
        owner: &Owner,
        name: &str,
        who: &Bare,
        affiliation: Option<Affiliation>,
        fx: &mut Effects,
    ) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        let before = node.affiliations.len();
        let key = key(name, who.as_str());
        match affiliation {
            Some(affiliation) => {
                fx.put_map(AFFILIATIONS, owner.clone(), &key, affiliation.word().into());
                node.affiliations.insert(who.clone(), affiliation);
            }
            None => {
                fx.write(Write::MapDelete { space: AFFILIATIONS, owner: owner.clone(), key: key.into() });
                node.affiliations.remove(who);
            }
        }
        self.affiliations = self.affiliations - before + node.affiliations.len();
    }

    /// Sets or takes away a subscription.
    pub(crate) fn subscribe(
        &mut self,
        owner: &Owner,
        name: &str,
        who: &Jid,
        subscription: Option<Subscription>,
        fx: &mut Effects,
    ) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        let before = node.subscriptions.len();
        let key = key(name, who.as_str());
        match subscription {
            Some(subscription) => {
                // Words, numbers and flags cannot fail to be written.
                let stored = serde_json::to_vec(&subscription).unwrap_or_default();
                fx.put_map(SUBSCRIPTIONS, owner.clone(), &key, stored);
                node.subscriptions.insert(who.clone(), subscription);
            }
            None => {
                fx.write(Write::MapDelete { space: SUBSCRIPTIONS, owner: owner.clone(), key: key.into() });
                node.subscriptions.remove(who);
            }
        }
        self.subscriptions = self.subscriptions - before + node.subscriptions.len();
    }

    /// Takes over one of the maps as it was stored; [`NODES`] comes first.
    pub(crate) fn hydrate(&mut self, space: Space, stored: Loaded, default: fn(&str) -> &'static Config) {
        for (key, value) in stored.into_map() {
            let taken = match space {
                NODES => self.take_node(&key, &value, default),
                AFFILIATIONS => self.take_affiliation(&key, &value),
                _ => self.take_subscription(&key, &value),
            };
            if taken.is_none() {
                tracing::error!(space = space.0, %key, "a part of a stored node is unreadable and left out");
            }
        }
    }

    fn take_node(
        &mut self,
        name: &Arc<str>,
        value: &[u8],
        default: fn(&str) -> &'static Config,
    ) -> Option<()> {
        let record: Record = serde_json::from_slice(value).ok()?;
        let creator = Bare::parse(&record.creator).ok()?;
        let node = Node::new(default(name), record.config, creator, record.created_ms);
        self.nodes.insert(name.clone(), node);
        Some(())
    }

    fn take_affiliation(&mut self, key: &str, value: &[u8]) -> Option<()> {
        let (name, who) = key.split_once(MARK)?;
        let affiliation = Affiliation::parse(std::str::from_utf8(value).ok()?)?;
        self.nodes.get_mut(name)?.affiliations.insert(Bare::parse(who).ok()?, affiliation);
        self.affiliations += 1;
        Some(())
    }

    fn take_subscription(&mut self, key: &str, value: &[u8]) -> Option<()> {
        let (name, who) = key.split_once(MARK)?;
        let subscription = serde_json::from_slice(value).ok()?;
        self.nodes.get_mut(name)?.subscriptions.insert(Jid::parse(who).ok()?, subscription);
        self.subscriptions += 1;
        Some(())
    }
}

fn store(owner: &Owner, name: &str, node: &Node, fx: &mut Effects) {
    let record = Record {
        config: node.config().clone(),
        creator: node.creator.as_str().into(),
        created_ms: node.created_ms,
    };
    // Texts, lists, words and numbers cannot fail to be written.
    fx.put_map(NODES, owner.clone(), name, serde_json::to_vec(&record).unwrap_or_default());
}

/// Removes a node's part of a map.
pub(crate) fn clear(owner: &Owner, name: &str, space: Space, fx: &mut Effects) {
    fx.write(Write::MapClear { space, owner: owner.clone(), prefix: key(name, "").into() });
}
