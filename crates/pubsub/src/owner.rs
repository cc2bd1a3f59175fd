//! What owners do with nodes: create, configure, delete.
//!
//! XEP-0060 1.30.0 (sections 8.1 to 8.4)
//!
//! Not here: purging (`retract.rs`), affiliations and subscriptions (`lists.rs`).

use std::collections::BTreeSet;

use address::Jid;
use kernel::{Answer, Turn};
use stanza::{StanzaError, ns};
use xml::{El, Writer};

use crate::access::{affiliation, find, may_read, owned};
use crate::config::{Config, Kind};
use crate::error::{CONFLICT, FORBIDDEN, INVALID_GRAPH, MALFORMED, MAX_NODES, NOT_ACCEPTABLE};
use crate::form::{self, Answered, Submitted};
use crate::graph;
use crate::home::{Home, owner};
use crate::indexed::{indexed, is_indexed};
use crate::limits::NODES_MAX;
use crate::node::{Affiliation, Node, State};
use crate::notify::{About, event, happened, hearers, tell, tell_one};
use crate::request::node_of;
use crate::retract::clear;
use crate::subscribe::settle;

/// `<create/>`, with `<configure/>` behind it.
pub(crate) fn create<P: Home>(
    turn: &mut Turn<'_, P>,
    from: &Jid,
    pubsub: El<'_>,
    create: El<'_>,
) -> Answer<P> {
    match try_create(turn, from, pubsub, create) {
        Ok(answer) => answer,
        Err(error) => error.into(),
    }
}

fn try_create<P: Home>(
    turn: &mut Turn<'_, P>,
    from: &Jid,
    pubsub: El<'_>,
    create: El<'_>,
) -> Result<Answer<P>, StanzaError> {
    let named = create.attr("node").is_some_and(|node| !node.is_empty());
    // Section 8.1.1: an instant node.
    let name = if named { node_of(create)? } else { format!("{:x}", turn.id) };
    let form = configure_of(pubsub)?;
    if !turn.place.may_create(from) {
        // Who is not told of nodes is not told whether there is one.
        find(turn.place, &name, from)?;
        return Err(FORBIDDEN);
    }
    let nodes = turn.place.nodes();
    if nodes.get(&name).is_some() {
        return Err(CONFLICT);
    }
    let made = nodes.iter().filter(|(_, node)| node.creator.as_str() == from.bare_str()).count();
    if nodes.len() >= P::rules().nodes_max || made >= NODES_MAX {
        return Err(MAX_NODES);
    }
    let default = (P::rules().default)(&name);
    let config = turn.place.offer(&name).apply(default, &form)?;
    graph::check(turn, from, &name, &config)?;
    let (owner, collection) = (owner(turn.place), config.collection.clone());
    let node = Node::new(default, config, from.bare(), turn.now.unix_ms);
    turn.place.nodes().create(&owner, &name, node, turn.fx);
    if !turn.place.owns(from) {
        turn.place.nodes().affiliate(&owner, &name, &from.bare(), Some(Affiliation::Owner), turn.fx);
    }
    if collection.is_some() {
        tell(turn, &name, About::Node, happened("create", &name));
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("create", ns::PUBSUB).attr("node", &name).close().close();
    Ok(Answer::Reply(w.finish()))
}

fn configure_of(pubsub: El<'_>) -> Result<Submitted, StanzaError> {
    let Some(configure) = pubsub.child("configure", ns::PUBSUB) else { return Ok(Submitted::default()) };
    let first = pubsub.children().next().is_some_and(|child| child.is("configure", ns::PUBSUB));
    if first || configure.attr("node").is_some() {
        return Err(MALFORMED);
    }
    // Clients that accept what is default send it empty.
    if configure.children().next().is_none() {
        return Ok(Submitted::default());
    }
    match form::read(configure, ns::PUBSUB_NODE_CONFIG)? {
        Answered::Submitted(form) => Ok(form),
        Answered::Cancelled => Err(MALFORMED),
    }
}

/// `<configure/>`, get.
pub(crate) fn configuration<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, configure: El<'_>) -> Answer<P> {
    let found = node_of(configure).and_then(|name| {
        let fields = turn.place.offer(&name).fields(owned(turn.place, &name, from)?.config());
        Ok((name, fields))
    });
    match found {
        Ok((name, fields)) => {
            let mut w = Writer::new(ns::CLIENT);
            w.open("pubsub", ns::PUBSUB_OWNER).open("configure", ns::PUBSUB_OWNER).attr("node", &name);
            form::write(&mut w, "form", ns::PUBSUB_NODE_CONFIG, &fields);
            w.close().close();
            Answer::Reply(w.finish())
        }
        Err(error) => error.into(),
    }
}

/// `<default/>` (section 8.3).
pub(crate) fn default<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, asked: El<'_>) -> Answer<P> {
    if !turn.place.may_create(from) {
        return FORBIDDEN.into();
    }
    let mut config = (P::rules().default)("").clone();
    let offer = turn.place.offer("");
    match asked.attr("type").as_deref() {
        None | Some("leaf") => {}
        Some("collection") if offer.collections => config.kind = Kind::Collection,
        Some(_) => return NOT_ACCEPTABLE.into(),
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB_OWNER).open("default", ns::PUBSUB_OWNER);
    form::write(&mut w, "form", ns::PUBSUB_NODE_CONFIG, &offer.fields(&config));
    w.close().close();
    Answer::Reply(w.finish())
}

/// `<configure/>`, set.
pub(crate) fn configure<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, configure: El<'_>) -> Answer<P> {
    let read = node_of(configure).and_then(|name| {
        owned(turn.place, &name, from)?;
        Ok((name, form::read(configure, ns::PUBSUB_NODE_CONFIG)?))
    });
    match read {
        Ok((name, Answered::Submitted(form))) => reconfigure(turn, from.clone(), name, form),
        Ok((_, Answered::Cancelled)) => Answer::done(),
        Err(error) => error.into(),
    }
}

fn reconfigure<P: Home>(turn: &mut Turn<'_, P>, from: Jid, name: String, form: Submitted) -> Answer<P> {
    let checked = owned(turn.place, &name, &from).and_then(|node| {
        let before = node.config().clone();
        let after = turn.place.offer(&name).apply(&before, &form)?;
        if before.kind == Kind::Collection && after.kind == Kind::Leaf {
            return Err(INVALID_GRAPH);
        }
        graph::check(turn, &from, &name, &after)?;
        Ok((before, after))
    });
    let (before, after) = match checked {
        Ok(checked) => checked,
        Err(error) => return error.into(),
    };
    let fewer = after.items_max() < before.items_max();
    if fewer && !is_indexed(turn, &name) {
        return indexed(turn, name.clone(), move |turn| reconfigure(turn, from, name, form));
    }
    let owner = owner(turn.place);
    turn.place.nodes().configure(&owner, &name, after.clone(), turn.fx);
    if fewer {
        shorten(turn, &name, after.items_max());
    }
    if before.persist_items && (!after.persist_items || after.kind != before.kind) {
        clear(turn, &name);
    }
    expel(turn, &name);
    if after.notify_config {
        let event = configured(turn, &name, &after);
        tell(turn, &name, About::Node, event);
    }
    Answer::done()
}

/// Takes the oldest items away until so many are left.
fn shorten<P: Home>(turn: &mut Turn<'_, P>, name: &str, most: usize) {
    let owner = owner(turn.place);
    let nodes = turn.place.nodes();
    let Some(index) = nodes.indexes.get(name) else { return };
    while index.0.len() > most {
        let oldest = index.0[0].id.clone();
        index.remove(&owner, name, &oldest, turn.fx);
    }
    nodes.touch(name);
}

/// Ends the subscriptions of those who may no longer read (XEP-0163 section 7.1).
pub(crate) fn expel<P: Home>(turn: &mut Turn<'_, P>, name: &str) {
    let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { return };
    let held = node.subscriptions.iter();
    let gone = held
        .filter(|(jid, held)| held.state == State::Subscribed && may_read(turn.place, node, jid).is_err());
    let gone: Vec<Jid> = gone.map(|(jid, _)| jid.clone()).collect();
    for jid in gone {
        settle(turn, name, &jid, None);
    }
}

/// Section 8.2.5.3.
fn configured<P: Home>(turn: &Turn<'_, P>, name: &str, config: &Config) -> bytes::Bytes {
    event(|w| {
        w.open("configuration", ns::PUBSUB_EVENT).attr("node", name);
        if config.deliver_payloads {
            form::write(w, "result", ns::PUBSUB_NODE_CONFIG, &turn.place.offer(name).fields(config));
        }
        w.close();
    })
}

/// `<delete/>`.
pub(crate) fn delete<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, delete: El<'_>) -> Answer<P> {
    let checked = node_of(delete).and_then(|name| {
        let node = owned(turn.place, &name, from)?;
        // Section 8.4.2: those who wait hear of it too.
        let mut told: BTreeSet<Jid> = hearers(turn.place, &name, node, turn.now.unix_ms);
        let waiting = node.subscriptions.iter().filter(|(_, held)| held.state == State::Pending);
        told.extend(waiting.map(|(jid, _)| jid.clone()).filter(|jid| !turn.place.blocks(jid)));
        let style = node.config().style;
        Ok((name, told, style))
    });
    let (name, told, style) = match checked {
        Ok(checked) => checked,
        Err(error) => return error.into(),
    };
    let uri = delete.child("redirect", ns::PUBSUB_OWNER).and_then(|redirect| redirect.attr("uri"));
    let payload = event(|w| {
        w.open("delete", ns::PUBSUB_EVENT).attr("node", &name);
        if let Some(uri) = &uri {
            w.open("redirect", ns::PUBSUB_EVENT).attr("uri", uri).close();
        }
        w.close();
    });
    tell_collections(turn, &name, &payload);
    for (count, to) in told.iter().enumerate() {
        tell_one(turn, style, to, payload.clone(), count);
    }
    let owner = owner(turn.place);
    graph::orphan(turn, &name);
    turn.place.nodes().delete(&owner, &name, turn.fx);
    P::changed(turn, &name);
    Answer::done()
}

/// Subscribers of the collection that the node is in, while it still is.
fn tell_collections<P: Home>(turn: &mut Turn<'_, P>, name: &str, payload: &bytes::Bytes) {
    for (collection, to) in
        crate::notify::through_collections(turn.place, name, About::Node, turn.now.unix_ms)
    {
        tell_one(
            turn,
            crate::config::Style::Headline,
            &to,
            crate::notify::with_collection(payload, &collection),
            0,
        );
    }
}

/// What `who` may do with a node's configuration.
pub(crate) fn is_owner<P: Home>(place: &P, node: &Node, who: &Jid) -> bool {
    affiliation(place, node, who) == Some(Affiliation::Owner)
}
