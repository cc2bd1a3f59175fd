//! The machine: inputs in, outputs out.
//!
//! Not here: what each input does (the other files of this crate).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Account, Host, HostFacts, Kernel, Service, Spot};
use model::away::Neighbours;
use model::link::{Bound, SessionId, Up};
use model::query::{AccountFound, AccountQuery, Query};
use model::storage::{Batch, Entry, Owner};
use rustc_hash::FxHashMap;

use crate::away::Abroad;
use crate::commissions::Commissions;
use crate::departures::Departures;
use crate::device::{Device, Token};
use crate::held::{Held, Line, Parcel};
use crate::ids::Ids;
use crate::input::{Input, Standing, Time};
use crate::limits;
use crate::places::{Loading, Place};
use crate::requests::{Asker, Requests};
use crate::resume::Ended;
use crate::spots::Spots;
use crate::timers::Timers;
use crate::turns::Work;

/// Names a commit or a question until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Fills a buffer with bytes that nobody can guess.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// What the shell shall do.
#[derive(Debug)]
pub enum Output {
    /// Store this and say [`Input::Committed`]. Commits are to be stored in the order in which they come out.
    Commit(Ticket, Batch),
    /// Find this out and say [`Input::Found`].
    Ask(Ticket, Query),
}

/// Who wants the answer to a question.
pub(crate) enum Asked {
    /// A feature, for an account, and the number of its place.
    /// The stanza that asks is not settled before the answer has been written down.
    Account(Bare, u64, Option<SessionId>, Option<Token>, kernel::Resume<Account>),
    /// A feature, for a host; the session is the one that asked it, if it is ours.
    Host(Jid, Option<SessionId>, Option<Token>, kernel::Resume<Host>),
    /// A service, for one of its places.
    Spot(Bare, Option<Token>, kernel::Resume<Spot>),
    /// The engine, to load an account.
    Load(Bare),
    /// The engine, to load a service's place.
    LoadSpot(Bare),
    /// The engine, to complete the answer to a Bind 2 request.
    Bounds(SessionId, Box<Bound>),
    /// The engine, to find the places of services that an account has rights in: which there are, or what stands in these.
    Departure(u64, Option<Vec<Owner>>),
    /// An operator.
    Operator(AccountQuery, Box<dyn FnOnce(AccountFound) + Send>),
}

/// Owner of all accounts and sessions of a server.
pub struct Engine {
    pub(crate) kernel: Arc<Kernel>,
    // Nobody else chooses the keys of an `FxHashMap`, so nobody can make them collide.
    pub(crate) hosts: FxHashMap<String, Host>,
    /// Services by their domain.
    pub(crate) services: FxHashMap<String, Arc<dyn Service>>,
    pub(crate) spots: Spots,
    /// What is on its way to neighbours, and from them.
    pub(crate) abroad: Abroad,
    /// What components have asked in the name of users.
    pub(crate) commissions: Commissions,
    /// What operators have asked of places of services.
    pub(crate) requests: Requests,
    pub(crate) accounts: HashMap<Bare, Place>,
    pub(crate) idle: VecDeque<Bare>,
    pub(crate) devices: FxHashMap<SessionId, Device>,
    /// Sessions by the names that streams which resumed them have for them.
    pub(crate) names: FxHashMap<SessionId, SessionId>,
    pub(crate) resumable: HashMap<String, SessionId>,
    pub(crate) ended: Ended,
    pub(crate) ids: Ids,
    pub(crate) timers: Timers,
    pub(crate) time: Time,
    pub(crate) random: Random,
    pub(crate) batch: Held,
    pub(crate) line: Line,
    pub(crate) asked: FxHashMap<Ticket, (Asked, Option<AccountQuery>)>,
    /// The last wish of each host to be woken, and the last of all.
    pub(crate) host_wishes: (HashMap<String, u64>, u64),
    /// How many questions of each host wait for an answer.
    pub(crate) hosts_busy: HashMap<Jid, u32>,
    pub(crate) work: VecDeque<Work>,
    /// How many pieces of work this batch may still have.
    pub(crate) allowance: usize,
    /// What waits for accounts that are being loaded.
    pub(crate) loading: Loading,
    /// How many bytes wait to be stored.
    pub(crate) unstored: usize,
    /// Accounts that exist, but not for long: their removal has been asked for.
    pub(crate) removing: HashSet<Bare>,
    /// Those that are being taken out of places of services before.
    pub(crate) departures: Departures,
    pub(crate) stopping: bool,
    /// What sessions left behind and could not be stored: it is tried again.
    pub(crate) left: Vec<(Bare, SessionId, Parcel)>,
    pub(crate) left_bytes: usize,
    outputs: VecDeque<Output>,
    pub(crate) last_place: u64,
    last_session: u64,
    last_ticket: u64,
}

impl Engine {
    /// An engine for these domains. `highest_id` is what [`model::storage::Read::HighestId`] says; `random` fills a
    /// buffer with bytes that nobody can guess.
    pub fn new(
        kernel: Kernel,
        hosts: Vec<(Jid, Arc<HostFacts>)>,
        highest_id: u64,
        time: Time,
        random: Random,
    ) -> Engine {
        let hosts =
            hosts.into_iter().map(|(domain, facts)| (domain.as_str().to_owned(), Host::new(domain, facts)));
        let mut engine = Engine {
            kernel: Arc::new(kernel),
            hosts: hosts.collect(),
            services: FxHashMap::default(),
            spots: Spots::default(),
            abroad: Abroad::default(),
            commissions: Commissions::default(),
            requests: Requests::default(),
            accounts: HashMap::new(),
            idle: VecDeque::new(),
            devices: FxHashMap::default(),
            names: FxHashMap::default(),
            resumable: HashMap::new(),
            ended: Ended::default(),
            ids: Ids::after(highest_id),
            timers: Timers::default(),
            time,
            random,
            batch: Held::default(),
            line: Line::new(),
            asked: FxHashMap::default(),
            host_wishes: Default::default(),
            hosts_busy: HashMap::new(),
            work: VecDeque::new(),
            allowance: limits::WORK_MAX,
            loading: Loading::default(),
            unstored: 0,
            removing: HashSet::new(),
            departures: Departures::default(),
            stopping: false,
            left: Vec::new(),
            left_bytes: 0,
            outputs: VecDeque::new(),
            last_place: 0,
            last_session: 0,
            last_ticket: 0,
        };
        engine.begin_hosts();
        engine
    }

    /// The same engine with these services, each at its own domain.
    #[must_use]
    pub fn with_services(mut self, services: impl IntoIterator<Item = Arc<dyn Service>>) -> Engine {
        let named = |service: Arc<dyn Service>| (service.domain().as_str().to_owned(), service);
        self.services.extend(services.into_iter().map(named));
        self
    }

    /// The same engine with these neighbours; the first that owns a domain gets what is for it. `spooled` is what
    /// [`crate::spooled`] has found: it goes on its way again.
    #[must_use]
    pub fn with_neighbours(
        mut self,
        neighbours: Vec<Arc<dyn Neighbours>>,
        spooled: Vec<(Owner, Entry)>,
    ) -> Engine {
        self.abroad.neighbours = neighbours;
        self.recall(spooled);
        self
    }

    /// Takes an input. [`Engine::finish`] must follow after the last one of a batch.
    pub fn handle(&mut self, time: Time, input: Input) {
        self.time = time;
        match input {
            Input::Up(up) => self.up(up),
            Input::Committed(ticket, outcome) => self.committed(ticket, outcome),
            Input::Found(ticket, found) => self.found(ticket, found),
            Input::Fate(number, fate) => self.fate(number, fate),
            Input::Restored(domain) => self.restored(domain),
            Input::Account(query, reply) => self.operator(query, reply),
            Input::Sessions(filter, reply) => {
                let found = self.sessions(&filter);
                reply(found);
            }
            Input::Request(stanza, reply) => self.request(*stanza, Asker::Operator(reply)),
            Input::Inject(stanza) => self.inject(stanza),
            Input::EndSessions(account) => {
                self.end_sessions(&account, None, crate::operator::not_authorized())
            }
            Input::Standing(reply) => reply(Standing {
                sessions: self.devices.len(),
                accounts: self.accounts.len(),
                batches: self.line.len(),
                questions: self.asked.len(),
                away: self.abroad.len(),
            }),
            Input::Components(domain, components) => {
                if let Some(host) = self.hosts.get_mut(domain.as_str()) {
                    host.components = components;
                }
            }
            Input::Facts(domain, facts) => self.facts_changed(&domain, facts),
            Input::Domain(domain, facts, services) => self.host_added(&domain, facts, services),
            Input::DomainGone(domain, services) => self.host_removed(&domain, &services),
            Input::Timeout => self.timeout(),
            Input::Shutdown => self.shutdown(),
        }
        self.work_off();
    }

    /// Ends a batch: what it wrote goes to storage, what it sends leaves now or after that. If it was too much for one
    /// batch, [`Engine::has_work`] says so.
    pub fn finish(&mut self) {
        loop {
            self.work_off();
            self.seal();
            self.release();
            if (self.work.is_empty() || self.allowance == 0) && self.batch.is_empty() {
                break;
            }
        }
        self.allowance = limits::WORK_MAX;
    }

    /// Whether something is left to do: nothing more is to be taken from streams, and [`Engine::finish`] to be called
    /// again, at once or when the engine is no longer congested.
    pub fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    /// The next thing for the shell to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to say [`Input::Timeout`], in milliseconds of the clock that never goes back.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.next()
    }

    /// How many sessions there are, detached ones included.
    pub fn session_count(&self) -> usize {
        self.devices.len()
    }

    /// Whether everything that came in is stored and sent.
    pub fn is_drained(&self) -> bool {
        self.line.is_empty() && self.batch.is_empty() && self.work.is_empty()
    }

    /// Whether so much waits for storage that nothing more is to be taken from streams: they wait, and so do the
    /// clients behind them, instead of memory being filled.
    pub fn is_congested(&self) -> bool {
        self.asked.len() >= limits::ASKS_MAX
            || self.line.len() >= limits::LINE_MAX
            || self.unstored >= limits::LINE_BYTES_MAX
            || self.loading.is_much()
    }

    fn up(&mut self, up: Up) {
        let (name, up) = match up {
            Up::Bind(bind) => return self.bind(bind),
            Up::Resume(resume) => return self.resume(*resume),
            Up::Arrived(arrived) => return self.arrived(*arrived),
            Up::Stanza(name, _) | Up::Refused(name, _) | Up::Ack(name, _) | Up::AckRequest(name) => {
                (name, up)
            }
            Up::ClientState(name, _) | Up::Enable(name, _) | Up::Closed(name, ..) => (name, up),
        };
        let Some(session) = self.session_named(name) else { return };
        match up {
            Up::Stanza(_, stanza) => self.stanza_from(session, Some(stanza)),
            Up::Refused(_, reply) => self.refused(session, reply),
            Up::Ack(_, h) => self.client_acknowledges(session, h),
            Up::AckRequest(_) => self.client_asks(session),
            Up::ClientState(_, state) => self.client_state(session, state),
            Up::Enable(_, enable) => self.enable(session, enable),
            Up::Closed(_, stream, end) => self.stream_closed(session, stream, end),
            Up::Bind(_) | Up::Resume(_) | Up::Arrived(_) => {}
        }
    }

    /// The session that a stream means. Each stream that resumes one gets a name of its own for it, so what an old
    /// stream still says after that is nobody's (D-18): its client sends it again over the new one.
    fn session_named(&self, name: SessionId) -> Option<SessionId> {
        let session = self.names.get(&name).copied().unwrap_or(name);
        self.devices
            .get(&session)
            .filter(|device| device.name == name || zoo::is(zoo::Fault::OldStreamHeard))
            .map(|_| session)
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn new_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    pub(crate) fn new_session(&mut self) -> SessionId {
        self.last_session += 1;
        SessionId(self.last_session)
    }

    /// `N` random bytes as hexadecimal digits.
    pub(crate) fn random_hex<const N: usize>(&mut self) -> String {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
