//! A server in one thread, at whose doors clients are strings.
//!
//! Not here: what is done with it (works).

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use address::Jid;
use engine::{Engine, Input, Output, Time};
use kernel::{HostFacts, Kernel, Now, Service};
use model::link::{Down, Link, StreamId, Transport};
use model::push::PushFound;
use model::query::{AccountFound, Found, Query, UploadFound};
use model::spaces::ACCOUNT;
use model::storage::{Batch, Owner, Write};
use stanza::Condition;
use store::memory::Memory;
use store::{Store, block_on};
use stream::{Answer, Ask, Connection, Domains, Rate, Settings, Stream, Timeouts, Tls};

/// Where everybody lives.
pub(crate) const DOMAIN: &str = "example.org";

#[derive(Debug)]
struct OneDomain;

impl Domains for OneDomain {
    fn serves(&self, domain: &str) -> bool {
        domain == DOMAIN
    }
}

/// The engine's way to a stream.
#[derive(Default)]
struct Pipe(Mutex<VecDeque<Down>>);

impl Pipe {
    fn take(&self) -> Option<Down> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Link for Pipe {
    fn send(&self, down: Down) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(down);
    }

    fn backlog(&self) -> usize {
        0
    }
}

struct Conn {
    stream: Stream,
    pipe: Arc<Pipe>,
    /// What the client was sent and has not read.
    out: Vec<u8>,
}

/// See the file's header.
pub(crate) struct Server {
    engine: Engine,
    store: Memory,
    settings: Arc<Settings>,
    conns: Vec<Conn>,
    time: Time,
    instant: Instant,
}

impl Server {
    pub(crate) fn new() -> Server {
        let settings = Settings {
            domains: Arc::new(OneDomain),
            mechanisms: vec![sasl::Mechanism::Plain],
            starttls: false,
            plain_on_loopback: true,
            stream_management: true,
            timeouts: Timeouts::default(),
            limits_before_auth: xml::Limits::BEFORE_AUTH,
            limits: xml::Limits::CLIENT,
            rate: Rate { bytes_per_second: 0, burst_bytes: 0 },
            auth_failures_max: 3,
        };
        let time = Time { now: Now { unix_ms: 1_800_000_000_000 }, mono_ms: 0 };
        let host = Jid::parse(DOMAIN).expect("a valid domain");
        let rooms = Jid::parse(&format!("rooms.{DOMAIN}")).expect("a valid domain");
        let rooms = muc::Settings::new(rooms, host.clone(), time.now.unix_ms);
        let rooms = muc::Rooms::new(rooms, Arc::new(|bytes: &mut [u8]| bytes.fill(7)));
        let kernel = Kernel::new(features::all("0", "", pubsub::features()));
        let hosts = vec![(host, Arc::new(HostFacts::default()))];
        let mut last = 0_u64;
        let random = move |bytes: &mut [u8]| {
            last += 1;
            bytes.iter_mut().zip(last.to_le_bytes().iter().cycle()).for_each(|(byte, next)| *byte = *next);
        };
        let engine = Engine::new(kernel, hosts, 0, time, Box::new(random));
        Server {
            engine: engine.with_services([Arc::new(rooms) as Arc<dyn Service>]),
            store: Memory::new(),
            settings: Arc::new(settings),
            conns: Vec::new(),
            time,
            instant: Instant::now(),
        }
    }

    /// Time goes on.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.time.now.unix_ms += ms;
        self.time.mono_ms += ms;
        self.instant += Duration::from_millis(ms);
        if self.engine.poll_timeout().is_some_and(|at| at <= self.time.mono_ms) {
            self.engine.handle(self.time, Input::Timeout);
        }
        self.settle();
    }

    /// An account, if it is not there yet.
    pub(crate) fn account(&mut self, name: &str) {
        let owner = Owner::from(format!("{name}@{DOMAIN}").as_str());
        let exists = Write::DocPut { space: ACCOUNT, owner, value: "{}".into() };
        block_on(self.store.commit(Batch::from(exists))).expect("memory does not fail");
    }

    /// A connection. Its number is what its client is called here.
    pub(crate) fn connect(&mut self) -> usize {
        let pipe = Arc::new(Pipe::default());
        let connection = Connection {
            id: StreamId(self.conns.len() as u64),
            transport: Transport::DirectTls,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            link: pipe.clone(),
            seed: [7; 32],
        };
        let mut stream = Stream::new(self.settings.clone(), connection, self.instant);
        let tls = Tls {
            about: String::new(),
            channel: sasl::Channel::proxied(),
            server_name: None,
            early_data: false,
        };
        stream.handle_tls(self.instant, tls);
        self.conns.push(Conn { stream, pipe, out: Vec::new() });
        self.conns.len() - 1
    }

    /// A client says something.
    pub(crate) fn say(&mut self, client: usize, bytes: &[u8]) {
        self.conns[client].stream.handle_input(self.instant, bytes);
        self.serve(client);
        self.settle();
    }

    /// What a client was sent since it last read.
    pub(crate) fn heard(&mut self, client: usize) -> &mut Vec<u8> {
        &mut self.conns[client].out
    }

    /// Carries out what a stream wants.
    fn serve(&mut self, client: usize) {
        let conn = &mut self.conns[client];
        while let Some(output) = conn.stream.poll_output() {
            match output {
                stream::Output::Up(up) => self.engine.handle(self.time, Input::Up(up)),
                stream::Output::Ask(Ask::Password { .. }) => {
                    conn.stream.handle_answer(self.instant, Answer::Password(true));
                }
                stream::Output::Ask(Ask::Login(_)) => {
                    conn.stream.handle_answer(self.instant, Answer::Login(None))
                }
                stream::Output::Ask(_) => {
                    conn.stream
                        .handle_answer(self.instant, Answer::Refused(sasl::Condition::InvalidMechanism));
                }
                _ => {}
            }
        }
        conn.stream.take_bytes(&mut conn.out);
    }

    /// Until nothing moves any more.
    fn settle(&mut self) {
        loop {
            self.engine.finish();
            let mut moved = false;
            while let Some(output) = self.engine.poll_output() {
                moved = true;
                let input = self.carried_out(output);
                self.engine.handle(self.time, input);
                self.engine.finish();
            }
            for client in 0..self.conns.len() {
                moved |= self.drain(client);
            }
            if !moved && !self.engine.has_work() {
                return;
            }
        }
    }

    /// Gives a stream what the engine says.
    fn drain(&mut self, client: usize) -> bool {
        let conn = &mut self.conns[client];
        let mut moved = false;
        while let Some(down) = conn.pipe.take() {
            conn.stream.handle_down(self.instant, down);
            moved = true;
        }
        if moved {
            self.serve(client);
        }
        moved
    }

    fn carried_out(&mut self, output: Output) -> Input {
        let refused = |fault: store::Fault| -> stanza::StanzaError { panic!("storage: {fault}") };
        match output {
            Output::Commit(ticket, batch) => {
                Input::Committed(ticket, block_on(self.store.commit(batch)).map_err(refused))
            }
            Output::Ask(ticket, query) => {
                let found = match query {
                    Query::Read(read) => block_on(self.store.read(read)).map(Found::Loaded).map_err(refused),
                    Query::Account(_) => Ok(Found::Account(AccountFound::No)),
                    Query::Upload(_) => Ok(Found::Upload(UploadFound::Off)),
                    Query::Push(_) => Ok(Found::Push(PushFound::Off)),
                    _ => Err(Condition::ServiceUnavailable.into()),
                };
                Input::Found(ticket, found)
            }
        }
    }

    /// The session of a client ends in order.
    pub(crate) fn leave(&mut self, client: usize) {
        self.say(client, b"</stream:stream>");
        self.conns[client].stream.handle_eof(self.instant);
        self.serve(client);
        self.settle();
    }

    /// Forgets connections that are over, the last ones first.
    pub(crate) fn forget_after(&mut self, count: usize) {
        self.conns.truncate(count);
    }
}
