//! Connections of clients that need a relay for a call: they are handed over as they are.
//!
//! RFC 8656 section 3.1 (TURN by TCP and TLS)
//!
//! Not here: STUN and TURN (crate `relay`), datagrams (there, too).

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::Phase;
use crate::files::Pending;
use crate::http::Socket;
use crate::shared::Shared;
use crate::wire::Wire;

/// A connection, TLS taken off. Writing fails if the peer takes nothing for [`crate::Limits::write`].
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Who serves clients of a relay.
pub trait Relay: Send + Sync + 'static {
    /// Serves one until it ends. Dropping the future ends it.
    fn serve(&self, connection: Box<dyn Duplex>, from: SocketAddr) -> Pending<'static, ()>;
}

/// Serves a connection until it ends or the server does.
pub(crate) async fn serve(mut wire: Wire, shared: Arc<Shared>) {
    let (Some(relay), Ok(from)) = (&shared.config.relay, wire.socket().peer_addr()) else { return };
    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
    let socket = Socket::new(wire, shared.limits.now().write);
    let mut phase = shared.phase.clone();
    tokio::select! {
        () = relay.serve(Box::new(socket), from) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Closing) => {}
    }
}
