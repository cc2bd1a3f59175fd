//! What the operator decides about listeners, limits and HTTP.
//!
//! Not here: where the values come from (config), what concerns the stream itself (`stream::Settings`).

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::challenges::Challenges;
use crate::counters::Counters;
use crate::files::Files;
use crate::monitor::Monitor;
use crate::pushes::Pushes;
use crate::relay::Relay;
use crate::servers::Servers;
use crate::tls::TlsStore;

/// All of it.
#[derive(Clone)]
pub struct NetConfig {
    /// Where to listen. Port 0 lets the system choose; see [`crate::Net::addresses`].
    pub listeners: Vec<Listener>,
    /// What is spoken on [`Kind::Shared`] with who names no protocol.
    pub unnamed: Unnamed,
    /// The certificates.
    pub tls: Arc<TlsStore>,
    /// For the streams.
    pub stream: Current<stream::Settings>,
    /// For HTTP.
    pub http: HttpSettings,
    /// Limits.
    pub limits: Limits,
    /// What authorities are answered.
    pub challenges: Arc<Challenges>,
    /// Where to count.
    pub counters: Arc<Counters>,
    /// Who keeps files; `None`: none are taken.
    pub files: Option<Arc<dyn Files>>,
    /// Who takes what programs post for clients; `None`: nobody.
    pub pushes: Option<Arc<dyn Pushes>>,
    /// What [`Kind::Watch`] tells.
    pub monitor: Option<Arc<dyn Monitor>>,
    /// Who serves [`Kind::Turn`] and [`Kind::TurnTls`]; `None`: such connections are closed.
    pub relay: Option<Arc<dyn Relay>>,
    /// Who serves [`Kind::S2s`] and [`Kind::S2sDirectTls`]; `None`: such connections are closed.
    pub servers: Option<Arc<dyn Servers>>,
    /// Who serves [`Kind::Component`] and [`Kind::ComponentTls`]; `None`: such connections are closed.
    pub components: Option<Arc<dyn Servers>>,
}

/// Settings that a reload replaces. Streams that are open keep what they began with.
#[derive(Debug)]
pub struct Current<T>(Arc<RwLock<Arc<T>>>);

impl<T> Clone for Current<T> {
    fn clone(&self) -> Current<T> {
        Current(self.0.clone())
    }
}

impl<T> Current<T> {
    /// Begins with these.
    pub fn new(settings: T) -> Current<T> {
        Current(Arc::new(RwLock::new(Arc::new(settings))))
    }

    /// Those in force.
    pub fn now(&self) -> Arc<T> {
        // Nothing panics while it holds this lock, and the value is whole at every moment.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on these.
    pub fn replace(&self, settings: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

/// What can be changed while the server runs; see [`crate::Net::adjustable`].
#[derive(Clone)]
pub struct Adjustable {
    /// For new streams.
    pub stream: Current<stream::Settings>,
    /// For HTTP. [`BoshLimits`] hold for new sessions.
    pub http: Current<HttpSettings>,
    /// Limits.
    pub limits: Current<Limits>,
}

/// One listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address and port. An IPv6 address takes IPv6 only.
    pub address: SocketAddr,
    /// What is spoken there.
    pub kind: Kind,
}

/// What is spoken on a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// XMPP of clients with STARTTLS (RFC 6120); usually port 5222.
    C2s,
    /// XMPP of clients with TLS from the first byte (XEP-0368); usually port 5223 or 443.
    C2sDirectTls,
    /// HTTP without TLS, for loopback and reverse proxies; usually port 5280.
    Http,
    /// HTTP with TLS; usually port 5281 or 443.
    Https,
    /// HTTP without TLS for those who watch the server: measures and health, nothing else.
    Watch,
    /// STUN and TURN by TCP (RFC 8656); usually port 3478.
    Turn,
    /// The same with TLS; usually port 5349 or 443.
    TurnTls,
    /// XMPP of other servers with STARTTLS (RFC 6120); usually port 5269.
    S2s,
    /// The same with TLS from the first byte (XEP-0368); usually port 5270.
    S2sDirectTls,
    /// Components (XEP-0114) without TLS, for this machine; usually port 5347.
    Component,
    /// The same with TLS from the first byte.
    ComponentTls,
    /// All that begins with TLS, told apart by ALPN (RFC 7301); usually port 443. See [`Unnamed`].
    Shared,
    /// HTTP without TLS for authorities that want proof of a domain (RFC 8555 section 8.3), nothing else; port 80.
    Acme,
}

/// What is spoken on [`Kind::Shared`] with who names no protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unnamed {
    /// HTTP: what many programs that are no browsers offer.
    #[default]
    Web,
    /// XMPP of clients: what old ones offer.
    Client,
    /// Nothing: the handshake fails.
    Refuse,
}

/// Limits that need to see more than one stream, or that hold before there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sockets open at once.
    pub connections: usize,
    /// Sockets open at once from one address (IPv6: /64).
    pub connections_per_address: u32,
    /// New connections from one address in each [`Limits::connects_window`].
    pub connects_per_address: u32,
    /// Time in which [`Limits::connects_per_address`] comes back.
    pub connects_window: Duration,
    /// Failed authentications from one address in each [`Limits::failures_window`]; then all fail.
    pub failures_per_address: u32,
    /// Time in which [`Limits::failures_per_address`] comes back.
    pub failures_window: Duration,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// How long a socket may take nothing of what we write, before the connection counts as broken.
    pub write: Duration,
    /// How long all streams together may take to close at shutdown.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 100_000,
            connections_per_address: 500,
            connects_per_address: 300,
            connects_window: Duration::from_secs(60),
            failures_per_address: 20,
            failures_window: Duration::from_secs(600),
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(30),
            shutdown: Duration::from_secs(30),
        }
    }
}

/// What HTTP serves.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Path of WebSocket (RFC 7395); `None` switches it off.
    pub websocket: Option<String>,
    /// Path of BOSH (XEP-0124); `None` switches it off.
    pub bosh: Option<String>,
    /// Where clients reach this HTTP server from outside, as in `https://chat.example:5281`, for host-meta. `None`: the
    /// host that was asked, if it is ours.
    pub public_url: Option<String>,
    /// Whether there are pages for invitations.
    pub invitations: bool,
    /// Whether the welcome page is shown at `/`.
    pub welcome: bool,
    /// Which web pages may connect, besides those of the same host.
    pub origins: Origins,
    /// Addresses of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether a connection without TLS from a loopback address counts as secure: usually a proxy on this machine.
    pub loopback_is_secure: bool,
    /// Time for a request's head, and for the first kilobyte of its body.
    pub request: Duration,
    /// For BOSH.
    pub bosh_limits: BoshLimits,
}

/// Which web pages may connect (RFC 6454 origins). Programs that are no browsers send no origin and are not held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All. Safe as far as nothing here is authenticated by cookies or client certificates.
    Any,
    /// These, as in `https://chat.example`.
    Listed(Vec<String>),
}

/// Limits of BOSH sessions (XEP-0124).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoshLimits {
    /// Sessions at once.
    pub sessions: usize,
    /// The longest time that a request is held.
    pub wait: Duration,
    /// How long a client may be without a request.
    pub inactivity: Duration,
    /// The longest pause that a client may ask for.
    pub pause: Duration,
    /// The shortest time between two empty requests.
    pub polling: Duration,
}

impl Default for HttpSettings {
    fn default() -> HttpSettings {
        HttpSettings {
            websocket: Some("/xmpp-websocket".into()),
            bosh: Some("/http-bind".into()),
            public_url: None,
            invitations: false,
            welcome: true,
            origins: Origins::Listed(Vec::new()),
            trusted_proxies: Vec::new(),
            loopback_is_secure: true,
            request: Duration::from_secs(10),
            bosh_limits: BoshLimits::default(),
        }
    }
}

impl Default for BoshLimits {
    fn default() -> BoshLimits {
        BoshLimits {
            sessions: 10_000,
            wait: Duration::from_secs(60),
            inactivity: Duration::from_secs(60),
            pause: Duration::from_secs(120),
            polling: Duration::from_secs(2),
        }
    }
}
