//! Notifications: what happened at a node, for those who want to hear of it and may.
//!
//! XEP-0060 1.30.0 (sections 7.1.2, 7.2.2, 12.2 to 12.4), XEP-0163 1.2.2 (section 4), XEP-0131 1.2 (collections),
//! XEP-0248 0.5.0 (section 5)
//!
//! Not here: who wants to hear without having subscribed (`pep`).

use std::collections::BTreeSet;

use address::{Bare, Jid};
use bytes::Bytes;
use kernel::Turn;
use stanza::{MessageType, Stanza, ns};
use xml::Writer;

use crate::access::may_read;
use crate::config::{Config, ItemReply, Style};
use crate::home::Home;
use crate::items::Item;
use crate::node::{Node, Scope, State, Subscription};
use stanza::when::write_delay;

/// What is said of an item.
pub(crate) struct Said<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) by: &'a str,
    pub(crate) payload: &'a [u8],
}

impl<'a> Said<'a> {
    pub(crate) fn of(item: &'a Item) -> Said<'a> {
        Said { id: Some(&item.id), by: &item.by, payload: &item.payload }
    }
}

/// Writes `<item/>` in the namespace of what it is in.
pub(crate) fn write_item(w: &mut Writer, config: &Config, item: &Said<'_>, payload: bool) {
    let ns = w.ns().to_owned();
    w.open("item", &ns).attr_opt("id", item.id);
    w.attr_opt("publisher", (config.item_reply == ItemReply::Publisher).then_some(item.by));
    if payload && !item.payload.is_empty() {
        // It was stored as it stands in no namespace.
        w.raw_from(item.payload, "");
    }
    w.close();
}

/// `<event/>` with one thing in it.
pub(crate) fn event(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("event", ns::PUBSUB_EVENT);
    write(&mut w);
    w.close();
    w.finish()
}

/// An item that was published; without one, that something was.
pub(crate) fn published(node: &str, config: &Config, item: Option<&Said<'_>>) -> Bytes {
    event(|w| {
        w.open("items", ns::PUBSUB_EVENT).attr("node", node);
        if let Some(item) = item {
            write_item(w, config, item, config.deliver_payloads);
        }
        w.close();
    })
}

/// Items that were taken away.
pub(crate) fn retracted<'a>(node: &str, ids: impl IntoIterator<Item = &'a str>) -> Bytes {
    event(|w| {
        w.open("items", ns::PUBSUB_EVENT).attr("node", node);
        for id in ids {
            w.open("retract", ns::PUBSUB_EVENT).attr("id", id).close();
        }
        w.close();
    })
}

/// Something happened to a node as a whole.
pub(crate) fn happened(what: &str, node: &str) -> Bytes {
    event(|w| {
        w.open(what, ns::PUBSUB_EVENT).attr("node", node).close();
    })
}

/// The newest item for somebody who has just come (section 6.1.7).
pub(crate) fn last(node: &str, config: &Config, item: &Item) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.raw(&published(node, config, Some(&Said::of(item))));
    write_delay(&mut w, None, item.at_ms);
    w.finish()
}

/// What a notification is about, for subscribers of collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Items of a node.
    Items,
    /// The node itself.
    Node,
}

fn message<P: Home>(turn: &Turn<'_, P>, style: Style, count: usize, payload: Bytes) -> Stanza {
    let ty = match style {
        Style::Normal => MessageType::Normal,
        Style::Headline => MessageType::Headline,
    };
    let id = format!("{:x}-{count}", turn.id);
    Stanza::message(ty).from(turn.place.address()).id(&id).with_inner(payload)
}

/// Sends one notification to one address, which may hear it.
pub(crate) fn tell_one<P: Home>(
    turn: &mut Turn<'_, P>,
    style: Style,
    to: &Jid,
    payload: Bytes,
    count: usize,
) {
    let stanza = message(turn, style, count, payload).to(to);
    P::send(turn, to, stanza);
}

/// Sends a notification about `node` to all who want to hear of it and may.
pub(crate) fn tell<P: Home>(turn: &mut Turn<'_, P>, name: &str, about: About, payload: Bytes) {
    let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { return };
    let config = node.config();
    if !config.deliver_notifications {
        return;
    }
    let style = config.style;
    let hearers = hearers(turn.place, name, node, turn.now.unix_ms);
    let stanza = message(turn, style, 0, payload.clone());
    for (count, to) in hearers.iter().enumerate() {
        let id = format!("{:x}-{count}", turn.id);
        P::send(turn, to, stanza.clone().id(&id).to(to));
    }
    for (collection, to) in through_collections(turn.place, name, about, turn.now.unix_ms) {
        if !hearers.contains(&to) {
            tell_one(turn, style, &to, with_collection(&payload, &collection), 0);
        }
    }
}

/// The addresses that hear of a node: subscribers, and who listens without that. Who is known to be there with some
/// resources is told there, not at the bare address too (XEP-0163 section 4.3.2).
pub(crate) fn hearers<P: Home>(place: &P, name: &str, node: &Node, now_ms: u64) -> BTreeSet<Jid> {
    let may = |who: &Jid| !place.blocks(who) && may_read(place, node, who).is_ok();
    let mut hearers: BTreeSet<Jid> = place.listeners(name).into_iter().filter(|who| may(who)).collect();
    let there: BTreeSet<Bare> = hearers.iter().map(Jid::bare).collect();
    let wanted =
        |held: &Subscription| held.state == State::Subscribed && held.deliver && !held.is_over(now_ms);
    for (jid, _) in node.subscriptions.iter().filter(|(_, held)| wanted(held)) {
        if !there.contains(jid.as_str()) && may(jid) {
            hearers.insert(jid.clone());
        }
    }
    hearers
}

/// Who subscribed to a collection that the node is in (XEP-0248 section 5.1.1). The collection's model of access counts,
/// and so does the node's own.
pub(crate) fn through_collections<P: Home>(
    place: &P,
    name: &str,
    about: About,
    now_ms: u64,
) -> Vec<(String, Jid)> {
    let (mut found, mut at, mut depth) = (Vec::new(), name.to_owned(), 0_u32);
    let Some(nodes) = place.peek() else { return found };
    let node = nodes.get(name);
    // The graph has no cycles; the bound is for what is stored.
    while let Some(parent) = nodes.get(&at).and_then(|node| node.config().collection.clone()) {
        depth += 1;
        let Some(collection) = nodes.get(&parent).filter(|_| depth < 64) else { break };
        for (jid, held) in &collection.subscriptions {
            let scope = match about {
                About::Items => held.scope != Scope::Nodes,
                About::Node => held.scope != Scope::Items,
            };
            let wanted = scope && held.depth.is_none_or(|most| depth <= most);
            let active = held.state == State::Subscribed && held.deliver && !held.is_over(now_ms);
            let may = || {
                !place.blocks(jid)
                    && may_read(place, collection, jid).is_ok()
                    && node.is_none_or(|node| may_read(place, node, jid).is_ok())
            };
            if wanted && active && may() && !found.iter().any(|(_, known)| known == jid) {
                found.push((parent.clone(), jid.clone()));
            }
        }
        at = parent;
    }
    found
}

pub(crate) fn with_collection(payload: &[u8], collection: &str) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.raw(payload).open("headers", ns::SHIM);
    w.open("header", ns::SHIM).attr("name", "Collection").text(collection).close().close();
    w.finish()
}
