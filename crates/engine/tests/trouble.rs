//! What goes wrong in one place stays there: failing features, clients that ask too much, slow clients.
//!
//! Not here: what goes right (the scenes).
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use address::Jid;
use bytes::Bytes;
use engine::{Engine, Input, Output, Ticket, Time, limits};
use kernel::{
    Account, Answer, Card, Event, Feature, Flow, Host, HostFacts, Iq, IqRoute, Kernel, Now, ROSTER, Step,
    Turn, Way,
};
use model::grant::{Grant, Grants};
use model::link::{
    About, Bind, Client, ClientState, Down, Enable, End, Link, Resource, Resume, SessionId, StreamId,
    Transport, Up,
};
use model::query::{AccountFound, AccountQuery, Found, Password, Query};
use model::spaces::ACCOUNT;
use model::storage::{Cull, Loaded, Owner, Read, Space, Write};
use stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};

/// Panics, asks storage or writes, as it is asked to.
struct Troublesome;

const PANICS: &str = "urn:test:panics";
const KEPT: &str = "urn:test:kept";
const TAKEN: &str = "urn:test:taken";
const ASKS: &str = "urn:test:asks";
const LOOPS: &str = "urn:test:loops";
const HOLDS: &str = "urn:test:holds";
const RELEASES: &str = "urn:test:releases";
const WAKES: &str = "urn:test:wakes";

impl Feature for Troublesome {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            iqs: &[IqRoute::open(PANICS), IqRoute::open(ASKS), IqRoute::host(PANICS)],
            steps: &[(Way::Arrive, Step::Keep)],
            ..Card::named("troublesome")
        };
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if stanza.payload.has("x", TAKEN) {
            let (space, owner) = (Space("waiting"), Owner::from(turn.place.jid.text()));
            turn.fx.write(Write::LogDelete { space, owner, what: Cull::All });
        }
        if stanza.payload.has("x", KEPT) {
            let owner = Owner::from(turn.place.jid.text());
            turn.fx.put_doc(Space("kept"), owner, stanza.payload.inner().to_vec());
        }
        let sessions: Vec<SessionId> = turn.place.sessions.iter().map(|session| session.id).collect();
        for session in sessions {
            if stanza.payload.has("x", HOLDS) {
                turn.fx.hold(session);
            }
            if stanza.payload.has("x", RELEASES) {
                turn.fx.release(session);
            }
        }
        if stanza.payload.has("x", WAKES) {
            turn.fx.wake(1_000);
        }
        if stanza.payload.has("x", LOOPS) {
            turn.fx.route(stanza.clone());
        }
        Flow::On
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        if matches!(event, Event::Woken) {
            let to = Jid::parse(JULIET).unwrap();
            turn.fx.route(message(1).from(turn.place.jid.jid()).to(&to));
        }
    }

    fn host_iq(&self, _: &mut Turn<'_, Host>, _: &Iq<'_>) -> Answer<Host> {
        panic!("as expected by this test");
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        assert!(iq.payload.ns() != PANICS, "as expected by this test");
        let owner = Owner::from(turn.place.jid.text());
        Answer::read(Read::Doc { space: ACCOUNT, owner }, |_, _| Answer::done())
    }
}

fn at_host(world: &mut World, id: &str) -> Vec<String> {
    let (session, link) = world.connect(ROMEO, None);
    world.send(session, ROMEO, "a.example", iq(id, PANICS));
    link.said()
}

#[test]
fn a_host_that_panics_answers_and_goes_on() {
    let mut world = World::new();
    for id in ["1", "2"] {
        let said = at_host(&mut world, id);
        assert!(said.len() == 1 && said[0].contains("internal-server-error"), "{said:?}");
    }
    let (juliet, hers) = world.connect(JULIET, None);
    world.send(juliet, JULIET, ROMEO, message(1));
    assert!(hers.said().is_empty());
}

#[derive(Default)]
struct Pipe {
    downs: Mutex<VecDeque<Down>>,
    backlog: Mutex<usize>,
    /// What resumes the session that was bound.
    resumption: Mutex<String>,
}

impl Link for Pipe {
    fn send(&self, down: Down) {
        self.downs.lock().unwrap().push_back(down);
    }

    fn backlog(&self) -> usize {
        *self.backlog.lock().unwrap()
    }
}

impl Pipe {
    fn bound(&self) -> (SessionId, Jid) {
        let bound = self.downs.lock().unwrap().pop_front();
        let Some(Down::Bound(Ok(bound))) = bound else { panic!("not bound") };
        *self.resumption.lock().unwrap() = bound.enabled.and_then(|enabled| enabled.id).unwrap_or_default();
        (bound.session, bound.jid)
    }

    fn said(&self) -> Vec<String> {
        let say = |down| match down {
            Down::Stanza(stanza) => String::from_utf8(stanza.to_stored()).unwrap(),
            Down::Close(error) => format!("closed {:?}", error.map(|error| error.condition.name())),
            Down::AckRequest => "asked".to_owned(),
            _ => "other".to_owned(),
        };
        self.downs.lock().unwrap().drain(..).map(say).collect()
    }
}

/// Writes down that it was told to close.
struct Numbered(usize, Arc<Mutex<Vec<usize>>>);

impl Link for Numbered {
    fn send(&self, down: Down) {
        if let Down::Close(Some(_)) = down {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn backlog(&self) -> usize {
        0
    }
}

struct World {
    engine: Engine,
    ms: u64,
    /// Questions that are kept without answer.
    kept: Option<Vec<Ticket>>,
    /// Commits fail.
    full: bool,
    /// Commits that are kept without answer.
    commits: Option<Vec<Ticket>>,
    /// Accounts that are read only later.
    loads: Option<Vec<(Ticket, Vec<Read>)>>,
    /// The contacts of every account: these, or Romeo.
    contacts: Vec<String>,
    /// Whose rosters were written.
    changed: BTreeSet<String>,
}

impl World {
    fn new() -> World {
        let time = Time { now: Now { unix_ms: 1 }, mono_ms: 0 };
        let host = (Jid::parse("a.example").unwrap(), Arc::new(HostFacts::default()));
        let mut last = 0;
        let random = move |bytes: &mut [u8]| {
            last += 1;
            bytes.fill(last);
        };
        let kernel = Kernel::new(vec![Box::new(Troublesome)]);
        World {
            engine: Engine::new(kernel, vec![host], 0, time, Box::new(random)),
            ms: 0,
            kept: None,
            full: false,
            commits: None,
            loads: None,
            contacts: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    fn input(&mut self, input: Input) {
        let time = Time { now: Now { unix_ms: 1 }, mono_ms: self.ms };
        self.engine.handle(time, input);
        loop {
            self.engine.finish();
            let Some(output) = self.engine.poll_output() else {
                if self.engine.has_work() {
                    continue;
                }
                return;
            };
            if let (Some(commits), Output::Commit(ticket, _)) = (&mut self.commits, &output) {
                commits.push(*ticket);
                continue;
            }
            let answer = match output {
                Output::Commit(ticket, _) if self.full => {
                    Input::Committed(ticket, Err(Condition::ResourceConstraint.into()))
                }
                Output::Commit(ticket, batch) => {
                    for write in batch.0 {
                        if let Write::MapPut { space, owner, .. } | Write::MapDelete { space, owner, .. } =
                            write
                            && space == ROSTER
                        {
                            self.changed.insert(owner.to_string());
                        }
                    }
                    Input::Committed(ticket, Ok(()))
                }
                Output::Ask(ticket, Query::Read(Read::Many(reads))) => match &mut self.loads {
                    Some(loads) => {
                        loads.push((ticket, reads));
                        continue;
                    }
                    None => self.loaded(ticket, &reads),
                },
                Output::Ask(ticket, Query::Account(_)) => {
                    Input::Found(ticket, Ok(Found::Account(AccountFound::Done)))
                }
                Output::Ask(ticket, Query::Read(read)) => match &mut self.kept {
                    Some(kept) => {
                        kept.push(ticket);
                        continue;
                    }
                    None => Input::Found(ticket, Ok(Found::Loaded(empty(&read)))),
                },
                Output::Ask(..) => panic!("not asked here"),
            };
            self.engine.handle(time, answer);
        }
    }

    fn loaded(&self, ticket: Ticket, reads: &[Read]) -> Input {
        let all = reads.iter().map(|read| match read {
            Read::Map { space, owner } if *space == ROSTER => self.roster(owner.as_str()),
            read => empty(read),
        });
        Input::Found(ticket, Ok(Found::Loaded(Loaded::Many(all.collect()))))
    }

    fn roster(&self, owner: &str) -> Loaded {
        let contacts = match owner {
            "romeo@a.example" => self.contacts.clone(),
            owner if self.contacts.iter().any(|contact| contact == owner) => {
                vec!["romeo@a.example".to_owned()]
            }
            _ => Vec::new(),
        };
        let item = Bytes::from_static(b"{\"to\":\"active\",\"from\":\"active\",\"listed\":true}");
        Loaded::Map(contacts.iter().map(|contact| (contact.as_str().into(), item.clone())).collect())
    }

    fn order(&mut self, query: AccountQuery) {
        self.input(Input::Account(query, Box::new(|_| ())));
    }

    fn connect(&mut self, jid: &str, enable: Option<Enable>) -> (SessionId, Arc<Pipe>) {
        let jid = Jid::parse(jid).unwrap();
        let link = self.bind(&jid, Resource::Asked(jid.clone()), enable);
        (link.bound().0, link)
    }

    fn resume(&mut self, jid: &str, id: &str) -> Arc<Pipe> {
        let link = Arc::new(Pipe::default());
        self.input(Input::Up(Up::Resume(Box::new(Resume {
            stream: StreamId(2),
            link: link.clone(),
            account: Jid::parse(jid).unwrap().bare(),
            id: id.to_owned(),
            h: 0,
            about: Arc::new(about()),
        }))));
        link
    }

    fn bind(&mut self, jid: &Jid, resource: Resource, enable: Option<Enable>) -> Arc<Pipe> {
        self.bind_by(Grant::default(), jid, resource, enable)
    }

    fn bind_by(&mut self, grant: Grant, jid: &Jid, resource: Resource, enable: Option<Enable>) -> Arc<Pipe> {
        let link = Arc::new(Pipe::default());
        self.bind_link(link.clone(), grant, jid, resource, enable);
        link
    }

    fn bind_link(
        &mut self,
        link: Arc<dyn Link>,
        grant: Grant,
        jid: &Jid,
        resource: Resource,
        enable: Option<Enable>,
    ) {
        self.input(Input::Up(Up::Bind(Box::new(Bind {
            stream: StreamId(1),
            link,
            account: jid.bare(),
            grant,
            resource,
            carbons: false,
            enable,
            client_state: ClientState::Active,
            about: Arc::new(about()),
        }))));
    }

    fn send(&mut self, session: SessionId, from: &str, to: &str, stanza: Stanza) {
        let stanza = stanza.from(&Jid::parse(from).unwrap()).to(&Jid::parse(to).unwrap());
        self.input(Input::Up(Up::Stanza(session, stanza)));
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        self.input(Input::Timeout);
    }
}

fn about() -> About {
    About {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        transport: Transport::Tcp,
        tls: None,
        mechanism: "PLAIN",
        client: Client::default(),
    }
}

/// Accounts exist, and have nothing.
fn empty(read: &Read) -> Loaded {
    match read {
        Read::Doc { space, .. } if *space == ACCOUNT => Loaded::Doc(Some(Bytes::from_static(b"{}"))),
        Read::Map { .. } => Loaded::Map(Vec::new()),
        Read::LogBounds { .. } => Loaded::Bounds(Default::default()),
        _ => Loaded::Doc(None),
    }
}

fn iq(id: &str, ns: &str) -> Stanza {
    Stanza::new(Kind::Iq(IqType::Get)).id(id).with_inner(format!("<x xmlns='{ns}'/>").into())
}

fn message(bytes: usize) -> Stanza {
    Stanza::message(MessageType::Chat).with_inner(format!("<body>{}</body>", "x".repeat(bytes)).into())
}

const ROMEO: &str = "romeo@a.example/x";
const JULIET: &str = "juliet@a.example/x";

#[test]
fn a_feature_that_panics_takes_nobody_else_with_it() {
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, None);
    let (juliet, hers) = world.connect(JULIET, None);
    // At the account of another: its sessions start anew, the sender hears of it and stays.
    world.send(romeo, ROMEO, "juliet@a.example", iq("1", PANICS));
    let said = his.said();
    assert!(said.len() == 1 && said[0].contains("internal-server-error"), "{said:?}");
    assert_eq!(hers.said(), ["closed Some(\"internal-server-error\")"]);
    world.send(juliet, JULIET, ROMEO, message(1));
    assert!(his.said().is_empty(), "her session is over");
    // She can come back; and at the own account the same happens.
    let (_, hers) = world.connect(JULIET, None);
    world.send(romeo, ROMEO, "romeo@a.example", iq("2", PANICS));
    assert_eq!(his.said(), ["closed Some(\"internal-server-error\")"]);
    let (romeo, his) = world.connect(ROMEO, None);
    world.send(romeo, ROMEO, JULIET, message(1));
    assert_eq!((his.said().len(), hers.said().len()), (0, 1));
    assert_eq!(world.engine.session_count(), 2);
}

#[test]
fn who_asks_too_much_is_told_so_and_others_are_not_concerned() {
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, None);
    let (juliet, hers) = world.connect(JULIET, None);
    world.kept = Some(Vec::new());
    for _ in 0..300 {
        world.send(romeo, ROMEO, "juliet@a.example", iq("1", ASKS));
    }
    let refused = |said: Vec<String>| said.iter().filter(|one| one.contains("resource-constraint")).count();
    assert_eq!(refused(his.said()), 300 - limits::ASKS_FOREIGN_MAX as usize);
    world.send(juliet, JULIET, "juliet@a.example", iq("1", ASKS));
    assert_eq!(refused(hers.said()), 0, "the owner has her own share");
    for _ in 0..300 {
        world.send(juliet, JULIET, "juliet@a.example", iq("1", ASKS));
    }
    let waiting = world.kept.take().unwrap();
    assert_eq!(waiting.len(), limits::ASKS_OWN_MAX as usize);
    assert_eq!(refused(hers.said()), 301 + limits::ASKS_FOREIGN_MAX as usize - waiting.len());
    // When the answers come, all is as before.
    for ticket in waiting {
        world.input(Input::Found(ticket, Ok(Found::Loaded(Loaded::Doc(None)))));
    }
    world.send(juliet, JULIET, "juliet@a.example", iq("1", ASKS));
    assert_eq!(refused(hers.said()), 0);
    assert!(!world.engine.is_congested());
}

#[test]
fn a_connected_client_may_be_owed_more_than_one_that_is_away() {
    let mut world = World::new();
    let enable = Enable { resume: true, max: None };
    let (romeo, _) = world.connect(ROMEO, None);
    let (juliet, hers) = world.connect(JULIET, Some(enable));
    for _ in 0..=limits::UNACKED_MAX {
        world.send(romeo, ROMEO, JULIET, message(1));
    }
    assert!(!hers.said().iter().any(|one| one.starts_with("closed")), "it had no time to acknowledge");
    world.input(Input::Up(Up::Closed(juliet, StreamId(1), model::link::End::Broken)));
    assert_eq!(world.engine.session_count(), 2);
    world.send(romeo, ROMEO, JULIET, message(1));
    assert_eq!(world.engine.session_count(), 1, "too much for one that is away");
    // Bytes count too.
    let (_, hers) = world.connect(JULIET, Some(enable));
    for _ in 0..limits::UNACKED_BYTES_MAX / 200_000 {
        world.send(romeo, ROMEO, JULIET, message(200_000));
    }
    assert!(!hers.said().iter().any(|one| one.starts_with("closed")));
    world.send(romeo, ROMEO, JULIET, message(200_000));
    assert_eq!(hers.said().last().unwrap(), "closed Some(\"connection-timeout\")");
}

#[test]
fn a_slow_connection_has_some_time() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    let (_, hers) = world.connect(JULIET, None);
    *hers.backlog.lock().unwrap() = limits::SLOW_BYTES + 1;
    world.send(romeo, ROMEO, JULIET, message(1));
    assert_eq!(hers.said().len(), 1);
    *hers.backlog.lock().unwrap() = 0;
    world.pass(limits::SLOW_MS_MAX);
    assert!(hers.said().is_empty(), "it has caught up");
    *hers.backlog.lock().unwrap() = limits::SLOW_BYTES + 1;
    world.send(romeo, ROMEO, JULIET, message(1));
    world.pass(limits::SLOW_MS_MAX);
    assert_eq!(hers.said().last().unwrap(), "closed Some(\"connection-timeout\")");
    let (_, hers) = world.connect(JULIET, None);
    *hers.backlog.lock().unwrap() = limits::BACKLOG_BYTES_MAX + 1;
    world.send(romeo, ROMEO, JULIET, message(1));
    assert_eq!(hers.said().last().unwrap(), "closed Some(\"connection-timeout\")");
}

#[test]
fn who_would_wait_for_ever_for_an_acknowledgement_is_closed() {
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, Some(Enable { resume: true, max: None }));
    world.full = true;
    // Her account has to be read first: what fails is not the batch in which his stanza came.
    let kept = Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{KEPT}'/>").into());
    world.send(romeo, ROMEO, "juliet@a.example", kept);
    assert_eq!(his.said(), ["closed Some(\"resource-constraint\")"]);
}

#[test]
fn what_was_not_taken_out_of_a_log_is_not_believed_to_be_gone() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    let (_, hers) = world.connect(JULIET, None);
    hers.said();
    world.full = true;
    let taken = Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{TAKEN}'/>").into());
    world.send(romeo, ROMEO, JULIET, taken);
    // Her account is read again, so that what is still there is given to her next session, and once.
    assert_eq!(hers.said(), ["closed Some(\"resource-constraint\")"]);
}

#[test]
fn what_two_devices_did_not_get_is_left_once() {
    let sm = Some(Enable { resume: true, max: None });
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, sm);
    let other = "benvolio@a.example/x";
    let (benvolio, _) = world.connect(other, None);
    let mut hers = Vec::new();
    for resource in ["x", "y"] {
        let jid = format!("juliet@a.example/{resource}");
        let (session, link) = world.connect(&jid, sm);
        world.input(Input::Up(Up::Stanza(
            session,
            Stanza::presence(PresenceType::Available).from(&Jid::parse(&jid).unwrap()),
        )));
        link.said();
        hers.push((session, link));
    }
    world.send(romeo, ROMEO, "juliet@a.example", message(1));
    for (_, link) in &hers {
        assert_eq!(link.said().iter().filter(|said| said.starts_with("<message")).count(), 1);
    }
    // Storage fails, and her account is read again: both sessions end with the message unacknowledged.
    world.full = true;
    let kept = Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{KEPT}'/>").into());
    world.send(benvolio, other, "juliet@a.example", kept);
    assert_eq!(hers[0].1.said(), ["closed Some(\"resource-constraint\")"]);
    // Nobody keeps it here, so each time that it is left its sender hears of it.
    let bounced = his.said().iter().filter(|said| said.contains("service-unavailable")).count();
    assert_eq!(bounced, 1);
}

/// The same, while the message is still on its way to them: it is stored after their account was read again.
#[test]
fn what_two_devices_are_to_get_is_left_once() {
    let sm = Some(Enable { resume: true, max: None });
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, sm);
    for resource in ["x", "y"] {
        let jid = format!("juliet@a.example/{resource}");
        let (session, _) = world.connect(&jid, sm);
        let presence = Stanza::presence(PresenceType::Available).from(&Jid::parse(&jid).unwrap());
        world.input(Input::Up(Up::Stanza(session, presence)));
    }
    let other = "benvolio@a.example/x";
    let (benvolio, _) = world.connect(other, None);
    let kept = || Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{KEPT}'/>").into());
    world.commits = Some(Vec::new());
    world.send(benvolio, other, "juliet@a.example", kept());
    world.send(romeo, ROMEO, "juliet@a.example", kept());
    let commits = world.commits.take().unwrap();
    assert_eq!(commits.len(), 2);
    world.input(Input::Committed(commits[0], Err(Condition::ResourceConstraint.into())));
    world.input(Input::Committed(commits[1], Ok(())));
    // Nobody keeps it here, so each time that it is left its sender hears of it.
    let bounced = his.said().iter().filter(|said| said.contains("service-unavailable")).count();
    assert_eq!(bounced, 1);
}

/// What a session never got is not lost when it cannot be stored, and is not tried without a pause.
#[test]
fn what_cannot_be_left_is_left_later() {
    let sm = Some(Enable { resume: true, max: None });
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, sm);
    let (juliet, _) = world.connect(JULIET, sm);
    world.send(romeo, ROMEO, JULIET, message(1));
    // With her message goes what another's client writes, so there is something to store.
    let other = "benvolio@a.example/x";
    let (benvolio, _) = world.connect(other, None);
    let kept = Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{KEPT}'/>").into());
    world.full = true;
    let kept = kept.from(&Jid::parse(other).unwrap()).to(&Jid::parse("benvolio@a.example").unwrap());
    let time = Time { now: Now { unix_ms: 1 }, mono_ms: world.ms };
    world.engine.handle(time, Input::Up(Up::Stanza(benvolio, kept)));
    world.input(Input::Up(Up::Closed(juliet, StreamId(1), End::Clean)));
    let bounced = |his: &Pipe| his.said().iter().filter(|said| said.contains("service-unavailable")).count();
    assert_eq!(bounced(&his), 0);
    world.full = false;
    world.pass(limits::LEFT_AGAIN_MS - 1);
    assert_eq!(bounced(&his), 0);
    // Nobody keeps it here: its sender hears of it, now that this can be stored.
    world.pass(1);
    assert_eq!(bounced(&his), 1);
    world.pass(limits::LEFT_AGAIN_MS);
    assert_eq!(bounced(&his), 0);
}

#[test]
fn all_are_told_in_the_same_order_that_the_server_stops() {
    let mut world = World::new();
    let told: Arc<Mutex<Vec<usize>>> = Arc::default();
    for number in 0..50 {
        let jid = Jid::parse(&format!("u{number}@a.example/x")).unwrap();
        let link = Arc::new(Numbered(number, told.clone()));
        world.bind_link(link, Grant::default(), &jid, Resource::Asked(jid.clone()), None);
    }
    world.input(Input::Shutdown);
    assert_eq!(*told.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

#[test]
fn nothing_comes_before_the_address() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    let juliet = Jid::parse("juliet@a.example").unwrap();
    let resource = || Resource::Tagged { tag: "t".to_owned(), client: Some("c".to_owned()) };
    let address = world.bind(&juliet, resource(), None).bound().1;
    world.kept = Some(Vec::new());
    let hers = world.bind(&juliet, resource(), None);
    world.send(romeo, ROMEO, address.as_str(), message(1));
    assert!(hers.said().is_empty(), "the ends of the archive are still being looked up");
    for ticket in world.kept.take().unwrap() {
        world.input(Input::Found(ticket, Ok(Found::Loaded(Loaded::Bounds(Default::default())))));
    }
    assert_eq!(hers.bound().1, address);
    assert_eq!(hers.said().len(), 1);
}

#[test]
fn a_request_is_settled_only_when_its_answer_is_written_down() {
    let mut world = World::new();
    let enable = Enable { resume: true, max: None };
    let (juliet, hers) = world.connect(JULIET, Some(enable));
    world.kept = Some(Vec::new());
    world.send(juliet, JULIET, "juliet@a.example", iq("1", ASKS));
    world.input(Input::Up(Up::AckRequest(juliet)));
    assert!(hers.said().is_empty(), "what it asks for is not known yet");
    for ticket in world.kept.take().unwrap() {
        world.input(Input::Found(ticket, Ok(Found::Loaded(Loaded::Doc(None)))));
    }
    let said = hers.said();
    assert!(said[0].contains("type='result'") && said.contains(&"other".to_owned()), "{said:?}");
}

#[test]
fn an_old_stream_has_no_say_after_its_session_went_elsewhere() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    let enable = Some(Enable { resume: true, max: None });
    let (old, before) = world.connect(JULIET, enable);
    let id = before.resumption.lock().unwrap().clone();
    let link = world.resume(JULIET, &id);
    let Some(Down::Resumed(Ok(resumed))) = link.downs.lock().unwrap().pop_front() else {
        panic!("not resumed")
    };
    assert_eq!(resumed.h, 0);
    let (_, his) = world.connect("romeo@a.example/other", None);
    world.send(old, JULIET, "romeo@a.example/other", message(1));
    assert!(his.said().is_empty(), "said by nobody");
    world.send(resumed.session, JULIET, "romeo@a.example/other", message(1));
    assert_eq!(his.said().len(), 1);
    world.input(Input::Up(Up::Closed(old, StreamId(1), model::link::End::Clean)));
    world.send(romeo, ROMEO, JULIET, message(1));
    assert!(link.said().iter().any(|one| one.contains("<body")), "the session lives on");
}

#[test]
fn each_request_for_an_acknowledgement_has_its_own_time() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    let (juliet, hers) = world.connect(JULIET, Some(Enable { resume: true, max: None }));
    let asked = |said: Vec<String>| said.iter().filter(|one| *one == "asked").count();
    // Long after the first, but each answered in time.
    for h in 1..=3 {
        world.send(romeo, ROMEO, JULIET, message(1));
        assert_eq!(asked(hers.said()), 1);
        world.pass(limits::ACK_MS_MAX - 1_000);
        world.input(Input::Up(Up::Ack(juliet, h)));
    }
    world.send(romeo, ROMEO, JULIET, message(1));
    world.pass(limits::ACK_MS_MAX - 1);
    assert_eq!(hers.said().last().unwrap(), "asked", "a timer of an earlier request does not count");
    world.pass(1);
    assert_eq!(hers.said().last().unwrap(), "closed Some(\"connection-timeout\")");
    // A late acknowledgement does not keep the session for ever.
    world.input(Input::Up(Up::Ack(juliet, 4)));
    world.pass(u64::from(limits::RESUME_SECONDS_MAX) * 1_000);
    assert_eq!(world.engine.session_count(), 1);
}

#[test]
fn what_waited_for_an_active_client_is_to_be_acknowledged_too() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    let (other, _) = world.connect("romeo@a.example/y", None);
    let (juliet, hers) = world.connect(JULIET, Some(Enable { resume: true, max: None }));
    world.input(Input::Up(Up::ClientState(juliet, ClientState::Inactive)));
    for (session, from) in [(romeo, ROMEO), (other, "romeo@a.example/y")] {
        world.send(session, from, JULIET, Stanza::presence(PresenceType::Available));
    }
    assert!(hers.said().is_empty());
    world.input(Input::Up(Up::ClientState(juliet, ClientState::Active)));
    assert_eq!(hers.said().iter().filter(|one| *one == "asked").count(), 1);
    world.pass(limits::ACK_MS_MAX);
    assert_eq!(hers.said(), ["closed Some(\"connection-timeout\")"]);
}

#[test]
fn whoever_waits_for_an_account_to_be_read_waits_and_is_not_refused() {
    let mut world = World::new();
    let enable = Enable { resume: true, max: None };
    let (romeo, his) = world.connect(ROMEO, Some(enable));
    world.loads = Some(Vec::new());
    let hers = world.bind(&Jid::parse(JULIET).unwrap(), Resource::Asked(Jid::parse(JULIET).unwrap()), None);
    let mut sent = 0;
    while !world.engine.is_congested() {
        world.send(romeo, ROMEO, JULIET, message(1));
        sent += 1;
    }
    assert_eq!(sent, limits::LOADING_WAIT_MAX - 1, "the request for a resource waits too");
    // What was read from the socket already.
    for _ in 0..limits::BATCH_MAX {
        world.send(romeo, ROMEO, JULIET, message(1));
    }
    world.input(Input::Up(Up::AckRequest(romeo)));
    assert!(his.said().is_empty(), "nothing is refused, nor acknowledged before it is safe");
    for (ticket, reads) in world.loads.take().unwrap() {
        let loaded = world.loaded(ticket, &reads);
        world.input(loaded);
    }
    hers.bound();
    assert_eq!(hers.said().len(), sent + limits::BATCH_MAX);
    assert_eq!(his.said(), ["other"], "all of it is acknowledged");
    assert!(!world.engine.is_congested());
    // Bytes count too.
    world.loads = Some(Vec::new());
    for _ in 0..=limits::LOADING_WAIT_BYTES_MAX / 1_000_000 {
        assert!(!world.engine.is_congested());
        world.send(romeo, ROMEO, "tybalt@a.example", message(1_000_000));
    }
    assert!(world.engine.is_congested());
    for (ticket, _) in world.loads.take().unwrap() {
        world.input(Input::Found(ticket, Err(Condition::ResourceConstraint.into())));
    }
    assert!(!world.engine.is_congested(), "also when it cannot be read");
    let said = his.said();
    let refused = said.iter().filter(|one| one.contains("resource-constraint")).count();
    assert_eq!(refused, limits::LOADING_WAIT_BYTES_MAX / 1_000_000 + 1);
}

#[test]
fn what_waits_to_be_stored_is_bounded_in_bytes() {
    let mut world = World::new();
    let (romeo, _) = world.connect(ROMEO, None);
    world.connect(JULIET, None);
    let kept = |bytes| {
        let inner = format!("<x xmlns='{KEPT}'>{}</x>", "x".repeat(bytes));
        Stanza::message(MessageType::Chat).with_inner(inner.into())
    };
    let mut tickets = Vec::new();
    let time = Time { now: Now { unix_ms: 1 }, mono_ms: 0 };
    for n in 0.. {
        if world.engine.is_congested() {
            assert!(n < limits::LINE_MAX, "before there are many batches");
            break;
        }
        let stanza = kept(3 << 20).from(&Jid::parse(ROMEO).unwrap()).to(&Jid::parse(JULIET).unwrap());
        world.engine.handle(time, Input::Up(Up::Stanza(romeo, stanza)));
        world.engine.finish();
        while let Some(Output::Commit(ticket, _)) = world.engine.poll_output() {
            tickets.push(ticket);
        }
    }
    for ticket in tickets {
        world.input(Input::Committed(ticket, Ok(())));
    }
    assert!(!world.engine.is_congested());
}

#[test]
fn all_contacts_hear_of_the_end_of_an_account() {
    let mut world = World::new();
    world.contacts = (0..5_000).map(|n| format!("c{n:04}@a.example")).collect();
    for resource in ["x", "y", "z"] {
        let jid = format!("romeo@a.example/{resource}");
        let (session, _) = world.connect(&jid, None);
        let presence = Stanza::presence(PresenceType::Available).from(&Jid::parse(&jid).unwrap());
        world.input(Input::Up(Up::Stanza(session, presence)));
    }
    world.changed.clear();
    world.order(AccountQuery::Remove { account: Jid::parse("romeo@a.example").unwrap().bare() });
    let all = world.contacts.iter().filter(|contact| world.changed.contains(*contact)).count();
    assert_eq!(all, world.contacts.len());
    assert_eq!(world.engine.session_count(), 0);
}

#[test]
fn a_new_account_has_nothing_of_an_old_one_of_its_name() {
    let mut world = World::new();
    world.contacts = vec!["juliet@a.example".to_owned()];
    let (romeo, _) = world.connect(ROMEO, None);
    let (juliet, hers) = world.connect(JULIET, None);
    let account = Jid::parse("romeo@a.example").unwrap().bare();
    world.kept = Some(Vec::new());
    world.send(juliet, JULIET, "romeo@a.example", iq("1", ASKS));
    world.send(romeo, ROMEO, "romeo@a.example", iq("2", ASKS));
    world.order(AccountQuery::Remove { account: account.clone() });
    hers.said();
    world.contacts.clear();
    world.order(AccountQuery::Create { account, password: Password::new("x".to_owned()) });
    for ticket in world.kept.take().unwrap() {
        world.input(Input::Found(ticket, Ok(Found::Loaded(Loaded::Doc(None)))));
    }
    let said = hers.said();
    assert!(said.len() == 1 && said[0].contains("service-unavailable"), "{said:?}");
    let (romeo, _) = world.connect(ROMEO, None);
    let presence = Stanza::presence(PresenceType::Available).from(&Jid::parse(ROMEO).unwrap());
    world.input(Input::Up(Up::Stanza(romeo, presence)));
    assert!(hers.said().is_empty(), "she is not his contact");
}

/// Else it could get rights where it has been looked for already.
#[test]
fn nobody_acts_for_an_account_that_is_being_removed() {
    let mut world = World::new();
    world.contacts = vec!["juliet@a.example".to_owned()];
    let (romeo, his) = world.connect(ROMEO, None);
    let (_, hers) = world.connect(JULIET, None);
    world.commits = Some(Vec::new());
    world.order(AccountQuery::Remove { account: Jid::parse(ROMEO).unwrap().bare() });
    world.send(romeo, ROMEO, JULIET, message(1));
    let other = Jid::parse("romeo@a.example/other").unwrap();
    let refused = world.bind(&other, Resource::Asked(other.clone()), None);
    while let Some(ticket) = world.commits.as_mut().filter(|all| !all.is_empty()).map(|all| all.remove(0)) {
        world.input(Input::Committed(ticket, Ok(())));
    }
    let (his, hers) = (his.said(), hers.said());
    assert!(!hers.iter().any(|said| said.starts_with("<message")), "{hers:?}");
    assert!(!his.is_empty(), "he is told");
    let refused = refused.downs.lock().unwrap().pop_front();
    assert!(matches!(&refused, Some(Down::Bound(Err(error))) if error.condition == Condition::NotAllowed));
    assert_eq!(world.engine.session_count(), 1, "hers");
    world.bind(&other, Resource::Asked(other.clone()), None).bound();
}

#[test]
fn stanzas_that_cause_each_other_come_to_an_end() {
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, None);
    let (_, hers) = world.connect(JULIET, None);
    let looping = Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{LOOPS}'/>").into());
    world.send(romeo, ROMEO, JULIET, looping);
    assert_eq!(hers.said().len(), usize::from(limits::HOPS_MAX));
    world.send(romeo, ROMEO, ROMEO, message(1));
    assert_eq!(his.said().len(), 1, "the server goes on");
}

#[test]
fn an_account_that_wants_to_be_woken_stays_until_then() {
    let mut world = World::new();
    let (juliet, hers) = world.connect(JULIET, None);
    let order = Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{WAKES}'/>").into());
    world.send(juliet, JULIET, "romeo@a.example", order);
    for number in 0..limits::IDLE_ACCOUNTS_MAX {
        world.send(juliet, JULIET, &format!("{number}@a.example"), message(1));
    }
    hers.said();
    world.pass(999);
    assert!(hers.said().is_empty());
    world.pass(1);
    assert_eq!(hers.said().len(), 1);
    world.pass(10_000);
    assert!(hers.said().is_empty());
}

/// C-28: a stream that logged in with what is no password any more gets no resource, however late it asks.
#[test]
fn a_stream_whose_account_has_changed_gets_no_resource() {
    let jid = Jid::parse("romeo@a.example/a").unwrap();
    let (mut world, grants) = (World::new(), Grants::default());
    world.loads = Some(Vec::new());
    let grant = grants.of(&jid.bare());
    let link = world.bind_by(grant.clone(), &jid, Resource::Asked(jid.clone()), None);
    // While the account is read.
    grants.revoke(&jid.bare());
    for (ticket, reads) in world.loads.take().unwrap() {
        let loaded = world.loaded(ticket, &reads);
        world.input(loaded);
    }
    assert_eq!(link.said(), ["other", "closed Some(\"not-authorized\")"]);
    let link = world.bind_by(grant, &jid, Resource::Any, None);
    assert_eq!(link.said(), ["other", "closed Some(\"not-authorized\")"]);
    assert_eq!(world.engine.session_count(), 0);
    let link = world.bind_by(grants.of(&jid.bare()), &jid, Resource::Any, None);
    assert_eq!((link.said(), world.engine.session_count()), (vec!["other".to_owned()], 1));
}

#[test]
fn messages_wait_while_older_ones_are_sent() {
    let mut world = World::new();
    let (romeo, his) = world.connect(ROMEO, None);
    let order =
        |ns: &str| Stanza::message(MessageType::Chat).with_inner(format!("<x xmlns='{ns}'/>").into()).id(ns);
    let numbered = |n: usize| message(1).id(&format!("m{n}"));
    let ids = |said: Vec<String>| -> Vec<String> {
        said.iter().filter_map(|one| Some(one.split("id='").nth(1)?.split('\'').next()?.to_owned())).collect()
    };
    let (_, hers) = world.connect(JULIET, None);
    world.send(romeo, ROMEO, JULIET, order(HOLDS));
    (0..3).for_each(|n| world.send(romeo, ROMEO, JULIET, numbered(n)));
    world.send(romeo, ROMEO, JULIET, Stanza::presence(PresenceType::Available).id("p"));
    let page = message(1).id("r").with_inner("<result xmlns='urn:xmpp:mam:2'/>".to_owned().into());
    world.send(romeo, ROMEO, JULIET, page);
    assert_eq!(
        ids(hers.said()),
        ["p", "r"],
        "presence goes on, and so does a page of an archive before its end"
    );
    world.send(romeo, ROMEO, JULIET, order(RELEASES));
    assert_eq!(ids(hers.said()), [HOLDS, "m0", "m1", "m2", RELEASES]);
    // A session that ends leaves them to another, in order; so does one for which too much waits.
    world.send(romeo, ROMEO, JULIET, order(HOLDS));
    world.send(romeo, ROMEO, JULIET, numbered(1));
    let (other, others) = world.connect("juliet@a.example/other", None);
    let available =
        Stanza::presence(PresenceType::Available).from(&Jid::parse("juliet@a.example/other").unwrap());
    world.input(Input::Up(Up::Stanza(other, available)));
    others.said();
    for n in 2..=limits::UNACKED_MAX {
        world.send(romeo, ROMEO, JULIET, numbered(n));
    }
    assert_eq!(hers.said().last().unwrap(), "closed Some(\"connection-timeout\")");
    let all: Vec<String> = (1..=limits::UNACKED_MAX).map(|n| format!("m{n}")).collect();
    assert_eq!(ids(others.said())[1..], all);
    assert!(his.said().is_empty());
}
