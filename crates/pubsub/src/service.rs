//! Publish and subscribe as a service of its own, at a domain below that of the accounts.
//!
//! XEP-0060 1.30.0, XEP-0248 0.5.0, XEP-0030 2.5.0, XEP-0199 2.0.1
//!
//! The service is one place, which holds all nodes; their items are read when they are needed.
//!
//! Not here: what nodes do (the other files), and what an account's nodes do besides (`pep`).

use address::{Bare, Jid};
use kernel::{Answer, Iq, Rest, Service, Spot, Turn};
use model::storage::{Loaded, Owner, Read};
use stanza::{Condition, ErrorType, IqType, Kind, MessageType, PresenceType, Stanza, ns};
use xml::Writer;

use crate::config::{Access, Offer};
use crate::home::{Home, Rules};
use crate::node::{AFFILIATIONS, NODES, Nodes, SUBSCRIPTIONS};
use crate::{defaults, disco, limits, pending, request, subscribe};

static RULES: Rules = Rules {
    default: defaults::of_service,
    auto_create: false,
    nodes_max: limits::SERVICE_NODES_MAX,
    affiliations_max: limits::SERVICE_AFFILIATIONS_MAX,
    subscriptions_max: limits::SERVICE_SUBSCRIPTIONS_MAX,
};

/// The service sees nobody's presence and nobody's roster.
pub(crate) const ACCESS: &[Access] = &[Access::Open, Access::Authorize, Access::Whitelist];

/// What the service can (section 10), besides itself.
const FEATURES: &[&str] = &[
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::COMMANDS,
    ns::PING,
    ns::PUBSUB,
    ns::PUBSUB_ACCESS_OPEN,
    ns::PUBSUB_COLLECTIONS,
    ns::PUBSUB_CONFIG_NODE,
    ns::PUBSUB_CONFIG_NODE_MAX,
    ns::PUBSUB_CREATE_AND_CONFIGURE,
    ns::PUBSUB_CREATE_NODES,
    ns::PUBSUB_DELETE_ITEMS,
    ns::PUBSUB_DELETE_NODES,
    ns::PUBSUB_GET_PENDING,
    ns::PUBSUB_INSTANT_NODES,
    ns::PUBSUB_ITEM_IDS,
    ns::PUBSUB_LEASED_SUBSCRIPTION,
    ns::PUBSUB_MANAGE_SUBSCRIPTIONS,
    ns::PUBSUB_MEMBER_AFFILIATION,
    ns::PUBSUB_META_DATA,
    ns::PUBSUB_MODIFY_AFFILIATIONS,
    ns::PUBSUB_MULTI_ITEMS,
    ns::PUBSUB_OUTCAST_AFFILIATION,
    ns::PUBSUB_PERSISTENT_ITEMS,
    ns::PUBSUB_PUBLISH,
    ns::PUBSUB_PUBLISH_ONLY_AFFILIATION,
    ns::PUBSUB_PUBLISH_OPTIONS,
    ns::PUBSUB_PUBLISHER_AFFILIATION,
    ns::PUBSUB_PURGE_NODES,
    ns::PUBSUB_RETRACT_ITEMS,
    ns::PUBSUB_RETRIEVE_AFFILIATIONS,
    ns::PUBSUB_RETRIEVE_DEFAULT,
    ns::PUBSUB_RETRIEVE_DEFAULT_SUB,
    ns::PUBSUB_RETRIEVE_ITEMS,
    ns::PUBSUB_RETRIEVE_SUBSCRIPTIONS,
    ns::PUBSUB_RSM,
    ns::PUBSUB_SUBSCRIBE,
    ns::PUBSUB_SUBSCRIPTION_NOTIFICATIONS,
    ns::PUBSUB_SUBSCRIPTION_OPTIONS,
];

/// Its name for people.
const NAME: &str = "Publish and subscribe";

/// The service of a domain.
pub struct PubSub {
    domain: Jid,
    host: Jid,
}

/// Whose accounts may create nodes.
#[derive(Default)]
struct Members(String);

impl PubSub {
    /// A service at `domain`, at which the accounts of `host` may create nodes.
    pub fn new(domain: Jid, host: Jid) -> PubSub {
        PubSub { domain, host }
    }
}

impl Service for PubSub {
    fn domain(&self) -> &Jid {
        &self.domain
    }

    fn name(&self) -> &str {
        NAME
    }

    fn wakes(&self, stanza: &Stanza) -> bool {
        !matches!(stanza.kind, Kind::Presence(_))
    }

    fn reads(&self, address: &Bare) -> Vec<Read> {
        if address.local().is_some() {
            return Vec::new();
        }
        let owner = Owner::from(address.text());
        [NODES, AFFILIATIONS, SUBSCRIPTIONS].map(|space| Read::Map { space, owner: owner.clone() }).into()
    }

    fn hydrate(&self, spot: &mut Spot, loaded: Vec<Loaded>) {
        spot.slots.of::<Members>().0 = self.host.as_str().to_owned();
        for (space, loaded) in [NODES, AFFILIATIONS, SUBSCRIPTIONS].into_iter().zip(loaded) {
            spot.nodes().hydrate(space, loaded, defaults::of_service);
        }
    }

    fn arrive(&self, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
        let to_service = turn.place.is_service() && stanza.to.as_ref().is_some_and(Jid::is_bare);
        match stanza.kind {
            Kind::Iq(IqType::Set) if to_service && stanza.payload.has_ns(ns::COMMANDS) => {
                pending::answer(turn, stanza);
            }
            Kind::Iq(IqType::Get | IqType::Set) if to_service => {
                let answer = asked(turn, &stanza);
                kernel::answer(turn, stanza, answer);
            }
            Kind::Iq(IqType::Get | IqType::Set) => turn.fx.refuse(&stanza, Condition::ServiceUnavailable),
            Kind::Message(MessageType::Error) => bounced(turn, &stanza),
            Kind::Message(_) if to_service && subscribe::authorized(turn, &stanza) => {}
            Kind::Message(_) if !stanza.payload.is_empty() => {
                turn.fx.refuse(&stanza, Condition::ServiceUnavailable);
            }
            // Nobody here has presence.
            Kind::Presence(PresenceType::Subscribe) => {
                if let (Some(from), true) = (&stanza.from, to_service) {
                    let no = Stanza::presence(PresenceType::Unsubscribed);
                    turn.fx.route(no.from(turn.place.address()).to(&from.bare()));
                }
            }
            _ => {}
        }
    }

    fn rest(&self, spot: &Spot) -> Rest {
        // Reading all nodes again for each request would take long.
        if spot.is_service() { Rest::Needed } else { Rest::Nothing }
    }
}

fn asked(turn: &mut Turn<'_, Spot>, stanza: &Stanza) -> Answer<Spot> {
    let Ok(tree) = stanza.payload.tree() else { return Condition::BadRequest.into() };
    let Some(payload) = tree.root() else { return Condition::BadRequest.into() };
    let iq = Iq { stanza, payload };
    match (payload.ns(), iq.is_set()) {
        (ns::PUBSUB | ns::PUBSUB_OWNER, _) => request::answer(turn, &iq),
        (ns::PING, false) => Answer::done(),
        (ns::DISCO_INFO, false) => match iq.payload.attr("node").filter(|node| !node.is_empty()) {
            Some(node) => match pending::info(&node) {
                Some(info) => Answer::Reply(info),
                None => disco::info(turn, &iq, &node),
            },
            None => Answer::Reply(info()),
        },
        (ns::DISCO_ITEMS, false) => match iq.payload.attr("node").filter(|node| !node.is_empty()) {
            Some(node) if node == ns::COMMANDS => Answer::Reply(pending::items(turn.place)),
            Some(node) => disco::items(turn, iq.from(), node.into_owned()),
            None => {
                let mut w = Writer::new(ns::CLIENT);
                w.open("query", ns::DISCO_ITEMS);
                disco::write_nodes(&mut w, turn.place, iq.from(), None);
                w.close();
                Answer::Reply(w.finish())
            }
        },
        _ => Condition::ServiceUnavailable.into(),
    }
}

fn info() -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).open("identity", ns::DISCO_INFO);
    w.attr("category", "pubsub").attr("type", "service").attr("name", NAME).close();
    for feature in FEATURES {
        w.open("feature", ns::DISCO_INFO).attr("var", feature).close();
    }
    w.close();
    w.finish()
}

/// A notification did not reach somebody: who is gone for good is no subscriber any more (section 12.4).
fn bounced(turn: &mut Turn<'_, Spot>, stanza: &Stanza) {
    let gone = stanza.payload.child("error", ns::CLIENT).is_some_and(|error| {
        let tree = error.tree().ok();
        let error = tree.as_ref().and_then(|tree| tree.root());
        error.is_some_and(|error| {
            let cancels = error.attr("type").as_deref() == Some(ErrorType::Cancel.name());
            let of_rfc = |condition: Condition| error.child(condition.name(), ns::STANZAS).is_some();
            of_rfc(Condition::Gone) || cancels && of_rfc(Condition::ItemNotFound)
        })
    });
    let Some(from) = stanza.from.clone().filter(|_| gone) else { return };
    let owner = Owner::from(turn.place.address.text());
    let nodes = turn.place.nodes();
    let held = nodes.iter().filter(|(_, node)| node.subscriptions.contains_key(&from));
    let held: Vec<_> = held.map(|(name, _)| name.clone()).collect();
    for name in held {
        nodes.subscribe(&owner, &name, &from, None, turn.fx);
    }
}

impl Home for Spot {
    fn rules() -> &'static Rules {
        &RULES
    }

    fn address(&self) -> &Bare {
        &self.address
    }

    fn nodes(&mut self) -> &mut Nodes {
        let nodes = self.slots.of::<Nodes>();
        nodes.indexes.limit(limits::SERVICE_INDEXES_MAX);
        nodes
    }

    fn peek(&self) -> Option<&Nodes> {
        self.slots.peek::<Nodes>()
    }

    fn offer(&self, _: &str) -> Offer {
        Offer { collections: true, access: ACCESS }
    }

    fn owns(&self, _: &Jid) -> bool {
        false
    }

    fn may_create(&self, who: &Jid) -> bool {
        let members = self.slots.peek::<Members>();
        who.local().is_some() && members.is_some_and(|members| members.0 == who.domain())
    }

    /// Nobody here hides.
    fn shows_presence_to(&self, _: &Jid) -> bool {
        true
    }

    fn is_in_group(&self, _: &Jid, _: &[String]) -> bool {
        false
    }

    fn blocks(&self, _: &Jid) -> bool {
        false
    }

    fn listeners(&self, _: &str) -> Vec<Jid> {
        Vec::new()
    }

    fn send(turn: &mut Turn<'_, Spot>, _: &Jid, stanza: Stanza) {
        turn.fx.route(stanza);
    }
}
