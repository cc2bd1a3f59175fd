//! From the configuration to the settings of each part.
//!
//! Not here: what the settings are (config), what they do (the parts).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use address::Jid;
use config::{Config, PushContent};
use features::push::Content;
use kernel::{
    BlockList, Directory, Group, Groups, HostFacts, InviteFacts, SafetyFacts, StrangerPolicy, Tally,
    UploadFacts,
};
use model::grant::Grants;
use net::{Counters, HttpSettings, Kind, Listener, NetConfig, Origins, TlsStore, Unnamed};
use sasl::{Hash, Mechanism};
use zeroize::Zeroizing;

use crate::adapters::{Ours, Own};
use crate::calls::{self, Secret};
use crate::services;

/// For the store.
pub(crate) fn storage(config: &Config) -> store_sqlite::Options {
    let durability = match config.storage.durability {
        config::Durability::Full => store_sqlite::Durability::Full,
        config::Durability::Normal => store_sqlite::Durability::Normal,
    };
    store_sqlite::Options { durability, ..store_sqlite::Options::default() }
}

/// For the accounts.
pub(crate) fn accounts(config: &Config, token_key: Zeroizing<[u8; 32]>) -> accounts::Settings {
    let domains = config.server.domains.clone();
    let registration = domains.iter().filter(|domain| config.registers(domain)).cloned().collect();
    accounts::Settings {
        registration,
        hashes: hashes(config),
        iterations: config.auth.iterations,
        tokens: config.auth.fast,
        ..accounts::Settings::new(domains, token_key)
    }
}

fn hashes(config: &Config) -> Vec<Hash> {
    config.auth.scram.iter().filter_map(|name| Hash::parse(name)).collect()
}

fn mechanisms(config: &Config) -> Vec<Mechanism> {
    let hashes = hashes(config);
    let allowed = |mechanism: &Mechanism| match mechanism {
        Mechanism::Plain => config.auth.plain,
        Mechanism::External | Mechanism::Anonymous => false,
        mechanism if mechanism.is_fast() => config.auth.fast,
        mechanism => mechanism.scram_hash().is_some_and(|hash| hashes.contains(&hash)),
    };
    Mechanism::ALL.into_iter().filter(allowed).collect()
}

/// All features of accounts and hosts, as this program has them.
pub(crate) fn features(
    recipients_per_minute: Arc<AtomicU32>,
    content: PushContent,
) -> Vec<Box<dyn kernel::Feature>> {
    let (version, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let content = match content {
        PushContent::Nothing => Content::Nothing,
        PushContent::Sender => Content::Sender,
        PushContent::Body => Content::Body,
    };
    let push = features::push::Push { content, seal: Some(Arc::new(webpush::seal_summary)) };
    let all = features::with_limits(version, os, recipients_per_minute, push, pubsub::features());
    #[cfg(feature = "breakable")]
    let all = all.into_iter().chain([Box::new(crate::breakable::Breakable) as _]).collect();
    all
}

/// What a domain can, as its streams say it (XEP-0115 section 6.3).
fn capabilities(facts: &HostFacts) -> Arc<[u8]> {
    let disco = features::disco(&features(Arc::default(), PushContent::default()));
    let mut w = xml::Writer::new(stanza::ns::CLIENT);
    features::caps::of_host(&disco, facts).write(&mut w);
    w.finish().to_vec().into()
}

/// For the hosts of the engine.
pub(crate) fn hosts(
    config: &Config,
    started_ms: u64,
    secret: &Secret,
    more: &[Group],
) -> Vec<(Jid, Arc<HostFacts>)> {
    let groups = Arc::new(groups(config, more));
    let host = |domain: &String| {
        let contacts = config.domain.get(domain).map(|own| own.contacts.fields()).unwrap_or_default();
        let facts = HostFacts {
            contacts: contacts.into_iter().map(|(field, uris)| (field.to_owned(), uris.to_vec())).collect(),
            outage: config.domain.get(domain).map(|own| own.outage.clone()).unwrap_or_default(),
            registration: config.registers(domain),
            invites: config.invitations.enabled.then(|| InviteFacts {
                users: config.invitations.users,
                seconds: config.invitations.days.saturating_mul(86_400),
                page: config.invite_page(domain),
            }),
            upload: config.upload_origin(domain).map(|_| UploadFacts {
                file_bytes: config.upload.file_bytes,
                permanent: config.upload.permanent,
            }),
            started_ms,
            services: services::listed(config, domain),
            rooms: services::rooms_of(config, domain),
            external: calls::services(config, domain, secret),
            tell_os: config.server.tell_os,
            safety: safety(config, domain),
            groups: groups.clone(),
        };
        // Checked when the configuration was read.
        Some((Jid::parse(domain).ok()?, Arc::new(facts)))
    };
    config.server.domains.iter().filter_map(host).collect()
}

/// What is counted about safety: one for the process, whatever is reloaded.
pub(crate) fn tally() -> Arc<Tally> {
    static TALLY: std::sync::OnceLock<Arc<Tally>> = std::sync::OnceLock::new();
    TALLY.get_or_init(Arc::default).clone()
}

/// For rosters: the groups of the configuration, and more.
fn groups(config: &Config, more: &[Group]) -> Groups {
    let named = |(key, group): (&String, &config::Group)| Group {
        name: group.name.clone().unwrap_or_else(|| key.clone()),
        members: group.people().collect(),
    };
    Groups::new(config.group.iter().map(named).chain(more.iter().cloned()).collect())
}

/// For the accounts and rooms of a domain.
pub(crate) fn safety(config: &Config, domain: &str) -> SafetyFacts {
    let own = &config.safety;
    SafetyFacts {
        strangers: match config.strangers(domain) {
            config::Strangers::Allow => StrangerPolicy::Allow,
            config::Strangers::Hold => StrangerPolicy::Hold,
            config::Strangers::Refuse => StrangerPolicy::Refuse,
        },
        strangers_local: own.strangers_local,
        lists: own.lists().map(|(service, node)| BlockList { service, node }).collect(),
        directory: match own.directory {
            config::Directory::Off => Directory::Off,
            config::Directory::OptIn => Directory::OptIn,
            config::Directory::All => Directory::All,
        },
        // Checked when the configuration was read.
        reports_to: own.reports_to.iter().filter_map(|text| Jid::parse(text).ok()).collect(),
        reports_to_origin: own.reports_to_origin,
        tally: tally(),
    }
}

/// For the streams.
pub(crate) fn streams(config: &Config, grants: &Grants) -> stream::Settings {
    let limits = &config.limits;
    let of_domain = |(domain, facts): (Jid, Arc<HostFacts>)| {
        let domain = domain.as_str().to_owned();
        let own = Own {
            registers: config.registers(&domain),
            invites: config.invitations.enabled,
            capabilities: capabilities(&facts),
            resume_location: config.resume_location(&domain).map(Arc::from),
        };
        (domain, own)
    };
    let domains = hosts(config, 0, &Secret::default(), &[]).into_iter().map(of_domain).collect();
    let element_bytes = limits.stanza_bytes;
    stream::Settings {
        domains: Arc::new(Ours(domains, grants.clone())),
        mechanisms: mechanisms(config),
        starttls: config.has_tls(),
        plain_on_loopback: config.auth.insecure_loopback,
        stream_management: true,
        timeouts: stream::Timeouts {
            authenticate: Duration::from_secs(limits.authenticate_seconds),
            idle: Duration::from_secs(limits.idle_seconds),
            answer: Duration::from_secs(limits.answer_seconds),
            ..stream::Timeouts::default()
        },
        limits_before_auth: xml::Limits::BEFORE_AUTH,
        // Escapes can make the canonical form longer than what came: by the factor of the default limits.
        limits: xml::Limits {
            element_bytes,
            canonical_bytes: element_bytes.saturating_mul(4),
            ..xml::Limits::CLIENT
        },
        rate: stream::Rate {
            bytes_per_second: limits.rate_bytes_per_second,
            burst_bytes: limits.burst_bytes,
        },
        auth_failures_max: limits.auth_failures,
    }
}

/// For the files; `None`: there are none.
pub(crate) fn files(config: &Config) -> Option<files::Settings> {
    let url = |domain: &String| Some((domain.clone(), config.upload_origin(domain)? + net::FILES_PATH));
    let urls: BTreeMap<String, String> = config.server.domains.iter().filter_map(url).collect();
    let upload = &config.upload;
    (!urls.is_empty()).then(|| files::Settings {
        file_bytes: upload.file_bytes,
        day_bytes: upload.day_bytes,
        account_bytes: upload.account_bytes,
        keep_days: upload.keep_days,
        permanent: upload.permanent,
        retract: upload.delete_retracted,
        ..files::Settings::new(urls)
    })
}

/// For the sockets.
pub(crate) fn sockets(
    config: &Config,
    tls: Arc<TlsStore>,
    files: Option<Arc<dyn net::Files>>,
    grants: &Grants,
) -> NetConfig {
    NetConfig {
        unnamed: unnamed(config),
        challenges: Arc::default(),
        listeners: listeners(config),
        tls,
        stream: net::Current::new(streams(config, grants)),
        http: http(config),
        limits: limits(config),
        counters: Arc::new(Counters::default()),
        monitor: None,
        relay: None,
        servers: None,
        components: None,
        files,
        pushes: None,
    }
}

/// For all sockets together.
pub(crate) fn limits(config: &Config) -> net::Limits {
    let limits = &config.limits;
    net::Limits {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        connects_per_address: limits.connects_per_address,
        failures_per_address: limits.failures_per_address,
        handshake: Duration::from_secs(limits.handshake_seconds),
        write: Duration::from_secs(limits.write_seconds),
        shutdown: Duration::from_secs(limits.shutdown_seconds),
        ..net::Limits::default()
    }
}

fn unnamed(config: &Config) -> Unnamed {
    match config.listen.shared_default {
        config::SharedDefault::Https => Unnamed::Web,
        config::SharedDefault::C2s => Unnamed::Client,
        config::SharedDefault::Refuse => Unnamed::Refuse,
    }
}

fn listeners(config: &Config) -> Vec<Listener> {
    let listen = &config.listen;
    let all = [
        (Kind::C2s, &listen.c2s),
        (Kind::C2sDirectTls, &listen.c2s_tls),
        (Kind::Http, &listen.http),
        (Kind::Https, &listen.https),
        (Kind::Shared, &listen.shared),
        (Kind::Watch, &listen.metrics),
        (Kind::Turn, &listen.turn),
        (Kind::TurnTls, &listen.turn_tls),
    ];
    // Without a relay its sockets stay closed.
    let all = if config.turn.is_on() { &all[..] } else { &all[..6] };
    // Nor are there any for other servers, if there is nothing to say to them.
    let servers = [(Kind::S2s, &listen.s2s), (Kind::S2sDirectTls, &listen.s2s_tls)];
    let servers = if config.federates() { &servers[..] } else { &[] };
    let components = [
        (Kind::Component, &listen.components),
        (Kind::ComponentTls, &listen.components_tls),
        (Kind::Acme, &listen.acme),
    ];
    let listeners = all.iter().chain(servers).chain(&components).flat_map(|&(kind, addresses)| {
        // Checked when the configuration was read.
        let parsed = addresses.iter().filter_map(|text| text.parse::<SocketAddr>().ok());
        parsed.map(move |address| Listener { address, kind })
    });
    listeners.collect()
}

/// For HTTP.
pub(crate) fn http(config: &Config) -> HttpSettings {
    let (http, default) = (&config.http, HttpSettings::default());
    let origins = match http.origins.iter().any(|origin| origin == "*") {
        true => Origins::Any,
        false => Origins::Listed(http.origins.clone()),
    };
    HttpSettings {
        websocket: default.websocket.filter(|_| http.websocket),
        bosh: default.bosh.filter(|_| http.bosh),
        public_url: http.public_url.clone(),
        invitations: config.invitations.enabled,
        welcome: http.welcome,
        origins,
        trusted_proxies: http.trusted_proxies.iter().filter_map(|ip| ip.parse().ok()).collect(),
        loopback_is_secure: http.loopback_is_secure,
        request: default.request,
        bosh_limits: default.bosh_limits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_parts_have_it() {
        let config = Config::default();
        let sockets = sockets(&config, Arc::new(TlsStore::new()), None, &Grants::default());
        assert_eq!(sockets.limits, net::Limits::default());
        let parts = HttpSettings { invitations: true, ..HttpSettings::default() };
        assert_eq!(format!("{:?}", sockets.http), format!("{parts:?}"));
        let streams = streams(&config, &Grants::default());
        assert_eq!((streams.timeouts, streams.rate), (stream::Timeouts::default(), stream::Rate::CLIENT));
        assert_eq!((streams.limits, streams.auth_failures_max), (xml::Limits::CLIENT, 5));
        let names: Vec<&str> = streams.mechanisms.iter().map(|m| m.name()).collect();
        assert_eq!(
            names,
            [
                "SCRAM-SHA-512-PLUS",
                "SCRAM-SHA-256-PLUS",
                "SCRAM-SHA-1-PLUS",
                "SCRAM-SHA-512",
                "SCRAM-SHA-256",
                "SCRAM-SHA-1",
                "HT-SHA-256-EXPR",
                "HT-SHA-256-ENDP",
                "HT-SHA-256-NONE",
                "PLAIN",
            ]
        );
    }
}
