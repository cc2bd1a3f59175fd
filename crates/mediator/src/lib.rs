//! The sockets of the mediator of bytestreams.
//!
//! XEP-0065 1.8.2 (sections 6.3 to 6.5)
//!
//! Not here: the rules (crate `bytestreams`), the requests over XMPP.

mod meter;
mod pass;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::meter::{Meter, Meters};
use crate::pass::Pace;
use bytestreams::{Denied, Hall, Handshake, Limits, Name, Said, refused};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval, sleep, timeout};

/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often it is looked whose time is over, and who has gone.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a connection could not be taken, as when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that the system may have ready for us.
const BACKLOG: i32 = 1024;

/// What the operator decides.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Numbers and times.
    pub limits: Limits,
    /// Bytes per second and direction of one stream; 0 sets no limit.
    pub bytes_per_second: u64,
    /// Bytes per second of all streams of an account, both directions together; 0 sets no limit.
    pub bytes_per_second_per_account: u64,
    /// Bytes per second of all streams together, both directions; 0 sets no limit.
    pub bytes_per_second_in_all: u64,
}

/// A mediator. Cheap to clone.
#[derive(Clone)]
pub struct Mediator(Arc<Inner>);

struct Inner {
    settings: Settings,
    listeners: Mutex<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
    began: Instant,
    state: Mutex<State>,
    /// Of all streams.
    meter: Arc<Meter>,
    /// Bytes, since the start.
    passed: AtomicU64,
}

struct State {
    hall: Hall,
    /// Connections that wait.
    waiting: HashMap<u64, TcpStream>,
    /// Streams that pass bytes, by each of their ends.
    passing: HashMap<u64, AbortHandle>,
    meters: Meters,
}

impl Mediator {
    /// Listens at these addresses. Within a runtime only.
    ///
    /// # Errors
    /// One of them is taken, or not ours.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn bind(settings: Settings, addresses: &[SocketAddr]) -> io::Result<Mediator> {
        let mut listeners = Vec::new();
        for address in addresses {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
            listeners.push(listen(*address).map_err(named)?);
        }
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let hall = Hall::new(settings.limits);
        let state =
            State { hall, waiting: HashMap::new(), passing: HashMap::new(), meters: Meters::default() };
        Ok(Mediator(Arc::new(Inner {
            settings,
            listeners: Mutex::new(listeners),
            addresses,
            began: Instant::now(),
            state: Mutex::new(state),
            meter: Arc::new(Meter::new(settings.bytes_per_second_in_all)),
            passed: AtomicU64::new(0),
        })))
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0.addresses
    }

    /// Serves until it is dropped.
    pub async fn run(self) {
        let listeners = std::mem::take(&mut *self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(self.clone().accept(listener));
        }
        let mut look = interval(LOOK);
        loop {
            look.tick().await;
            self.expire();
        }
    }

    /// Bytes pass from now on between the two ends of this stream, for this account.
    ///
    /// # Errors
    /// They are not both here, or the account has too many streams.
    pub fn activate(&self, name: Name, account: &str) -> Result<(), Denied> {
        let now = self.now();
        let mut state = self.state();
        let ends = state.hall.activate(name, account, now)?;
        let [Some(one), Some(other)] = ends.map(|end| state.waiting.remove(&end)) else {
            // They are put there under the lock under which they enter.
            return Err(Denied::Missing);
        };
        let (mediator, settings) = (self.clone(), &self.0.settings);
        let idle = Duration::from_millis(settings.limits.idle_ms);
        let pace = Pace {
            bytes_per_second: settings.bytes_per_second,
            account: state.meters.of(account, settings.bytes_per_second_per_account),
            all: self.0.meter.clone(),
            idle,
        };
        let passing = tokio::spawn(async move {
            pass::both(one, other, &pace, &mediator.0.passed).await;
            mediator.end(ends[0]);
        });
        for end in ends {
            state.passing.insert(end, passing.abort_handle());
        }
        Ok(())
    }

    /// The streams of an account end: it has lost its right to them.
    pub fn end_account(&self, account: &str) {
        let streams = self.state().hall.of_account(account);
        streams.into_iter().for_each(|stream| self.end(stream));
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, from)) => {
                    // Too many that say nothing are closed at once: whoever comes after them is not to wait for them.
                    let Some(greeting) = self.greet(from) else { continue };
                    let mediator = self.clone();
                    tokio::spawn(async move {
                        let _ = timeout(HANDSHAKE, mediator.welcome(socket, from)).await;
                        drop(greeting);
                    });
                }
                Err(error) => {
                    tracing::warn!("the mediator cannot take a connection: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn greet(&self, from: SocketAddr) -> Option<Greeting> {
        self.state().hall.greet(from.ip()).ok()?;
        Some(Greeting(self.clone(), from.ip()))
    }

    /// From the first byte to the place where it waits.
    async fn welcome(&self, mut socket: TcpStream, from: SocketAddr) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let (mut handshake, mut bytes) = (Handshake::default(), [0; 262]);
        let name = loop {
            let read = socket.read(&mut bytes).await?;
            if read == 0 {
                return Ok(());
            }
            match handshake.handle(&bytes[..read]) {
                Said::More => {}
                Said::Send(answer) => socket.write_all(&answer).await?,
                Said::Asks(name) => break name,
                Said::Close(answer) => {
                    socket.write_all(&answer).await?;
                    return socket.shutdown().await;
                }
            }
        };
        socket.writable().await?;
        match self.seat(name, socket, from) {
            None => Ok(()),
            Some(mut socket) => {
                socket.write_all(&refused()).await?;
                socket.shutdown().await
            }
        }
    }

    /// Lets a connection wait and tells it so, at one stroke: whoever is told may be activated the next moment. Gives it
    /// back if it is to be refused.
    fn seat(&self, name: Name, socket: TcpStream, from: SocketAddr) -> Option<TcpStream> {
        let mut state = self.state();
        let Ok(number) = state.hall.enter(name, from.ip(), self.now()) else { return Some(socket) };
        let granted = Handshake::granted(name);
        match socket.try_write(&granted) {
            Ok(written) if written == granted.len() => _ = state.waiting.insert(number, socket),
            // Whoever does not take 47 bytes has gone.
            _ => _ = state.hall.leave(number),
        }
        None
    }

    fn expire(&self) {
        let now = self.now();
        let state = self.state();
        let mut over = state.hall.expired(now);
        over.extend(state.waiting.iter().filter(|(_, socket)| has_gone(socket)).map(|(number, _)| *number));
        drop(state);
        for connection in over {
            self.end(connection);
        }
    }

    /// A connection ends, and what hangs on it.
    fn end(&self, connection: u64) {
        let mut state = self.state();
        for end in [Some(connection), state.hall.leave(connection)].into_iter().flatten() {
            state.hall.leave(end);
            state.waiting.remove(&end);
            if let Some(passing) = state.passing.remove(&end) {
                passing.abort();
            }
        }
    }

    /// Connections and streams, for tests and measures.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.hall.connections(), state.hall.streams())
    }

    /// Bytes that have passed since the start, both directions together.
    pub fn passed(&self) -> u64 {
        self.0.passed.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under it is whole before anything can panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A connection that has not said yet what it wants.
struct Greeting(Mediator, IpAddr);

impl Drop for Greeting {
    fn drop(&mut self) {
        self.0.state().hall.greeted(self.1);
    }
}

/// Whether the other end of a connection that waits has closed it. What it has said is not taken.
fn has_gone(socket: &TcpStream) -> bool {
    let ready = pin!(socket.ready(Interest::READABLE));
    match ready.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

/// Opens a socket; one of IPv6 is for IPv6 only, so that both wildcards can have the same port.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
