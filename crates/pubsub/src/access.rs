//! Who may do what at a node.
//!
//! XEP-0060 1.30.0 (sections 4.1, 4.5, 6.1.3, 6.5.9, 7.1.3)
//!
//! Not here: presence and rosters, which the home of the node knows.

use address::Jid;
use stanza::StanzaError;

use crate::config::{Access, Publishers};
use crate::error::{
    CLOSED_NODE, FORBIDDEN, NOT_FOUND, NOT_IN_ROSTER_GROUP, NOT_SUBSCRIBED, PENDING_SUBSCRIPTION,
    PRESENCE_REQUIRED,
};
use crate::home::Home;
use crate::node::{Affiliation, Node, State, Subscription};
use stanza::Condition;

/// The node of that name.
///
/// # Errors
/// If there is none: a stranger hears what it would hear of an account that is not there (RFC 6120 section 13.11).
pub(crate) fn find<'p, P: Home>(place: &'p P, name: &str, who: &Jid) -> Result<&'p Node, StanzaError> {
    let absent =
        || if place.shows_presence_to(who) { NOT_FOUND } else { Condition::ServiceUnavailable.into() };
    place.peek().and_then(|nodes| nodes.get(name)).ok_or_else(absent)
}

/// The node, if `who` is an owner.
pub(crate) fn owned<'p, P: Home>(place: &'p P, name: &str, who: &Jid) -> Result<&'p Node, StanzaError> {
    let node = find(place, name, who)?;
    match affiliation(place, node, who) {
        Some(Affiliation::Owner) => Ok(node),
        _ => Err(FORBIDDEN),
    }
}

/// What `who` is at a node.
pub(crate) fn affiliation<P: Home>(place: &P, node: &Node, who: &Jid) -> Option<Affiliation> {
    if place.owns(who) {
        return Some(Affiliation::Owner);
    }
    node.affiliations.get(who.bare_str()).copied()
}

/// Whether there is anything here for `who`: presence, a node that it may read or ask to read, or a place on a list.
pub(crate) fn is_known<P: Home>(place: &P, who: &Jid) -> bool {
    let knows = |node: &Node| {
        affiliation(place, node, who).is_some()
            || may_subscribe(place, node, who).is_ok()
            || node.subscriptions_of(who.bare_str()).next().is_some()
    };
    place.shows_presence_to(who)
        || place.peek().is_some_and(|nodes| nodes.iter().any(|(_, node)| knows(node)))
}

/// The subscription by which an address hears of a node: its own, or that of its bare address.
pub(crate) fn subscription<'n>(node: &'n Node, who: &Jid) -> Option<&'n Subscription> {
    let bare = || node.subscriptions.get(who.bare_str());
    node.subscriptions.get(who.as_str()).or_else(bare)
}

/// Whether any address of that bare one is subscribed.
fn is_subscribed(node: &Node, who: &Jid) -> bool {
    node.subscriptions_of(who.bare_str()).any(|(_, held)| held.state == State::Subscribed)
}

/// Whether `who` may have items and hear of them, as the model of access has it now.
pub(crate) fn may_read<P: Home>(place: &P, node: &Node, who: &Jid) -> Result<(), StanzaError> {
    let config = node.config();
    match affiliation(place, node, who) {
        Some(Affiliation::Owner | Affiliation::Publisher | Affiliation::Member) => return Ok(()),
        Some(Affiliation::Outcast | Affiliation::PublishOnly) => return Err(FORBIDDEN),
        None => {}
    }
    match config.access_model {
        Access::Open => Ok(()),
        Access::Presence if place.shows_presence_to(who) => Ok(()),
        Access::Presence => Err(PRESENCE_REQUIRED),
        Access::Roster if place.shows_presence_to(who) && place.is_in_group(who, &config.roster_groups) => {
            Ok(())
        }
        Access::Roster => Err(NOT_IN_ROSTER_GROUP),
        Access::Authorize if is_subscribed(node, who) => Ok(()),
        Access::Authorize => Err(NOT_SUBSCRIBED),
        Access::Whitelist => Err(CLOSED_NODE),
    }
}

/// Whether `who` may subscribe, and whether that needs an owner's word.
pub(crate) fn may_subscribe<P: Home>(place: &P, node: &Node, who: &Jid) -> Result<State, StanzaError> {
    let pending = subscription(node, who).is_some_and(|held| held.state == State::Pending);
    match may_read(place, node, who) {
        Ok(()) => Ok(State::Subscribed),
        Err(error) if error == NOT_SUBSCRIBED && pending => Err(PENDING_SUBSCRIPTION),
        Err(error) if error == NOT_SUBSCRIBED => Ok(State::Pending),
        Err(error) => Err(error),
    }
}

/// Whether `who` may publish.
pub(crate) fn may_publish<P: Home>(place: &P, node: &Node, who: &Jid) -> Result<(), StanzaError> {
    let allowed = match affiliation(place, node, who) {
        Some(Affiliation::Owner | Affiliation::Publisher | Affiliation::PublishOnly) => true,
        Some(Affiliation::Outcast) => false,
        Some(Affiliation::Member) | None => match node.config().publish_model {
            Publishers::Named => false,
            Publishers::Subscribers => is_subscribed(node, who) && may_read(place, node, who).is_ok(),
            // Whoever may subscribe may publish; a closed node stays closed.
            Publishers::Open => may_read(place, node, who).is_ok(),
        },
    };
    if allowed { Ok(()) } else { Err(FORBIDDEN) }
}
