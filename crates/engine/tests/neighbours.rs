//! The seam to neighbours: when stanzas leave, what is kept until they have arrived, and what comes in.
//!
//! docs/decisions/016-neighbours.md
//!
//! Not here: how neighbours are reached (federation).
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use address::Jid;
use bytes::Bytes;
use engine::{Engine, Input, Output, Ticket, Time, limits};
use kernel::{HostFacts, Kernel, Now, ROSTER};
use model::away::{Arrived, Away, Fate, Neighbours, Patience};
use model::grant::Grant;
use model::link::{
    About, Bind, Client, ClientState, Down, Link, Resource, SessionId, StreamId, Transport, Up,
};
use model::query::{Found, Query};
use model::spaces::{ACCOUNT, SPOOL};
use model::storage::{Cull, Entry, Loaded, Owner, Read, Write};
use stanza::{Condition, Kind, MessageType, PresenceType, Stanza};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example";

/// Takes what is for domains that end so.
#[derive(Default)]
struct Neighbour {
    ending: &'static str,
    taken: Mutex<Vec<Away>>,
}

impl Neighbours for Neighbour {
    fn owns(&self, domain: &str) -> bool {
        domain.ends_with(self.ending)
    }

    fn send(&self, away: Away) {
        self.taken.lock().unwrap().push(away);
    }
}

impl Neighbour {
    fn took(&self) -> Vec<Away> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }
}

#[derive(Default)]
struct Pipe(Mutex<VecDeque<Down>>);

impl Link for Pipe {
    fn send(&self, down: Down) {
        self.0.lock().unwrap().push_back(down);
    }

    fn backlog(&self) -> usize {
        0
    }
}

impl Pipe {
    fn said(&self) -> Vec<String> {
        let text = |down| match down {
            Down::Stanza(stanza) => Some(String::from_utf8(stanza.to_stored()).unwrap()),
            _ => None,
        };
        self.0.lock().unwrap().drain(..).filter_map(text).collect()
    }
}

struct World {
    engine: Engine,
    ms: u64,
    component: Arc<Neighbour>,
    remote: Arc<Neighbour>,
    /// Commits that wait for an answer, if they are to wait.
    commits: Option<Vec<Ticket>>,
    full: bool,
    /// What was written of the spool, a line each.
    spool: Vec<String>,
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn message(word: &str) -> Stanza {
    Stanza::message(MessageType::Chat).id(word).with_inner(Bytes::from(format!("<body>{word}</body>")))
}

impl World {
    fn new() -> World {
        World::with(Vec::new())
    }

    fn with(spooled: Vec<(Owner, Entry)>) -> World {
        World::starting(spooled, false)
    }

    /// It may start while nothing can be stored.
    fn starting(spooled: Vec<(Owner, Entry)>, full: bool) -> World {
        let time = Time { now: Now { unix_ms: 1 }, mono_ms: 0 };
        let mut last = 0;
        let random = move |bytes: &mut [u8]| {
            last += 1;
            bytes.fill(last);
        };
        let component = Arc::new(Neighbour { ending: "bridge.example", ..Neighbour::default() });
        let remote = Arc::new(Neighbour { ending: ".example", ..Neighbour::default() });
        let neighbours: Vec<Arc<dyn Neighbours>> = vec![component.clone(), remote.clone()];
        let host = (jid("a.example"), Arc::new(HostFacts::default()));
        let engine = Engine::new(Kernel::new(Vec::new()), vec![host], 1_000_000, time, Box::new(random))
            .with_neighbours(neighbours, spooled);
        let mut world = World { engine, ms: 0, component, remote, commits: None, full, spool: Vec::new() };
        world.pump(Vec::new());
        world
    }

    fn time(&self) -> Time {
        Time { now: Now { unix_ms: 1 + self.ms }, mono_ms: self.ms }
    }

    fn input(&mut self, input: Input) {
        self.pump(vec![input]);
    }

    fn pump(&mut self, inputs: Vec<Input>) {
        let mut inputs = VecDeque::from(inputs);
        loop {
            let time = self.time();
            inputs.drain(..).for_each(|input| self.engine.handle(time, input));
            self.engine.finish();
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Commit(ticket, batch) => {
                        self.note(&batch.0);
                        match &mut self.commits {
                            Some(waiting) => waiting.push(ticket),
                            None => inputs.push_back(Input::Committed(ticket, self.outcome())),
                        }
                    }
                    Output::Ask(ticket, Query::Read(Read::Many(reads))) => {
                        let loaded = Loaded::Many(reads.iter().map(answer).collect());
                        inputs.push_back(Input::Found(ticket, Ok(Found::Loaded(loaded))));
                    }
                    Output::Ask(..) => panic!("not asked here"),
                }
            }
            if inputs.is_empty() && !self.engine.has_work() {
                return;
            }
        }
    }

    fn outcome(&self) -> Result<(), stanza::StanzaError> {
        if self.full { Err(Condition::ResourceConstraint.into()) } else { Ok(()) }
    }

    fn note(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::LogAppend { space: SPOOL, owner, .. } => self.spool.push(format!("put {owner}")),
                Write::LogDelete { space: SPOOL, owner, what: Cull::Ids(ids) } => {
                    self.spool.push(format!("take {} of {owner}", ids.len()));
                }
                _ => {}
            }
        }
    }

    fn spool(&mut self) -> Vec<String> {
        std::mem::take(&mut self.spool)
    }

    fn stored(&mut self) {
        let waiting = self.commits.take().unwrap_or_default();
        let outcome = self.outcome();
        self.pump(waiting.into_iter().map(|ticket| Input::Committed(ticket, outcome.clone())).collect());
    }

    fn connect(&mut self) -> (SessionId, Arc<Pipe>) {
        let link = Arc::new(Pipe::default());
        let bind = Bind {
            stream: StreamId(1),
            link: link.clone(),
            account: jid(ROMEO).bare(),
            grant: Grant::default(),
            resource: Resource::Asked(jid(ROMEO)),
            carbons: false,
            enable: None,
            client_state: ClientState::Active,
            about: Arc::new(About {
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                transport: Transport::Tcp,
                tls: None,
                mechanism: "PLAIN",
                client: Client::default(),
            }),
        };
        self.input(Input::Up(Up::Bind(Box::new(bind))));
        let Some(Down::Bound(Ok(bound))) = link.0.lock().unwrap().pop_front() else { panic!("not bound") };
        (bound.session, link)
    }

    fn send(&mut self, session: SessionId, to: &str, stanza: Stanza) {
        self.input(Input::Up(Up::Stanza(session, stanza.from(&jid(ROMEO)).to(&jid(to)))));
    }

    /// A stanza from a neighbour; what its receipt said is at the end of the list in the end.
    fn arrive(&mut self, from: &str, to: &str, stanza: Stanza) -> Arc<Mutex<Vec<bool>>> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let receipt = said.clone();
        let receipt = Box::new(move |stored| receipt.lock().unwrap().push(stored));
        let stanza = stanza.from(&jid(from)).to(&jid(to));
        self.input(Input::Up(Up::Arrived(Box::new(Arrived { stanza, inside: false, receipt }))));
        said
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        self.input(Input::Timeout);
    }
}

fn answer(read: &Read) -> Loaded {
    let item = Bytes::from_static(b"{\"to\":\"active\",\"from\":\"active\",\"listed\":true}");
    match read {
        Read::Doc { space: ACCOUNT, .. } => Loaded::Doc(Some(Bytes::from_static(b"{}"))),
        Read::Map { space: ROSTER, .. } => Loaded::Map(vec![(JULIET.into(), item)]),
        Read::Map { .. } => Loaded::Map(Vec::new()),
        Read::LogBounds { .. } => Loaded::Bounds(Default::default()),
        _ => Loaded::Doc(None),
    }
}

#[test]
fn nothing_leaves_before_it_is_written_down() {
    let mut world = World::new();
    let (romeo, _) = world.connect();
    world.commits = Some(Vec::new());
    world.send(romeo, JULIET, message("m"));
    assert_eq!(world.spool(), ["put b.example"]);
    assert!(world.remote.took().is_empty());
    world.stored();
    let took = world.remote.took();
    assert_eq!((took.len(), took[0].patience), (1, Patience::Long));
    // Arrived: it leaves the spool, but there is no hurry.
    world.input(Input::Fate(took[0].number, Fate::Delivered));
    assert!(world.spool().is_empty());
    world.pass(limits::SPOOL_CLEAR_MS);
    assert_eq!(world.spool(), ["take 1 of b.example"]);
    // Twice said is once done.
    world.input(Input::Fate(took[0].number, Fate::Delivered));
    world.pass(limits::SPOOL_CLEAR_MS);
    assert!(world.spool().is_empty());
}

#[test]
fn what_cannot_be_written_down_does_not_leave() {
    let mut world = World::new();
    let (romeo, _) = world.connect();
    world.full = true;
    for n in 0..2 * limits::AWAY_DOMAIN_MAX {
        world.send(romeo, JULIET, message(&n.to_string()));
    }
    assert!(world.remote.took().is_empty());
    world.full = false;
    let (romeo, link) = world.connect();
    world.send(romeo, JULIET, message("m"));
    assert_eq!(world.remote.took().len(), 1, "it has left no trace in the bounds: {:?}", link.said());
}

#[test]
fn only_what_is_worth_it_is_written_down() {
    let no_store = "<body>x</body><no-store xmlns='urn:xmpp:hints'/>";
    let (chat, presence) = (Stanza::message(MessageType::Chat), Stanza::presence);
    for (stanza, kept, patience) in [
        (chat.clone(), true, Patience::Long),
        (Stanza::message(MessageType::Groupchat), true, Patience::Long),
        (chat.with_inner(no_store.into()), false, Patience::Long),
        (Stanza::message(MessageType::Error), false, Patience::Brief),
        (Stanza::message(MessageType::Headline), false, Patience::Brief),
        (presence(PresenceType::Subscribe), true, Patience::Long),
        (presence(PresenceType::Available), false, Patience::Brief),
        (Stanza::iq_set("1", "<x xmlns='urn:x'/>".into()), false, Patience::Brief),
    ] {
        let mut world = World::new();
        let (romeo, _) = world.connect();
        world.send(romeo, "nurse@b.example", stanza.clone());
        let took = world.remote.took();
        assert_eq!((world.spool().len(), took.len()), (usize::from(kept), 1), "{stanza:?}");
        assert_eq!(took[0].patience, patience, "{stanza:?}");
    }
}

#[test]
fn what_comes_back_is_told_once_also_if_storage_fails_meanwhile() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    world.send(romeo, JULIET, message("m"));
    let took = world.remote.took();
    world.spool();
    world.full = true;
    let failed = || Fate::Failed(Condition::RemoteServerTimeout.into());
    world.input(Input::Fate(took[0].number, failed()));
    assert_eq!(world.spool(), ["take 1 of b.example"]);
    assert!(link.said().is_empty(), "nothing is told that is not stored");
    world.full = false;
    world.pass(limits::LEFT_AGAIN_MS);
    assert_eq!(world.spool(), ["take 1 of b.example"]);
    let said = link.said();
    assert!(said.len() == 1 && said[0].contains("remote-server-timeout"), "{said:?}");
    world.input(Input::Fate(took[0].number, failed()));
    assert!(link.said().is_empty());
}

#[test]
fn each_domain_has_its_bound() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    for n in 0..=limits::AWAY_DOMAIN_MAX {
        world.send(romeo, JULIET, message(&n.to_string()));
    }
    let said = link.said();
    assert!(said.len() == 1 && said[0].contains("resource-constraint"), "{said:?}");
    world.send(romeo, "x@c.example", message("m"));
    let took = world.remote.took();
    assert_eq!(took.len(), limits::AWAY_DOMAIN_MAX + 1);
    world.input(Input::Fate(took[0].number, Fate::Delivered));
    world.send(romeo, JULIET, message("m"));
    assert_eq!(world.remote.took().len(), 1);
}

/// Nobody takes up all domains, or all room, by writing to where nobody is; what others cause is not counted.
#[test]
fn each_account_has_a_share() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    let most = limits::AWAY_DOMAINS_MAX / limits::AWAY_SHARE_PART;
    let mut refused = 0;
    for n in 0..most {
        world.send(romeo, &format!("x@d{n}.example"), message("m"));
        refused += link.said().len();
    }
    assert!(refused > 0 && refused < most / 2, "{refused}");
    let went = world.remote.took();
    assert_eq!(went.len(), most - refused);
    // Where something of his waits already, more may; an answer may go anywhere, and nobody else is concerned.
    world.send(romeo, "x@d0.example", message("m"));
    world.send(romeo, "x@new.example", Stanza::new(Kind::Iq(stanza::IqType::Result)).id("1"));
    assert_eq!((world.remote.took().len(), link.said().len()), (2, 0));
    world.input(Input::Inject(message("m").from(&jid("nurse@a.example")).to(&jid("x@new.example"))));
    world.input(Input::Inject(message("m").from(&jid("nurse@a.example")).to(&jid("x@newer.example"))));
    assert_eq!(world.remote.took().len(), 2);
    world.send(romeo, "x@more.example", message("m"));
    assert!(link.said()[0].contains("resource-constraint"));
    // What has arrived makes room.
    for away in went {
        world.input(Input::Fate(away.number, Fate::Delivered));
    }
    world.send(romeo, "x@more.example", message("m"));
    assert_eq!(world.remote.took().len(), 1);
}

/// Clients answer also what nobody asked: that has a share of its own, so that it fills nothing, and others cannot fill what
/// the user may send.
#[test]
fn answers_have_a_share_of_their_own() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    for kind in [
        Kind::Iq(stanza::IqType::Result),
        Kind::Iq(stanza::IqType::Error),
        Kind::Message(MessageType::Error),
        Kind::Presence(PresenceType::Error),
    ] {
        for n in 0..limits::AWAY_DOMAINS_MAX / 4 {
            world.send(romeo, &format!("x@d{n}.example"), Stanza::new(kind).id("1"));
        }
    }
    let went: std::collections::BTreeSet<String> = world
        .remote
        .took()
        .iter()
        .filter_map(|away| Some(away.stanza.to.as_ref()?.domain().to_owned()))
        .collect();
    assert!(went.len() < limits::AWAY_DOMAINS_MAX / limits::AWAY_SHARE_PART, "{}", went.len());
    world.send(romeo, "x@new.example", message("m"));
    assert_eq!((world.remote.took().len(), link.said().len()), (1, 0));
}

/// Who asks from many domains makes the server answer in the user's name: that takes nothing from what the user may do.
#[test]
fn what_others_cause_takes_no_room_from_the_user() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    for n in 0..limits::AWAY_DOMAINS_MAX / limits::AWAY_SHARE_PART {
        world.arrive(&format!("x@d{n}.example"), "romeo@a.example", Stanza::presence(PresenceType::Probe));
    }
    assert!(world.remote.took().len() > limits::AWAY_DOMAINS_SHARE, "it is answered");
    world.send(romeo, "x@new.example", message("m"));
    assert_eq!((world.remote.took().len(), link.said().len()), (1, 0));
}

#[test]
fn the_first_who_owns_a_domain_gets_it() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    world.send(romeo, "x@bridge.example", message("m"));
    assert_eq!((world.component.took().len(), world.remote.took().len()), (1, 0));
    world.send(romeo, "x@nobody.org", message("m"));
    assert!(link.said()[0].contains("remote-server-not-found"));
}

#[test]
fn what_arrives_is_acknowledged_when_it_is_stored() {
    let mut world = World::new();
    let (romeo, link) = world.connect();
    world.send(romeo, "a.example", Stanza::presence(PresenceType::Available));
    world.input(Input::Up(Up::Stanza(romeo, Stanza::presence(PresenceType::Available).from(&jid(ROMEO)))));
    world.remote.took();
    link.said();
    let said = world.arrive("juliet@b.example/x", "romeo@a.example", message("m"));
    assert_eq!((link.said().len(), said.lock().unwrap().clone()), (1, vec![true]));
    // A subscription changes the roster: it waits for that.
    world.commits = Some(Vec::new());
    let gone = Stanza::presence(PresenceType::Unsubscribed);
    let said = world.arrive("juliet@b.example", "romeo@a.example", gone.clone());
    assert!(said.lock().unwrap().is_empty());
    world.stored();
    assert_eq!(*said.lock().unwrap(), [true]);
    world.full = true;
    let said = world.arrive("nurse@b.example", "romeo@a.example", Stanza::presence(PresenceType::Subscribe));
    assert_eq!(*said.lock().unwrap(), [false]);
}

#[test]
fn nobody_speaks_for_us_and_nothing_is_passed_on() {
    let mut world = World::new();
    let (_, link) = world.connect();
    for (from, to) in
        [("romeo@a.example", "romeo@a.example"), ("a.example", ROMEO), ("juliet@b.example", "x@c.example")]
    {
        let said = world.arrive(from, to, message("m"));
        assert_eq!(*said.lock().unwrap(), [true], "{from} {to}");
        assert!(link.said().is_empty() && world.remote.took().is_empty(), "{from} {to}");
    }
}

#[test]
fn presence_is_looked_after_when_a_domain_comes_back() {
    let mut world = World::new();
    let (romeo, _) = world.connect();
    world.input(Input::Restored("b.example".to_owned()));
    assert!(world.remote.took().is_empty(), "he is not available");
    let here = Stanza::presence(PresenceType::Available).from(&jid(ROMEO));
    world.input(Input::Up(Up::Stanza(romeo, here)));
    world.remote.took();
    for (domain, want) in [("c.example", 0), ("b.example", 2)] {
        world.input(Input::Restored(domain.to_owned()));
        let took = world.remote.took();
        assert_eq!(took.len(), want, "{domain}");
        let kinds: Vec<Kind> = took.iter().map(|away| away.stanza.kind).collect();
        let both = [PresenceType::Probe, PresenceType::Available].map(Kind::Presence);
        assert!(took.is_empty() || kinds == both, "{kinds:?}");
    }
}

fn entry(id: u64, to: &str) -> Entry {
    let stanza = message("old").from(&jid("romeo@a.example")).to(&jid(to));
    Entry { id, at_ms: 1, with: None, resource: None, tag: 0, value: stanza.to_stored().into() }
}

/// It is stored already, and nobody sends it again: it must not be forgotten with a batch that cannot be stored.
#[test]
fn what_was_spooled_goes_though_a_batch_fails() {
    let owner = || Owner::from("b.example");
    // So many that cannot be read are taken out of the spool at once, in the same batch.
    let broken =
        (2..).take(limits::SPOOL_CLEAR_MAX).map(|id| Entry { value: "<".into(), ..entry(id, JULIET) });
    let spooled = [entry(1, JULIET)].into_iter().chain(broken).map(|entry| (owner(), entry)).collect();
    let mut world = World::starting(spooled, true);
    assert_eq!(world.spool().len(), 1, "there was a batch that failed");
    let took = world.remote.took();
    assert_eq!(took.iter().map(|away| away.number).collect::<Vec<_>>(), [1]);
    world.full = false;
    world.input(Input::Fate(1, Fate::Delivered));
    world.pass(limits::SPOOL_CLEAR_MS);
    assert_eq!(world.spool(), [format!("take {} of b.example", limits::SPOOL_CLEAR_MAX + 1)]);
}

#[test]
fn what_was_spooled_goes_on_its_way_again() {
    let broken = Entry { value: "<".into(), ..entry(3, JULIET) };
    let owner = || Owner::from("b.example");
    let mut world =
        World::with(vec![(owner(), entry(1, JULIET)), (owner(), entry(2, JULIET)), (owner(), broken)]);
    let took = world.remote.took();
    assert_eq!(took.iter().map(|away| away.number).collect::<Vec<_>>(), [1, 2]);
    assert!(world.spool().is_empty(), "it is there already");
    world.input(Input::Fate(1, Fate::Delivered));
    world.pass(limits::SPOOL_CLEAR_MS);
    assert_eq!(world.spool(), ["take 2 of b.example"], "what cannot be read goes too");
}
