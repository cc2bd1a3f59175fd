//! Messages for an account none of whose devices is there.
//!
//! XEP-0160 1.0.1, XEP-0203 2.0
//!
//! While a device is given what waits, messages that come in the meantime wait behind it.
//!
//! Not here: the archive, which has most of them too; both know a message by the same id.

use address::Bare;
use kernel::{Account, Card, Event, Feature, Flow, Form, Kept, Spec, Step, Turn, Way};
use model::link::SessionId;
use model::query::Query;
use model::storage::{Cull, Entry, Loaded, LogQuery, Owner, Page, Paging, Space, Write};
use stanza::{Kind, MessageType, Stanza, StanzaError, ns};

use crate::when::write_delay;

pub(crate) const OFFLINE: Space = Space("offline");
/// Most messages that wait for one account.
pub(crate) const OFFLINE_MAX: u64 = 1_000;
/// Most bytes of them, as they are stored.
pub(crate) const OFFLINE_BYTES_MAX: u64 = 8 << 20;
/// How many are handed to a device at once; the next follow when they have arrived.
const PAGE: u32 = 100;
/// The same in bytes, besides the message that passes this mark.
const PAGE_BYTES: u64 = 1 << 20;
/// How often a page is asked for that storage does not give, before the device goes without until its next presence.
const TRIES: u8 = 3;

/// See the file's header.
pub(crate) struct Offline;

/// What waits for an account, and who is being given it.
#[derive(Default)]
struct Waiting {
    count: u64,
    bytes: u64,
    flush: Option<Flush>,
}

/// A session is being given messages.
struct Flush {
    session: SessionId,
    /// Those on their way to it: ids and bytes.
    given: Vec<(u64, u64)>,
    /// They are the last.
    last: bool,
    failures: u8,
}

impl Waiting {
    fn of<'a>(turn: &'a mut Turn<'_, Account>, session: SessionId) -> Option<&'a mut Flush> {
        let flush = turn.place.slots.of::<Waiting>().flush.as_mut();
        flush.filter(|flush| flush.session == session)
    }

    fn less(&mut self, count: usize, bytes: u64) {
        self.count = self.count.saturating_sub(count as u64);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
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
        let bounds = stored.into_bounds();
        let waiting = account.slots.of::<Waiting>();
        (waiting.count, waiting.bytes) = (bounds.count.unwrap_or(0), bounds.bytes.unwrap_or(0));
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if !is_worth_keeping(stanza) || zoo::is(zoo::Fault::ArchiveAssumed) {
            return Flow::Stop;
        }
        let value = stanza.to_stored();
        let waiting = turn.place.slots.of::<Waiting>();
        let bytes = waiting.bytes + value.len() as u64;
        if waiting.count >= zoo::limit(zoo::Limit::Offline, OFFLINE_MAX) || bytes > OFFLINE_BYTES_MAX {
            // Whoever looks into the archive still finds it; else the sender must know (section 2).
            return if turn.archived.is_some() { Flow::Stop } else { Flow::On };
        }
        (waiting.count, waiting.bytes) = (waiting.count + 1, bytes);
        let entry = Entry {
            id: turn.id,
            at_ms: turn.late.unwrap_or(turn.now.unix_ms),
            with: None,
            resource: None,
            tag: 0,
            value: value.into(),
        };
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogAppend { space: OFFLINE, owner, entry });
        Flow::Stop
    }

    fn late(&self, turn: &mut Turn<'_, Account>, stanza: &mut Stanza, since: u64) {
        stanza.payload = stanza.payload.with(|w| write_delay(w, Some(turn.place.jid.domain()), since));
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        match event {
            Event::BecameAvailable { session, .. } => begin(turn, *session),
            Event::Acknowledged { session, tokens } => arrived(turn, *session, tokens),
            Event::SessionClosed(session) if Waiting::of(turn, *session).is_some() => end(turn, *session),
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

/// Whether a device takes messages at all (section 2: non-negative priority).
fn is_able(turn: &Turn<'_, Account>, session: SessionId) -> bool {
    turn.place.session(session).and_then(|s| s.available.as_ref()).is_some_and(|p| p.priority >= 0)
}

/// Gives a device what waits.
fn begin(turn: &mut Turn<'_, Account>, session: SessionId) {
    let able = is_able(turn, session);
    let waiting = turn.place.slots.of::<Waiting>();
    if !able || waiting.count == 0 || waiting.flush.is_some() {
        return;
    }
    waiting.flush = Some(Flush { session, given: Vec::new(), last: false, failures: 0 });
    turn.fx.hold(session);
    ask(turn, session);
}

fn ask(turn: &mut Turn<'_, Account>, session: SessionId) {
    let owner = Owner::from(turn.place.jid.text());
    let query = LogQuery {
        limit: zoo::limit(zoo::Limit::OfflinePage, u64::from(PAGE)) as u32,
        bytes: PAGE_BYTES,
        page: Paging::Forwards { after: None },
        ..LogQuery::new(OFFLINE, owner)
    };
    let account = turn.place.jid.clone();
    turn.fx.ask(&account, Query::Read(query.into()), move |turn, found| match found {
        Ok(found) => hand_over(turn, session, found.into_loaded().into_page()),
        Err(error) => failed(turn, session, &error),
    });
}

fn failed(turn: &mut Turn<'_, Account>, session: SessionId, error: &StanzaError) {
    let Some(flush) = Waiting::of(turn, session) else { return };
    flush.failures += 1;
    if flush.failures < TRIES {
        return ask(turn, session);
    }
    tracing::error!(account = %turn.place.jid, ?error, "what waits for an account cannot be read now");
    turn.place.slots.of::<Waiting>().flush = None;
    turn.fx.release(session);
}

/// This device gets no more; another may take over.
fn end(turn: &mut Turn<'_, Account>, session: SessionId) {
    turn.place.slots.of::<Waiting>().flush = None;
    turn.fx.release(session);
    let able = turn.place.available().filter(|(_, p)| p.priority >= 0);
    let other = able.map(|(other, _)| other.id).find(|id| *id != session);
    if let Some(other) = other {
        begin(turn, other);
    }
}

/// Under which id the account's archive has it (XEP-0359).
fn archive_id(stanza: &Stanza, account: &Bare) -> Option<u64> {
    let ours = |child: &stanza::Child<'_>| {
        child.is("stanza-id", ns::SID) && child.attr("by").is_some_and(|by| by == account.as_str())
    };
    stanza.payload.children().find(ours)?.attr("id")?.parse().ok()
}

fn hand_over(turn: &mut Turn<'_, Account>, session: SessionId, page: Page) {
    if Waiting::of(turn, session).is_none() {
        return; // The session has ended; what it was to get goes to another, or waits.
    }
    let domain = turn.place.jid.domain().to_owned();
    let (mut whole, mut broken, mut broken_bytes) = (Vec::new(), Vec::new(), 0);
    for entry in page.entries {
        match Stanza::from_stored(&entry.value) {
            Ok(stanza) => {
                whole.push((archive_id(&stanza, &turn.place.jid).unwrap_or(entry.id), entry, stanza))
            }
            Err(error) => {
                tracing::error!(%error, id = entry.id, "a stored message is unreadable and left out");
                broken_bytes += entry.value.len() as u64;
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
        given.push((entry.id, entry.value.len() as u64));
    }
    if zoo::is(zoo::Fault::OfflineDeletedEarly) {
        let ids = given.iter().map(|(id, _)| *id).collect();
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogDelete { space: OFFLINE, owner, what: Cull::Ids(ids) });
    }
    let waiting = turn.place.slots.of::<Waiting>();
    waiting.less(broken.len(), broken_bytes);
    let (nothing, none_broken) = (given.is_empty(), broken.is_empty());
    if nothing && page.complete {
        (waiting.count, waiting.bytes, waiting.flush) = (0, 0, None);
    } else if let Some(flush) = &mut waiting.flush {
        (flush.given, flush.last, flush.failures) = (given, page.complete, 0);
    }
    if !none_broken {
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogDelete { space: OFFLINE, owner, what: Cull::Ids(broken) });
    }
    // What came in the meantime goes behind the last page.
    match (page.complete, nothing) {
        (true, _) => turn.fx.release(session),
        (false, true) => ask(turn, session),
        (false, false) => {}
    }
}

/// The device has them for sure: they need not wait any longer.
fn arrived(turn: &mut Turn<'_, Account>, session: SessionId, tokens: &[u64]) {
    let able = is_able(turn, session);
    let Some(flush) = Waiting::of(turn, session) else { return };
    // In the order in which they were given, which is that of their acknowledgement.
    let Some(newest) = flush.given.iter().rposition(|(id, _)| tokens.contains(id)) else { return };
    let done: Vec<(u64, u64)> = flush.given.drain(..=newest).collect();
    let (drained, last) = (flush.given.is_empty(), flush.last);
    turn.place.slots.of::<Waiting>().less(done.len(), done.iter().map(|(_, bytes)| bytes).sum());
    let owner = Owner::from(turn.place.jid.text());
    let ids = done.into_iter().map(|(id, _)| id).collect();
    turn.fx.write(Write::LogDelete { space: OFFLINE, owner, what: Cull::Ids(ids) });
    if drained && last {
        turn.place.slots.of::<Waiting>().flush = None;
        begin(turn, session); // what was kept since, while no device took messages
    } else if drained && able {
        ask(turn, session);
    } else if drained {
        end(turn, session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    fn keep(scene: &mut Scene, n: usize, bytes: usize) -> Vec<String> {
        let body = "x".repeat(bytes);
        scene.get(&format!(
            "<message from='bob@a.example/x' to='alice@example.org' type='chat' id='m{n}'><body>{body}</body></message>"
        ))
    }

    /// The numbers of the messages that went to the phone, and what else happened to it.
    fn given(seen: &[String]) -> (Vec<usize>, Vec<&str>) {
        let number = |line: &String| line.split("id='m").nth(1)?.split('\'').next()?.parse().ok();
        let messages = seen.iter().filter(|line| line.starts_with("phone: ")).filter_map(number).collect();
        let words = |line: &&String| line.starts_with("hold") || line.starts_with("release");
        (messages, seen.iter().filter(words).map(String::as_str).collect())
    }

    fn tokens(seen: &[String]) -> Vec<u64> {
        seen.iter().filter_map(|line| line.rsplit_once(" #")?.1.parse().ok()).collect()
    }

    #[test]
    fn pages_come_in_order_and_what_comes_meanwhile_waits_behind_them() {
        let mut scene = Scene::one(Offline);
        (0..150).for_each(|n| drop(keep(&mut scene, n, 1)));
        let first = scene.available("phone", 0);
        assert_eq!(given(&first), ((0..100).collect(), vec!["hold phone"]));
        let second = scene.acknowledge("phone", &tokens(&first));
        assert_eq!(given(&second), ((100..150).collect(), vec!["release phone"]));
        assert_eq!(
            scene.acknowledge("phone", &tokens(&second)).len(),
            1,
            "they are deleted, and that is all"
        );
        assert!(given(&scene.available("phone", 0)).0.is_empty());
        // Large ones come in smaller pages, and a session that ends leaves the rest to another.
        scene.available("phone", -1);
        (0..4).for_each(|n| drop(keep(&mut scene, n, 400_000)));
        let first = scene.available("phone", 0);
        assert_eq!(given(&first), (vec![0, 1, 2], vec!["hold phone"]));
        scene.open("laptop");
        scene.available("laptop", 0);
        let taken = scene.close("phone");
        let hers = taken.iter().filter(|line| line.starts_with("laptop: <message")).count();
        assert_eq!((hers, taken.contains(&"hold laptop".to_owned())), (3, true));
    }

    #[test]
    fn there_is_room_for_so_many_and_so_much() {
        let mut scene = Scene::one(Offline);
        let refused = |seen: Vec<String>| seen.iter().any(|line| line.contains("service-unavailable"));
        assert!((0..OFFLINE_MAX as usize).all(|n| !refused(keep(&mut scene, n, 1))));
        assert!(refused(keep(&mut scene, 0, 1)));
        let mut scene = Scene::one(Offline);
        let fits = OFFLINE_BYTES_MAX as usize / 500_200;
        assert!((0..fits).all(|n| !refused(keep(&mut scene, n, 500_000))));
        assert!(refused(keep(&mut scene, 0, 500_000)));
        scene.reload();
        assert!(refused(keep(&mut scene, 0, 500_000)), "it is known after a start too");
        scene.open("phone");
        let given = scene.available("phone", 0);
        scene.acknowledge("phone", &tokens(&given));
        scene.close("phone");
        assert!(!refused(keep(&mut scene, 0, 500_000)));
    }

    #[test]
    fn a_fault_of_storage_keeps_nobody_waiting() {
        let mut scene = Scene::one(Offline);
        keep(&mut scene, 7, 1);
        scene.broken = true;
        assert_eq!(given(&scene.available("phone", 0)), (vec![], vec!["hold phone", "release phone"]));
        scene.broken = false;
        assert_eq!(given(&scene.available("phone", 0)), (vec![7], vec!["hold phone", "release phone"]));
    }
}
