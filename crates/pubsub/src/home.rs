//! Where nodes live: an account or a service. What they need to know of it, and nothing else.
//!
//! Not here: the two that there are (`pep`, `service`).

use address::{Bare, Jid};
use kernel::Turn;
use model::storage::Owner;
use stanza::Stanza;

use crate::config::{Config, Offer};
use crate::node::Nodes;

/// What differs between accounts and services and never changes.
pub(crate) struct Rules {
    /// How a node of that name begins.
    pub(crate) default: fn(&str) -> &'static Config,
    /// Whether publishing to a node that is not there makes it (XEP-0060 section 7.1.4).
    pub(crate) auto_create: bool,
    pub(crate) nodes_max: usize,
    pub(crate) affiliations_max: usize,
    pub(crate) subscriptions_max: usize,
}

/// A place that has nodes.
pub(crate) trait Home: Sized + Send + 'static {
    /// The rules of its kind.
    fn rules() -> &'static Rules;

    /// Its address: whom nodes are asked of, and whom notifications are from.
    fn address(&self) -> &Bare;

    /// Its nodes.
    fn nodes(&mut self) -> &mut Nodes;

    /// Its nodes, to look at.
    fn peek(&self) -> Option<&Nodes>;

    /// How a node of that name may be configured.
    fn offer(&self, node: &str) -> Offer;

    /// Whether that is the owner of all nodes, whatever affiliations say.
    fn owns(&self, who: &Jid) -> bool;

    /// Whether that address may create nodes.
    fn may_create(&self, who: &Jid) -> bool;

    /// Whether that address sees the owner's presence.
    fn shows_presence_to(&self, who: &Jid) -> bool;

    /// Whether that address is in one of these groups of the owner's roster.
    fn is_in_group(&self, who: &Jid, groups: &[String]) -> bool;

    /// Whether nothing may be sent to that address.
    fn blocks(&self, who: &Jid) -> bool;

    /// Full addresses that want to hear of a node without having subscribed; whether they may is asked afterwards.
    fn listeners(&self, node: &str) -> Vec<Jid>;

    /// The items of a node have changed.
    fn changed(turn: &mut Turn<'_, Self>, node: &str) {
        let _ = (turn, node);
    }

    /// Sends a stanza.
    fn send(turn: &mut Turn<'_, Self>, to: &Jid, stanza: Stanza);
}

/// The owner of what a place stores.
pub(crate) fn owner<P: Home>(place: &P) -> Owner {
    Owner::from(place.address().text())
}
