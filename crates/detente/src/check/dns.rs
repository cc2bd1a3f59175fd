//! `detente check dns`: whether clients and other servers find this one, and the record to add where they do not.
//!
//! RFC 6120 section 3.2, XEP-0368 1.1.0 (direct TLS), XEP-0156 1.4.0 (host-meta), RFC 8659 (CAA), RFC 6698 (TLSA)
//!
//! Not here: asking (federation), whether anybody listens there (`connectivity.rs`).

use std::net::{IpAddr, SocketAddr};

use config::Config;
use federation::{Dns, Note, Resolve, Srv, Unanswered, ascii};

use super::finding::{Finding, Level};
use crate::services;

/// A kind of service: its name in DNS, the port that everybody tries without a record, what it is for.
pub(crate) struct Kind {
    pub(crate) service: &'static str,
    pub(crate) fallback: Option<u16>,
    what: &'static str,
    pub(crate) direct_tls: bool,
}

const CLIENTS: [Kind; 2] = [
    Kind { service: "_xmpp-client", fallback: Some(5222), what: "clients with STARTTLS", direct_tls: false },
    Kind { service: "_xmpps-client", fallback: None, what: "clients with direct TLS", direct_tls: true },
];
const SERVERS: [Kind; 2] = [
    Kind {
        service: "_xmpp-server",
        fallback: Some(5269),
        what: "other servers with STARTTLS",
        direct_tls: false,
    },
    Kind {
        service: "_xmpps-server",
        fallback: None,
        what: "other servers with direct TLS",
        direct_tls: true,
    },
];

/// One thing that a domain should be found by.
pub(crate) struct Wanted {
    pub(crate) domain: String,
    pub(crate) kind: &'static Kind,
    /// The ports at which it is served; 0: any.
    pub(crate) ports: Vec<u16>,
    /// A domain of accounts, and not of rooms or the like.
    account: bool,
}

/// What the domains should be found by; all, or one with what is below it.
pub(crate) fn wanted(config: &Config, of: Option<&str>) -> Vec<Wanted> {
    let listen = &config.listen;
    let fits = |domain: &str| of.is_none_or(|of| domain == of || domain.ends_with(&format!(".{of}")));
    let mut all = Vec::new();
    let mut add = |domain: &str, kinds: &'static [Kind; 2], addresses: [&[String]; 2], account| {
        for (kind, addresses) in kinds.iter().zip(addresses) {
            let ports = ports(addresses);
            if fits(domain) && !ports.is_empty() {
                all.push(Wanted { domain: domain.to_owned(), kind, ports, account });
            }
        }
    };
    let servers: [&[String]; 2] = [&listen.s2s, &listen.s2s_tls];
    for domain in &config.server.domains {
        add(domain, &CLIENTS, [&listen.c2s, &listen.c2s_tls], true);
        if config.federates() {
            add(domain, &SERVERS, servers, true);
        }
    }
    if config.federates() {
        for domain in subdomains(config) {
            add(&domain, &SERVERS, servers, false);
        }
    }
    all
}

/// The domains of rooms, nodes and components.
pub(crate) fn subdomains(config: &Config) -> Vec<String> {
    let (rooms, nodes) = services::addresses(config, &config.server.domains);
    rooms.into_iter().chain(nodes).chain(config.component.keys().cloned()).collect()
}

fn ports(addresses: &[String]) -> Vec<u16> {
    let mut ports: Vec<u16> = addresses
        .iter()
        .filter_map(|text| text.parse::<SocketAddr>().ok())
        .map(|address| address.port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// All of it.
pub(crate) async fn check(config: &Config, dns: &Dns, of: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for wanted in wanted(config, of) {
        findings.extend(one(dns, &wanted).await);
    }
    for domain in config.server.domains.iter().filter(|domain| of.is_none_or(|of| *domain == of)) {
        findings.extend(around(config, dns, domain).await);
    }
    findings
}

/// Whether one kind of service of one domain is found.
async fn one(dns: &Dns, wanted: &Wanted) -> Vec<Finding> {
    let Some(domain) = ascii(&wanted.domain) else {
        let found = "no name that DNS could have";
        return vec![Finding::new(Level::Wrong, &wanted.domain, found, "choose another domain")];
    };
    let name = format!("{}._tcp.{domain}", wanted.kind.service);
    match dns.srv(&name).await {
        Err(Unanswered) => vec![unanswered(&name)],
        Ok(records) if records.is_empty() => vec![missing(dns, wanted, &domain, &name).await],
        Ok(records) => {
            let mut findings = Vec::new();
            for record in &records {
                findings.push(recorded(dns, wanted, &name, &domain, record).await);
            }
            findings
        }
    }
}

fn unanswered(name: &str) -> Finding {
    let todo =
        "see whether DNS works here (/etc/resolv.conf, --dns), and whether the domain's name servers do";
    Finding::new(Level::Wrong, name, "DNS does not answer", todo)
}

/// The record as one writes it into a zone.
fn line(name: &str, port: u16, host: &str) -> String {
    format!("{name}. 3600 IN SRV 0 5 {port} {host}.")
}

/// There is no record: what follows from that.
async fn missing(dns: &Dns, wanted: &Wanted, domain: &str, name: &str) -> Finding {
    let kind = wanted.kind;
    let usual = kind.fallback.unwrap_or(wanted.ports[0]);
    let port = if wanted.ports.contains(&usual) || wanted.ports[0] == 0 { usual } else { wanted.ports[0] };
    let add = |host: &str| format!("add to DNS: {}", line(name, port, host));
    let addresses = dns.addresses(domain).await;
    let has_address = addresses.as_ref().is_ok_and(|found| !found.is_empty());
    if kind.direct_tls {
        let found = format!(
            "not there: {} connects more slowly, or not at all where firewalls are strict",
            kind.what
        );
        return Finding::new(Level::Better, name, found, add(domain));
    }
    match addresses {
        Err(Unanswered) => unanswered(domain),
        Ok(found) if has_address && kind.fallback == Some(port) => {
            let shown = words(&found);
            let text =
                format!("not there, and not needed: {domain} itself ({shown}) is tried at port {port}");
            Finding::new(if wanted.account { Level::Note } else { Level::Ok }, name, text, add(domain))
        }
        Ok(_) if has_address => {
            let text = format!(
                "not there: {} try port {}, and this server listens at {port}",
                kind.what,
                kind.fallback.unwrap_or(0)
            );
            Finding::new(Level::Wrong, name, text, add(domain))
        }
        Ok(_) => {
            let level = if wanted.account { Level::Wrong } else { Level::Better };
            let text = format!("not there, and {domain} has no address: {} find nothing", kind.what);
            let host = if wanted.account { domain } else { parent(domain) };
            Finding::new(
                level,
                name,
                text,
                format!("{} (and an A or AAAA record for that host, if it has none)", add(host)),
            )
        }
    }
}

fn parent(domain: &str) -> &str {
    domain.split_once('.').map_or(domain, |(_, parent)| parent)
}

/// There is a record: whether it leads here.
async fn recorded(dns: &Dns, wanted: &Wanted, name: &str, domain: &str, record: &Srv) -> Finding {
    let Srv { priority, weight, port, target } = record;
    if target.is_empty() {
        let instead = line(name, wanted.ports[0], domain);
        let todo = format!("put in its place: {instead}");
        return Finding::new(
            Level::Wrong,
            name,
            "says decidedly that there is no such service (\".\")",
            todo,
        );
    }
    let found = format!("{priority} {weight} {port} {target}");
    if !wanted.ports.contains(port) && !wanted.ports.contains(&0) {
        let ours = wanted.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let todo = format!(
            "if nothing in between forwards it, put in its place: {}",
            line(name, wanted.ports[0], target)
        );
        return Finding::new(
            Level::Better,
            name,
            format!("{found}: this server listens at port {ours}"),
            todo,
        );
    }
    match dns.addresses(target).await {
        Err(Unanswered) => unanswered(target),
        Ok(none) if none.is_empty() => {
            let todo = format!("add to DNS: {target}. 3600 IN A (or AAAA) and this machine's public address");
            Finding::new(Level::Wrong, name, format!("{found}: that host has no address"), todo)
        }
        Ok(addresses) => Finding::ok(name, format!("{found} ({})", words(&addresses))),
    }
}

fn words(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What else there may be in DNS about a domain, and what is found by other ways.
async fn around(config: &Config, dns: &Dns, domain: &str) -> Vec<Finding> {
    let Some(domain) = ascii(domain) else { return Vec::new() };
    let mut findings = Vec::new();
    let old = format!("_xmppconnect.{domain}");
    if dns.notes(&old, Note::Txt).await.is_ok_and(|found| !found.is_empty()) {
        let found = "is there, and nobody should look at it any more (XEP-0156)";
        findings.push(Finding::new(
            Level::Note,
            old,
            found,
            "remove the TXT record; host-meta has taken its place",
        ));
    }
    if let Ok(found) = dns.notes(&domain, Note::Caa).await
        && !found.is_empty()
    {
        let text = format!("CAA {}: only these may issue certificates", found.join("; "));
        findings.push(Finding::ok(&domain, text));
    }
    for port in ports(&config.listen.s2s).into_iter().filter(|_| config.federates()) {
        let name = format!("_{port}._tcp.{domain}");
        if let Ok(found) = dns.notes(&name, Note::Tlsa).await
            && !found.is_empty()
        {
            let text =
                "a TLSA record: it must be changed before each new key, or servers that look at it stay away";
            let todo = "keep it in step with the certificate, or remove it; this server does not look at those of others";
            findings.push(Finding::new(Level::Note, name, text, todo));
        }
    }
    let about = format!("https://{domain}/.well-known/host-meta");
    findings.push(match config.listen.https.iter().any(|address| address.ends_with(":443")) {
        true => Finding::ok(about, "is served by this server, if the address of the domain leads here"),
        false => Finding::new(
            Level::Note,
            about,
            "browsers find WebSocket and BOSH by it (XEP-0156)",
            "let the web server of that name hand /.well-known/host-meta and host-meta.json on to the listener `https` or `http`",
        ),
    });
    findings
}
