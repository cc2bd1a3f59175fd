//! Messages for an account none of whose devices is there.
//!
//! XEP-0160 1.0.1, XEP-0203 2.0
//!
//! Not here: the archive, which has most of them too; both know a message by the same id.

use address::Bare;
use kernel::{Account, Card, Event, Feature, Flow, Form, Kept, Spec, Step, Turn, Way};
use model::link::SessionId;
use model::query::Query;
use model::storage::{Cull, Entry, Loaded, LogQuery, Owner, Paging, Space, Write};
use stanza::{Kind, MessageType, Stanza, ns};

use crate::when::write_delay;

const OFFLINE: Space = Space("offline");
/// Most messages that wait for one account.
pub(crate) const OFFLINE_MAX: u64 = 1_000;
/// How many are handed to a device at once; the next follow when they have arrived.
const PAGE: u32 = 100;

/// See the file's header.
pub(crate) struct Offline;

/// What waits for an account, and who is being given it.
#[derive(Default)]
struct Waiting {
    count: u64,
    /// The session that is being given messages, and the ids on their way to it.
    flushing: Option<(SessionId, Vec<u64>)>,
}

impl Feature for Offline {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            specs: &[Spec::complete("XEP-0160", "1.0.1"), Spec::complete("XEP-0203", "2.0")],
            host_vars: &[ns::MSG_OFFLINE],
            steps: &[(Way::Arrive, Step::Miss)],
            kept: &[Kept { space: OFFLINE, form: Form::LogEnds }],
            ..Card::named("offline")
        };
        &CARD
    }

    fn hydrate(&self, account: &mut Account, _: Space, stored: Loaded) {
        account.slots.of::<Waiting>().count = stored.into_bounds().count.unwrap_or(0);
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if !is_worth_keeping(stanza) {
            return Flow::Stop;
        }
        let waiting = turn.place.slots.of::<Waiting>();
        if waiting.count >= OFFLINE_MAX {
            // Whoever looks into the archive still finds it; else the sender must know.
            return if turn.archived.is_some() { Flow::Stop } else { Flow::On };
        }
        waiting.count += 1;
        let entry = Entry {
            id: turn.id,
            at_ms: turn.now.unix_ms,
            with: None,
            resource: None,
            tag: 0,
            value: stanza.to_stored().into(),
        };
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogAppend { space: OFFLINE, owner, entry });
        Flow::Stop
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        match event {
            Event::BecameAvailable { session, .. } => flush(turn, *session),
            Event::Acknowledged { session, tokens } => arrived(turn, *session, tokens),
            Event::SessionClosed(session) => {
                let waiting = turn.place.slots.of::<Waiting>();
                if waiting.flushing.as_ref().is_some_and(|(id, _)| id == session) {
                    waiting.flushing = None;
                    // Another device may take over.
                    let other = turn.place.available().map(|(other, _)| other.id).find(|id| id != session);
                    if let Some(other) = other {
                        flush(turn, other);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Section 3: what a person would miss. A chat state that nobody saw is of no use later.
fn is_worth_keeping(stanza: &Stanza) -> bool {
    let Kind::Message(MessageType::Chat | MessageType::Normal) = stanza.kind else { return false };
    let payload = &stanza.payload;
    if payload.has("no-store", ns::HINTS) {
        return false;
    }
    let idle = |child: stanza::Child<'_>| {
        matches!(child.ns(), ns::CHAT_STATES | ns::HINTS | ns::SID) && !child.is("store", ns::HINTS)
    };
    payload.children().any(|child| !idle(child))
}

/// Gives a device what waits, if it takes messages at all (section 2: non-negative priority).
fn flush(turn: &mut Turn<'_, Account>, session: SessionId) {
    let able =
        turn.place.session(session).and_then(|s| s.available.as_ref()).is_some_and(|p| p.priority >= 0);
    let waiting = turn.place.slots.of::<Waiting>();
    if !able || waiting.count == 0 || waiting.flushing.is_some() {
        return;
    }
    waiting.flushing = Some((session, Vec::new()));
    let owner = Owner::from(turn.place.jid.text());
    let query =
        LogQuery { limit: PAGE, page: Paging::Forwards { after: None }, ..LogQuery::new(OFFLINE, owner) };
    let account = turn.place.jid.clone();
    turn.fx.ask(&account, Query::Read(query.into()), move |turn, found| {
        hand_over(turn, session, found.into_loaded().into_page().entries);
    });
}

/// Under which id the account's archive has it (XEP-0359).
fn archive_id(stanza: &Stanza, account: &Bare) -> Option<u64> {
    let ours = |child: &stanza::Child<'_>| {
        child.is("stanza-id", ns::SID) && child.attr("by").is_some_and(|by| by == account.as_str())
    };
    stanza.payload.children().find(ours)?.attr("id")?.parse().ok()
}

fn hand_over(turn: &mut Turn<'_, Account>, session: SessionId, entries: Vec<Entry>) {
    let waiting = turn.place.slots.of::<Waiting>();
    if waiting.flushing.as_ref().is_none_or(|(id, _)| *id != session) {
        return; // The session has ended; what it was to get goes to another, or waits.
    }
    let domain = turn.place.jid.domain().to_owned();
    let (mut whole, mut broken) = (Vec::new(), Vec::new());
    for entry in entries {
        match Stanza::from_stored(&entry.value) {
            Ok(stanza) => {
                whole.push((archive_id(&stanza, &turn.place.jid).unwrap_or(entry.id), entry, stanza))
            }
            Err(error) => {
                tracing::error!(%error, id = entry.id, "a stored message is unreadable and left out");
                broken.push(entry.id);
            }
        }
    }
    // What a session had and never acknowledged came here after what missed it, and is older.
    whole.sort_by_key(|(id, ..)| *id);
    let mut given = Vec::new();
    for (_, entry, mut stanza) in whole {
        stanza.payload = stanza.payload.with(|w| write_delay(w, Some(&domain), entry.at_ms));
        turn.fx.send_kept(session, stanza.into(), entry.id);
        given.push(entry.id);
    }
    if !broken.is_empty() {
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogDelete { space: OFFLINE, owner, what: Cull::Ids(broken) });
    }
    let waiting = turn.place.slots.of::<Waiting>();
    match &mut waiting.flushing {
        Some((id, ids)) if *id == session && !given.is_empty() => *ids = given,
        _ => {
            waiting.flushing = None;
            if given.is_empty() {
                waiting.count = 0;
            }
        }
    }
}

/// The device has them for sure: they need not wait any longer.
fn arrived(turn: &mut Turn<'_, Account>, session: SessionId, tokens: &[u64]) {
    let waiting = turn.place.slots.of::<Waiting>();
    let Some((id, ids)) = &mut waiting.flushing else { return };
    if *id != session {
        return;
    }
    // In the order in which they were given, which is that of their acknowledgement.
    let Some(last) = ids.iter().rposition(|id| tokens.contains(id)) else { return };
    let done: Vec<u64> = ids.drain(..=last).collect();
    let drained = ids.is_empty();
    waiting.count = waiting.count.saturating_sub(done.len() as u64);
    if drained {
        waiting.flushing = None;
    }
    let owner = Owner::from(turn.place.jid.text());
    turn.fx.write(Write::LogDelete { space: OFFLINE, owner, what: Cull::Ids(done) });
    if drained {
        flush(turn, session);
    }
}
