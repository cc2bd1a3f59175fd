//! Several servers in one process, over loopback, with a table for DNS and an authority of their own.
//!
//! Not here: what is tried with them.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use address::Jid;
use engine::{Engine, Handle, Input, NoBytestreams, NoFiles, NoPushes, Services};
use federation::{Counters, Federation, Parts, Resolve, Resolving, Roots, Rules, Settings, Srv, Unanswered};
use kernel::{HostFacts, Kernel, Service};
use mailbox::{Mailbox, Share};
use model::grant::Grant;
use model::link::{
    About, Bind, Client, ClientState, Down, Link, Resource, SessionId, StreamId, Transport, Up,
};
use model::query::{AccountFound, AccountQuery};
use model::spaces::{ACCOUNT, SPOOL};
use model::storage::{Batch, LogQuery, Owner, Read, Write};
use net::{Answering, Authority, Kind, Listener, Net, NetConfig, Phase, TlsStore};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use stanza::Stanza;
use store::memory::Memory;
use store::{BoxFuture, Fault, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// DNS as a table.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) srv: Mutex<HashMap<String, Vec<Srv>>>,
    pub(crate) hosts: Mutex<HashMap<String, Vec<IpAddr>>>,
    /// Names about which nothing is ever said.
    pub(crate) silent: Mutex<Vec<String>>,
}

impl Table {
    /// A domain's only server, with STARTTLS, at that port of this machine.
    pub(crate) fn put(&self, domain: &str, port: u16) {
        self.put_as("_xmpp-server", domain, port);
    }

    pub(crate) fn put_as(&self, service: &str, domain: &str, port: u16) {
        let srv = Srv { priority: 0, weight: 0, port, target: format!("host.{domain}") };
        self.srv.lock().unwrap().insert(format!("{service}._tcp.{domain}"), vec![srv]);
        let here = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        self.hosts.lock().unwrap().insert(format!("host.{domain}"), here);
    }

    async fn answer(&self, name: &str) -> Result<(), Unanswered> {
        let silent = self.silent.lock().unwrap().iter().any(|silent| name.ends_with(silent.as_str()));
        if silent {
            tokio::time::sleep(Duration::from_secs(8)).await;
            return Err(Unanswered);
        }
        Ok(())
    }
}

impl Resolve for Table {
    fn srv<'a>(&'a self, name: &'a str) -> Resolving<'a, Vec<Srv>> {
        Box::pin(async move {
            self.answer(name).await?;
            Ok(self.srv.lock().unwrap().get(name).cloned().unwrap_or_default())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Resolving<'a, Vec<IpAddr>> {
        Box::pin(async move {
            self.answer(host).await?;
            Ok(self.hosts.lock().unwrap().get(host).cloned().unwrap_or_default())
        })
    }
}

/// Who issues certificates.
pub(crate) struct Issuing {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Issuing {
    pub(crate) fn new() -> Issuing {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Issuing { issuer: Issuer::new(params, key), pem }
    }

    /// Chain and key in PEM, of a certificate for these names, changed somehow.
    pub(crate) fn issue(
        &self,
        names: &[String],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let mut params = CertificateParams::new([]).unwrap();
        let named = |name: &String| SanType::DnsName(name.as_str().try_into().unwrap());
        params.subject_alt_names = names.iter().map(named).collect();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// What servers have in common.
pub(crate) struct World {
    pub(crate) dns: Arc<Table>,
    pub(crate) authority: Issuing,
}

/// How one server is to be.
pub(crate) struct Plan {
    pub(crate) domain: &'static str,
    pub(crate) identity: (String, String),
    pub(crate) rules: Rules,
    pub(crate) private: bool,
    pub(crate) give_up: Duration,
    pub(crate) stream: fn(&mut s2s::Settings),
    pub(crate) store: Arc<Memory>,
    /// Whether others find it by direct TLS.
    pub(crate) direct: bool,
    /// And whether that is on a port for everything.
    pub(crate) shared: bool,
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) store: Arc<Memory>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) federation: Federation,
    pub(crate) settings: Settings,
    mailbox: Mailbox,
    engine: Handle,
    engine_task: JoinHandle<()>,
    sockets: JoinHandle<()>,
    phase: watch::Sender<Phase>,
}

impl World {
    pub(crate) fn new() -> World {
        World { dns: Arc::default(), authority: Issuing::new() }
    }

    pub(crate) fn plan(&self, domain: &'static str) -> Plan {
        let ours = vec![domain.to_owned(), format!("conference.{domain}")];
        Plan {
            domain,
            identity: self.authority.issue(&ours, |_| ()),
            rules: Rules { ours: ours.into_iter().collect(), ..Rules::default() },
            private: true,
            give_up: Duration::from_secs(300),
            stream: |_| (),
            store: Arc::default(),
            direct: false,
            shared: false,
        }
    }

    /// A server as most are.
    pub(crate) async fn server(&self, domain: &'static str) -> Server {
        self.start(self.plan(domain)).await
    }

    pub(crate) async fn start(&self, plan: Plan) -> Server {
        let domain = plan.domain;
        let tls = Arc::new(TlsStore::new());
        tls.load(domain, plan.identity.0.as_bytes(), plan.identity.1.as_bytes()).unwrap();
        let (phase, phases) = watch::channel(Phase::Running);
        let (mailbox, ups) = mailbox::mailbox();
        let (engine, inputs) = Handle::new(64);
        let counters = Arc::new(Counters::default());
        let mut settings =
            Settings { private_addresses: plan.private, give_up: plan.give_up, ..Settings::new(plan.rules) };
        let mut stream = s2s::Settings::clone(&settings.stream);
        stream.dialback = Some(s2s::Secret::new(domain.as_bytes()));
        (plan.stream)(&mut stream);
        settings.stream = Arc::new(stream);
        let parts = Parts {
            engine: engine.clone(),
            mailbox: mailbox.clone(),
            tls: tls.clone(),
            roots: Roots::of_pem(self.authority.pem.as_bytes()).unwrap(),
            resolver: self.dns.clone(),
            counters: counters.clone(),
            phase: phases.clone(),
        };
        let federation = Federation::new(settings.clone(), parts);
        let listener = |kind| Listener { address: "127.0.0.1:0".parse().unwrap(), kind };
        let config = NetConfig {
            unnamed: net::Unnamed::default(),
            challenges: Arc::default(),
            listeners: [Kind::S2s, Kind::S2sDirectTls, Kind::Shared].map(listener).to_vec(),
            tls,
            stream: net::Current::new(clients()),
            http: net::HttpSettings::default(),
            limits: net::Limits::default(),
            counters: Arc::default(),
            files: None,
            monitor: None,
            relay: None,
            pushes: None,
            servers: Some(Arc::new(federation.clone())),
            components: None,
        };
        let sockets = Net::bind(config, mailbox.clone(), Arc::new(Nobody), phases).unwrap();
        let [starttls, direct, shared] = sockets.addresses()[..] else { panic!("three listeners") };
        let direct = if plan.shared { shared } else { direct };
        for name in [domain.to_owned(), format!("conference.{domain}")] {
            match plan.direct {
                true => self.dns.put_as("_xmpps-server", &name, direct.port()),
                false => self.dns.put(&name, starttls.port()),
            }
        }
        let machine = machine(domain, &plan.store).await;
        let spooled = engine::spooled(&*plan.store).await.unwrap();
        let machine = machine.with_neighbours(vec![Arc::new(federation.clone())], spooled);
        let services = Services {
            store: plan.store.clone(),
            accounts: Arc::new(Everybody),
            files: Arc::new(NoFiles),
            pushes: Arc::new(NoPushes),
            bytestreams: Arc::new(NoBytestreams),
        };
        Server {
            store: plan.store,
            counters,
            federation,
            settings,
            mailbox,
            engine,
            engine_task: tokio::spawn(engine::run(machine, ups, inputs, services)),
            sockets: tokio::spawn(sockets.run()),
            phase,
        }
    }
}

async fn machine(domain: &str, store: &Memory) -> Engine {
    static SALT: AtomicU64 = AtomicU64::new(1);
    let random = |bytes: &mut [u8]| {
        let salt = SALT.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        bytes.iter_mut().zip(salt.iter().cycle()).for_each(|(byte, salt)| *byte = *salt);
    };
    let highest = store.read(Read::HighestId).await.unwrap().into_highest_id();
    let host = Jid::parse(domain).unwrap();
    let rooms = Jid::parse(&format!("conference.{domain}")).unwrap();
    let rooms = muc::Rooms::new(muc::Settings::new(rooms, host.clone(), 0), Arc::new(random));
    let facts = Arc::new(HostFacts::default());
    let kernel = Kernel::new(features::all("0", "linux", Vec::new()));
    Engine::new(kernel, vec![(host, facts)], highest, engine::start_time(), Box::new(random))
        .with_services([Arc::new(rooms) as Arc<dyn Service>])
}

impl Server {
    /// Whoever connects here exists.
    pub(crate) async fn client(&self, address: &str) -> Session {
        let jid = Jid::parse(address).unwrap();
        let owner = Owner::from(jid.bare().text());
        let account = Write::DocPut { space: ACCOUNT, owner, value: "{}".into() };
        self.store.commit(Batch::from(account)).await.unwrap();
        let link = Arc::new(Pipe::default());
        let share = self.mailbox.share();
        let bind = Bind {
            stream: StreamId(1),
            link: link.clone(),
            account: jid.bare(),
            grant: Grant::default(),
            resource: Resource::Asked(jid.clone()),
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
        share.send(Up::Bind(Box::new(bind))).await;
        let mut session = Session { jid, link, share, id: SessionId(0), seen: Vec::new() };
        session.id = session.bound().await;
        session
    }

    /// How much is in the spool for a domain.
    pub(crate) async fn spooled(&self, domain: &str) -> usize {
        let query = LogQuery::new(SPOOL, Owner::from(domain));
        self.store.read(query.into()).await.unwrap().into_page().entries.len()
    }

    /// Waits until nothing is in the spool for a domain.
    pub(crate) async fn cleared(&self, domain: &str) {
        let cleared = async {
            while self.spooled(domain).await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, cleared).await.expect("the spool is cleared in the end");
    }

    /// Stops in peace, or at once as if killed.
    pub(crate) async fn stop(self, in_peace: bool) -> Arc<Memory> {
        if !in_peace {
            self.engine_task.abort();
        }
        let _ = self.phase.send(Phase::Closing);
        let _ = self.sockets.await;
        self.federation.closed().await;
        self.engine.send(Input::Shutdown).await;
        let _ = self.engine_task.await;
        self.store
    }
}

/// A client's session.
pub(crate) struct Session {
    pub(crate) jid: Jid,
    link: Arc<Pipe>,
    share: Share,
    id: SessionId,
    /// What came and was not looked for.
    seen: Vec<String>,
}

impl Session {
    async fn bound(&self) -> SessionId {
        loop {
            match self.link.next().await {
                Down::Bound(bound) => return bound.expect("it gets its resource").session,
                _ => continue,
            }
        }
    }

    pub(crate) async fn send(&self, xml: &str) {
        let mut stanza = parsed(xml);
        stanza.from = Some(self.jid.clone());
        self.share.send(Up::Stanza(self.id, stanza)).await;
    }

    /// The next stanza that has all of these in it.
    pub(crate) async fn expect(&mut self, words: &[&str]) -> String {
        self.expect_in(PATIENCE, words).await
    }

    /// The same, if it may take longer.
    pub(crate) async fn expect_in(&mut self, patience: Duration, words: &[&str]) -> String {
        let has = |text: &String| words.iter().all(|word| text.contains(word));
        if let Some(at) = self.seen.iter().position(has) {
            return self.seen.remove(at);
        }
        let waiting = async {
            loop {
                if let Down::Stanza(stanza) = self.link.next().await {
                    let text = String::from_utf8(stanza.to_stored()).unwrap();
                    if has(&text) {
                        return text;
                    }
                    self.seen.push(text);
                }
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(text) => text,
            Err(_) => panic!("{words:?} did not come to {}: {:#?}", self.jid.as_str(), self.seen),
        }
    }

    /// How many stanzas with these words have come and were not looked for.
    pub(crate) fn count(&mut self, words: &[&str]) -> usize {
        while let Some(down) = self.link.downs.lock().unwrap().pop_front() {
            if let Down::Stanza(stanza) = down {
                self.seen.push(String::from_utf8(stanza.to_stored()).unwrap());
            }
        }
        self.seen.iter().filter(|text| words.iter().all(|word| text.contains(word))).count()
    }
}

fn parsed(xml: &str) -> Stanza {
    let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let mut parser = xml::Parser::new(xml::Framing::Stream, xml::Limits::SERVER);
    parser.push(format!("{header}{xml}").as_bytes());
    loop {
        match parser.next().unwrap() {
            Some(xml::Event::Element(element)) => return Stanza::from_element(&element).unwrap(),
            Some(_) => {}
            None => panic!("no stanza: {xml}"),
        }
    }
}

#[derive(Default)]
struct Pipe {
    downs: Mutex<VecDeque<Down>>,
    came: Notify,
}

impl Pipe {
    async fn next(&self) -> Down {
        loop {
            if let Some(down) = self.downs.lock().unwrap().pop_front() {
                return down;
            }
            self.came.notified().await;
        }
    }
}

impl Link for Pipe {
    fn send(&self, down: Down) {
        self.downs.lock().unwrap().push_back(down);
        self.came.notify_one();
    }

    fn backlog(&self) -> usize {
        0
    }
}

struct Everybody;

impl engine::Accounts for Everybody {
    fn answer(&self, _: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Fault>> {
        Box::pin(std::future::ready(Ok(AccountFound::Done)))
    }
}

/// No client logs in by a socket here.
struct Nobody;

impl Authority for Nobody {
    fn answer(&self, _: stream::Ask, _: IpAddr) -> Answering {
        Box::pin(std::future::ready(stream::Answer::Refused(sasl::Condition::TemporaryAuthFailure)))
    }
}

#[derive(Debug)]
struct NoDomains;

impl stream::Domains for NoDomains {
    fn serves(&self, _: &str) -> bool {
        false
    }
}

fn clients() -> stream::Settings {
    stream::Settings {
        domains: Arc::new(NoDomains),
        mechanisms: Vec::new(),
        starttls: true,
        plain_on_loopback: false,
        stream_management: true,
        timeouts: stream::Timeouts::default(),
        limits_before_auth: xml::Limits::BEFORE_AUTH,
        limits: xml::Limits::CLIENT,
        rate: stream::Rate::CLIENT,
        auth_failures_max: 5,
    }
}

/// An address at which nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
