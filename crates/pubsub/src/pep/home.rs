//! An account as a home of nodes.
//!
//! XEP-0163 1.2.2, XEP-0060 1.30.0 (section 9)
//!
//! Not here: nodes.

use address::{Bare, Jid};
use kernel::{Account, Turn};
use stanza::{Stanza, ns};

use super::peers;
use crate::config::{Access, Offer};
use crate::home::{Home, Rules};
use crate::node::Nodes;
use crate::{defaults, limits};

static RULES: Rules = Rules {
    default: defaults::of_account,
    auto_create: true,
    nodes_max: limits::NODES_MAX,
    affiliations_max: limits::AFFILIATIONS_MAX,
    subscriptions_max: limits::SUBSCRIPTIONS_MAX,
};

const ALL: &[Access] =
    &[Access::Authorize, Access::Open, Access::Presence, Access::Roster, Access::Whitelist];
/// What is nobody else's business can be shown to nobody else, whatever a client thinks (E-15).
const OWN: &[Access] = &[Access::Whitelist];

/// Which access an account's node of that name may have.
pub(crate) fn access(node: &str) -> &'static [Access] {
    match node {
        ns::BOOKMARKS | ns::BOOKMARKS_OLD | ns::DISPLAYED | ns::OPENPGP_SECRET => OWN,
        _ => ALL,
    }
}

impl Home for Account {
    fn rules() -> &'static Rules {
        &RULES
    }

    fn address(&self) -> &Bare {
        &self.jid
    }

    fn nodes(&mut self) -> &mut Nodes {
        let nodes = self.slots.of::<Nodes>();
        nodes.indexes.limit(limits::INDEXES_MAX);
        nodes
    }

    fn peek(&self) -> Option<&Nodes> {
        self.slots.peek::<Nodes>()
    }

    fn offer(&self, node: &str) -> Offer {
        Offer { collections: false, access: access(node) }
    }

    fn owns(&self, who: &Jid) -> bool {
        who.bare_str() == self.jid.as_str()
    }

    fn may_create(&self, who: &Jid) -> bool {
        self.owns(who)
    }

    fn shows_presence_to(&self, who: &Jid) -> bool {
        Account::shows_presence_to(self, who)
    }

    fn is_in_group(&self, who: &Jid, groups: &[String]) -> bool {
        let item = self.roster.item(who.bare_str());
        item.is_some_and(|item| item.groups.iter().any(|group| groups.contains(group)))
    }

    fn blocks(&self, who: &Jid) -> bool {
        Account::blocks(self, who)
    }

    fn listeners(&self, node: &str) -> Vec<Jid> {
        peers::listeners(self, node)
    }

    fn changed(turn: &mut Turn<'_, Account>, node: &str) {
        if node == ns::AVATAR_METADATA {
            crate::avatar::published(turn);
        }
        if node == ns::VCARD4_NODE {
            crate::vcard4::published(turn);
        }
    }

    fn send(turn: &mut Turn<'_, Account>, to: &Jid, stanza: Stanza) {
        let own = to.bare_str() == turn.place.jid.as_str();
        let session =
            to.resource().filter(|_| own).map(|resource| turn.place.resource(resource).map(|own| own.id));
        match session {
            Some(Some(session)) => turn.fx.send(session, stanza.into()),
            // A resource that is no longer there.
            Some(None) => {}
            None => turn.fx.route(stanza),
        }
    }
}
