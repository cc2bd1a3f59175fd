//! `detente check connectivity`: whether the listeners answer, on this machine and where DNS says that they are.
//!
//! RFC 6120 section 4.2, XEP-0368 1.1.0
//!
//! Not here: what DNS should say (`dns.rs`), TLS itself (`detente check certs` judges what would be shown).

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use config::Config;
use federation::{Dns, Resolve, ascii};
use stanza::ns;

use super::dns::{self, Wanted};
use super::finding::{Finding, Level};

/// How long a connection may take, and its first answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 4096;
/// Addresses of one service that are tried.
const ADDRESSES_MAX: usize = 8;

/// All of it.
pub(crate) async fn check(config: &Config, dns: &Dns, of: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if of.is_none() {
        findings.extend(listeners(config));
    }
    for wanted in dns::wanted(config, of) {
        findings.extend(from_outside(dns, &wanted).await);
    }
    findings
}

/// Each listener, from this machine.
fn listeners(config: &Config) -> Vec<Finding> {
    let listen = &config.listen;
    let domain = config.server.domains.first().map(String::as_str).unwrap_or_default();
    let servers = config.federates();
    let all: [(&str, &[String], Option<&str>, bool); 8] = [
        ("c2s", &listen.c2s, Some(ns::CLIENT), true),
        ("c2s_tls", &listen.c2s_tls, None, true),
        ("s2s", &listen.s2s, Some(ns::SERVER), servers),
        ("s2s_tls", &listen.s2s_tls, None, servers),
        ("http", &listen.http, None, true),
        ("https", &listen.https, None, true),
        ("components", &listen.components, None, true),
        ("components_tls", &listen.components_tls, None, true),
    ];
    let used = all.into_iter().filter(|(.., used)| *used);
    let each = used.flat_map(|(name, addresses, content, _)| {
        addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .map(move |address: SocketAddr| (name, address, content))
    });
    each.map(|(name, address, content)| {
        let about = format!("listener {name} at {address}");
        if address.port() == 0 {
            return Finding::ok(about, "has a port that the system chooses: it cannot be tried");
        }
        let todo = "start the server (`detente serve`), or see in its log why it does not listen there";
        match answers(here(address), domain, content) {
            Ok(()) => Finding::ok(about, "answers"),
            Err(why) => Finding::new(Level::Wrong, about, why, todo),
        }
    })
    .collect()
}

/// An address at which a listener for all is reached from this machine.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// One service, where DNS says that it is.
async fn from_outside(dns: &Dns, wanted: &Wanted) -> Vec<Finding> {
    let Some(domain) = ascii(&wanted.domain) else { return Vec::new() };
    let kind = wanted.kind;
    let name = format!("{}._tcp.{domain}", kind.service);
    let records = dns.srv(&name).await.unwrap_or_default();
    let mut places: Vec<(String, u16)> =
        records.into_iter().filter(|srv| !srv.target.is_empty()).map(|srv| (srv.target, srv.port)).collect();
    if places.is_empty() {
        // `check dns` says what is missing.
        places.extend(kind.fallback.map(|port| (domain.clone(), port)));
    }
    let mut addresses = Vec::new();
    for (host, port) in places {
        let found = dns.addresses(&host).await.unwrap_or_default();
        addresses.extend(found.into_iter().map(|ip| SocketAddr::new(ip, port)));
    }
    let content = match (kind.direct_tls, kind.service) {
        (true, _) => None,
        (false, "_xmpp-client") => Some(ns::CLIENT),
        (false, _) => Some(ns::SERVER),
    };
    let todo = "open that port in the firewall and forward it to this machine. Some routers do not let a machine reach its own \
                public address: then try from elsewhere";
    addresses
        .into_iter()
        .take(ADDRESSES_MAX)
        .map(|address| {
            let about = format!("{name} at {address}");
            match answers(address, &wanted.domain, content) {
                Ok(()) => Finding::ok(about, "answers"),
                Err(why) => Finding::new(Level::Wrong, about, why, todo),
            }
        })
        .collect()
}

/// Whether somebody accepts a connection, and where that can be seen without TLS, speaks XMPP for the domain.
fn answers(address: SocketAddr, domain: &str, content: Option<&str>) -> Result<(), String> {
    let mut stream =
        TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| format!("no connection: {error}"))?;
    let Some(content) = content else { return Ok(()) };
    let speak = |stream: &mut TcpStream| -> std::io::Result<String> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{content}' xmlns:stream='{}' \
             to='{domain}' version='1.0'>",
            ns::STREAMS
        );
        stream.write_all(header.as_bytes())?;
        let (mut seen, mut buffer) = (Vec::new(), [0; 512]);
        while seen.len() < ANSWER_BYTES_MAX {
            let n = stream.read(&mut buffer)?;
            seen.extend(&buffer[..n]);
            let text = String::from_utf8_lossy(&seen);
            if n == 0 || text.contains("</stream:features>") || text.contains("</stream:error>") {
                break;
            }
        }
        let _ = stream.write_all(b"</stream:stream>");
        Ok(String::from_utf8_lossy(&seen).into_owned())
    };
    let said = speak(&mut stream).map_err(|error| format!("it accepts connections, and then: {error}"))?;
    match said {
        said if said.contains("</stream:features>") => Ok(()),
        said if said.contains("host-unknown") => {
            Err(format!("an XMPP server that does not serve {domain} answers"))
        }
        _ => Err("something answers that does not speak XMPP".to_owned()),
    }
}
