//! Accepts sockets and starts a task for each, as far as limits and the system allow.
//!
//! RFC 6120 section 3, XEP-0368 version 1.1.0.
//!
//! Not here: what the task does (`carrier.rs`, `http/`, `relay.rs`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::link::Transport;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::carrier::Carrier;
use crate::config::{Kind, Listener};
use crate::framing::Framing;
use crate::http::Only;
use crate::shared::Shared;
use crate::tls::{Purpose, secure};
use crate::wire::Wire;
use crate::{Phase, http, relay, servers, shared_port};

/// Connections that the system may have ready for us.
const BACKLOG: i32 = 4096;
/// First and longest wait after the system could not accept.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How long a peer may acknowledge nothing before the system gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a listening socket.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
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

/// Accepts until the server stops.
pub(crate) async fn run(socket: TcpListener, listener: Listener, shared: Arc<Shared>) {
    let mut phase = shared.phase.clone();
    let mut wait = BACK_OFF.0;
    loop {
        let accepted = tokio::select! {
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((tcp, from)) => {
                wait = BACK_OFF.0;
                admit(tcp, from.ip().to_canonical(), listener.kind, &shared);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                shared.counters().accept_backoffs.one();
                if let Some(left_out) = shared.log.accept.write(Instant::now()) {
                    tracing::error!(left_out, "cannot accept connections for a moment: {error}");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
    }
}

/// Whether only the connection that was to be accepted is lost, see accept(2). Anything else (no descriptors, no memory)
/// would come again at once.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::TimedOut
    )
}

fn admit(tcp: TcpStream, ip: IpAddr, kind: Kind, shared: &Arc<Shared>) {
    let now = Instant::now();
    let proxy = matches!(kind, Kind::Http | Kind::Https | Kind::Shared)
        && shared.http.now().trusted_proxies.contains(&ip);
    let counters = shared.counters();
    let Some(permit) = shared.peers.admit(ip, proxy, counters, now) else {
        if let Some(left_out) = shared.log.refused.write(now) {
            tracing::info!(peer = %ip, left_out, "connection refused: too many, or too often");
        }
        return;
    };
    counters.accepted[kind as usize].one();
    if prepare(&tcp).is_err() {
        return; // the peer is gone already
    }
    if let Kind::S2s | Kind::S2sDirectTls = kind {
        return servers::hand_over(
            tcp,
            ip,
            kind == Kind::S2sDirectTls,
            Vec::new(),
            permit,
            &shared.config.servers,
        );
    }
    if let Kind::Component | Kind::ComponentTls = kind {
        let components = &shared.config.components;
        return servers::hand_over(tcp, ip, kind == Kind::ComponentTls, Vec::new(), permit, components);
    }
    if kind == Kind::Shared {
        tokio::spawn(shared_port::serve(tcp, ip, permit, shared.clone()));
        return;
    }
    let wire = Wire::new(tcp, permit, counters.clone());
    match kind {
        Kind::C2s => tokio::spawn(client(wire, ip, None, shared.clone())),
        Kind::C2sDirectTls => tokio::spawn(secure_client(wire, ip, shared.clone())),
        Kind::Http => tokio::spawn(http::serve(wire, ip, None, shared.clone())),
        Kind::Https => tokio::spawn(secure_web(wire, ip, shared.clone())),
        Kind::Watch => tokio::spawn(http::serve_only(wire, ip, Only::Watch, shared.clone())),
        Kind::Acme => tokio::spawn(http::serve_only(wire, ip, Only::Challenges, shared.clone())),
        Kind::Turn => tokio::spawn(relay::serve(wire, shared.clone())),
        Kind::TurnTls => tokio::spawn(secure_relay(wire, ip, shared.clone())),
        Kind::S2s | Kind::S2sDirectTls | Kind::Component | Kind::ComponentTls | Kind::Shared => return,
    };
}

/// No delay for small writes; and the system finds out about peers that are gone, whether we write or not.
///
/// # Errors
/// If the peer is gone already.
pub fn prepare(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(120)).with_interval(Duration::from_secs(15));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

/// The handshakes are boxed: their memory shall not stay with the connection.
async fn secure_client(mut wire: Wire, ip: IpAddr, shared: Arc<Shared>) {
    if let Some(tls) = Box::pin(secure(&shared, &mut wire, Purpose::Client, ip)).await {
        // A task of its own size: this one would keep the room that the handshake needed.
        tokio::spawn(client(wire, ip, Some(tls), shared));
    }
}

async fn secure_web(mut wire: Wire, ip: IpAddr, shared: Arc<Shared>) {
    if let Some(tls) = Box::pin(secure(&shared, &mut wire, Purpose::Web, ip)).await {
        tokio::spawn(http::serve(wire, ip, Some(tls), shared));
    }
}

async fn secure_relay(mut wire: Wire, ip: IpAddr, shared: Arc<Shared>) {
    if Box::pin(secure(&shared, &mut wire, Purpose::Relay, ip)).await.is_some() {
        tokio::spawn(relay::serve(wire, shared));
    }
}

pub(crate) fn client(
    wire: Wire,
    ip: IpAddr,
    tls: Option<stream::Tls>,
    shared: Arc<Shared>,
) -> impl Future<Output = ()> + Send + 'static {
    let transport = if tls.is_some() { Transport::DirectTls } else { Transport::Tcp };
    let mut carrier = shared.open(transport, ip, Instant::now()).map(|opened| {
        let mut carrier = Carrier::new(shared, ip, wire, Framing::Bytes, opened);
        tls.into_iter().for_each(|tls| carrier.handle_tls(tls));
        carrier
    });
    async move {
        if let Some(carrier) = &mut carrier {
            carrier.run().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_system_make_the_loop_wait() {
        for (raw, one) in
            [(24, false), (23, false), (12, false), (105, false), (103, true), (104, true), (4, true)]
        {
            assert_eq!(is_about_one_connection(&io::Error::from_raw_os_error(raw)), one, "errno {raw}");
        }
    }
}
