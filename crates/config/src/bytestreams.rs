//! The proxy for files from client to client, as types, and what its settings mean together.
//!
//! Not here: what each setting means and may be (`around.rs`), how it works (crate `bytestreams`).

use std::net::IpAddr;

use address::Jid;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// `[bytestreams]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Bytestreams {
    pub host: Option<String>,
    pub bytes_per_second: u64,
    pub bytes_per_second_per_account: u64,
    pub bytes_per_second_in_all: u64,
    pub streams_per_account: usize,
    pub connections: usize,
    pub connections_per_address: usize,
    pub idle_seconds: u64,
}

impl Default for Bytestreams {
    fn default() -> Bytestreams {
        Bytestreams {
            host: None,
            bytes_per_second: 1_250_000,
            bytes_per_second_per_account: 2_500_000,
            bytes_per_second_in_all: 62_500_000,
            streams_per_account: 5,
            connections: 1_000,
            connections_per_address: 20,
            idle_seconds: 300,
        }
    }
}

impl Bytestreams {
    /// Whether there is a proxy: it must be able to say where it is.
    pub fn is_on(&self) -> bool {
        self.host.is_some()
    }

    /// The proxy of a domain.
    pub fn domain_of(&self, domain: &str) -> String {
        format!("proxy.{domain}")
    }
}

/// Checks what stands under `[bytestreams]`.
pub(crate) fn check(source: &mut Source, config: &Config) {
    let Some(host) = &config.bytestreams.host else { return };
    let ip = host.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
    let is_name = || host.parse::<IpAddr>().is_err() && Jid::parse(host).is_ok_and(|jid| jid.is_domain());
    if ip.is_none() && !is_name() {
        let fix = "write the name or address by which clients reach this machine, without a port";
        source.error("bytestreams.host", format!("\"{host}\" is no host that clients could reach"), fix);
    }
    if config.listen.bytestreams.is_empty() {
        let fix = "leave `bytestreams` in [listen] as it is by default, or remove `host`";
        source.error("bytestreams.host", "the proxy would listen nowhere", fix);
    }
    let taken = |domain: &&String| config.server.domains.contains(&config.bytestreams.domain_of(domain));
    if let Some(domain) = config.server.domains.iter().find(taken) {
        let what = format!("{} is one of `domains`", config.bytestreams.domain_of(domain));
        let fix = format!("people of {domain} have no proxy then; rename the other domain to change that");
        source.warning("bytestreams.host", what, fix);
    }
}
