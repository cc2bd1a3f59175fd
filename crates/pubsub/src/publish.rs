//! Publishing an item.
//!
//! XEP-0060 1.30.0 (section 7.1)
//!
//! Not here: taking items away (`retract.rs`).

use std::sync::Arc;

use address::Jid;
use bytes::Bytes;
use kernel::{Answer, Turn};
use stanza::{StanzaError, ns};
use xml::{El, Writer};

use crate::access::{find, may_publish};
use crate::config::{Config, Kind};
use crate::error::{
    INVALID_PAYLOAD, ITEM_FORBIDDEN, ITEM_REQUIRED, MALFORMED, MAX_NODES, NOT_ACCEPTABLE, PAYLOAD_REQUIRED,
    PAYLOAD_TOO_BIG, PRECONDITION, unsupported,
};
use crate::form::{self, Answered, Submitted};
use crate::home::{Home, owner};
use crate::indexed::{indexed, is_indexed};
use crate::items::Entry;
use crate::limits::ITEM_ID_BYTES_MAX;
use crate::node::Node;
use crate::notify::{About, Said, published, tell};
use crate::request::node_of;

/// What is to be published where, and what must be true of the node.
pub(crate) struct Publish {
    node: String,
    item: Option<New>,
    demands: Submitted,
}

struct New {
    id: Option<Arc<str>>,
    payload: Option<Vec<u8>>,
}

/// `<publish/>`, with `<publish-options/>` beside it.
pub(crate) fn answer<P: Home>(
    turn: &mut Turn<'_, P>,
    from: &Jid,
    pubsub: El<'_>,
    publish: El<'_>,
) -> Answer<P> {
    match read(pubsub, publish) {
        Ok(request) => run(turn, from.clone(), request),
        Err(error) => error.into(),
    }
}

fn read(pubsub: El<'_>, publish: El<'_>) -> Result<Publish, StanzaError> {
    let node = node_of(publish)?;
    let mut items = publish.children_named("item", ns::PUBSUB);
    let item = items.next().map(read_item).transpose()?;
    if items.next().is_some() {
        return Err(MALFORMED.text("one item at a time"));
    }
    let demands = match pubsub.child("publish-options", ns::PUBSUB) {
        Some(options) => match form::read(options, ns::PUBSUB_PUBLISH_OPTIONS)? {
            Answered::Submitted(demands) => demands,
            Answered::Cancelled => return Err(MALFORMED),
        },
        None => Submitted::default(),
    };
    Ok(Publish { node, item, demands })
}

fn read_item(item: El<'_>) -> Result<New, StanzaError> {
    let id = item.attr("id").filter(|id| !id.is_empty());
    if id.as_ref().is_some_and(|id| id.len() > ITEM_ID_BYTES_MAX) {
        return Err(NOT_ACCEPTABLE.text("the item's id is too long"));
    }
    let mut payloads = item.children();
    let payload = payloads.next().map(|payload| payload.raw("").into_owned());
    if payloads.next().is_some() {
        return Err(INVALID_PAYLOAD);
    }
    Ok(New { id: id.map(|id| Arc::from(&*id)), payload })
}

/// Checks everything, then does everything: nothing is half done. It begins anew when the node's items had to be read.
fn run<P: Home>(turn: &mut Turn<'_, P>, from: Jid, request: Publish) -> Answer<P> {
    let name = &request.node;
    let there = turn.place.peek().is_some_and(|nodes| nodes.get(name).is_some());
    let checked = if there { check(turn, &from, &request) } else { make(turn, &from, &request) };
    let config = match checked {
        Ok(config) => config,
        Err(error) => return error.into(),
    };
    if config.persist_items && !is_indexed(turn, name) {
        return indexed(turn, request.node.clone(), move |turn| run(turn, from, request));
    }
    let id = if config.persist_items {
        Some(keep(turn, &from, &request, &config))
    } else {
        request.item.as_ref().and_then(|item| item.id.clone())
    };
    let by = from.bare();
    let payload = request.item.as_ref().and_then(|item| item.payload.as_deref()).unwrap_or_default();
    let said = request.item.is_some().then_some(Said { id: id.as_deref(), by: by.as_str(), payload });
    let event = published(name, &config, said.as_ref());
    tell(turn, name, About::Items, event);
    P::changed(turn, name);
    Answer::Reply(reply(name, id.as_deref()))
}

fn reply(node: &str, id: Option<&str>) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("publish", ns::PUBSUB).attr("node", node);
    if let Some(id) = id {
        w.open("item", ns::PUBSUB).attr("id", id).close();
    }
    w.close().close();
    w.finish()
}

/// A node that is there: may it be, and is it as demanded (section 7.1.5)?
fn check<P: Home>(turn: &Turn<'_, P>, from: &Jid, request: &Publish) -> Result<Config, StanzaError> {
    let node = find(turn.place, &request.node, from)?;
    may_publish(turn.place, node, from)?;
    let config = node.config();
    if config.kind == Kind::Collection {
        return Err(unsupported("publish"));
    }
    if let Some(unmet) = turn.place.offer(&request.node).unmet(config, &request.demands) {
        return Err(PRECONDITION.text(unmet));
    }
    fits(config, request.item.as_ref())?;
    Ok(config.clone())
}

/// A node that is not there is made, as it is demanded (sections 7.1.4 and 7.1.5).
fn make<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, request: &Publish) -> Result<Config, StanzaError> {
    let (name, rules) = (&request.node, P::rules());
    if !rules.auto_create || !turn.place.may_create(from) {
        find(turn.place, name, from)?;
    }
    if turn.place.nodes().len() >= rules.nodes_max {
        return Err(MAX_NODES);
    }
    let (default, offer) = ((rules.default)(name), turn.place.offer(name));
    let config = offer.apply(default, &request.demands)?;
    if let Some(unmet) = offer.unmet(&config, &request.demands) {
        return Err(PRECONDITION.text(unmet));
    }
    fits(&config, request.item.as_ref())?;
    let owner = owner(turn.place);
    let node = Node::new(default, config.clone(), from.bare(), turn.now.unix_ms);
    turn.place.nodes().create(&owner, name, node, turn.fx);
    Ok(config)
}

/// Whether the item is of the kind that the node takes (sections 4.3 and 7.1.3.6).
fn fits(config: &Config, item: Option<&New>) -> Result<(), StanzaError> {
    let Some(item) = item else {
        return if config.persist_items || config.deliver_payloads { Err(ITEM_REQUIRED) } else { Ok(()) };
    };
    match &item.payload {
        _ if !config.persist_items && !config.deliver_payloads => Err(ITEM_FORBIDDEN),
        None if config.deliver_payloads => Err(PAYLOAD_REQUIRED),
        Some(payload) if payload.len() > config.max_payload_size as usize => Err(PAYLOAD_TOO_BIG),
        _ => Ok(()),
    }
}

/// Stores the item as the newest; where there is no room the oldest go (section 7.1.2.4).
fn keep<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, request: &Publish, config: &Config) -> Arc<str> {
    let (owner, name, now_ms) = (owner(turn.place), &request.node, turn.now.unix_ms);
    let (id, payload) = match &request.item {
        Some(item) => (item.id.clone(), item.payload.as_deref().unwrap_or_default()),
        None => (None, &[][..]),
    };
    let id = id.unwrap_or_else(|| format!("{:x}", turn.id).into());
    let nodes = turn.place.nodes();
    if let Some(index) = nodes.indexes.get(name) {
        index.remove(&owner, name, &id, turn.fx);
        while index.0.len() >= config.items_max() {
            let oldest = index.0[0].id.clone();
            index.remove(&owner, name, &oldest, turn.fx);
        }
        let by = from.bare_str().into();
        let entry = Entry { seq: turn.id, at_ms: now_ms, size: payload.len() as u32, id: id.clone(), by };
        index.put(&owner, name, entry, payload, turn.fx);
    }
    nodes.touch(name);
    id
}
