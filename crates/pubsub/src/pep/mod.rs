//! Personal Eventing: every account has nodes, and its contacts hear of them without asking.
//!
//! XEP-0163 1.2.2 (complete), XEP-0060 1.30.0 (for accounts), XEP-0115 1.6.0 (capabilities of clients: who wants to hear
//! of what), XEP-0222 1.0, XEP-0223 1.1.1, XEP-0084 1.1.4, XEP-0277 0.6.5, XEP-0292 0.12.0, XEP-0373 0.7.0,
//! XEP-0384 0.9.1, XEP-0472 0.2.1 (nodes begin as these ask)
//!
//! Not here: what nodes do (the files above), nodes that older protocols must agree with (`bookmarks`, `avatar`,
//! `displayed`).

mod caps;
mod home;
mod peers;
#[cfg(test)]
mod tests;
mod wishes;

use kernel::{Account, Answer, Card, Event, Feature, Flow, Form, Iq, IqRoute, Kept, Spec, Step, Turn, Way};
use model::storage::{Loaded, Space};
use stanza::{Condition, IqType, Kind, PresenceType, Stanza, ns};
use xml::Writer;

pub(crate) use home::access;

use crate::node::{AFFILIATIONS, NODES, SUBSCRIPTIONS};
use crate::{access, defaults, disco, request, subscribe};

static CARD: Card = Card {
    specs: &[
        Spec::partial(
            "XEP-0060",
            "1.30.0",
            "without ids of subscriptions, digests, bodies made of payloads, redirects; the command for pending requests only at the service",
        ),
        Spec::complete("XEP-0084", "1.1.4").note("the server keeps the nodes"),
        Spec::partial(
            "XEP-0115",
            "1.6.0",
            "hashes other than SHA-1 are asked for anew each time; presence is not thinned",
        ),
        Spec::partial("XEP-0163", "1.2.2", "notifications do not name the resource that published"),
        Spec::complete("XEP-0222", "1.0").note("discovered at the account, not at the domain"),
        Spec::complete("XEP-0223", "1.1.1").note("discovered at the account, not at the domain"),
        Spec::complete("XEP-0277", "0.6.5").note("the server keeps the nodes"),
        Spec::partial(
            "XEP-0292",
            "0.12.0",
            "the server keeps the node; it is not converted from and to vcard-temp",
        ),
        Spec::complete("XEP-0373", "0.7.0").note("the server keeps the nodes"),
        Spec::complete("XEP-0384", "0.9.1").note("the server keeps the nodes"),
        Spec::complete("XEP-0472", "0.2.1").note("the server keeps the nodes"),
    ],
    account_identities: &[("pubsub", "pep")],
    account_vars: &[
        ns::PUBSUB,
        ns::PUBSUB_ACCESS_PRESENCE,
        ns::PUBSUB_AUTO_CREATE,
        ns::PUBSUB_AUTO_SUBSCRIBE,
        ns::PUBSUB_CONFIG_NODE,
        ns::PUBSUB_CONFIG_NODE_MAX,
        ns::PUBSUB_CREATE_AND_CONFIGURE,
        ns::PUBSUB_CREATE_NODES,
        ns::PUBSUB_DELETE_ITEMS,
        ns::PUBSUB_DELETE_NODES,
        ns::PUBSUB_FILTERED_NOTIFICATIONS,
        ns::PUBSUB_INSTANT_NODES,
        ns::PUBSUB_ITEM_IDS,
        ns::PUBSUB_LAST_PUBLISHED,
        ns::PUBSUB_LEASED_SUBSCRIPTION,
        ns::PUBSUB_MANAGE_SUBSCRIPTIONS,
        ns::PUBSUB_MEMBER_AFFILIATION,
        ns::PUBSUB_META_DATA,
        ns::PUBSUB_MODIFY_AFFILIATIONS,
        ns::PUBSUB_MULTI_ITEMS,
        ns::PUBSUB_ON_A_JID,
        ns::PUBSUB_OUTCAST_AFFILIATION,
        ns::PUBSUB_PERSISTENT_ITEMS,
        ns::PUBSUB_PRESENCE_SUBSCRIBE,
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
    ],
    steps: &[(Way::Leave, Step::Stamp), (Way::Arrive, Step::Stamp)],
    iqs: &[IqRoute::open(ns::PUBSUB).and_set(), IqRoute::open(ns::PUBSUB_OWNER).and_set()],
    kept: &[
        Kept { space: NODES, form: Form::Map },
        Kept { space: AFFILIATIONS, form: Form::Map },
        Kept { space: SUBSCRIPTIONS, form: Form::Map },
    ],
    ..Card::named("pep")
};

/// XEP-0163.
pub(crate) struct Pep;

impl Feature for Pep {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn hydrate(&self, account: &mut Account, space: Space, stored: Loaded) {
        use crate::home::Home;
        account.nodes().hydrate(space, stored, defaults::of_account);
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        // RFC 6120 section 13.11: whom nothing here is for hears what it would hear of an account that is not there.
        if !access::is_known(turn.place, iq.from()) {
            return Condition::ServiceUnavailable.into();
        }
        request::answer(turn, iq)
    }

    fn discover(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Option<Answer<Account>> {
        use crate::home::Home;
        let items = iq.payload.ns() == ns::DISCO_ITEMS;
        match iq.payload.attr("node").filter(|node| !node.is_empty()) {
            Some(node) => {
                turn.place.peek()?.get(&node)?;
                Some(match items {
                    true => disco::items(turn, iq.from(), node.into_owned()),
                    false => disco::info(turn, iq, &node),
                })
            }
            // XEP-0163 section 6.2.
            None if items && disco::sees_any(turn.place, iq.from()) => {
                let mut w = Writer::new(ns::CLIENT);
                w.open("query", ns::DISCO_ITEMS);
                disco::write_nodes(&mut w, turn.place, iq.from(), None);
                w.close();
                Some(Answer::Reply(w.finish()))
            }
            None => None,
        }
    }

    fn step(&self, way: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        match (way, stanza.kind) {
            (Way::Arrive, Kind::Presence(PresenceType::Available)) => peers::presence(turn, stanza),
            (Way::Arrive, Kind::Presence(PresenceType::Unavailable)) => {
                if let Some(from) = stanza.from.clone() {
                    peers::gone(turn, &from);
                }
            }
            (Way::Leave, Kind::Presence(PresenceType::Subscribed)) => {
                if let Some(contact) = stanza.to.clone() {
                    peers::admitted(turn, &contact);
                }
            }
            (_, Kind::Iq(IqType::Result | IqType::Error)) => peers::answered(turn, stanza),
            (Way::Leave, Kind::Message(_)) => {
                let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == turn.place.jid.as_str());
                if own && stanza.payload.has("x", ns::FORMS) && subscribe::authorized(turn, stanza) {
                    return Flow::Stop;
                }
            }
            _ => {}
        }
        Flow::On
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        match event {
            Event::BecameAvailable { session, .. } => {
                let Some(session) = turn.place.session(*session) else { return };
                let Some(presence) = session.available.as_ref().map(|held| held.stanza.clone()) else {
                    return;
                };
                let jid = session.jid.clone();
                peers::came(turn, &jid, &presence, false);
            }
            Event::BecameUnavailable { session, .. } | Event::SessionClosed(session) => {
                if let Some(jid) = turn.place.session(*session).map(|session| session.jid.clone()) {
                    peers::gone(turn, &jid);
                }
            }
            Event::SessionOpened { .. }
            | Event::Acknowledged { .. }
            | Event::Unread { .. }
            | Event::Attentive(_)
            | Event::Woken => {}
        }
    }
}
