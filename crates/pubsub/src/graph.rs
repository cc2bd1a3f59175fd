//! Collections: nodes that hold nodes.
//!
//! XEP-0248 0.5.0 (sections 4, 7 and 8)
//!
//! A node is in one collection at most; the root is what is in none, and cannot be subscribed to.
//!
//! Not here: notifications by way of a collection (`notify.rs`).

use address::Jid;
use kernel::{Answer, Turn};
use stanza::{StanzaError, ns};
use xml::El;

use crate::access::{find, owned};
use crate::config::{Config, Kind};
use crate::error::{FORBIDDEN, INVALID_GRAPH, MALFORMED, NOT_FOUND, unsupported};
use crate::home::{Home, owner};
use crate::notify::{About, event, tell};
use crate::owner::is_owner;
use crate::request::node_of;

/// Whether a node so configured may be where it wants to be: in a collection, of which `who` is an owner, and not
/// somewhere below itself.
pub(crate) fn check<P: Home>(
    turn: &Turn<'_, P>,
    who: &Jid,
    name: &str,
    config: &Config,
) -> Result<(), StanzaError> {
    let Some(parent) = &config.collection else { return Ok(()) };
    let nodes = turn.place.peek().ok_or(NOT_FOUND)?;
    if nodes.get(name).is_some_and(|node| node.config().collection.as_ref() == Some(parent)) {
        return Ok(());
    }
    let node = find(turn.place, parent, who)?;
    if node.config().kind != Kind::Collection {
        return Err(INVALID_GRAPH);
    }
    if !is_owner(turn.place, node, who) {
        return Err(FORBIDDEN);
    }
    let (mut at, mut depth) = (Some(parent.clone()), 0);
    while let Some(above) = at {
        depth += 1;
        if above == name || depth >= 64 {
            return Err(INVALID_GRAPH);
        }
        at = nodes.get(&above).and_then(|node| node.config().collection.clone());
    }
    Ok(())
}

/// `<collection/>`: a node is put into a collection, or taken out of it.
pub(crate) fn associate<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, collection: El<'_>) -> Answer<P> {
    match try_associate(turn, from, collection) {
        Ok(()) => Answer::done(),
        Err(error) => error.into(),
    }
}

fn try_associate<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, collection: El<'_>) -> Result<(), StanzaError> {
    if !turn.place.offer("").collections {
        return Err(unsupported("collections"));
    }
    let parent = node_of(collection)?;
    let change = collection.children().next().ok_or(MALFORMED)?;
    let child = node_of(change)?;
    owned(turn.place, &parent, from)?;
    let before = owned(turn.place, &child, from)?.config().clone();
    let after = match change.name() {
        "associate" => Config { collection: Some(parent.clone()), ..before },
        "dissociate" if before.collection.as_deref() != Some(&parent) => return Err(MALFORMED),
        "dissociate" => Config { collection: None, ..before },
        _ => return Err(MALFORMED),
    };
    check(turn, from, &child, &after)?;
    let owner = owner(turn.place);
    let said = event(|w| {
        w.open("collection", ns::PUBSUB_EVENT).attr("node", &parent);
        w.open(change.name(), ns::PUBSUB_EVENT).attr("node", &child).close().close();
    });
    turn.place.nodes().configure(&owner, &child, after, turn.fx);
    tell(turn, &parent, About::Node, said);
    Ok(())
}

/// What was in a collection that goes away is in none (section 8.2).
pub(crate) fn orphan<P: Home>(turn: &mut Turn<'_, P>, collection: &str) {
    let owner = owner(turn.place);
    let nodes = turn.place.nodes();
    let children = nodes.iter().filter(|(_, node)| node.config().collection.as_deref() == Some(collection));
    let children: Vec<_> = children.map(|(name, node)| (name.clone(), node.config().clone())).collect();
    for (name, config) in children {
        nodes.configure(&owner, &name, Config { collection: None, ..config }, turn.fx);
    }
}
