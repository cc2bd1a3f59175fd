//! Taking items away: one, or all.
//!
//! XEP-0060 1.30.0 (sections 7.2 and 8.5)
//!
//! Not here: taking the node away (`owner.rs`).

use address::Jid;
use kernel::{Answer, Turn};
use stanza::{StanzaError, ns};
use xml::El;

use crate::access::{affiliation, find, may_publish, owned};
use crate::config::{Config, Kind};
use crate::error::{FORBIDDEN, ITEM_REQUIRED, MALFORMED, NOT_FOUND, unsupported};
use crate::form::boolean;
use crate::home::{Home, owner};
use crate::indexed::{indexed, is_indexed};
use crate::node::Affiliation;
use crate::notify::{About, happened, retracted, tell};
use crate::request::node_of;

/// `<retract/>`.
pub(crate) fn answer<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, retract: El<'_>) -> Answer<P> {
    let request = || -> Result<(String, String, bool), StanzaError> {
        let node = node_of(retract)?;
        let mut items = retract.children_named("item", ns::PUBSUB);
        let id =
            items.next().and_then(|item| item.attr("id")).filter(|id| !id.is_empty()).ok_or(ITEM_REQUIRED)?;
        if items.next().is_some() {
            return Err(MALFORMED.text("one item at a time"));
        }
        let notify = match retract.attr("notify") {
            Some(value) => boolean(&value).ok_or(MALFORMED)?,
            None => false,
        };
        Ok((node, id.into_owned(), notify))
    };
    match request() {
        Ok((node, id, notify)) => run(turn, from.clone(), node, id, notify),
        Err(error) => error.into(),
    }
}

fn persistent(config: &Config) -> Result<(), StanzaError> {
    let keeps = config.persist_items && config.kind == Kind::Leaf;
    if keeps { Ok(()) } else { Err(unsupported("persistent-items")) }
}

fn run<P: Home>(turn: &mut Turn<'_, P>, from: Jid, name: String, id: String, notify: bool) -> Answer<P> {
    // Owners take away all, who else may publish only what is theirs (section 4.1).
    let checked = find(turn.place, &name, &from).and_then(|node| {
        may_publish(turn.place, node, &from)?;
        persistent(node.config())?;
        let all = affiliation(turn.place, node, &from) == Some(Affiliation::Owner);
        Ok((all, notify || node.config().notify_retract))
    });
    let (all, tells) = match checked {
        Ok(checked) => checked,
        Err(error) => return error.into(),
    };
    if !is_indexed(turn, &name) {
        return indexed(turn, name.clone(), move |turn| run(turn, from, name, id, notify));
    }
    let owner = owner(turn.place);
    let nodes = turn.place.nodes();
    let Some(index) = nodes.indexes.get(&name) else { return NOT_FOUND.into() };
    match index.find(&id) {
        None => return NOT_FOUND.into(),
        Some(entry) if !all && *entry.by != *from.bare_str() => return FORBIDDEN.into(),
        Some(_) => index.remove(&owner, &name, &id, turn.fx),
    };
    nodes.touch(&name);
    if tells {
        tell(turn, &name, About::Items, retracted(&name, [id.as_str()]));
    }
    P::changed(turn, &name);
    Answer::done()
}

/// `<purge/>`.
pub(crate) fn purge<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, purge: El<'_>) -> Answer<P> {
    let checked = node_of(purge).and_then(|name| {
        let node = owned(turn.place, &name, from)?;
        persistent(node.config())?;
        let tells = node.config().notify_retract;
        Ok((name, tells))
    });
    let (name, tells) = match checked {
        Ok(checked) => checked,
        Err(error) => return error.into(),
    };
    clear(turn, &name);
    if tells {
        tell(turn, &name, About::Items, happened("purge", &name));
    }
    P::changed(turn, &name);
    Answer::done()
}

/// Takes all items of a node away, without a word.
pub(crate) fn clear<P: Home>(turn: &mut Turn<'_, P>, name: &str) {
    let owner = owner(turn.place);
    let nodes = turn.place.nodes();
    let mut index = Default::default();
    nodes.indexes.get(name).unwrap_or(&mut index).purge(&owner, name, turn.fx);
    nodes.indexes.insert(name.into(), Default::default());
    nodes.touch(name);
}
