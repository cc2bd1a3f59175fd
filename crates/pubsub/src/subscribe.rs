//! Subscribing and unsubscribing; requests that wait for an owner's word.
//!
//! XEP-0060 1.30.0 (sections 5.6, 6.1, 6.2, 8.6, 12.11)
//!
//! An address has one subscription to a node; there are no ids of subscriptions, and those that are sent are ignored.
//!
//! Not here: options (`options.rs`), the owner's lists (`lists.rs`).

use address::Jid;
use bytes::Bytes;
use kernel::{Answer, Turn};
use stanza::{MessageType, Stanza, StanzaError, ns};
use xml::{El, Writer};

use crate::access::{affiliation, find, may_subscribe};
use crate::config::{Kind, SendLast, Style};
use crate::error::{
    FORBIDDEN, INVALID_JID, JID_REQUIRED, MALFORMED, NO_SUBSCRIBER, TOO_MANY_SUBSCRIPTIONS, unsupported,
};
use crate::form::{self, Answered, Field};
use crate::home::{Home, owner};
use crate::items::Item;
use crate::limits::{SUBSCRIBERS_MAX, SUBSCRIPTIONS_EACH_MAX};
use crate::node::{Affiliation, Node, State, Subscription};
use crate::notify::{event, last, tell_one};
use crate::options;
use crate::request::node_of;

/// The address that an element names, which must be the asker's own (F-23).
///
/// # Errors
/// If there is none, it is malformed, or `refusal` if it is somebody else's.
pub(crate) fn jid_of(el: El<'_>, from: &Jid, refusal: StanzaError) -> Result<Jid, StanzaError> {
    let jid = el.attr("jid").ok_or(JID_REQUIRED)?;
    let jid = Jid::parse(&jid).map_err(|_| INVALID_JID)?;
    if jid.bare_str() == from.bare_str() { Ok(jid) } else { Err(refusal) }
}

/// Writes `<subscription/>` in the namespace of what it is in.
pub(crate) fn write(w: &mut Writer, node: Option<&str>, jid: &Jid, state: Option<State>) {
    let ns = w.ns().to_owned();
    w.open("subscription", &ns).attr_opt("node", node).attr("jid", jid.as_str());
    w.attr("subscription", state.map_or("none", State::word)).close();
}

/// Tells a subscriber what it is now (section 12.11).
pub(crate) fn tell_state<P: Home>(turn: &mut Turn<'_, P>, node: &str, jid: &Jid, state: Option<State>) {
    if !turn.place.blocks(jid) {
        let payload = event(|w| write(w, Some(node), jid, state));
        tell_one(turn, Style::Headline, jid, payload, 0);
    }
}

/// `<subscribe/>`, with `<options/>` behind it.
pub(crate) fn answer<P: Home>(
    turn: &mut Turn<'_, P>,
    from: &Jid,
    pubsub: El<'_>,
    subscribe: El<'_>,
) -> Answer<P> {
    match run(turn, from, pubsub, subscribe) {
        Ok(answer) => answer,
        Err(error) => error.into(),
    }
}

fn run<P: Home>(
    turn: &mut Turn<'_, P>,
    from: &Jid,
    pubsub: El<'_>,
    subscribe: El<'_>,
) -> Result<Answer<P>, StanzaError> {
    let name = node_of(subscribe)?;
    let jid = jid_of(subscribe, from, INVALID_JID)?;
    let wished = options_of(pubsub)?;
    let node = find(turn.place, &name, from)?;
    let state = may_subscribe(turn.place, node, &jid)?;
    if !node.config().subscribe {
        return Err(unsupported("subscribe"));
    }
    let held = node.subscriptions.get(&jid).filter(|held| !held.is_over(turn.now.unix_ms)).cloned();
    // Section 6.1.6: a second request changes nothing; with options it changes those.
    let before = held.as_ref().map(|held| held.state);
    let mut subscription = held.unwrap_or_default();
    subscription.state = before.unwrap_or(state);
    if let Some(form) = &wished {
        subscription = options::apply(&subscription, form, turn.now.unix_ms)?;
    }
    if before.is_none() {
        room(turn, &name, &jid)?;
    }
    let (config, state) = (node_config(turn, &name), subscription.state);
    let owner = owner(turn.place);
    turn.place.nodes().subscribe(&owner, &name, &jid, Some(subscription.clone()), turn.fx);
    if before.is_none() {
        announce(turn, &name, &jid, state);
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB);
    write(&mut w, Some(&name), &jid, Some(state));
    if wished.is_some() {
        w.open("options", ns::PUBSUB);
        form::write(&mut w, "result", ns::PUBSUB_SUBSCRIBE_OPTIONS, &options::fields(&subscription));
        w.close();
    }
    w.close();
    let reply = w.finish();
    let sends = config.is_some_and(|(sends, kind)| sends && kind == Kind::Leaf);
    Ok(match state {
        State::Subscribed if sends && before.is_none() => with_last(turn, name, jid, reply),
        _ => Answer::Reply(reply),
    })
}

/// Whether the last item is sent to new subscribers, and of what kind the node is.
fn node_config<P: Home>(turn: &Turn<'_, P>, name: &str) -> Option<(bool, Kind)> {
    let config = turn.place.peek()?.get(name)?.config();
    Some((config.send_last != SendLast::Never && config.persist_items, config.kind))
}

fn options_of(pubsub: El<'_>) -> Result<Option<form::Submitted>, StanzaError> {
    let Some(options) = pubsub.child("options", ns::PUBSUB) else { return Ok(None) };
    // Section 6.3.7: the node and the address have been said.
    let first = pubsub.children().next().is_some_and(|child| child.is("options", ns::PUBSUB));
    if first || options.attr("node").is_some() || options.attr("jid").is_some() {
        return Err(MALFORMED);
    }
    match form::read(options, ns::PUBSUB_SUBSCRIBE_OPTIONS)? {
        Answered::Submitted(form) => Ok(Some(form)),
        Answered::Cancelled => Ok(None),
    }
}

/// Whether there is room for one more.
fn room<P: Home>(turn: &Turn<'_, P>, name: &str, jid: &Jid) -> Result<(), StanzaError> {
    let Some(nodes) = turn.place.peek() else { return Ok(()) };
    let own = |node: &Node| node.subscriptions_of(jid.bare_str()).count();
    let full = nodes.subscription_count() >= P::rules().subscriptions_max
        || nodes.get(name).is_some_and(|node| node.subscriptions.len() >= SUBSCRIBERS_MAX);
    let greedy = nodes.subscription_count() >= SUBSCRIPTIONS_EACH_MAX
        && nodes.iter().map(|(_, node)| own(node)).sum::<usize>() >= SUBSCRIPTIONS_EACH_MAX;
    if full || greedy { Err(TOO_MANY_SUBSCRIPTIONS) } else { Ok(()) }
}

/// The owners hear of a new subscriber: they are asked, or told if they wish.
pub(crate) fn announce<P: Home>(turn: &mut Turn<'_, P>, name: &str, jid: &Jid, state: State) {
    let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { return };
    let tells = node.config().notify_sub;
    let owners = node.affiliations.iter().filter(|(_, held)| **held == Affiliation::Owner);
    let mut owners: Vec<Jid> = owners.map(|(owner, _)| owner.jid().clone()).collect();
    // The owner of an account's nodes is the account.
    if turn.place.owns(turn.place.address()) {
        owners.push(turn.place.address().jid().clone());
    }
    for (count, owner) in owners.iter().enumerate() {
        match state {
            State::Pending => ask(turn, name, jid, owner, count),
            State::Subscribed if tells => {
                let payload = event(|w| write(w, Some(name), jid, Some(state)));
                tell_one(turn, Style::Headline, owner, payload, count);
            }
            State::Subscribed => {}
        }
    }
}

/// Section 8.6: the form by which an owner agrees or refuses.
pub(crate) fn ask<P: Home>(turn: &mut Turn<'_, P>, name: &str, jid: &Jid, owner: &Jid, count: usize) {
    let field = |var, ty, label, value: &str| Field {
        var,
        label,
        ty,
        values: vec![value.to_owned()],
        choices: Vec::new(),
    };
    let fields = [
        field("pubsub#node", "text-single", "The node", name),
        field("pubsub#subscriber_jid", "jid-single", "Who wants to subscribe", jid.as_str()),
        field("pubsub#allow", "boolean", "Whether to allow it", "false"),
    ];
    let mut w = Writer::new(ns::CLIENT);
    form::write(&mut w, "form", ns::PUBSUB_SUBSCRIBE_AUTHORIZATION, &fields);
    let id = format!("{:x}-ask{count}", turn.id);
    let stanza = Stanza::message(MessageType::Normal).from(turn.place.address()).to(owner).id(&id);
    P::send(turn, owner, stanza.with_inner(w.finish()));
}

/// What an owner says to the form of [`ask`]. Whether the message was one.
pub(crate) fn authorized<P: Home>(turn: &mut Turn<'_, P>, stanza: &Stanza) -> bool {
    let (Some(from), Ok(tree)) = (&stanza.from, stanza.payload.tree()) else { return false };
    let form = match form::read(tree.top(), ns::PUBSUB_SUBSCRIBE_AUTHORIZATION) {
        Ok(Answered::Submitted(form)) => form,
        Ok(Answered::Cancelled) | Err(_) => return false,
    };
    let (Some(name), Some(jid)) = (form.value("pubsub#node"), form.value("pubsub#subscriber_jid")) else {
        return false;
    };
    let (Some(allow), Ok(jid)) = (form.value("pubsub#allow").and_then(form::boolean), Jid::parse(jid)) else {
        return false;
    };
    let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { return true };
    let waits = node.subscriptions.get(&jid).filter(|held| held.state == State::Pending).cloned();
    let owns = affiliation(turn.place, node, from) == Some(Affiliation::Owner);
    if let Some(held) = waits.filter(|_| owns) {
        settle(turn, name, &jid, allow.then_some(held));
    }
    true
}

/// Ends the waiting: the subscription is there, or not.
pub(crate) fn settle<P: Home>(turn: &mut Turn<'_, P>, name: &str, jid: &Jid, agreed: Option<Subscription>) {
    let (owner, state) = (owner(turn.place), agreed.as_ref().map(|_| State::Subscribed));
    let subscription = agreed.map(|held| Subscription { state: State::Subscribed, ..held });
    turn.place.nodes().subscribe(&owner, name, jid, subscription, turn.fx);
    tell_state(turn, name, jid, state);
}

/// The reply, and before it the newest item (section 6.1.7).
fn with_last<P: Home>(turn: &mut Turn<'_, P>, name: String, jid: Jid, reply: Bytes) -> Answer<P> {
    Answer::read(Item::read_newest(&owner(turn.place), &name, 1), move |turn: &mut Turn<'_, P>, found| {
        let newest = found.into_map().first().and_then(|(_, stored)| Item::hydrate(stored));
        let node = turn.place.peek().and_then(|nodes| nodes.get(&name));
        let may = node.is_some_and(|node| crate::access::may_read(turn.place, node, &jid).is_ok());
        if let (Some(item), Some(node), true) = (newest, node, may) {
            let (payload, style) = (last(&name, node.config(), &item), node.config().style);
            tell_one(turn, style, &jid, payload, 0);
        }
        Answer::Reply(reply)
    })
}

/// `<unsubscribe/>`.
pub(crate) fn end<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, unsubscribe: El<'_>) -> Answer<P> {
    let checked = node_of(unsubscribe).and_then(|name| {
        let jid = jid_of(unsubscribe, from, FORBIDDEN)?;
        let node = find(turn.place, &name, from)?;
        if node.subscriptions.contains_key(&jid) { Ok((name, jid)) } else { Err(NO_SUBSCRIBER) }
    });
    let (name, jid) = match checked {
        Ok(checked) => checked,
        Err(error) => return error.into(),
    };
    let owner = owner(turn.place);
    turn.place.nodes().subscribe(&owner, &name, &jid, None, turn.fx);
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB);
    write(&mut w, Some(&name), &jid, None);
    w.close();
    Answer::Reply(w.finish())
}

/// `<subscriptions/>`: the asker's own, at all nodes or at one.
pub(crate) fn own<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, asked: El<'_>) -> Answer<P> {
    let only = asked.attr("node").filter(|node| !node.is_empty());
    if let Some(Err(error)) = only.as_ref().map(|only| find(turn.place, only, from)) {
        return error.into();
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("subscriptions", ns::PUBSUB).attr_opt("node", only.as_deref());
    let nodes = turn.place.peek().into_iter().flat_map(|nodes| nodes.iter());
    for (name, node) in nodes.filter(|(name, _)| only.as_deref().is_none_or(|only| ***name == *only)) {
        for (jid, held) in node.subscriptions_of(from.bare_str()) {
            if !held.is_over(turn.now.unix_ms) {
                write(&mut w, Some(name), jid, Some(held.state));
            }
        }
    }
    w.close().close();
    Answer::Reply(w.finish())
}
