//! What comes for the service, and who answers.
//!
//! XEP-0357 0.4.1 section 4.2, XEP-0030 2.5.0, XEP-0199 2.0.1
//!
//! Not here: what happens then (the other files).

use std::sync::Arc;

use address::{Bare, Jid};
use bytes::Bytes;
use kernel::{Answer, Iq, Rest, Service, Spot, Turn};
use model::storage::{Loaded, Read};
use stanza::{Condition, IqType, Kind, MessageType, Stanza, ns};
use xml::Writer;

use crate::{commands, limits, nodes, publish, unified};

/// Fills a buffer with bytes that nobody can guess.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Its name for people.
pub const NAME: &str = "Push notifications";

/// What it can.
const FEATURES: &[&str] = &[
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::PING,
    ns::PUBSUB,
    ns::PUBSUB_PUBLISH,
    ns::PUSH,
    ns::COMMANDS,
    ns::UNIFIED_PUSH,
];

/// The push service of a domain.
pub struct Pushes {
    domain: Jid,
    host: Jid,
    pub(crate) random: Random,
}

impl Pushes {
    /// A service at `domain` for the accounts of `host`.
    pub fn new(domain: Jid, host: Jid, random: Random) -> Pushes {
        Pushes { domain, host, random }
    }

    /// Whether that is an account of the domain.
    fn is_ours(&self, who: &Jid) -> bool {
        who.local().is_some() && who.domain() == self.host.as_str()
    }
}

impl Service for Pushes {
    fn domain(&self) -> &Jid {
        &self.domain
    }

    fn name(&self) -> &str {
        NAME
    }

    fn wakes(&self, stanza: &Stanza) -> bool {
        !matches!(stanza.kind, Kind::Presence(_))
    }

    fn reads(&self, _: &Bare) -> Vec<Read> {
        Vec::new()
    }

    fn hydrate(&self, _: &mut Spot, _: Vec<Loaded>) {}

    fn arrive(&self, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
        let here = turn.place.is_service() && stanza.to.as_ref().is_some_and(Jid::is_bare);
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) if here => {
                let answer = self.asked(&stanza);
                kernel::answer(turn, stanza, answer);
            }
            Kind::Iq(IqType::Result | IqType::Error) if here => unified::answered(turn, &stanza),
            Kind::Iq(IqType::Get | IqType::Set) => turn.fx.refuse(&stanza, Condition::ServiceUnavailable),
            // Nobody else can send from this address.
            Kind::Message(MessageType::Normal) if here && stanza.from.as_ref() == Some(&self.domain) => {
                nodes::gone(turn, &stanza);
            }
            Kind::Message(ty) if ty != MessageType::Error && !stanza.payload.is_empty() => {
                turn.fx.refuse(&stanza, Condition::ServiceUnavailable);
            }
            _ => {}
        }
    }

    fn asks_max(&self) -> u32 {
        limits::ASKS_MAX
    }

    fn rest(&self, spot: &Spot) -> Rest {
        // It has no state; but it would be made anew for each stanza.
        if spot.is_service() { Rest::Idle } else { Rest::Nothing }
    }
}

impl Pushes {
    fn asked(&self, stanza: &Stanza) -> Answer<Spot> {
        let Ok(tree) = stanza.payload.tree() else { return Condition::BadRequest.into() };
        let Some(payload) = tree.root() else { return Condition::BadRequest.into() };
        let iq = Iq { stanza, payload };
        match (payload.ns(), payload.name(), iq.is_set()) {
            (ns::DISCO_INFO, "query", false) => info(payload.attr("node").as_deref()),
            (ns::DISCO_ITEMS, "query", false) => items(&self.domain, payload.attr("node").as_deref()),
            (ns::PING, "ping", false) => Answer::done(),
            (ns::PUBSUB | ns::COMMANDS | ns::UNIFIED_PUSH, ..) if !self.is_ours(iq.from()) => {
                Condition::Forbidden.into()
            }
            (ns::PUBSUB, "pubsub", true) => publish::answer(&self.domain, &iq),
            (ns::COMMANDS, "command", true) => commands::answer(self, &iq),
            (ns::UNIFIED_PUSH, "register", true) => unified::register(&self.domain, &iq),
            (ns::PUBSUB | ns::COMMANDS | ns::UNIFIED_PUSH, ..) => Condition::FeatureNotImplemented.into(),
            _ => Condition::ServiceUnavailable.into(),
        }
    }
}

fn info(node: Option<&str>) -> Answer<Spot> {
    let command = node.and_then(commands::title);
    let (category, ty, name, features) = match (node.filter(|node| !node.is_empty()), command) {
        (None, _) => ("pubsub", "push", NAME, FEATURES),
        (Some(_), Some(title)) => ("automation", "command-node", title, &[ns::COMMANDS, ns::FORMS][..]),
        (Some(ns::COMMANDS), None) => ("automation", "command-list", NAME, &[ns::COMMANDS][..]),
        _ => return Condition::ItemNotFound.into(),
    };
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr_opt("node", node).open("identity", ns::DISCO_INFO);
    w.attr("category", category).attr("type", ty).attr("name", name).close();
    for feature in features {
        w.open("feature", ns::DISCO_INFO).attr("var", feature).close();
    }
    w.close();
    Answer::Reply(w.finish())
}

fn items(domain: &Jid, node: Option<&str>) -> Answer<Spot> {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_ITEMS).attr_opt("node", node);
    if node == Some(ns::COMMANDS) {
        commands::items(&mut w, domain);
    }
    w.close();
    Answer::Reply(w.finish())
}

/// What tells the service that an endpoint takes nothing more: to be brought to it in its own name.
pub fn gone(service: &Jid, account: &Bare, node: &str) -> Stanza {
    let mut w = Writer::new(ns::CLIENT);
    w.open("gone", ns::PUSH_DELIVERED).attr("account", account.as_str()).attr("node", node).close();
    let inner: Bytes = w.finish();
    Stanza::message(MessageType::Normal).with_inner(inner).from(service).to(service)
}
