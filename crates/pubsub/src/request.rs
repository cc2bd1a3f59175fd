//! Requests: which part of the protocol is spoken.
//!
//! XEP-0060 1.30.0 (sections 5 to 8)
//!
//! Not here: what each does.

use kernel::{Answer, Iq, Turn};
use stanza::{Condition, StanzaError, ns};
use xml::El;

use crate::error::{MALFORMED, NODEID_REQUIRED, NOT_ACCEPTABLE};
use crate::home::Home;
use crate::limits::NODE_BYTES_MAX;
use crate::{graph, lists, options, owner, publish, retract, retrieve, subscribe};

/// Answers `<pubsub/>` of either namespace.
pub(crate) fn answer<P: Home>(turn: &mut Turn<'_, P>, iq: &Iq<'_>) -> Answer<P> {
    let (pubsub, from) = (iq.payload, iq.from().clone());
    let Some(request) = pubsub.children().find(|child| child.ns() == pubsub.ns()) else {
        return MALFORMED.into();
    };
    if pubsub.name() != "pubsub" {
        return MALFORMED.into();
    }
    match (pubsub.ns(), iq.is_set(), request.name()) {
        (ns::PUBSUB, false, "items") => retrieve::answer(turn, &from, pubsub, request),
        (ns::PUBSUB, false, "subscriptions") => subscribe::own(turn, &from, request),
        (ns::PUBSUB, false, "affiliations") => lists::own_affiliations(turn, &from, request),
        (ns::PUBSUB, false, "options") => options::get(turn, &from, request),
        (ns::PUBSUB, false, "default") => options::default(turn, &from, request),
        (ns::PUBSUB, true, "publish") => publish::answer(turn, &from, pubsub, request),
        (ns::PUBSUB, true, "retract") => retract::answer(turn, &from, request),
        (ns::PUBSUB, true, "subscribe") => subscribe::answer(turn, &from, pubsub, request),
        (ns::PUBSUB, true, "unsubscribe") => subscribe::end(turn, &from, request),
        (ns::PUBSUB, true, "options") => options::set(turn, &from, request),
        (ns::PUBSUB, true, "create") => owner::create(turn, &from, pubsub, request),
        (ns::PUBSUB_OWNER, false, "configure") => owner::configuration(turn, &from, request),
        (ns::PUBSUB_OWNER, false, "default") => owner::default(turn, &from, request),
        (ns::PUBSUB_OWNER, false, "affiliations") => lists::affiliations(turn, &from, request),
        (ns::PUBSUB_OWNER, false, "subscriptions") => lists::subscriptions(turn, &from, request),
        (ns::PUBSUB_OWNER, true, "configure") => owner::configure(turn, &from, request),
        (ns::PUBSUB_OWNER, true, "delete") => owner::delete(turn, &from, request),
        (ns::PUBSUB_OWNER, true, "purge") => retract::purge(turn, &from, request),
        (ns::PUBSUB_OWNER, true, "affiliations") => lists::affiliate(turn, &from, request),
        (ns::PUBSUB_OWNER, true, "subscriptions") => lists::subscribe(turn, &from, request),
        (ns::PUBSUB_OWNER, true, "collection") => graph::associate(turn, &from, request),
        _ => Condition::FeatureNotImplemented.into(),
    }
}

/// The node that an element names.
///
/// # Errors
/// If it names none, or one that cannot be.
pub(crate) fn node_of(el: El<'_>) -> Result<String, StanzaError> {
    let node = el.attr("node").filter(|node| !node.is_empty()).ok_or(NODEID_REQUIRED)?;
    if node.len() > NODE_BYTES_MAX {
        return Err(NOT_ACCEPTABLE.text("the node's name is too long"));
    }
    Ok(node.into_owned())
}
