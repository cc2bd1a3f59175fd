//! Connections of other servers: admitted here, served elsewhere.
//!
//! RFC 6120 section 3, XEP-0368 1.1.0
//!
//! Not here: TLS and streams between servers (crates `federation` and `s2s`).

use std::net::IpAddr;

use tokio::net::TcpStream;

use crate::peers::Permit;
use crate::shared::Shared;

/// A connection of another server, before anything was said on it.
pub struct Guest {
    /// The socket.
    pub tcp: TcpStream,
    /// The peer's address.
    pub ip: IpAddr,
    /// Whether TLS comes first.
    pub direct_tls: bool,
    /// Counts the connection against its address; to be kept as long as the connection.
    pub permit: Permit,
}

/// Who serves other servers.
pub trait Servers: Send + Sync + 'static {
    /// Takes a connection; never blocks.
    fn serve(&self, guest: Guest);
}

/// Hands a connection over, if there is somebody who takes it.
pub(crate) fn hand_over(tcp: TcpStream, ip: IpAddr, direct_tls: bool, permit: Permit, shared: &Shared) {
    if let Some(servers) = &shared.config.servers {
        servers.serve(Guest { tcp, ip, direct_tls, permit });
    }
}
