//! What the operator decides about other servers, as types, and what it means together.
//!
//! Not here: what each setting means and may be (`settings.rs`), how other servers are reached (federation).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use address::Jid;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// `[federation]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Federation {
    pub enabled: Federate,
    pub tls: Demand,
    pub auth: ServerAuth,
    pub allow: Vec<String>,
    pub block: Vec<String>,
    pub ca_file: Option<String>,
    pub private_addresses: bool,
    pub dns_servers: Vec<String>,
    pub give_up_seconds: u64,
    pub domain: BTreeMap<String, Remote>,
}

/// `[federation.domain."..."]`, named as in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Remote {
    pub tls: Option<Demand>,
    pub auth: Option<ServerAuth>,
}

/// Whether to talk with other servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Federate {
    #[default]
    Auto,
    On,
    Off,
}

/// Whether something must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Demand {
    #[default]
    Required,
    Optional,
}

/// How other servers prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ServerAuth {
    #[default]
    Certificate,
    Dialback,
}

impl Default for Federation {
    fn default() -> Federation {
        Federation {
            enabled: Federate::Auto,
            tls: Demand::Required,
            auth: ServerAuth::Certificate,
            allow: Vec::new(),
            block: Vec::new(),
            ca_file: None,
            private_addresses: false,
            dns_servers: Vec::new(),
            give_up_seconds: 300,
            domain: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Whether this server talks with others: where that is left open, if others could find one of its domains.
    pub fn federates(&self) -> bool {
        match self.federation.enabled {
            Federate::On => true,
            Federate::Off => false,
            Federate::Auto => self.server.domains.iter().any(|domain| can_be_found(domain)),
        }
    }
}

/// A server of DNS, with port 53 unless there is another.
fn name_server(text: &str) -> Option<SocketAddr> {
    let alone = || text.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 53));
    text.parse().ok().or_else(alone)
}

impl Federation {
    /// The servers of DNS that are to be asked; none: those of the system.
    pub fn name_servers(&self) -> Vec<SocketAddr> {
        self.dns_servers.iter().filter_map(|server| name_server(server)).collect()
    }
}

/// Whether a domain could be one of the public DNS (RFC 6761, RFC 6762, RFC 8375).
fn can_be_found(domain: &str) -> bool {
    const NEVER: [&str; 7] = ["localhost", "example", "test", "invalid", "local", "internal", "arpa"];
    domain.rsplit_once('.').is_some_and(|(_, last)| !NEVER.contains(&last))
}

/// Checks and prepares the domains that are named.
pub(crate) fn check(source: &mut Source, config: &mut Config) {
    let own = &mut config.federation;
    for (name, list) in [("allow", &mut own.allow), ("block", &mut own.block)] {
        for (at, domain) in list.iter_mut().enumerate() {
            match prepared(domain) {
                Some(known) => *domain = known,
                None => no_domain(source, &format!("federation.{name}[{at}]"), domain),
            }
        }
    }
    for (at, server) in own.dns_servers.iter().enumerate() {
        if name_server(server).is_none() {
            let path = format!("federation.dns_servers[{at}]");
            let fix = "write its address, as in \"192.0.2.53\", with a port if it is not 53";
            source.error(&path, format!("\"{server}\" is no address"), fix);
        }
    }
    for name in own.domain.keys() {
        if prepared(name).as_deref() != Some(name) {
            no_domain(source, &format!("federation.domain.{name}"), name);
        }
    }
    let lax = |tls: Option<Demand>| tls == Some(Demand::Optional);
    if lax(Some(own.tls)) {
        let fix = "leave `tls` as it is, and name the servers that cannot do better under [federation.domain.\"...\"]";
        source.warning("federation.tls", "messages to other servers may travel unencrypted", fix);
    }
    let named = own.domain.iter().filter(|(_, remote)| lax(remote.tls)).map(|(name, _)| name.clone());
    for name in named.collect::<Vec<_>>() {
        let path = format!("federation.domain.{name}.tls");
        let fix = "remove it as soon as that server can do better";
        source.warning(&path, format!("messages to {name} may travel unencrypted"), fix);
    }
}

fn prepared(domain: &str) -> Option<String> {
    Jid::parse(domain).ok().filter(Jid::is_domain).map(|jid| jid.as_str().to_owned())
}

fn no_domain(source: &mut Source, path: &str, domain: &str) {
    let fix = "write the part behind the @ of its addresses, in small letters, as in \"example.org\"";
    source.error(path, format!("\"{domain}\" is no domain"), fix);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_have_port_53_unless_there_is_another() {
        let own = Federation {
            dns_servers: ["192.0.2.1", "[::1]:5353", "2001:db8::1", "dns.example"].map(str::to_owned).into(),
            ..Federation::default()
        };
        let found: Vec<String> = own.name_servers().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[::1]:5353", "[2001:db8::1]:53"]);
    }

    #[test]
    fn only_a_server_that_can_be_found_talks_with_others_by_itself() {
        for (domain, want) in [
            ("example.org", true),
            ("chat.example.org", true),
            ("localhost", false),
            ("a.example", false),
            ("x.localhost", false),
            ("box.local", false),
        ] {
            let mut config = Config::default();
            config.server.domains = vec![domain.to_owned()];
            assert_eq!(config.federates(), want, "{domain}");
            config.federation.enabled = Federate::On;
            assert!(config.federates());
        }
    }
}
