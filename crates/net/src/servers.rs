//! Connections of other servers and of components: admitted here, served elsewhere.
//!
//! RFC 6120 section 3, XEP-0368 1.1.0
//!
//! Not here: TLS and streams between servers (crates `federation` and `s2s`).

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::peers::Permit;

/// A connection of another server or of a component, before anything was said on it.
pub struct Guest {
    /// The socket.
    pub tcp: TcpStream,
    /// The peer's address.
    pub ip: IpAddr,
    /// Whether TLS comes first.
    pub direct_tls: bool,
    /// What was read of it already, when that was needed to know whom it is for: the beginning of TLS, else nothing.
    pub read: Vec<u8>,
    /// Counts the connection against its address; to be kept as long as the connection.
    pub permit: Permit,
}

/// Who serves other servers, or components.
pub trait Servers: Send + Sync + 'static {
    /// Takes a connection; never blocks.
    fn serve(&self, guest: Guest);
}

/// Hands a connection over, if there is somebody who takes it.
pub(crate) fn hand_over(
    tcp: TcpStream,
    ip: IpAddr,
    direct_tls: bool,
    read: Vec<u8>,
    permit: Permit,
    servers: &Option<Arc<dyn Servers>>,
) {
    if let Some(servers) = servers {
        servers.serve(Guest { tcp, ip, direct_tls, read, permit });
    }
}
