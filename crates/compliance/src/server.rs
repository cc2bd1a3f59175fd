//! The server that is asked: where it is, and who may log in.
//!
//! Not here: connections (`client.rs`).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

/// An account that exists.
#[derive(Debug, Clone)]
pub struct Account {
    /// Local part.
    pub name: String,
    /// Password.
    pub password: String,
}

/// A server.
#[derive(Debug)]
pub struct Server {
    /// Domain of its accounts.
    pub domain: String,
    /// Where it listens.
    pub address: IpAddr,
    /// Clients, STARTTLS.
    pub c2s: u16,
    /// Clients, direct TLS.
    pub c2s_tls: u16,
    /// HTTP in the clear.
    pub http: u16,
    /// HTTP over TLS.
    pub https: u16,
    /// Servers, STARTTLS.
    pub s2s: u16,
    /// Servers, direct TLS.
    pub s2s_tls: u16,
    /// External components (XEP-0114).
    pub component: u16,
    /// A component's domain and secret.
    pub component_as: Option<(String, String)>,
    /// Two accounts that are no contacts of each other.
    pub accounts: [Account; 2],
    /// Counts whatever must have a name of its own; a second run begins elsewhere, so that it meets nothing of the first.
    pub names: AtomicU32,
}

impl Server {
    /// A new name.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The bare address of an account.
    pub(crate) fn bare(&self, who: usize) -> String {
        format!("{}@{}", self.accounts[who].name, self.domain)
    }
}
