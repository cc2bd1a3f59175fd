//! Datagram sockets: those of clients, and one for each allocation with the task that listens to it.
//!
//! Not here: what comes in (`lib.rs`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use turn::Ports;

use crate::Shared;

/// The largest datagram.
const DATAGRAM: usize = 65_536;
/// Datagrams of one socket that are taken before others have their turn.
const TURN: usize = 64;

thread_local! {
    /// One for each thread, however many sockets there are.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; DATAGRAM].into_boxed_slice());
}

/// Opens a socket; one of IPv6 is for IPv6 only.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Gives each datagram to `take`, until it is aborted.
pub(crate) async fn receive(socket: &UdpSocket, mut take: impl FnMut(SocketAddr, &[u8])) {
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        let mut one = || {
            SCRATCH.with_borrow_mut(|scratch| {
                let (length, from) = socket.try_recv_from(scratch)?;
                take(from, &scratch[..length]);
                Ok::<_, io::Error>(())
            })
        };
        // An error other than "nothing there" is news of an earlier datagram that did not arrive (ICMP): no matter.
        let empty = |result: &io::Result<()>| {
            result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        let _ = (0..TURN).map(|_| one()).find(empty);
        tokio::task::yield_now().await;
    }
}

/// The sockets of allocations.
pub(crate) struct Open(HashMap<SocketAddr, (Arc<UdpSocket>, AbortHandle)>);

impl Open {
    pub(crate) fn new() -> Open {
        Open(HashMap::new())
    }

    /// The socket of a relay.
    pub(crate) fn socket(&self, relay: SocketAddr) -> Option<Arc<UdpSocket>> {
        self.0.get(&relay).map(|(socket, _)| socket.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.values().for_each(|(_, task)| task.abort());
    }
}

/// Opens and closes them for the rules.
pub(crate) struct Opener<'a> {
    pub(crate) open: &'a mut Open,
    pub(crate) shared: &'a Arc<Shared>,
}

impl Ports for Opener<'_> {
    fn open(&mut self, relay: SocketAddr) -> bool {
        let any: IpAddr = match relay {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let Ok(socket) = bind(SocketAddr::new(any, relay.port())) else { return false };
        let (socket, shared) = (Arc::new(socket), Arc::downgrade(self.shared));
        let task = tokio::spawn(listen(socket.clone(), relay, shared)).abort_handle();
        self.open.0.insert(relay, (socket, task));
        true
    }

    fn close(&mut self, relay: SocketAddr) {
        if let Some((_, task)) = self.open.0.remove(&relay) {
            task.abort();
        }
    }
}

async fn listen(socket: Arc<UdpSocket>, relay: SocketAddr, shared: Weak<Shared>) {
    let take = |from, bytes: &[u8]| {
        if let Some(shared) = shared.upgrade() {
            shared.take_peer(relay, from, bytes);
        }
    };
    receive(&socket, take).await;
}
