//! What calls need: the relay of this server, and services of others. As types, and what their settings mean together.
//!
//! Not here: what each setting means and may be (`settings.rs`), how a relay works (crate `turn`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use turn::Limits;
use turn::peers::Range;

use crate::Config;
use crate::source::Source;

/// `[turn]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Turn {
    pub external_address: Vec<String>,
    pub host: Option<String>,
    pub secret: Option<String>,
    pub port_first: u16,
    pub port_last: u16,
    pub credential_hours: u64,
    pub allocations: usize,
    pub allocations_per_user: u32,
    pub bytes_per_second_per_user: u64,
    pub bytes_per_second: u64,
    pub allowed_peers: Vec<String>,
    pub denied_peers: Vec<String>,
}

/// `[external.NAME]`, named as in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct External {
    #[serde(rename = "type")]
    pub ty: String,
    pub host: String,
    pub port: Option<u16>,
    pub transport: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub secret: Option<String>,
}

impl Turn {
    /// Whether there is a relay: it must be able to say where it is.
    pub fn is_on(&self) -> bool {
        !self.external_address.is_empty()
    }

    /// The addresses that clients are told.
    pub fn addresses(&self) -> Vec<IpAddr> {
        // Checked when the configuration was read.
        self.external_address.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// Ranges out of a list of them.
    pub fn ranges(list: &[String]) -> Vec<Range> {
        list.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

impl Default for Turn {
    fn default() -> Turn {
        let limits = Limits::default();
        Turn {
            external_address: Vec::new(),
            host: None,
            secret: None,
            port_first: 49_152,
            port_last: 51_151,
            credential_hours: 12,
            allocations: limits.allocations,
            allocations_per_user: limits.allocations_per_user,
            bytes_per_second_per_user: limits.bytes_per_second_per_user,
            bytes_per_second: limits.bytes_per_second,
            allowed_peers: Vec::new(),
            denied_peers: Vec::new(),
        }
    }
}

/// What the settings mean together.
pub(crate) fn check(source: &mut Source, config: &Config) {
    addresses(source, &config.turn);
    if config.turn.port_first > config.turn.port_last {
        let fix = "make `port_last` the larger one";
        source.error("turn.port_first", "it is larger than `port_last`", fix);
    } else if usize::from(config.turn.port_last - config.turn.port_first) + 1 < config.turn.allocations {
        let fix = "widen the range, or lower `allocations`";
        source.warning("turn.port_last", "there are fewer ports than `allocations`", fix);
    }
    for (name, list) in
        [("allowed_peers", &config.turn.allowed_peers), ("denied_peers", &config.turn.denied_peers)]
    {
        for (at, text) in list.iter().enumerate().filter(|(_, text)| text.parse::<Range>().is_err()) {
            let fix = "write an address or a range, as in \"192.0.2.0/24\" or \"2001:db8::/32\"";
            source.error(&format!("turn.{name}[{at}]"), format!("\"{text}\" is no range of addresses"), fix);
        }
    }
    let listens = !(config.listen.turn.is_empty() && config.listen.turn_tls.is_empty());
    if config.turn.is_on() && !listens {
        let fix = "leave `turn` in [listen] as it is by default, or remove `external_address`";
        source.error("turn.external_address", "the relay would listen nowhere", fix);
    }
    services(source, &config.external);
}

fn addresses(source: &mut Source, turn: &Turn) {
    let mut families = Vec::new();
    for (at, text) in turn.external_address.iter().enumerate() {
        let path = format!("turn.external_address[{at}]");
        let Some(ip) = text.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified() && !ip.is_multicast())
        else {
            let fix = "write the address by which the Internet reaches this machine, as in \"203.0.113.1\"";
            source.error(&path, format!("\"{text}\" is no address that clients could reach"), fix);
            continue;
        };
        if families.contains(&ip.is_ipv6()) {
            let fix = "name one of IPv4 and one of IPv6 at most";
            source.error(&path, "a second address of this kind", fix);
        }
        families.push(ip.is_ipv6());
        let inside = match ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        if inside {
            let fix =
                "behind a router, name the router's public address and forward the ports to this machine";
            source.warning(&path, format!("{ip} is not reached from the Internet"), fix);
        }
    }
}

fn services(source: &mut Source, services: &BTreeMap<String, External>) {
    for (name, service) in services {
        let section = format!("external.{name}");
        for (setting, value) in [("type", &service.ty), ("host", &service.host)] {
            if value.is_empty() {
                let fix = "a service has a type, as in type = \"turn\", and a host";
                source.error(&section, format!("`{setting}` is missing"), fix);
            }
        }
        if service.username.is_some() != service.password.is_some() {
            let fix = "set both `username` and `password`, or `secret`";
            source.error(&section, "one of `username` and `password` is missing", fix);
        }
    }
}
