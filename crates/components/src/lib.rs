//! External components: the door for gateways and other programs that serve a domain of ours.
//!
//! XEP-0114 1.6, XEP-0356 0.4.1; docs/decisions/022-components.md
//!
//! Not here: what is said on a stream (s2s), what a component does in the name of users (engine), accepting connections by
//! TCP (net).

mod carrier;
mod counters;
pub mod limits;
mod outputs;
mod parts;
mod perms;
mod seats;
mod settings;
mod shared;

use std::net::IpAddr;
use std::sync::Arc;

use address::Jid;
use engine::Handle;
use mailbox::Mailbox;
use model::away::{Away, Neighbours};
use model::rights::{Rights, Sight};
use net::{Duplex, Guest, Phase, TlsStore};
use rustls::server::Acceptor;
use s2s::{Accept, Stream};
use tokio::net::UnixListener;
use tokio::runtime;
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;

pub use counters::Counters;
pub use parts::PARTS;
pub use settings::{Component, Settings};

use carrier::{Carrier, Origin};
use seats::Command;
use shared::{Shared, until};

/// What components need of the rest of the server.
pub struct Parts {
    /// For outcomes.
    pub engine: Handle,
    /// For stanzas of components.
    pub mailbox: Mailbox,
    /// Our certificates, for the listener with TLS.
    pub tls: Arc<TlsStore>,
    /// Where to count.
    pub counters: Arc<Counters>,
    /// The life of the server.
    pub phase: watch::Receiver<Phase>,
}

/// All components, as a neighbour of the engine, and as who serves their connections. Cheap to clone.
#[derive(Clone)]
pub struct Components {
    shared: Arc<Shared>,
    /// Stanzas come from whatever thread the engine is on.
    runtime: runtime::Handle,
}

/// How a component stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its domain.
    pub domain: String,
    /// What people read in lists.
    pub name: String,
    /// Its connection, if there is one.
    pub connected: Option<Connected>,
    /// Stanzas that wait for it.
    pub waiting: usize,
}

/// The connection of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// From where; `None`: a socket of this machine's files.
    pub ip: Option<IpAddr>,
    /// Whether it is encrypted.
    pub tls: bool,
}

impl Components {
    /// Within a runtime, in which its tasks will run.
    pub fn new(settings: Settings, parts: Parts) -> Components {
        let Parts { engine, mailbox, tls, counters, phase } = parts;
        let shared = Arc::new(Shared::new(settings, engine, mailbox, tls, counters, phase));
        tokio::spawn(shared.clone().sweep());
        Components { shared, runtime: runtime::Handle::current() }
    }

    /// From now on these settings hold for new connections, and these rights for all; components that are no longer
    /// among them lose theirs.
    pub fn replace(&self, settings: Settings) {
        let known: Vec<String> = settings.components.keys().cloned().collect();
        self.shared.settings.replace(settings);
        let seats = self.shared.seats();
        let gone = seats.iter().filter(|(domain, _)| !known.contains(domain));
        for holder in gone.filter_map(|(_, seat)| seat.holder.as_ref()) {
            let _ = holder.to.send(Command::Close);
        }
    }

    /// What is counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// How each of them stands, sorted by domain.
    pub fn standing(&self) -> Vec<Standing> {
        let settings = self.shared.settings.now();
        let mut seats = self.shared.seats();
        let standing = settings.components.values().map(|component| {
            let seat = seats.of(component.domain.as_str());
            let connected = seat.holder.as_ref().map(|holder| Connected {
                since_ms: holder.since_ms,
                ip: holder.ip,
                tls: holder.tls,
            });
            let (domain, name) = (component.domain.as_str().to_owned(), component.name.clone());
            Standing { domain, name, connected, waiting: seat.len() }
        });
        let mut standing: Vec<Standing> = standing.collect();
        standing.sort_by(|a, b| a.domain.cmp(&b.domain));
        standing
    }

    /// Serves a socket of this machine's files until the server stops.
    pub async fn listen(self, socket: UnixListener) {
        let mut phase = self.shared.phase.clone();
        loop {
            let accepted = tokio::select! {
                () = until(&mut phase, Phase::Closing) => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    self.runtime.spawn(carry(self.shared.clone(), Box::new(stream), None, false));
                }
                Err(error) => {
                    tracing::error!("cannot accept components for a moment: {error}");
                    tokio::time::sleep(limits::PING).await;
                }
            }
        }
    }

    /// Waits until all connections are closed, which they do when the phase says so; not for ever.
    pub async fn closed(&self) {
        if tokio::time::timeout(limits::CLOSE * 2, self.shared.emptied()).await.is_err() {
            tracing::warn!("some components did not close in time");
        }
    }
}

/// One connection from its first byte to its last.
async fn carry(shared: Arc<Shared>, wire: Box<dyn Duplex>, ip: Option<IpAddr>, tls: bool) {
    let mut seed = [0; 32];
    if *shared.phase.borrow() == Phase::Closing || getrandom::fill(&mut seed).is_err() {
        return;
    }
    let Some(open) = shared.open() else {
        if let Some(left_out) = shared.refused.write(carrier::now()) {
            tracing::info!(left_out, "a connection of a component was refused: too many");
        }
        return;
    };
    let settings = Arc::new(shared.settings.now().stream());
    let stream = Stream::component(settings, Accept { direct_tls: false, seed }, carrier::now());
    Carrier::new(shared, open, stream, wire, Origin { ip, tls }).run().await;
}

/// Shakes hands first.
async fn secure(shared: &Shared, tcp: tokio::net::TcpStream) -> Option<Box<dyn Duplex>> {
    let handshake = async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let config = shared.tls.accepting(hello.client_hello().server_name());
        hello.into_stream(config.ok_or(std::io::ErrorKind::Unsupported)?).await
    };
    match tokio::time::timeout(limits::HANDSHAKE, handshake).await {
        Ok(Ok(tls)) => Some(Box::new(tls)),
        Ok(Err(error)) => {
            if let Some(left_out) = shared.refused.write(carrier::now()) {
                tracing::info!(left_out, "TLS handshake with a component failed: {error}");
            }
            None
        }
        Err(_) => None,
    }
}

impl Neighbours for Components {
    fn owns(&self, domain: &str) -> bool {
        self.shared.settings.now().components.contains_key(domain)
    }

    fn send(&self, away: Away) {
        if let Err(away) = self.shared.take(away) {
            let shared = self.shared.clone();
            self.runtime.spawn(async move { shared.fail(&away).await });
        }
    }

    fn rights(&self, domain: &str) -> Option<Arc<Rights>> {
        self.shared.settings.now().components.get(domain).map(|component| component.rights.clone())
    }

    fn watchers(&self) -> Arc<[(Jid, Arc<Rights>)]> {
        let settings = self.shared.settings.now();
        let wants = |rights: &Rights| rights.push || rights.presence != Sight::None;
        if !settings.components.values().any(|component| wants(&component.rights)) {
            return Arc::new([]);
        }
        let seats = self.shared.seats();
        let there = seats.iter().filter(|(_, seat)| seat.holder.is_some());
        let components = there.filter_map(|(domain, _)| settings.components.get(domain));
        components
            .filter(|component| wants(&component.rights))
            .map(|component| (component.domain.clone(), component.rights.clone()))
            .collect()
    }
}

impl net::Servers for Components {
    fn serve(&self, guest: Guest) {
        let Guest { tcp, ip, direct_tls, permit, .. } = guest;
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let wire: Option<Box<dyn Duplex>> = match direct_tls {
                true => secure(&shared, tcp).await,
                false => Some(Box::new(tcp)),
            };
            if let Some(wire) = wire {
                carry(shared, wire, Some(ip), direct_tls).await;
            }
            drop(permit);
        });
    }
}
