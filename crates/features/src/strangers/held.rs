//! Messages of strangers that wait apart until the user lets them in.
//!
//! XEP-0203 2.0 (what comes later says so)
//!
//! Not here: when a message is held (`mod.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Account, Flow, Tally, Turn};
use model::query::Query;
use model::storage::{Bounds, Cull, Entry, LogQuery, Owner, Page, Space, With, Write};
use stanza::{Condition, ErrorType, MessageType, Stanza, StanzaError, ns};
use xml::Writer;

use super::State;
use super::screened::{Pass, again};
use crate::when::write_delay;

/// One log per account.
pub(crate) const HELD: Space = Space("held");
/// Most messages that are held for one account.
pub(crate) const HELD_MAX: u64 = 200;
/// Most bytes of them, as they are stored.
pub(crate) const HELD_BYTES_MAX: u64 = 1 << 20;
/// Most messages of one stranger that are held for one account, since it was last loaded.
pub(crate) const HELD_PER_STRANGER_MAX: u32 = 20;
/// How often the user is told that something waits, in milliseconds: once a day.
const TOLD_MS: u64 = 86_400_000;

/// What is held.
#[derive(Default)]
pub(super) struct Held {
    count: u64,
    bytes: u64,
    each: HashMap<String, u32>,
    /// Whose messages are on their way to the user, and whether more came since.
    opening: Vec<(Bare, bool)>,
}

pub(super) fn hydrate(account: &mut Account, bounds: &Bounds) {
    if bounds.count.is_some_and(|count| count > 0) {
        let held = &mut account.slots.of::<State>().held;
        (held.count, held.bytes) = (bounds.count.unwrap_or(0), bounds.bytes.unwrap_or(0));
    }
}

/// Whether anything is held.
pub(super) fn any(account: &Account) -> bool {
    account.slots.peek::<State>().is_some_and(|state| state.held.count > 0)
}

/// Whether what was held of that sender is on its way.
pub(super) fn is_opening(account: &Account, from: &Jid, who: Option<&Bare>) -> bool {
    let Some(state) = account.slots.peek::<State>() else { return false };
    state.held.opening.iter().any(|(open, _)| open.as_str() == from.bare_str() || Some(open) == who)
}

/// Holds a message. `None`: there is no room for what must not be refused any more, so it goes on.
pub(super) fn keep(turn: &mut Turn<'_, Account>, who: &Bare, stanza: &Stanza) -> Option<Flow> {
    let value = stanza.to_stored();
    let (id, at_ms) = (turn.id, turn.now.unix_ms);
    let held = &mut turn.place.slots.of::<State>().held;
    let each = held.each.entry(who.as_str().to_owned()).or_default();
    let bytes = held.bytes + value.len() as u64;
    let opening = held.opening.iter_mut().find(|(open, _)| open == who);
    if held.count >= HELD_MAX || bytes > HELD_BYTES_MAX || *each >= HELD_PER_STRANGER_MAX {
        let error = StanzaError::new(Condition::ResourceConstraint, ErrorType::Wait);
        return match opening {
            Some(_) => None,
            None => Some(Flow::Refuse(error.text("too many messages wait for this user's consent"))),
        };
    }
    let first = *each == 0 && opening.is_none();
    if let Some((_, more)) = opening {
        *more = true;
    }
    *each += 1;
    (held.count, held.bytes) = (held.count + 1, bytes);
    let with = Some(Arc::from(who.as_str()));
    let entry = Entry { id, at_ms, with, resource: None, tag: 0, value: value.into() };
    turn.fx.write(Write::LogAppend { space: HELD, owner: Owner::from(turn.place.jid.text()), entry });
    Tally::count(&turn.place.facts.safety.tally.held);
    if first {
        notice(turn);
    }
    Some(Flow::Stop)
}

/// Tells the user that something waits, now and then: it would never be seen otherwise. Strangers choose no word of it.
fn notice(turn: &mut Turn<'_, Account>) {
    let (now, state) = (turn.now.unix_ms, turn.place.slots.of::<State>());
    if state.told_ms > 0 && now.saturating_sub(state.told_ms) < TOLD_MS {
        return;
    }
    state.told_ms = now;
    let Ok(domain) = Jid::parse(turn.place.jid.domain()) else { return };
    let mut w = Writer::new(ns::CLIENT);
    w.leaf(
        "body",
        ns::CLIENT,
        "Somebody whom you do not know wrote to you. The message waits. To read it, run the command \
         \"Show messages from strangers\" of this server, or write to them.",
    );
    let to = turn.place.jid.jid().clone();
    turn.fx.route(Stanza::message(MessageType::Normal).from(&domain).to(&to).with_inner(w.finish()));
}

/// What was held of somebody comes in.
pub(super) fn open(turn: &mut Turn<'_, Account>, who: &Bare) {
    if !any(turn.place) || turn.place.slots.of::<State>().held.opening.iter().any(|(open, _)| open == who) {
        return;
    }
    turn.place.slots.of::<State>().held.opening.push((who.clone(), false));
    ask(turn, who.clone(), false);
}

/// What was held of somebody is forgotten.
pub(super) fn discard(turn: &mut Turn<'_, Account>, who: &Bare) {
    if any(turn.place) {
        ask(turn, who.clone(), true);
    }
}

fn ask(turn: &mut Turn<'_, Account>, who: Bare, discard: bool) {
    let (account, owner) = (turn.place.jid.clone(), Owner::from(turn.place.jid.text()));
    let with = Some(With::Bare(who.text()));
    let query = LogQuery { with, limit: HELD_MAX as u32, ..LogQuery::new(HELD, owner) };
    turn.fx.ask(&account, Query::Read(query.into()), move |turn, found| {
        let page = found.map(|found| found.into_loaded().into_page()).unwrap_or_default();
        taken(turn, &who, page, discard);
    });
}

fn taken(turn: &mut Turn<'_, Account>, who: &Bare, page: Page, discard: bool) {
    let held = &mut turn.place.slots.of::<State>().held;
    held.count = held.count.saturating_sub(page.entries.len() as u64);
    let bytes: usize = page.entries.iter().map(|entry| entry.value.len()).sum();
    held.bytes = held.bytes.saturating_sub(bytes as u64);
    held.each.remove(who.as_str());
    let ids: Vec<u64> = page.entries.iter().map(|entry| entry.id).collect();
    if !ids.is_empty() {
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogDelete { space: HELD, owner, what: Cull::Ids(ids) });
    }
    if discard {
        return;
    }
    for entry in page.entries {
        match Stanza::from_stored(&entry.value) {
            Ok(mut stanza) => {
                stanza.payload = stanza.payload.with(|w| write_delay(w, None, entry.at_ms));
                // The device that it was meant for may be gone.
                stanza.to = Some(turn.place.jid.jid().clone());
                again(turn, stanza, Pass::LetIn);
            }
            Err(error) => tracing::error!(%error, id = entry.id, "a held message is unreadable and left out"),
        }
    }
    let opening = &mut turn.place.slots.of::<State>().held.opening;
    let more = opening.iter_mut().find(|(open, _)| open == who).is_some_and(|(_, more)| std::mem::take(more));
    match more {
        true => ask(turn, who.clone(), false),
        false => opening.retain(|(open, _)| open != who),
    }
}
