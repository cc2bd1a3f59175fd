//! The sockets of the relay for calls: datagrams and streams of clients, one socket for each allocation.
//!
//! RFC 8656 (TURN) and RFC 8489 (STUN), whose rules are in crate `turn`
//!
//! Not here: the rules (crate `turn`), listening for TCP and TLS (crate `net` hands streams over), who gets credentials
//! (features, XEP-0215).

mod sockets;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use turn::{Client, Output, Server, Time};

use sockets::{Open, Opener};

/// How often what has expired is let go.
const SWEEP: Duration = Duration::from_secs(1);

/// What belongs together: the rules and the sockets that they opened.
struct Core {
    server: Server,
    open: Open,
    /// Ways to clients that came by a stream.
    streams: std::collections::HashMap<u64, mpsc::Sender<Vec<u8>>>,
}

struct Shared {
    /// Held for microseconds, and never while something is awaited or sent.
    core: Mutex<Core>,
    udp: Vec<UdpSocket>,
    next: AtomicU64,
}

/// The relay, with its sockets open.
#[derive(Clone)]
pub struct Relay(Arc<Shared>);

impl Relay {
    /// Opens sockets for datagrams of clients. To be called within a runtime.
    ///
    /// # Errors
    /// One of the addresses cannot be had.
    pub fn bind(settings: turn::Settings, udp: &[SocketAddr]) -> io::Result<Relay> {
        let bind = |address: &SocketAddr| {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{address} (UDP): {error}"));
            sockets::bind(*address).map_err(named)
        };
        let udp = udp.iter().map(bind).collect::<io::Result<Vec<_>>>()?;
        let core = Core { server: Server::new(settings), open: Open::new(), streams: Default::default() };
        Ok(Relay(Arc::new(Shared { core: Mutex::new(core), udp, next: AtomicU64::new(0) })))
    }

    /// Where datagrams are taken, in the order given, with the ports that the system chose.
    ///
    /// # Errors
    /// The system does not say.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.udp.iter().map(UdpSocket::local_addr).collect()
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.0.lock().server.allocations()
    }

    /// Serves datagrams and lets go what expires, until it is dropped. The sockets of relays end with it.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        for at in 0..self.0.udp.len() {
            let shared = self.0.clone();
            tasks.spawn(async move {
                let take = |from, bytes: &[u8]| shared.take_client(Client::Udp(at, from), bytes);
                sockets::receive(&shared.udp[at], take).await;
            });
        }
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            ticks.tick().await;
            let mut core = self.0.lock();
            let Core { server, open, .. } = &mut *core;
            server.handle_time(Instant::now(), &mut Opener { open, shared: &self.0 });
        }
    }

    /// Serves a client that came by TCP or TLS, until one of the two ends.
    pub async fn serve<S>(&self, stream: S, remote: SocketAddr)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    {
        let client = Client::Stream(self.0.next.fetch_add(1, Ordering::Relaxed), remote);
        stream::serve(&self.0, client, stream).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic inside would be a bug of the rules; what they hold is whole after every step.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something came from a client.
    fn take_client(self: &Arc<Self>, client: Client, bytes: &[u8]) {
        let mut core = self.lock();
        let Core { server, open, .. } = &mut *core;
        let Some(output) = server.handle(time(), client, bytes, &mut Opener { open, shared: self }) else {
            return;
        };
        self.send(core, output);
    }

    /// A datagram came to the socket of a relay.
    fn take_peer(&self, relay: SocketAddr, peer: SocketAddr, bytes: &[u8]) {
        let mut core = self.lock();
        if let Some(output) = core.server.handle_peer(Instant::now(), relay, peer, bytes) {
            self.send(core, output);
        }
    }

    /// Sends at once or not at all: what is late is of no use for media.
    fn send(&self, core: MutexGuard<'_, Core>, output: Output<'_>) {
        match output {
            Output::Peer(relay, peer, bytes) => {
                let socket = core.open.socket(relay);
                drop(core);
                let _ = socket.map(|socket| socket.try_send_to(bytes, peer));
            }
            Output::Client(Client::Udp(at, to), bytes) => {
                drop(core);
                let _ = self.udp.get(at).map(|socket| socket.try_send_to(&bytes, to));
            }
            Output::Client(Client::Stream(id, _), bytes) => {
                let _ = core.streams.get(&id).map(|stream| stream.try_send(bytes));
            }
        }
    }
}

fn time() -> Time {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Time { now: Instant::now(), unix }
}
