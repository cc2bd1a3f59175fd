//! The server: the real streams and the real engine, without sockets and threads.
//!
//! Not here: time and the network (world), the disk.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use address::Jid;
use engine::{Engine, Input, Time};
use kernel::{HostFacts, Kernel};
use model::link::{StreamId, Transport};
use model::storage::Read;
use stanza::{Condition, StanzaError};
use store::Fault;
use stream::{Connection, Domains, Rate, Settings, Stream, Timeouts};

use crate::disk::Disk;
use crate::link::Pipe;
use crate::plan::DOMAIN;
use crate::rng::Rng;

/// A connection as the server sees it.
pub(crate) struct Conn {
    pub(crate) stream: Stream,
    pub(crate) pipe: Arc<Pipe>,
    /// Its client will send no more.
    pub(crate) ended: bool,
}

/// The process.
pub(crate) struct Server {
    pub(crate) engine: Option<Engine>,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) inputs: VecDeque<Input>,
    pub(crate) disk: Disk,
    /// Versions of passwords, by account.
    pub(crate) passwords: BTreeMap<String, u64>,
    /// Orders of operators that were answered.
    pub(crate) orders_done: Arc<Mutex<Vec<String>>>,
    /// How often the process has died.
    pub(crate) life: u64,
    /// A run of the engine is on its way.
    pub(crate) busy: bool,
    settings: Arc<Settings>,
    kernel_features: fn() -> Kernel,
}

#[derive(Debug)]
struct OneDomain;

impl Domains for OneDomain {
    fn serves(&self, domain: &str) -> bool {
        domain == DOMAIN
    }
}

impl Server {
    pub(crate) fn new() -> Server {
        let settings = Settings {
            domains: Arc::new(OneDomain),
            mechanisms: sasl::Mechanism::ALL.to_vec(),
            starttls: false,
            plain_on_loopback: true,
            stream_management: true,
            timeouts: Timeouts::default(),
            limits_before_auth: xml::Limits::BEFORE_AUTH,
            limits: xml::Limits::CLIENT,
            rate: Rate::CLIENT,
            auth_failures_max: 3,
        };
        Server {
            engine: None,
            conns: BTreeMap::new(),
            inputs: VecDeque::new(),
            disk: Disk::new(),
            passwords: BTreeMap::new(),
            orders_done: Arc::default(),
            life: 0,
            busy: false,
            settings: Arc::new(settings),
            kernel_features: || Kernel::new(features::all("0", "", pubsub::features())),
        }
    }

    /// The process starts from what is on the disk.
    pub(crate) fn start(&mut self, time: Time, rng: &mut Rng) {
        let highest = self.disk.read(Read::HighestId).map_or(0, |found| found.into_highest_id());
        let mut secrets = rng.fork();
        let random = move |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte = secrets.next() as u8);
        let facts = HostFacts { started_ms: time.now.unix_ms, ..HostFacts::default() };
        let hosts = Jid::parse(DOMAIN).into_iter().map(|host| (host, Arc::new(facts.clone()))).collect();
        self.engine = Some(Engine::new((self.kernel_features)(), hosts, highest, time, Box::new(random)));
    }

    /// The process dies: what is not on the disk is gone.
    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        self.engine = None;
        self.life += 1;
        self.conns.clear();
        self.inputs.clear();
        self.busy = false;
        self.disk.crash(rng);
        self.orders_done.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A client connects.
    pub(crate) fn accept(&mut self, link: u64, now: Instant, rng: &mut Rng) {
        let pipe = Arc::new(Pipe::default());
        let mut seed = [0; 32];
        seed.iter_mut().for_each(|byte| *byte = rng.next() as u8);
        let connection = Connection {
            id: StreamId(link),
            transport: Transport::Tcp,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            link: pipe.clone(),
            seed,
        };
        let stream = Stream::new(self.settings.clone(), connection, now);
        self.conns.insert(link, Conn { stream, pipe, ended: false });
    }

    /// When the next timer of anybody is due, in milliseconds since `base`.
    pub(crate) fn next_timer(&self, base: Instant) -> Option<u64> {
        let streams = self.conns.values().filter_map(|conn| conn.stream.poll_timeout());
        let streams = streams.map(|at| {
            let wait = at.saturating_duration_since(base);
            wait.as_millis() as u64 + u64::from(wait.subsec_nanos() % 1_000_000 > 0)
        });
        let engine = self.engine.as_ref().filter(|_| !self.busy).and_then(Engine::poll_timeout);
        streams.chain(engine).min()
    }
}

/// What a peer sees of a fault of storage.
pub(crate) fn refusal(fault: &Fault) -> StanzaError {
    match fault.kind().passes() {
        true => Condition::ResourceConstraint.into(),
        false => Condition::InternalServerError.into(),
    }
}

/// A moment of the simulation for streams.
pub(crate) fn instant(base: Instant, ms: u64) -> Instant {
    base + Duration::from_millis(ms)
}
