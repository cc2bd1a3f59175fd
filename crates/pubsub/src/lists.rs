//! Lists of who is what at a node: affiliations and subscriptions, as the owner sees and changes them.
//!
//! XEP-0060 1.30.0 (sections 5.7, 8.8 and 8.9)
//!
//! A request that changes several entries changes all or none.
//!
//! Not here: what affiliations allow (`access.rs`).

use address::{Bare, Jid};
use kernel::{Answer, Turn};
use model::storage::Owner;
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

use crate::access::{affiliation, find, owned};
use crate::error::{INVALID_JID, JID_REQUIRED, MALFORMED, NOT_ACCEPTABLE, TOO_MANY_SUBSCRIPTIONS};
use crate::home::{Home, owner};
use crate::limits::{CHANGES_MAX, SUBSCRIBERS_MAX};
use crate::node::{Affiliation, State, Subscription};
use crate::owner::expel;
use crate::request::node_of;
use crate::subscribe::{settle, tell_state, write};

/// `<affiliations/>` in the namespace for everybody: the asker's own.
pub(crate) fn own_affiliations<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, asked: El<'_>) -> Answer<P> {
    let only = asked.attr("node").filter(|node| !node.is_empty());
    if let Some(Err(error)) = only.as_ref().map(|only| find(turn.place, only, from)) {
        return error.into();
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("affiliations", ns::PUBSUB).attr_opt("node", only.as_deref());
    let nodes = turn.place.peek().into_iter().flat_map(|nodes| nodes.iter());
    for (name, node) in nodes.filter(|(name, _)| only.as_deref().is_none_or(|only| ***name == *only)) {
        if let Some(held) = affiliation(turn.place, node, from) {
            w.open("affiliation", ns::PUBSUB).attr("node", name).attr("affiliation", held.word()).close();
        }
    }
    w.close().close();
    Answer::Reply(w.finish())
}

/// `<affiliations/>`, get, by an owner.
pub(crate) fn affiliations<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, asked: El<'_>) -> Answer<P> {
    let found = node_of(asked).and_then(|name| {
        let node = owned(turn.place, &name, from)?;
        let mut w = Writer::new(ns::CLIENT);
        w.open("pubsub", ns::PUBSUB_OWNER).open("affiliations", ns::PUBSUB_OWNER).attr("node", &name);
        let mut item = |jid: &str, word: &str| {
            w.open("affiliation", ns::PUBSUB_OWNER).attr("jid", jid).attr("affiliation", word).close();
        };
        if turn.place.owns(turn.place.address()) {
            item(turn.place.address().as_str(), Affiliation::Owner.word());
        }
        node.affiliations.iter().for_each(|(who, held)| item(who.as_str(), held.word()));
        w.close().close();
        Ok(w.finish())
    });
    match found {
        Ok(list) => Answer::Reply(list),
        Err(error) => error.into(),
    }
}

/// The addresses and words of a list of changes; an entry without a word changes nothing.
fn changes(list: El<'_>, name: &str, attr: &str) -> Result<Vec<(Jid, String)>, StanzaError> {
    let mut changes: Vec<(Jid, String)> = Vec::new();
    for item in list.children_named(name, list.ns()) {
        let jid = item.attr("jid").ok_or(JID_REQUIRED)?;
        let jid = Jid::parse(&jid).map_err(|_| INVALID_JID)?;
        let Some(word) = item.attr(attr) else { continue };
        if changes.len() >= CHANGES_MAX {
            return Err(Condition::PolicyViolation.into());
        }
        changes.push((jid, word.into_owned()));
    }
    Ok(changes)
}

/// `<affiliations/>`, set.
pub(crate) fn affiliate<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, list: El<'_>) -> Answer<P> {
    match try_affiliate(turn, from, list) {
        Ok(()) => Answer::done(),
        Err(error) => error.into(),
    }
}

fn try_affiliate<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, list: El<'_>) -> Result<(), StanzaError> {
    let name = node_of(list)?;
    let node = owned(turn.place, &name, from)?;
    let mut wanted: Vec<(Bare, Option<Affiliation>)> = Vec::new();
    for (jid, word) in changes(list, "affiliation", "affiliation")? {
        let held = match word.as_str() {
            "none" => None,
            word => Some(Affiliation::parse(word).ok_or(NOT_ACCEPTABLE)?),
        };
        // Section 8.9.2.4: nobody twice. Whom all nodes belong to cannot be less than their owner.
        if wanted.iter().any(|(known, _)| known.as_str() == jid.bare_str()) {
            return Err(MALFORMED);
        }
        if turn.place.owns(&jid) && held != Some(Affiliation::Owner) {
            return Err(NOT_ACCEPTABLE.text("the account owns its nodes"));
        }
        if !turn.place.owns(&jid) {
            wanted.push((jid.bare(), held));
        }
    }
    let mut after = node.affiliations.clone();
    for (who, held) in &wanted {
        match held {
            Some(held) => after.insert(who.clone(), *held),
            None => after.remove(who),
        };
    }
    let ownerless = !after.values().any(|held| *held == Affiliation::Owner);
    if ownerless && !turn.place.owns(turn.place.address()) {
        return Err(NOT_ACCEPTABLE.text("a node has an owner"));
    }
    let count = turn.place.peek().map_or(0, |nodes| nodes.affiliation_count());
    if count + after.len() > P::rules().affiliations_max + node.affiliations.len() {
        return Err(Condition::ResourceConstraint.into());
    }
    let owner = owner(turn.place);
    for (who, held) in &wanted {
        turn.place.nodes().affiliate(&owner, &name, who, *held, turn.fx);
        follow_up(turn, &name, who, *held);
    }
    expel(turn, &name);
    Ok(())
}

/// Section 8.7: who waited is let in with a new affiliation, or turned away with a bad one.
fn follow_up<P: Home>(turn: &mut Turn<'_, P>, name: &str, who: &Bare, held: Option<Affiliation>) {
    let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { return };
    let own = node.subscriptions_of(who.as_str());
    let own: Vec<(Jid, Subscription)> = own.map(|(jid, held)| (jid.clone(), held.clone())).collect();
    for (jid, subscription) in own {
        match held {
            Some(Affiliation::Outcast) => settle(turn, name, &jid, None),
            Some(_) if subscription.state == State::Pending => settle(turn, name, &jid, Some(subscription)),
            _ => {}
        }
    }
}

/// `<subscriptions/>`, get, by an owner.
pub(crate) fn subscriptions<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, asked: El<'_>) -> Answer<P> {
    let now_ms = turn.now.unix_ms;
    let found = node_of(asked).and_then(|name| {
        let node = owned(turn.place, &name, from)?;
        let mut w = Writer::new(ns::CLIENT);
        w.open("pubsub", ns::PUBSUB_OWNER).open("subscriptions", ns::PUBSUB_OWNER).attr("node", &name);
        let there = node.subscriptions.iter().filter(|(_, held)| !held.is_over(now_ms));
        for (jid, held) in there.filter(|(_, held)| held.state == State::Subscribed) {
            write(&mut w, None, jid, Some(held.state));
        }
        w.close().close();
        Ok(w.finish())
    });
    match found {
        Ok(list) => Answer::Reply(list),
        Err(error) => error.into(),
    }
}

/// `<subscriptions/>`, set.
pub(crate) fn subscribe<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, list: El<'_>) -> Answer<P> {
    match try_subscribe(turn, from, list) {
        Ok(()) => Answer::done(),
        Err(error) => error.into(),
    }
}

fn try_subscribe<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, list: El<'_>) -> Result<(), StanzaError> {
    let name = node_of(list)?;
    let node = owned(turn.place, &name, from)?;
    let mut wanted: Vec<(Jid, Option<State>)> = Vec::new();
    for (jid, word) in changes(list, "subscription", "subscription")? {
        let state = match word.as_str() {
            "none" => None,
            "pending" => return Err(NOT_ACCEPTABLE),
            word => Some(State::parse(word).ok_or(NOT_ACCEPTABLE)?),
        };
        if wanted.iter().any(|(known, _)| *known == jid) {
            return Err(MALFORMED);
        }
        wanted.push((jid, state));
    }
    let new =
        wanted.iter().filter(|(jid, state)| state.is_some() && !node.subscriptions.contains_key(jid)).count();
    let count = turn.place.peek().map_or(0, |nodes| nodes.subscription_count());
    if count + new > P::rules().subscriptions_max || node.subscriptions.len() + new > SUBSCRIBERS_MAX {
        return Err(TOO_MANY_SUBSCRIPTIONS);
    }
    let owner = owner(turn.place);
    for (jid, state) in wanted {
        set(turn, &owner, &name, &jid, state);
    }
    Ok(())
}

fn set<P: Home>(turn: &mut Turn<'_, P>, owner: &Owner, name: &str, jid: &Jid, state: Option<State>) {
    let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { return };
    let held = node.subscriptions.get(jid).cloned();
    if held.as_ref().map(|held| held.state) == state {
        return;
    }
    let subscription = state.map(|state| Subscription { state, ..held.unwrap_or_default() });
    turn.place.nodes().subscribe(owner, name, jid, subscription, turn.fx);
    tell_state(turn, name, jid, state);
}
