//! What the user wants of strangers, brought to the account by its own host.
//!
//! No XEP: there is none about strangers.
//!
//! Not here: the commands with which users say it (`adhoc/strangers.rs`).

use address::{Bare, Jid};
use kernel::{Account, StrangerPolicy, Turn};
use stanza::{Kind, MessageType, Stanza, ns};
use xml::Writer;

use super::{held, known, set_policy};

/// An order to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Somebody is no stranger; what was held of him comes in.
    Accept(Bare),
    /// What was held of somebody is forgotten.
    Discard(Bare),
    /// What becomes of what strangers send; `None`: what the operator says.
    Policy(Option<StrangerPolicy>),
}

/// The stanza that brings an order from the account's host.
pub(crate) fn order(host: &Jid, account: &Bare, order: &Order) -> Stanza {
    let mut w = Writer::new(ns::CLIENT);
    let (name, value) = match order {
        Order::Accept(who) => ("accept", who.as_str()),
        Order::Discard(who) => ("discard", who.as_str()),
        Order::Policy(policy) => ("policy", policy.map_or("", StrangerPolicy::name)),
    };
    w.open(name, ns::STRANGERS).attr("value", value).close();
    Stanza::message(MessageType::Headline).from(host).to(account).with_inner(w.finish())
}

/// Whether it is an order; then it is carried out. Nobody but the server sends from the domain's own address.
pub(super) fn given(turn: &mut Turn<'_, Account>, stanza: &Stanza) -> bool {
    let own = stanza.from.as_ref().is_some_and(|from| from.as_str() == turn.place.jid.domain());
    if !own || stanza.kind != Kind::Message(MessageType::Headline) {
        return false;
    }
    let Some(child) = stanza.payload.children().find(|child| child.ns() == ns::STRANGERS) else {
        return false;
    };
    let value = child.attr("value").unwrap_or_default();
    match (child.name(), Bare::parse(&value)) {
        ("policy", _) => set_policy(turn, StrangerPolicy::parse(&value)),
        ("accept", Ok(who)) => {
            known::note(turn, &who);
            held::open(turn, &who);
        }
        ("discard", Ok(who)) => held::discard(turn, &who),
        _ => {}
    }
    true
}
