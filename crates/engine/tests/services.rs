//! Places of services: loading, turns, questions, alarms, failures, and leaving memory.
//!
//! Not here: any real service (muc, pubsub).
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use address::{Bare, Jid};
use engine::{Engine, Input, Output, Ticket, Time, limits};
use kernel::limits::ASKS_SPOT_MAX;
use kernel::{Answer, Kernel, Now, Rest, Service, Spot, Turn, answer};
use model::query::{AccountFound, AccountQuery, Found, Password, Query};
use model::storage::{Loaded, Owner, Read, Space, Write};
use stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};

const NOTE: Space = Space("test-note");
const RIGHTS: Space = Space("test-rights");

/// Does what a message's id says; answers requests from storage.
struct Obeying(Jid, u32);

#[derive(Default)]
struct Memory {
    hydrated: bool,
    kept: bool,
    seen: u32,
}

impl Obeying {
    fn say(turn: &mut Turn<'_, Spot>, text: &str) {
        let to = Jid::parse("heard.example").unwrap();
        let address = turn.place.address.clone();
        turn.fx.route(Stanza::message(MessageType::Normal).id(text).from(&address).to(&to));
    }
}

impl Service for Obeying {
    fn domain(&self) -> &Jid {
        &self.0
    }

    fn name(&self) -> &str {
        "Obeying"
    }

    fn reads(&self, address: &Bare) -> Vec<Read> {
        vec![Read::Doc { space: NOTE, owner: Owner::from(address.text()) }]
    }

    fn hydrate(&self, spot: &mut Spot, loaded: Vec<Loaded>) {
        assert_eq!(loaded.len(), 1);
        spot.slots.of::<Memory>().hydrated = true;
    }

    fn arrive(&self, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
        let memory = turn.place.slots.of::<Memory>();
        assert!(memory.hydrated);
        memory.seen += 1;
        let (seen, owner) = (memory.seen, Owner::from(turn.place.address.text()));
        if let Kind::Iq(_) = stanza.kind {
            if stanza.kind == Kind::Iq(IqType::Set) {
                turn.fx.put_doc(NOTE, owner, Vec::new());
                return answer(turn, stanza, Answer::done());
            }
            let asked = Answer::read(Read::Doc { space: NOTE, owner }, |_, _| Answer::done());
            return answer(turn, stanza, asked);
        }
        if let Some(who) = kernel::who_departed(&self.0, &stanza) {
            match turn.place.address.local() {
                Some("broken") => panic!("as expected by this test"),
                Some("breaks-later") => {
                    let read = Query::Read(Read::Doc { space: NOTE, owner });
                    return turn.ask(read, |_, _| panic!("as expected by this test"));
                }
                _ => {}
            }
            turn.fx.write(Write::MapDelete { space: RIGHTS, owner, key: who.text() });
            return Obeying::say(turn, &format!("{who} departed"));
        }
        match stanza.id.as_deref().unwrap_or_default() {
            "panic" => panic!("as expected by this test"),
            "stay" => turn.place.slots.of::<Memory>().kept = true,
            "go" => turn.place.slots.of::<Memory>().kept = false,
            "write" => turn.fx.put_doc(NOTE, owner, Vec::new()),
            "wake" => turn.fx.wake(1_000),
            "wake later" => turn.fx.wake(5_000),
            _ => {}
        }
        Obeying::say(turn, &format!("seen {seen}"));
    }

    fn woken(&self, turn: &mut Turn<'_, Spot>) {
        Obeying::say(turn, "awake");
    }

    fn farewell(&self, turn: &mut Turn<'_, Spot>) {
        Obeying::say(turn, "farewell");
    }

    fn rights(&self) -> Option<Space> {
        Some(RIGHTS)
    }

    fn asks_max(&self) -> u32 {
        self.1
    }

    fn rest(&self, spot: &Spot) -> Rest {
        match spot.slots.peek::<Memory>() {
            Some(memory) if memory.kept => Rest::Needed,
            _ if spot.is_service() => Rest::Nothing,
            _ => Rest::Idle,
        }
    }
}

/// Hears what others say to it.
struct Hearing(Jid, Arc<Mutex<Vec<String>>>);

impl Service for Hearing {
    fn domain(&self) -> &Jid {
        &self.0
    }

    fn name(&self) -> &str {
        "Hearing"
    }

    fn reads(&self, _: &Bare) -> Vec<Read> {
        Vec::new()
    }

    fn hydrate(&self, _: &mut Spot, _: Vec<Loaded>) {}

    fn arrive(&self, _: &mut Turn<'_, Spot>, stanza: Stanza) {
        let error = stanza.payload.child("error", stanza::ns::CLIENT).and_then(|error| {
            error.tree().ok()?.root()?.children().next().map(|condition| condition.name().to_owned())
        });
        let id = stanza.id.as_deref().unwrap_or_default();
        self.1.lock().unwrap().push(error.map_or(id.to_owned(), |error| format!("{id}: {error}")));
    }

    fn rest(&self, _: &Spot) -> Rest {
        Rest::Idle
    }
}

struct World {
    engine: Engine,
    heard: Arc<Mutex<Vec<String>>>,
    ms: u64,
    full: bool,
    /// Questions that are kept without answer.
    kept: Option<Vec<(Ticket, Found)>>,
    loads: usize,
    /// Where somebody has rights, and who.
    rights: BTreeSet<(String, String)>,
    /// The accounts that were removed, or were not.
    removed: Vec<String>,
}

impl World {
    fn new() -> World {
        World::with(ASKS_SPOT_MAX)
    }

    fn with(asks_max: u32) -> World {
        let heard = Arc::default();
        let domain = |text| Jid::parse(text).unwrap();
        let services: [Arc<dyn Service>; 2] = [
            Arc::new(Obeying(domain("obeys.example"), asks_max)),
            Arc::new(Hearing(domain("heard.example"), Arc::clone(&heard))),
        ];
        let time = Time { now: Now { unix_ms: 1 }, mono_ms: 0 };
        let hosts = vec![(domain("ours.example"), Arc::default())];
        let mut drawn = 0u8;
        let random = Box::new(move |bytes: &mut [u8]| {
            drawn = drawn.wrapping_add(1);
            bytes.fill(drawn);
        });
        let engine = Engine::new(Kernel::new(Vec::new()), hosts, 0, time, random);
        World {
            engine: engine.with_services(services),
            heard,
            ms: 0,
            full: false,
            kept: None,
            loads: 0,
            rights: BTreeSet::new(),
            removed: Vec::new(),
        }
    }

    fn input(&mut self, input: Input) {
        let time = Time { now: Now { unix_ms: 1 }, mono_ms: self.ms };
        self.engine.handle(time, input);
        loop {
            self.engine.finish();
            let Some(output) = self.engine.poll_output() else { return };
            let answer = match output {
                Output::Commit(ticket, _) if self.full => {
                    Input::Committed(ticket, Err(Condition::ResourceConstraint.into()))
                }
                Output::Commit(ticket, batch) => {
                    for write in batch.0 {
                        if let Write::MapDelete { space: RIGHTS, owner, key } = write {
                            self.rights.remove(&(owner.to_string(), key.to_string()));
                        }
                    }
                    Input::Committed(ticket, Ok(()))
                }
                Output::Ask(ticket, Query::Read(Read::Owners { space: RIGHTS, after, limit })) => {
                    let after = after.map(|after| after.to_string()).unwrap_or_default();
                    let all: BTreeSet<&String> = self.rights.iter().map(|(place, _)| place).collect();
                    let page = all.into_iter().filter(|place| **place > after).take(limit as usize);
                    let page = page.map(|place| Owner::from(place.as_str())).collect();
                    Input::Found(ticket, Ok(Found::Loaded(Loaded::Owners(page))))
                }
                Output::Ask(ticket, Query::Account(AccountQuery::Remove { account })) => {
                    assert!(self.rights.iter().all(|(_, who)| *who != account.as_str()), "not before");
                    self.removed.push(account.to_string());
                    Input::Found(ticket, Ok(Found::Account(AccountFound::Done)))
                }
                Output::Ask(ticket, Query::Account(AccountQuery::Create { .. })) => {
                    Input::Found(ticket, Ok(Found::Account(AccountFound::Done)))
                }
                Output::Ask(ticket, Query::Read(read)) => {
                    let loaded = match read {
                        Read::Many(reads) => {
                            self.loads += reads.len();
                            Loaded::Many(reads.iter().map(|read| self.answer(read)).collect())
                        }
                        _ => Loaded::Doc(None),
                    };
                    match &mut self.kept {
                        Some(kept) => {
                            kept.push((ticket, Found::Loaded(loaded)));
                            continue;
                        }
                        None => Input::Found(ticket, Ok(Found::Loaded(loaded))),
                    }
                }
                Output::Ask(..) => panic!("not asked here"),
            };
            self.engine.handle(time, answer);
        }
    }

    fn answer(&self, read: &Read) -> Loaded {
        match read {
            Read::MapGet { space: RIGHTS, owner, key } => {
                let has = self.rights.contains(&(owner.to_string(), key.to_string()));
                Loaded::Doc(has.then(Default::default))
            }
            Read::Map { .. } => Loaded::Map(Vec::new()),
            _ => Loaded::Doc(None),
        }
    }

    /// What an operator hears, once he hears something.
    fn order(&mut self, query: AccountQuery) -> Arc<Mutex<Option<AccountFound>>> {
        let heard = Arc::new(Mutex::new(None));
        let told = Arc::clone(&heard);
        let reply = move |found: AccountFound| *told.lock().unwrap() = Some(found);
        self.input(Input::Account(query, Box::new(reply)));
        heard
    }

    fn remove(&mut self, account: &str) {
        let heard = self.order(AccountQuery::Remove { account: Bare::parse(account).unwrap() });
        let removed = matches!(*heard.lock().unwrap(), Some(AccountFound::Done));
        assert_eq!(removed, self.removed.last().is_some_and(|last| last == account));
    }

    /// Gives the answers that were kept, and those to what is asked then.
    fn answer_kept(&mut self) {
        while let Some(kept) = self.kept.as_mut().map(std::mem::take).filter(|kept| !kept.is_empty()) {
            for (ticket, found) in kept {
                self.input(Input::Found(ticket, Ok(found)));
            }
        }
    }

    fn bring(&mut self, kind: Kind, to: &str, id: &str) {
        let (from, to) = (Jid::parse("heard.example").unwrap(), Jid::parse(to).unwrap());
        self.input(Input::Inject(Stanza::new(kind).id(id).from(&from).to(&to)));
    }

    fn tell(&mut self, to: &str, id: &str) {
        self.bring(Kind::Message(MessageType::Normal), to, id);
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        self.input(Input::Timeout);
    }

    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

const ROOM: &str = "room@obeys.example/nick";

#[test]
fn places_are_loaded_once_and_stay_while_there_is_room() {
    let mut world = World::new();
    world.tell(ROOM, "");
    world.tell(ROOM, "");
    assert_eq!((world.heard(), world.loads), (vec!["seen 1".to_owned(), "seen 2".to_owned()], 1));
    // The place without local part says that it is nothing: it is loaded each time.
    world.tell("obeys.example", "");
    world.tell("obeys.example", "");
    assert_eq!((world.heard(), world.loads), (vec!["seen 1".to_owned(), "seen 1".to_owned()], 3));
    world.bring(Kind::Presence(PresenceType::Unavailable), "else@obeys.example", "");
    assert_eq!(world.loads, 3, "not worth it");
    world.tell("needed@obeys.example", "stay");
    for number in 0..limits::IDLE_SPOTS_MAX {
        world.tell(&format!("{number}@obeys.example"), "");
    }
    world.heard();
    world.tell(ROOM, "");
    world.tell("needed@obeys.example", "");
    assert_eq!(world.heard(), ["seen 1", "seen 2"]);
}

#[test]
fn what_comes_while_a_place_is_loaded_waits_in_order_and_clients_wait_if_it_is_much() {
    let mut world = World::new();
    world.tell("heard.example", "");
    world.heard();
    world.kept = Some(Vec::new());
    let count = limits::LOADING_WAIT_MAX + 1;
    for number in 0..count {
        assert_eq!(world.engine.is_congested(), number >= limits::LOADING_WAIT_MAX);
        world.tell("obeys.example", &number.to_string());
    }
    assert_eq!(world.heard(), Vec::<String>::new(), "nothing is refused");
    for (ticket, found) in world.kept.take().unwrap() {
        world.input(Input::Found(ticket, Ok(found)));
    }
    let expected: Vec<String> = (1..=count).map(|n| format!("seen {n}")).collect();
    assert_eq!(world.heard(), expected);
    world.kept = Some(Vec::new());
    world.tell("obeys.example", "7");
    for (ticket, _) in world.kept.take().unwrap() {
        world.input(Input::Found(ticket, Err(Condition::InternalServerError.into())));
    }
    assert_eq!(world.heard(), ["7: internal-server-error"]);
}

#[test]
fn a_place_that_fails_starts_anew() {
    let mut world = World::new();
    world.tell(ROOM, "stay");
    world.tell(ROOM, "panic");
    world.tell(ROOM, "");
    assert_eq!(world.heard(), ["seen 1", "farewell", "panic: internal-server-error", "seen 1"]);
}

#[test]
fn a_place_that_cannot_be_stored_starts_anew() {
    let mut world = World::new();
    world.tell(ROOM, "stay");
    world.full = true;
    world.tell(ROOM, "write");
    world.full = false;
    world.tell(ROOM, "");
    // Places of ours hear one another at once; only what leaves to clients waits for storage.
    assert_eq!(world.heard(), ["seen 1", "seen 2", "farewell", "seen 1"]);
}

#[test]
fn requests_are_answered_and_too_many_are_not() {
    for most in [ASKS_SPOT_MAX, 3 * ASKS_SPOT_MAX] {
        no_more_than(most);
    }
}

fn no_more_than(most: u32) {
    let mut world = World::with(most);
    world.bring(Kind::Iq(IqType::Get), ROOM, "1");
    assert_eq!(world.heard(), ["1"]);
    world.kept = Some(Vec::new());
    for _ in 0..most + 1 {
        world.bring(Kind::Iq(IqType::Get), ROOM, "2");
    }
    assert_eq!(world.heard(), ["2: resource-constraint"]);
    for (ticket, found) in world.kept.take().unwrap() {
        world.input(Input::Found(ticket, Ok(found)));
    }
    assert_eq!(world.heard().len(), most as usize);
    world.bring(Kind::Iq(IqType::Get), ROOM, "3");
    assert_eq!(world.heard(), ["3"]);
}

/// Whoever gets the name later would have the rights of who had it before.
#[test]
fn who_is_removed_is_taken_out_of_all_places_before() {
    let mut world = World::new();
    let places = 3 * limits::DEPARTURE_PAGE;
    for n in 0..places {
        let who = if n % 2 == 0 { "romeo@a.example" } else { "juliet@a.example" };
        world.rights.insert((format!("{n:04}@obeys.example"), who.to_owned()));
    }
    world.rights.insert(("old@gone.example".to_owned(), "eve@a.example".to_owned()));
    world.tell("0000@obeys.example", "");
    world.heard();
    world.remove("romeo@a.example");
    let heard = world.heard();
    assert_eq!(heard.len() as u32, places / 2);
    assert!(heard.iter().all(|said| said == "romeo@a.example departed"), "{heard:?}");
    // What cannot be stored has not happened: the account stays, and whoever wants it gone may try again.
    world.full = true;
    world.remove("juliet@a.example");
    world.heard();
    world.full = false;
    world.remove("juliet@a.example");
    assert_eq!((world.heard().len() as u32, world.rights.len()), (places / 2, 1));
    assert_eq!(world.removed, ["romeo@a.example", "juliet@a.example"]);
}

/// A second removal that ended later would take a new account of that name along.
#[test]
fn an_account_is_removed_once_and_not_made_again_before() {
    let mut world = World::new();
    world.rights.insert(("room@obeys.example".to_owned(), "romeo@a.example".to_owned()));
    world.kept = Some(Vec::new());
    let account = Bare::parse("romeo@a.example").unwrap();
    let create = AccountQuery::Create { account: account.clone(), password: Password::new("x") };
    let orders = [(); 3].map(|()| world.order(AccountQuery::Remove { account: account.clone() }));
    let made = world.order(create.clone());
    assert!(matches!(*made.lock().unwrap(), Some(AccountFound::Refused(_))), "{made:?}");
    assert!(orders.iter().all(|order| order.lock().unwrap().is_none()));
    world.answer_kept();
    assert!(orders.iter().all(|order| matches!(*order.lock().unwrap(), Some(AccountFound::Done))));
    assert_eq!((world.removed.len(), world.heard().len()), (1, 1));
    let made = world.order(create);
    assert!(matches!(*made.lock().unwrap(), Some(AccountFound::Done)), "{made:?}");
}

/// A turn that fails has taken nobody out of anything.
#[test]
fn who_could_not_be_taken_out_of_a_place_stays() {
    for place in ["broken@obeys.example", "breaks-later@obeys.example"] {
        let mut world = World::new();
        world.rights.insert((place.to_owned(), "romeo@a.example".to_owned()));
        world.remove("romeo@a.example");
        assert_eq!((&world.removed[..], world.rights.len()), (&[][..], 1), "{place}");
        world.rights.clear();
        world.remove("romeo@a.example");
        assert_eq!(world.removed, ["romeo@a.example"], "{place}: it can be tried again");
    }
}

#[test]
fn a_place_has_one_alarm() {
    let mut world = World::new();
    world.tell(ROOM, "wake later");
    world.tell(ROOM, "wake");
    world.heard();
    world.pass(999);
    assert!(world.heard().is_empty());
    world.pass(1);
    assert_eq!(world.heard(), ["awake"]);
    world.pass(10_000);
    assert!(world.heard().is_empty(), "the second wish took the place of the first");
}

/// What an operator hears; `None`: nothing yet.
type Heard = Arc<Mutex<Option<Result<Stanza, Condition>>>>;

fn request(world: &mut World, from: &str, to: &str, id: &str) -> Heard {
    let heard = Heard::default();
    let told = Arc::clone(&heard);
    let jid = |text| Jid::parse(text).unwrap();
    let stanza = Stanza::new(Kind::Iq(IqType::Set)).id(id).from(&jid(from)).to(&jid(to));
    let reply = Box::new(move |answer: Result<Stanza, stanza::StanzaError>| {
        *told.lock().unwrap() = Some(answer.map_err(|error| error.condition));
    });
    world.input(Input::Request(Box::new(stanza), reply));
    heard
}

#[test]
fn operators_hear_an_answer_when_it_is_stored() {
    let mut world = World::new();
    let heard = request(&mut world, "ours.example", ROOM, "any");
    let answer = heard.lock().unwrap().take();
    assert!(matches!(&answer, Some(Ok(answer)) if answer.kind == Kind::Iq(IqType::Result)), "{answer:?}");
    for (from, to) in [
        ("ours.example", "nobody.example"),
        ("ours.example", "alice@ours.example"),
        ("other.example", ROOM),
        ("alice@ours.example", ROOM),
    ] {
        let heard = request(&mut world, from, to, "any");
        assert!(matches!(*heard.lock().unwrap(), Some(Err(Condition::ItemNotFound))), "{from} {to}");
    }
    world.full = true;
    let heard = request(&mut world, "ours.example", ROOM, "any");
    assert!(
        matches!(*heard.lock().unwrap(), Some(Err(Condition::ResourceConstraint))),
        "not stored: not done"
    );
    world.full = false;
    world.kept = Some(Vec::new());
    // Nobody else answers for the place, and what waits too long gives way to others.
    let first = request(&mut world, "ours.example", "a@obeys.example", "any");
    world.bring(Kind::Iq(IqType::Result), "ours.example", "operator-010101010101010101010101");
    assert!(first.lock().unwrap().is_none());
    for _ in 0..limits::REQUESTS_MAX {
        request(&mut world, "ours.example", "a@obeys.example", "any");
    }
    assert!(matches!(*first.lock().unwrap(), Some(Err(Condition::ResourceConstraint))));
    let last = request(&mut world, "ours.example", "a@obeys.example", "any");
    world.pass(limits::REQUEST_MS_MAX - 1);
    assert!(last.lock().unwrap().is_none());
    world.pass(1);
    assert!(matches!(*last.lock().unwrap(), Some(Err(Condition::RemoteServerTimeout))));
}
