//! A server with an account store that knows one password and an engine that passes messages on.
//!
//! Not here: the clients (`client.rs`).

pub(crate) mod client;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use address::Jid;
use mailbox::Inbox;
use model::link::{Bound, Down, Link, Resource, Resumed, SessionId, Up};
use net::{Answering, Authority, Counters, Kind, Listener, Net, NetConfig, Phase, TlsStore};
use sasl::Decoy;
use stream::{Answer, Ask, Settings};
use tokio::sync::watch;

pub(crate) const DOMAIN: &str = "a.example";
pub(crate) const PASSWORD: &str = "pencil";
/// How long any single step of a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The accounts: anybody with the right password.
struct Accounts;

impl Authority for Accounts {
    fn answer(&self, ask: Ask, _: IpAddr) -> Answering {
        let answer = match ask {
            Ask::Keys { account, hash } => {
                Answer::Keys(Decoy::new(&[5; 32]).keys(account.as_str(), hash, None))
            }
            Ask::Password { password, .. } => Answer::Password(password.expose() == PASSWORD),
            Ask::Tokens { .. } => Answer::Tokens(Vec::new()),
            Ask::Login(_) => Answer::Login(None),
            Ask::Missing { .. } | Ask::Upgrade { .. } | Ask::Register(_) => {
                Answer::Refused(sasl::Condition::TemporaryAuthFailure)
            }
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }
}

#[derive(Debug)]
struct Served;

impl stream::Domains for Served {
    fn serves(&self, domain: &str) -> bool {
        domain == DOMAIN
    }
}

/// The sessions of the engine: by local part, one each.
pub(crate) type Links = Arc<Mutex<HashMap<String, (SessionId, Arc<dyn Link>)>>>;

/// A running server.
pub(crate) struct World {
    pub(crate) c2s: SocketAddr,
    pub(crate) direct: SocketAddr,
    /// Listeners that the test added.
    pub(crate) more: Vec<SocketAddr>,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) watch: SocketAddr,
    pub(crate) tls: Arc<TlsStore>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) links: Links,
    pub(crate) phase: watch::Sender<Phase>,
    /// What the engine heard, a line each.
    pub(crate) heard: std::sync::mpsc::Receiver<String>,
    /// The engine waits while somebody holds it.
    pub(crate) pause: Arc<tokio::sync::Mutex<()>>,
    pub(crate) done: tokio::task::JoinHandle<()>,
    /// The certificate in PEM.
    pub(crate) certificate: String,
    pub(crate) key: String,
}

pub(crate) fn settings() -> Settings {
    Settings {
        domains: Arc::new(Served),
        mechanisms: sasl::Mechanism::ALL.to_vec(),
        starttls: true,
        plain_on_loopback: false,
        stream_management: true,
        timeouts: stream::Timeouts::default(),
        limits_before_auth: xml::Limits::BEFORE_AUTH,
        limits: xml::Limits::CLIENT,
        rate: stream::Rate::UNLIMITED,
        auth_failures_max: 5,
    }
}

/// A certificate and its key in PEM.
pub(crate) fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed([DOMAIN.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut NetConfig)) -> World {
        let tls = Arc::new(TlsStore::new());
        let (certificate, key) = certificate();
        tls.load(DOMAIN, certificate.as_bytes(), key.as_bytes()).unwrap();
        let listener = |kind| Listener { address: "127.0.0.1:0".parse().unwrap(), kind };
        let mut config = NetConfig {
            unnamed: net::Unnamed::default(),
            challenges: Arc::default(),
            files: None,
            pushes: None,
            listeners: [Kind::C2s, Kind::C2sDirectTls, Kind::Http, Kind::Https, Kind::Watch]
                .map(listener)
                .to_vec(),
            tls: tls.clone(),
            stream: net::Current::new(settings()),
            http: net::HttpSettings::default(),
            limits: net::Limits::default(),
            counters: Arc::default(),
            monitor: None,
            relay: None,
            servers: None,
            components: None,
        };
        change(&mut config);
        let counters = config.counters.clone();
        let (engine, ups) = mailbox::mailbox();
        let (phase, phases) = watch::channel(Phase::Running);
        let (lines, heard) = std::sync::mpsc::channel();
        let (links, pause) = (Links::default(), Arc::new(tokio::sync::Mutex::new(())));
        tokio::spawn(engine_loop(ups, links.clone(), lines, pause.clone()));
        let net = Net::bind(config, engine, Arc::new(Accounts), phases).unwrap();
        let [c2s, direct, http, https, watch, ref more @ ..] = net.addresses()[..] else {
            panic!("five listeners")
        };
        let more = more.to_vec();
        let done = tokio::spawn(net.run());
        World {
            c2s,
            direct,
            http,
            https,
            watch,
            more,
            tls,
            counters,
            links,
            phase,
            heard,
            pause,
            done,
            certificate,
            key,
        }
    }

    /// Waits for a line of the engine that begins so.
    pub(crate) fn hear(&self, begin: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Ok(line) = self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.starts_with(begin) {
                return line;
            }
            seen.push(line);
        }
        panic!("nothing that begins with {begin:?} in {seen:?}")
    }

    /// The engine's link to a user.
    pub(crate) fn link(&self, user: &str) -> Arc<dyn Link> {
        self.links.lock().unwrap()[user].1.clone()
    }

    /// Waits until something counted is true.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Counters) -> bool) {
        until(what, || condition(&self.counters));
    }
}

/// Waits until something is true that nothing announces.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::sleep(Duration::from_millis(1));
    }
}

async fn engine_loop(
    mut inbox: Inbox,
    links: Links,
    lines: std::sync::mpsc::Sender<String>,
    pause: Arc<tokio::sync::Mutex<()>>,
) {
    let (mut next, mut ups) = (0, Vec::new());
    while inbox.take(&mut ups, 1, 1).await {
        let up = ups.remove(0);
        drop(pause.lock().await);
        let line = match up {
            Up::Bind(bind) => {
                next += 1;
                let resource = match &bind.resource {
                    Resource::Asked(jid) => jid.resource().unwrap_or("x").to_owned(),
                    _ => format!("r{next}"),
                };
                let jid =
                    Jid::from_parts(bind.account.local(), bind.account.domain(), Some(&resource)).unwrap();
                let bound = Bound { session: SessionId(next), jid, enabled: None, archive: None };
                let user = bind.account.local().unwrap_or_default().to_owned();
                links.lock().unwrap().insert(user.clone(), (bound.session, bind.link.clone()));
                bind.link.send(Down::Bound(Ok(Box::new(bound))));
                format!("bind {user} {:?} {} {:?}", bind.about.transport, bind.about.ip, bind.about.tls)
            }
            Up::Resume(resume) => {
                let refused: Result<Box<Resumed>, _> = Err(model::link::ResumeRefused { h: None });
                resume.link.send(Down::Resumed(refused));
                "resume".into()
            }
            Up::Stanza(session, stanza) => {
                let to = stanza.to.as_ref().and_then(|to| to.local().map(str::to_owned));
                let line = format!("stanza {} {:?}", session.0, stanza.id.as_deref());
                let link = to.and_then(|to| links.lock().unwrap().get(&to).map(|(_, link)| link.clone()));
                if let Some(link) = link {
                    link.send(Down::Stanza(Arc::new(stanza)));
                }
                line
            }
            Up::Closed(session, _, end) => {
                links.lock().unwrap().retain(|_, (known, _)| *known != session);
                format!("closed {} {end:?}", session.0)
            }
            Up::Refused(session, _) => format!("refused {}", session.0),
            Up::Enable(session, _) => format!("enable {}", session.0),
            Up::Ack(session, h) => format!("ack {} {h}", session.0),
            Up::AckRequest(session) => format!("ack request {}", session.0),
            Up::ClientState(session, _) => format!("client state {}", session.0),
            Up::Arrived(_) => panic!("there are no other servers here"),
        };
        if lines.send(line).is_err() {
            return;
        }
    }
}
