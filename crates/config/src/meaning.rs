//! What settings mean together: domains, addresses, ways to log in.
//!
//! Not here: single values (`walk.rs`), files (`files.rs`).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use address::Jid;

use crate::near::nearest;
use crate::source::Source;
use crate::{Config, acme, bytestreams, calls, components, federation, groups, objects, push, safety};

/// Checks everything and brings domains into their prepared form.
pub(crate) fn check(source: &mut Source, config: &mut Config) {
    domains(source, config);
    sections_of_domains(source, config);
    listeners(source, config);
    resume_locations(source, config);
    certificates(source, config);
    rooms(source, config);
    login(source, config);
    http(source, config);
    acme::check(source, config);
    calls::check(source, config);
    bytestreams::check(source, config);
    federation::check(source, config);
    objects::check(source, config);
    components::check(source, config);
    safety::check(source, config);
    groups::check(source, config);
    push::check(source, config);
    log(source, config);
}

fn domains(source: &mut Source, config: &mut Config) {
    if config.server.domains.is_empty() {
        let fix = "set `domains` in [server], as in domains = [\"example.org\"]";
        return source.error("server.domains", "no domain is named", fix);
    }
    let mut seen: Vec<String> = Vec::new();
    for (at, domain) in config.server.domains.iter_mut().enumerate() {
        let path = format!("server.domains[{at}]");
        match Jid::parse(domain) {
            Ok(jid) if jid.is_domain() && !jid.as_str().is_ascii() => {
                let fix = "this release serves domains of ASCII letters only";
                source.error(&path, format!("\"{domain}\" is an internationalised domain"), fix);
            }
            Ok(jid) if jid.is_domain() => {
                *domain = jid.as_str().to_owned();
                if seen.contains(domain) {
                    source.error(&path, format!("\"{domain}\" is named twice"), "remove one of the two");
                }
                seen.push(domain.clone());
            }
            _ => {
                let fix = "write the part behind the @ of its addresses, as in \"example.org\"";
                source.error(&path, format!("\"{domain}\" is no domain"), fix);
            }
        }
    }
}

fn sections_of_domains(source: &mut Source, config: &Config) {
    for name in config.domain.keys() {
        if config.server.domains.contains(name) {
            continue;
        }
        let fix = match nearest(name, config.server.domains.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean [domain.\"{meant}\"]?"),
            None => "add it to `domains` in [server], or remove this section".to_owned(),
        };
        let what = format!("\"{name}\" is not one of this server's domains");
        source.error(&format!("domain.{name}"), what, fix);
    }
    for (name, domain) in &config.domain {
        for (at, address) in domain.outage.iter().enumerate() {
            if !(address.starts_with("https://") || address.starts_with("http://")) || !is_uri(address) {
                let fix = "write the address of a file, as in \"https://elsewhere.example/status.json\"";
                let what = format!("\"{address}\" is no address that clients could fetch");
                source.error(&format!("domain.{name}.outage[{at}]"), what, fix);
            }
        }
        for (field, addresses) in domain.contacts.fields() {
            let setting = field.trim_end_matches("-addresses");
            for (at, address) in addresses.iter().enumerate().filter(|(_, address)| !is_uri(address)) {
                let path = format!("domain.{name}.contacts.{setting}[{at}]");
                let fix = "write an address with its scheme, as in \"mailto:abuse@example.org\"";
                source.error(&path, format!("\"{address}\" is no URI"), fix);
            }
        }
    }
}

fn rooms(source: &mut Source, config: &Config) {
    if !config.rooms.enabled {
        return;
    }
    let label = &config.rooms.subdomain;
    let fits = |text: &str| {
        Jid::parse(text).is_ok_and(|jid| jid.is_domain() && jid.as_str() == text && text.is_ascii())
    };
    if label.contains('.') || !fits(&config.rooms.domain_of("example.org")) {
        let fix = "write one word of small letters, as in \"conference\" or \"rooms\"";
        return source.error("rooms.subdomain", format!("\"{label}\" cannot stand before a domain"), fix);
    }
    let taken = |domain: &&String| config.server.domains.contains(&config.rooms.domain_of(domain));
    if let Some(domain) = config.server.domains.iter().find(taken) {
        let what = format!("{} is one of `domains` already", config.rooms.domain_of(domain));
        source.error("rooms.subdomain", what, "choose another name, or set enabled = false in [rooms]");
    }
    if config.rooms.occupants > config.rooms.occupants_max {
        let fix = "raise `occupants_max`, or lower `occupants`";
        source.error("rooms.occupants", "it is larger than `occupants_max`", fix);
    }
}

fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, rest)| (scheme, !rest.is_empty()));
    scheme.is_some_and(|(scheme, more)| {
        more && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

fn listeners(source: &mut Source, config: &Config) {
    let listen = &config.listen;
    let of_servers = [("s2s", &listen.s2s), ("s2s_tls", &listen.s2s_tls)];
    let all = [
        ("c2s", &listen.c2s),
        ("c2s_tls", &listen.c2s_tls),
        ("http", &listen.http),
        ("https", &listen.https),
        ("shared", &listen.shared),
        ("metrics", &listen.metrics),
        ("turn", &listen.turn),
        ("turn_tls", &listen.turn_tls),
    ];
    // Without a relay those two are not opened.
    let all = if config.turn.is_on() { &all[..] } else { &all[..6] };
    // And those of other servers only where there is something to say to them.
    let of_servers = if config.federates() { &of_servers[..] } else { &[] };
    if all[..5].iter().all(|(_, addresses)| addresses.is_empty()) {
        let fix = "leave at least one of c2s, c2s_tls, http and https as it is by default";
        source.error("listen", "the server would listen nowhere", fix);
    }
    let mut seen: BTreeMap<u16, Vec<(SocketAddr, String)>> = BTreeMap::new();
    let of_proxy = [("bytestreams", &listen.bytestreams)];
    let of_proxy = if config.bytestreams.is_on() { &of_proxy[..] } else { &[] };
    let of_components = [
        ("components", &listen.components),
        ("components_tls", &listen.components_tls),
        ("acme", &listen.acme),
    ];
    for &(name, addresses) in all.iter().chain(of_servers).chain(of_proxy).chain(&of_components) {
        for (at, text) in addresses.iter().enumerate() {
            let path = format!("listen.{name}[{at}]");
            let Ok(address) = text.parse::<SocketAddr>() else {
                let fix = "write an address and a port, as in \"127.0.0.1:5222\" or \"[::]:5222\"";
                source.error(&path, format!("\"{text}\" is no address to listen on"), fix);
                continue;
            };
            let same = seen.entry(address.port()).or_default();
            if let Some((_, other)) =
                same.iter().find(|(known, _)| address.port() != 0 && overlap(*known, address))
            {
                let what = format!("port {} is taken by `{other}` already", address.port());
                source.error(&path, what, "give one of the two another port");
            }
            same.push((address, name.to_owned()));
            if (1..1024).contains(&address.port()) {
                let fix = "allow it with AmbientCapabilities=CAP_NET_BIND_SERVICE, or listen on a port from 1024 on";
                source.warning(&path, format!("port {} may need a privilege", address.port()), fix);
            }
            if name == "http" && !address.ip().is_loopback() {
                let fix = "listen on 127.0.0.1 and put a proxy with TLS in front, or use `https`";
                source.warning(&path, "web clients from other machines would log in without encryption", fix);
            }
            if name == "metrics" && !address.ip().is_loopback() {
                let fix = "listen on 127.0.0.1, or on an address that only your own machines can reach";
                source.warning(&path, "other machines could see how the server is doing", fix);
            }
        }
    }
}

fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.is_ipv4() == b.is_ipv4() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn resume_locations(source: &mut Source, config: &Config) {
    let own =
        config.domain.iter().map(|(name, d)| (format!("domain.{name}.resume_location"), &d.resume_location));
    let all = own.chain([("listen.resume_location".to_owned(), &config.listen.resume_location)]);
    for (path, text) in all.filter_map(|(path, text)| Some((path, text.as_deref()?))) {
        if !is_location(text) {
            let fix =
                "write a host and perhaps a port, as in \"xmpp1.example.org:5222\" or \"[2001:db8::1]:5222\"";
            source.error(&path, format!("\"{text}\" is no place to reconnect to"), fix);
        }
    }
}

/// RFC 6120 section 4.9.3.19: a host, or an address of IPv6 in brackets; perhaps a port.
fn is_location(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The colon of an address in brackets.
        Some((_, tail)) if tail.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok_and(|port| port != 0)) {
        return false;
    }
    match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.contains(':') && Jid::parse(host).is_ok_and(|jid| jid.is_domain()),
    }
}

fn certificates(source: &mut Source, config: &Config) {
    let own = config.domain.iter().map(|(name, d)| (format!("domain.{name}"), &d.certificate, &d.key));
    let pairs = own.chain([("tls".to_owned(), &config.tls.certificate, &config.tls.key)]);
    for (section, certificate, key) in pairs.collect::<Vec<_>>() {
        for (there, missing) in [(certificate, key), (key, certificate)]
            .iter()
            .zip(["key", "certificate"])
            .filter_map(|((there, other), missing)| {
                (there.is_some() && other.is_none()).then_some((missing == "key", missing))
            })
        {
            let there = if there { "certificate" } else { "key" };
            let what = format!("a `{there}` without a `{missing}`");
            source.error(&format!("{section}.{there}"), what, format!("set `{missing}` in the same section"));
        }
    }
    let listen = &config.listen;
    let with_tls = [&listen.c2s, &listen.c2s_tls, &listen.https, &listen.shared];
    let secure = with_tls.iter().any(|addresses| !addresses.is_empty());
    let with: Vec<String> = config.identities().into_iter().map(|identity| identity.domain).collect();
    let secure = secure && !config.acme.enabled;
    for (at, domain) in config.server.domains.iter().enumerate().filter(|(_, d)| secure && !with.contains(d))
    {
        let path = format!("server.domains[{at}]");
        let fix = format!(
            "set `certificate` and `key` in [domain.\"{domain}\"] or in [tls], or let the server get one ([acme]); `detente init` makes a pair for tests"
        );
        source.error(&path, format!("{domain} has no certificate"), fix);
    }
}

fn login(source: &mut Source, config: &Config) {
    if config.auth.scram.is_empty() {
        let what = "accounts need at least one kind of SCRAM, for their keys";
        source.error("auth.scram", what, "write scram = [\"SHA-256\", \"SHA-1\"]");
    }
    if config.limits.answer_seconds > config.limits.idle_seconds {
        let fix = "make it at most as long as `idle_seconds`";
        source.warning(
            "limits.answer_seconds",
            "clients would be given longer to answer than to be silent",
            fix,
        );
    }
}

fn http(source: &mut Source, config: &Config) {
    for (at, origin) in config.http.origins.iter().enumerate().filter(|(_, origin)| !is_origin(origin)) {
        let fix = "write scheme and host, and nothing behind them, as in \"https://chat.example\"";
        source.error(&format!("http.origins[{at}]"), format!("\"{origin}\" is no origin"), fix);
    }
    for (at, proxy) in config.http.trusted_proxies.iter().enumerate() {
        if proxy.parse::<IpAddr>().is_err() {
            let fix = "write an address without a port, as in \"127.0.0.1\"";
            source.error(
                &format!("http.trusted_proxies[{at}]"),
                format!("\"{proxy}\" is no IP address"),
                fix,
            );
        }
    }
    if let Some(url) = config.http.public_url.as_ref().filter(|url| *url == "*" || !is_origin(url)) {
        let fix = "write scheme and host, and nothing behind them, as in \"https://chat.example\"";
        source.error("http.public_url", format!("\"{url}\" is no such address"), fix);
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}

/// `level`, or `part=level`, with commas between.
fn log(source: &mut Source, config: &Config) {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    for word in config.log.level.split(',') {
        let level = word.rsplit('=').next().unwrap_or_default();
        if !LEVELS.contains(&level) {
            let fix = match nearest(level, LEVELS) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("write one of {}; or parts, as in \"info,net=debug\"", LEVELS.join(", ")),
            };
            source.error("log.level", format!("\"{level}\" is no level"), fix);
        }
    }
}
