//! Service discovery of nodes: which there are, what they are, which items they have.
//!
//! XEP-0060 1.30.0 (sections 5.2 to 5.5), XEP-0248 0.5.0 (section 4.2), XEP-0030 2.5.0
//!
//! Nobody is told of a node whose items it may not read.
//!
//! Not here: what an account or a service is besides.

use address::Jid;
use kernel::{Answer, Iq, Turn};
use stanza::{StanzaError, ns};
use xml::Writer;

use crate::access::{find, may_read};
use crate::config::{Config, Kind};
use crate::form::{self, Field};
use crate::home::Home;
use crate::indexed::{indexed, is_indexed};
use crate::limits::DISCO_MAX;
use crate::node::{Affiliation, Node, State};
use stanza::when;

/// Writes the nodes below `collection` that `who` may see; `None` is what is in no collection.
pub(crate) fn write_nodes<P: Home>(w: &mut Writer, place: &P, who: &Jid, collection: Option<&str>) {
    let nodes = place.peek().into_iter().flat_map(|nodes| nodes.iter());
    let below = nodes.filter(|(_, node)| node.config().collection.as_deref() == collection);
    for (name, node) in below.filter(|(_, node)| may_read(place, node, who).is_ok()).take(DISCO_MAX) {
        let title = Some(&node.config().title).filter(|title| !title.is_empty());
        w.open("item", ns::DISCO_ITEMS).attr("jid", place.address().as_str()).attr("node", name);
        w.attr_opt("name", title).close();
    }
}

/// Whether `who` may see any node.
pub(crate) fn sees_any<P: Home>(place: &P, who: &Jid) -> bool {
    place.peek().is_some_and(|nodes| nodes.iter().any(|(_, node)| may_read(place, node, who).is_ok()))
}

/// `disco#items` of a node: its items, or the nodes in it.
pub(crate) fn items<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, name: String) -> Answer<P> {
    let collection = match seen(turn, from, &name) {
        Ok(node) => node.config().kind == Kind::Collection,
        Err(error) => return error.into(),
    };
    if !collection && !is_indexed(turn, &name) {
        let from = from.clone();
        return indexed(turn, name.clone(), move |turn| items(turn, &from, name));
    }
    let address = turn.place.address().clone();
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_ITEMS).attr("node", &name);
    if collection {
        write_nodes(&mut w, turn.place, from, Some(&name));
    } else if let Some(index) = turn.place.nodes().indexes.get(&name) {
        for entry in &index.0 {
            w.open("item", ns::DISCO_ITEMS).attr("jid", address.as_str()).attr("name", &entry.id).close();
        }
    }
    w.close();
    Answer::Reply(w.finish())
}

/// `disco#info` of a node, with what it says of itself.
pub(crate) fn info<P: Home>(turn: &mut Turn<'_, P>, iq: &Iq<'_>, name: &str) -> Answer<P> {
    let node = match seen(turn, iq.from(), name) {
        Ok(node) => node,
        Err(error) => return error.into(),
    };
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr("node", name);
    let kind = node.config().kind.word();
    w.open("identity", ns::DISCO_INFO).attr("category", "pubsub").attr("type", kind).close();
    w.open("feature", ns::DISCO_INFO).attr("var", ns::PUBSUB).close();
    form::write(&mut w, "result", ns::PUBSUB_META_DATA, &metadata(turn.place, node));
    w.close();
    Answer::Reply(w.finish())
}

fn seen<'t, P: Home>(turn: &'t Turn<'_, P>, from: &Jid, name: &str) -> Result<&'t Node, StanzaError> {
    let node = find(turn.place, name, from)?;
    may_read(turn.place, node, from)?;
    Ok(node)
}

/// Section 5.4.
fn metadata<P: Home>(place: &P, node: &Node) -> Vec<Field> {
    let config: &Config = node.config();
    let field = |var, ty, values: Vec<String>| Field { var, label: "", ty, values, choices: Vec::new() };
    let text = |var, text: &str| {
        field(var, "text-single", Some(text.to_owned()).filter(|t| !t.is_empty()).into_iter().collect())
    };
    let who = |wanted: Affiliation| {
        let held = node.affiliations.iter().filter(move |(_, held)| **held == wanted);
        held.map(|(who, _)| who.as_str().to_owned())
    };
    let own = Some(place.address().as_str().to_owned()).filter(|_| place.owns(place.address()));
    let subscribers = node.subscriptions.values().filter(|held| held.state == State::Subscribed).count();
    let items = config.max_items.map_or_else(|| "max".to_owned(), |most| most.to_string());
    let mut fields = vec![
        text("pubsub#type", &config.payload_type),
        field("pubsub#creator", "jid-single", vec![node.creator.as_str().to_owned()]),
        text("pubsub#creation_date", &when::stamp(node.created_ms)),
        text("pubsub#title", &config.title),
        text("pubsub#description", &config.description),
        text("pubsub#language", &config.language),
        field("pubsub#contact", "jid-multi", config.contact.clone()),
        field("pubsub#access_model", "list-single", vec![config.access_model.word().to_owned()]),
        field("pubsub#publish_model", "list-single", vec![config.publish_model.word().to_owned()]),
        text("pubsub#max_items", &items),
        field("pubsub#owner", "jid-multi", own.into_iter().chain(who(Affiliation::Owner)).collect()),
        field("pubsub#publisher", "jid-multi", who(Affiliation::Publisher).collect()),
        text("pubsub#num_subscribers", &subscribers.to_string()),
    ];
    fields.retain(|field| !field.values.is_empty());
    fields
}
