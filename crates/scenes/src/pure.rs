//! The whole server without sockets, threads and clocks: the engine, all features, a store in memory.
//!
//! Not here: TLS, login and framing (stream, net).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use address::{Bare, Jid};
use engine::{Engine, Input, Output, Ticket, Time};
use kernel::{
    BlockList, Directory, Group, Groups, HostFacts, Kernel, Now, SafetyFacts, Service, StrangerPolicy,
};
use model::bytestream::Activated;
use model::grant::Grant;
use model::link::{
    About, Bind, Client, ClientState, Down, Enable, End, Resource, Resume, StreamId, Transport, Up,
};
use model::push::{PushFound, PushQuery};
use model::query::{AccountQuery, Found, Password, Query, UploadFound};
use model::storage::{Batch, Read};
use stanza::{Condition, Stanza, StanzaError};
use store::memory::Memory;
use store::{Fault, FaultKind, Store, block_on};
use xml::Event;

use crate::accounts;
use crate::stage::Wire;
use crate::world::{Act, Heard, Wish, World};

/// How inputs come to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One at a time, each answered before the next comes.
    Single,
    /// As many as possible in one batch: nothing is answered before somebody looks.
    Batched,
}

/// The world.
pub struct Pure {
    pace: Pace,
    store: Memory,
    engine: Option<Engine>,
    hosts: Vec<String>,
    time: Time,
    wires: BTreeMap<usize, Wire>,
    heard: BTreeMap<usize, Vec<Heard>>,
    /// What the operator says about strangers and lists.
    safety: SafetyFacts,
    /// Who is in the group `Family`.
    members: Vec<(Bare, Option<String>)>,
    stalled: bool,
    held: VecDeque<(Ticket, Batch)>,
    streams: u64,
    /// What was said between the engine and the streams, for failures.
    pub(crate) log: Vec<String>,
}

/// When every scene begins: 2026-01-01T00:00:00Z.
const BEGINNING_MS: u64 = 1_767_225_600_000;

impl Pure {
    /// A world at the beginning of time.
    pub fn new(pace: Pace) -> Pure {
        Pure {
            pace,
            store: Memory::new(),
            engine: None,
            hosts: Vec::new(),
            time: Time { now: Now { unix_ms: BEGINNING_MS }, mono_ms: 0 },
            wires: BTreeMap::new(),
            heard: BTreeMap::new(),
            safety: SafetyFacts::default(),
            members: Vec::new(),
            stalled: false,
            held: VecDeque::new(),
            streams: 0,
            log: Vec::new(),
        }
    }

    fn engine(&mut self) -> &mut Engine {
        let (hosts, time, store, safety) = (&self.hosts, self.time, &self.store, &self.safety);
        self.engine.get_or_insert_with(|| {
            let kernel = Kernel::new(features::all("0", "", pubsub::features()));
            let hosts = hosts.iter().filter_map(|host| Jid::parse(host).ok());
            let highest = block_on(store.read(Read::HighestId)).map_or(0, |found| found.into_highest_id());
            let mut seed = time.mono_ms;
            let random = move |bytes: &mut [u8]| {
                for byte in bytes {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (seed >> 56) as u8;
                }
            };
            let hosts: Vec<Jid> = hosts.collect();
            let services: Vec<Vec<_>> = hosts.iter().map(|host| services(host, time, safety)).collect();
            let members = &self.members;
            let facts = |services: &Vec<Arc<dyn Service>>| facts(services, time, safety, members);
            let hosts = hosts.into_iter().zip(services.iter().map(facts)).collect();
            let services = services.into_iter().flatten();
            Engine::new(kernel, hosts, highest, time, Box::new(random)).with_services(services)
        })
    }

    /// What went wrong in storage, for failures.
    #[cfg(feature = "fuzzing")]
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// The counters of stream management go on from `h`; see `Engine::count_from`.
    #[cfg(feature = "fuzzing")]
    pub fn count_from(&mut self, h: u32) {
        self.settle();
        self.engine().count_from(h);
    }

    fn input(&mut self, input: Input) {
        let time = self.time;
        self.engine().handle(time, input);
        if self.pace == Pace::Single {
            self.settle();
        }
    }

    fn up(&mut self, up: Up) {
        self.input(Input::Up(up));
    }

    /// Until nothing moves any more.
    fn settle(&mut self) {
        loop {
            self.engine().finish();
            let outputs: Vec<Output> = std::iter::from_fn(|| self.engine().poll_output()).collect();
            let mut moved = !outputs.is_empty() || self.engine().has_work();
            for output in outputs {
                self.carry_out(output);
            }
            let clients: Vec<usize> = self.wires.keys().copied().collect();
            for client in clients {
                moved |= self.drain(client);
            }
            if !moved {
                return;
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        let time = self.time;
        let input = match output {
            Output::Commit(ticket, batch) if self.stalled => return self.held.push_back((ticket, batch)),
            Output::Commit(ticket, batch) => self.commit(ticket, batch),
            Output::Ask(ticket, query) => {
                let found = match query {
                    Query::Read(read) => block_on(self.store.read(read)).map(Found::Loaded),
                    Query::Account(query) => accounts::answer(&self.store, &query).map(Found::Account),
                    Query::Upload(_) => Ok(Found::Upload(UploadFound::Off)),
                    // Whatever is sent to the web is taken, and gets nowhere.
                    Query::Push(PushQuery::Key) => Ok(Found::Push(PushFound::Key("BKey".into()))),
                    Query::Push(_) => Ok(Found::Push(PushFound::Done)),
                    Query::Request(_) => Err(Fault::new(FaultKind::Misuse, "a request for the engine")),
                    Query::Activate(_) => Ok(Found::Activated(Activated::Missing)),
                    Query::Sessions(_) => Ok(Found::Sessions(Vec::new())),
                };
                Input::Found(ticket, found.map_err(|fault| refusal(&fault)))
            }
        };
        self.engine().handle(time, input);
        if self.pace == Pace::Single {
            self.engine().finish();
        }
    }

    fn commit(&mut self, ticket: Ticket, batch: Batch) -> Input {
        let outcome = block_on(self.store.commit(batch));
        if let Err(fault) = &outcome {
            self.log.push(format!("  (storage: {fault})"));
        }
        Input::Committed(ticket, outcome.map_err(|fault| refusal(&fault)))
    }

    /// Takes what the engine says to a client, as its stream would.
    fn drain(&mut self, client: usize) -> bool {
        let mut moved = false;
        while let Some(down) = self.wires.get(&client).and_then(|wire| wire.pipe.take()) {
            moved = true;
            let Some(wire) = self.wires.get_mut(&client) else { return moved };
            if wire.over {
                continue;
            }
            let mut end = None;
            let heard = match down {
                Down::Bound(Ok(bound)) => {
                    wire.session = Some((bound.session, bound.jid.clone()));
                    let mut all = vec![Heard::Bound(bound.jid.to_string())];
                    all.extend(bound.enabled.map(|enabled| Heard::Enabled(enabled.id)));
                    all
                }
                Down::Bound(Err(error)) => vec![Heard::NotBound(error.condition.name().to_owned())],
                Down::Enabled(Ok(enabled)) => vec![Heard::Enabled(enabled.id)],
                Down::Enabled(Err(error)) => vec![Heard::NotEnabled(error.condition.name().to_owned())],
                Down::Resumed(Ok(resumed)) => {
                    wire.session = Some((resumed.session, resumed.jid.clone()));
                    vec![Heard::Resumed(resumed.h)]
                }
                Down::Resumed(Err(refused)) => vec![Heard::NotResumed(refused.h)],
                Down::Stanza(stanza) => {
                    let mut out = Vec::new();
                    stanza.write(&mut out, None);
                    vec![Heard::Stanza(String::from_utf8_lossy(&out).into_owned())]
                }
                Down::Ack(h) => vec![Heard::Ack(h)],
                Down::AckRequest => vec![Heard::AckRequest],
                Down::Close(error) => {
                    end = Some(if error.is_some() { End::Broken } else { End::Clean });
                    vec![Heard::Closed(error.map(|error| error.condition.name().to_owned()))]
                }
            };
            if !wire.deaf {
                self.heard.entry(client).or_default().extend(heard);
            }
            if let Some(end) = end {
                self.end(client, end);
            }
        }
        moved
    }

    fn end(&mut self, client: usize, end: End) {
        let Some(wire) = self.wires.get_mut(&client) else { return };
        if std::mem::replace(&mut wire.over, true) {
            return;
        }
        if let Some((session, _)) = wire.session {
            let stream = wire.stream;
            self.up(Up::Closed(session, stream, end));
        }
    }

    fn open(&mut self, client: usize) -> (StreamId, Arc<crate::stage::Pipe>) {
        self.streams += 1;
        let wire = Wire::new(StreamId(self.streams));
        let ends = (wire.stream, wire.pipe.clone());
        self.wires.insert(client, wire);
        ends
    }

    fn connect(&mut self, client: usize, jid: &Jid, wish: &Wish) {
        let (stream, link) = self.open(client);
        let resource = if jid.is_bare() { Resource::Any } else { Resource::Asked(jid.clone()) };
        let bind = Bind {
            stream,
            link,
            account: jid.bare(),
            grant: Grant::default(),
            resource,
            carbons: wish.carbons,
            enable: enable(wish).filter(|_| wish.inline),
            client_state: ClientState::Active,
            about: about(),
        };
        self.up(Up::Bind(Box::new(bind)));
        self.settle();
        if let Some(enable) = enable(wish).filter(|_| !wish.inline)
            && let Some(session) = self.session(client)
        {
            self.up(Up::Enable(session, enable));
        }
    }

    fn session(&self, client: usize) -> Option<model::link::SessionId> {
        let wire = self.wires.get(&client).filter(|wire| !wire.over)?;
        wire.session.as_ref().map(|(session, _)| *session)
    }

    fn network(&mut self, text: &str) -> Result<(), String> {
        let mut wire = Wire::new(StreamId(0));
        wire.parser.push(text.as_bytes());
        while let Some(event) = wire.parser.next().map_err(|error| format!("{error:?}"))? {
            if let Event::Element(element) = event {
                let stanza = Stanza::from_element(&element).map_err(|error| format!("{error:?}"))?;
                self.input(Input::Inject(stanza));
            }
        }
        Ok(())
    }

    fn send(&mut self, client: usize, text: &str) -> Result<(), String> {
        let Some(session) = self.session(client) else { return Err("it is not connected".to_owned()) };
        let Some(wire) = self.wires.get_mut(&client) else { return Ok(()) };
        wire.parser.push(text.as_bytes());
        let mut elements = Vec::new();
        while let Some(event) = wire.parser.next().map_err(|error| format!("{error:?}"))? {
            if let Event::Element(element) = event {
                elements.push(element);
            }
        }
        let own = wire.session.as_ref().map(|(_, jid)| jid.clone());
        for element in elements {
            let up = match Stanza::from_element(&element) {
                Ok(mut stanza) => {
                    stanza.from = own.clone();
                    Up::Stanza(session, stanza)
                }
                Err(unusable) => Up::Refused(session, unusable.reply.map(|reply| *reply)),
            };
            self.up(up);
        }
        Ok(())
    }

    fn pass(&mut self, ms: u64) {
        let until = self.time.mono_ms + ms;
        loop {
            self.settle();
            let due = self.engine().poll_timeout().filter(|at| *at <= until);
            let at = due.unwrap_or(until).max(self.time.mono_ms);
            self.time.now.unix_ms += at - self.time.mono_ms;
            self.time.mono_ms = at;
            if due.is_none() {
                return;
            }
            self.input(Input::Timeout);
        }
    }

    fn operator(&mut self, order: &str, account: Bare) -> Result<(), String> {
        if let Some(setting) = order.strip_prefix("sets ") {
            return self.set(setting, &account);
        }
        if order == "groups" {
            self.members.push((account, None));
            self.new_facts();
            return Ok(());
        }
        let password = Password::new("a new one");
        let query = match order {
            "removes" => AccountQuery::Remove { account },
            "creates" => AccountQuery::Create { account, password },
            "promotes" => AccountQuery::SetAdmin { account, admin: true },
            "suspends" => AccountQuery::Suspend { account, suspended: true },
            "changes the password of" => AccountQuery::SetPassword { account, password },
            "ends the sessions of" => AccountQuery::EndSessions { account },
            _ => return Err(format!("operators do not '{order}'")),
        };
        self.input(Input::Account(query, Box::new(|_| ())));
        Ok(())
    }

    /// An operator changes a setting: `sets strangers`, `sets directory`, `sets lists` (the node `bans` of a service).
    fn set(&mut self, setting: &str, value: &Bare) -> Result<(), String> {
        let wrong = || format!("'{value}' is nothing that {setting} can be");
        match setting {
            "strangers" => self.safety.strangers = StrangerPolicy::parse(value.as_str()).ok_or_else(wrong)?,
            "local" => self.safety.strangers_local = value.as_str() == "strangers",
            "directory" => {
                self.safety.directory = match value.as_str() {
                    "off" => Directory::Off,
                    "opt-in" => Directory::OptIn,
                    _ => return Err(wrong()),
                }
            }
            "lists" => {
                self.safety.lists = vec![BlockList { service: value.jid().clone(), node: "bans".to_owned() }]
            }
            _ => return Err(format!("operators do not set '{setting}'")),
        }
        self.new_facts();
        Ok(())
    }

    /// The engine hears what the operator says now.
    fn new_facts(&mut self) {
        if self.engine.is_none() {
            return;
        }
        let hosts: Vec<Jid> = self.hosts.iter().filter_map(|host| Jid::parse(host).ok()).collect();
        for host in hosts {
            let services = services(&host, self.time, &self.safety);
            let facts = facts(&services, self.time, &self.safety, &self.members);
            self.input(Input::Facts(host, facts));
        }
    }

    fn restart(&mut self) {
        // What was not stored is lost, and everybody is cut off.
        self.held.clear();
        self.stalled = false;
        self.engine = None;
        self.wires.clear();
    }
}

impl World for Pure {
    fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Account(account) => {
                let domain = account.domain().to_owned();
                accounts::create(&self.store, &account).map_err(|fault| fault.to_string())?;
                return self.act(Act::Domain(domain));
            }
            Act::Domain(domain) => {
                if self.engine.is_some() && !self.hosts.contains(&domain) {
                    return Err("domains come first".to_owned());
                }
                self.hosts.push(domain);
            }
            Act::Connect(client, jid, wish) => self.connect(client, &jid, &wish),
            Act::Resume { client, account, id, h } => {
                let (stream, link) = self.open(client);
                self.up(Up::Resume(Box::new(Resume { stream, link, account, id, h, about: about() })));
            }
            Act::Send(client, text) => return self.send(client, &text),
            Act::Network(text) => return self.network(&text),
            Act::Pass(ms) => self.pass(ms),
            Act::StorageStalls => {
                self.settle();
                self.stalled = true;
            }
            Act::StorageResumes => {
                // In the order in which they came: what an outcome causes to be written waits behind the rest.
                while let Some((ticket, batch)) = self.held.pop_front() {
                    let input = self.commit(ticket, batch);
                    self.input(input);
                }
                self.stalled = false;
            }
            Act::StorageFailsOnce => {
                self.settle();
                self.store.fail_next(1, FaultKind::Full);
            }
            Act::Operator(order, account) => return self.operator(&order, account),
            Act::Shutdown => self.input(Input::Shutdown),
            Act::Restart => self.restart(),
            Act::Break(client) => self.end(client, End::Broken),
            Act::Disconnect(client) => self.end(client, End::Clean),
            Act::GoDeaf(client) => {
                self.settle();
                if let Some(wire) = self.wires.get_mut(&client) {
                    wire.deaf = true;
                }
            }
            Act::Enable(client, _) | Act::Ack(client, _) | Act::AskAck(client) | Act::Active(client, _) => {
                let Some(session) = self.session(client) else {
                    return Err("it is not connected".to_owned());
                };
                self.up(match act {
                    Act::Enable(_, wish) => Up::Enable(session, enable(&wish).ok_or("enable what?")?),
                    Act::Ack(_, h) => Up::Ack(session, h),
                    Act::Active(_, true) => Up::ClientState(session, ClientState::Active),
                    Act::Active(_, false) => Up::ClientState(session, ClientState::Inactive),
                    _ => Up::AckRequest(session),
                });
            }
        }
        Ok(())
    }

    fn hear(&mut self, client: usize) -> Vec<Heard> {
        self.settle();
        self.heard.remove(&client).unwrap_or_default()
    }
}

/// What is said of a domain with these services.
fn facts(
    services: &[Arc<dyn Service>],
    time: Time,
    safety: &SafetyFacts,
    members: &[(Bare, Option<String>)],
) -> Arc<HostFacts> {
    let family = Group { name: "Family".to_owned(), members: members.to_vec() };
    let groups = Arc::new(Groups::new(vec![family]));
    let named = |service: &Arc<dyn Service>| (service.domain().clone(), service.name().to_owned());
    let (services, safety) = (services.iter().map(named).collect(), safety.clone());
    Arc::new(HostFacts { started_ms: time.now.unix_ms, services, safety, groups, ..HostFacts::default() })
}

/// The hosted services of a domain.
fn services(host: &Jid, time: Time, safety: &SafetyFacts) -> Vec<Arc<dyn Service>> {
    let rooms = || -> Option<Arc<dyn Service>> {
        let domain = Jid::parse(&format!("conference.{host}")).ok()?;
        let settings = muc::Settings {
            safety: safety.clone(),
            ..muc::Settings::new(domain, host.clone(), time.now.unix_ms)
        };
        Some(Arc::new(muc::Rooms::new(settings, Arc::new(|bytes: &mut [u8]| bytes.fill(7)))))
    };
    let nodes = || -> Option<Arc<dyn Service>> {
        let domain = Jid::parse(&format!("pubsub.{host}")).ok()?;
        Some(Arc::new(pubsub::PubSub::new(domain, host.clone())))
    };
    let pushes = || -> Option<Arc<dyn Service>> {
        let domain = Jid::parse(&format!("push.{host}")).ok()?;
        Some(Arc::new(push::Pushes::new(domain, host.clone(), Arc::new(|bytes: &mut [u8]| bytes.fill(7)))))
    };
    [rooms(), nodes(), pushes()].into_iter().flatten().collect()
}

fn enable(wish: &Wish) -> Option<Enable> {
    (wish.sm || wish.counting).then_some(Enable { resume: wish.sm, max: wish.max })
}

fn about() -> Arc<About> {
    Arc::new(About {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        transport: Transport::DirectTls,
        tls: None,
        mechanism: "SCRAM-SHA-256-PLUS",
        client: Client::default(),
    })
}

fn refusal(fault: &Fault) -> StanzaError {
    match fault.kind().passes() {
        true => Condition::ResourceConstraint.into(),
        false => Condition::InternalServerError.into(),
    }
}
