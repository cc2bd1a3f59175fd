//! Other servers: what of the configuration federation gets, and opening it.
//!
//! Not here: what it does with that (federation), listening (`translate.rs`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use admin::{Failure, FailureKind, Measure, More};
use config::{Config, Demand, ServerAuth};
use engine::Handle;
use federation::{Barred, Counters, Dns, Federation, NoDns, Parts, Resolve, Roots, Rules, Settings};
use mailbox::Mailbox;
use net::{Phase, TlsStore};
use s2s::{Policy, Secret};
use store::Store;
use tokio::sync::watch;

use crate::{secret, services};

/// The settings.
///
/// # Errors
/// The secret for dialback cannot be read or made.
pub(crate) fn settings(config: &Config, barred: Barred) -> Result<Settings, Failure> {
    let own = &config.federation;
    let policy = |tls, auth| Policy {
        allowed: true,
        require_tls: tls == Demand::Required,
        require_certificate: auth == ServerAuth::Certificate,
    };
    let exception = |(domain, remote): (&String, &config::Remote)| {
        let policy = policy(remote.tls.unwrap_or(own.tls), remote.auth.unwrap_or(own.auth));
        (domain.clone(), policy)
    };
    let (rooms, nodes) = services::addresses(config, &config.server.domains);
    let rules = Rules {
        ours: config
            .server
            .domains
            .iter()
            .chain(config.component.keys())
            .cloned()
            .chain(rooms)
            .chain(nodes)
            .collect(),
        policy: policy(own.tls, own.auth),
        domains: own.domain.iter().map(exception).collect::<HashMap<_, _>>(),
        allowed: own.allow.iter().cloned().collect::<HashSet<_>>(),
        blocked: own.block.iter().cloned().collect(),
        barred,
    };
    let default = Settings::new(rules);
    let key = secret::dialback_key(&config.data_dir())?;
    let stream = s2s::Settings {
        dialback: Some(Secret::new(*key)),
        starttls: config.has_tls(),
        ..s2s::Settings::clone(&default.stream)
    };
    Ok(Settings {
        stream: Arc::new(stream),
        private_addresses: own.private_addresses,
        give_up: Duration::from_secs(own.give_up_seconds),
        ..default
    })
}

/// Whom to believe about certificates.
///
/// # Errors
/// The operator's file cannot be used.
pub(crate) fn roots(config: &Config) -> Result<Roots, Failure> {
    let file = config.federation.ca_file.as_ref().map(|path| config.path(path));
    Roots::load(file.as_deref()).map_err(|error| {
        let path = file.unwrap_or_default();
        Failure::new(
            FailureKind::Failed,
            format_args!("`ca_file` in [federation]: {}: {error}", path.display()),
        )
    })
}

/// Who asks DNS.
///
/// # Errors
/// The system's configuration cannot be used.
pub(crate) fn resolver(config: &Config) -> Result<Dns, String> {
    match config.federation.name_servers() {
        none if none.is_empty() => Dns::of_system(),
        servers => Dns::of_servers(&servers),
    }
}

/// Federation, if there is to be any.
///
/// # Errors
/// What it needs cannot be read.
pub(crate) async fn open(
    config: &Config,
    store: &dyn Store,
    engine: Handle,
    mailbox: Mailbox,
    tls: Arc<TlsStore>,
    phase: watch::Receiver<Phase>,
) -> Result<Option<Federation>, Failure> {
    if !config.federates() {
        tracing::info!("this server talks with no others");
        return Ok(None);
    }
    let settings = settings(config, Barred::new(admin::stored_blocks(store).await?))?;
    for domain in &settings.rules.ours {
        // Many components are for our own users only.
        if !config.acme.enabled && !tls.proves(domain) && !config.component.contains_key(domain) {
            tracing::warn!(domain, "the certificate is not valid for this name: other servers may refuse it");
        }
    }
    let resolver: Arc<dyn Resolve> = match resolver(config) {
        Ok(dns) => Arc::new(dns),
        Err(error) => {
            tracing::error!("no DNS, and so no other servers can be found: {error}");
            Arc::new(NoDns)
        }
    };
    let parts =
        Parts { engine, mailbox, tls, roots: roots(config)?, resolver, counters: Arc::default(), phase };
    Ok(Some(Federation::new(settings, parts)))
}

/// What is measured of it.
pub(crate) fn more(federation: Option<&Federation>) -> Option<More> {
    let counters = federation?.counters().clone();
    Some(Box::new(move || measures(&counters)))
}

fn pick(names: &[&'static str], counts: &[net::Count]) -> Vec<(&'static str, u64)> {
    names.iter().copied().zip(counts.iter().map(net::Count::value)).collect()
}

fn measures(counters: &Counters) -> Vec<Measure> {
    use admin::MeasureKind::{Counter, Gauge};
    let why = federation::Failure::ALL.map(federation::Failure::name);
    let ways = ["out", "in"];
    vec![
        Measure::each(
            "s2s_streams",
            Gauge,
            "Streams with other servers.",
            "direction",
            pick(&ways, &counters.streams),
        ),
        Measure::one("s2s_pairs", Gauge, "Pairs of domains that are looked after.", counters.lanes.value()),
        Measure::one("s2s_waiting", Gauge, "Stanzas that wait for other servers.", counters.waiting.value()),
        Measure::each(
            "s2s_stanzas",
            Counter,
            "Stanzas that have reached or come from other servers.",
            "direction",
            pick(&ways, &counters.stanzas),
        ),
        Measure::each(
            "s2s_bounced",
            Counter,
            "Stanzas that came back.",
            "why",
            pick(&why, &counters.bounced),
        ),
        Measure::each(
            "s2s_failed",
            Counter,
            "Attempts to reach a server that failed.",
            "why",
            pick(&why, &counters.failed),
        ),
    ]
    .into_iter()
    .chain(trust(counters))
    .collect()
}

/// Who was believed and who was not, and what followed.
fn trust(counters: &Counters) -> Vec<Measure> {
    use admin::MeasureKind::Counter;
    let doubts = federation::Doubt::ALL.map(federation::Doubt::name);
    vec![
        Measure::each(
            "s2s_doubts",
            Counter,
            "Certificates that proved nothing.",
            "why",
            pick(&doubts, &counters.doubts),
        ),
        Measure::each(
            "s2s_proofs",
            Counter,
            "Servers that were believed.",
            "how",
            pick(&["certificate", "dialback"], &counters.proofs),
        ),
        Measure::each(
            "s2s_exceptions",
            Counter,
            "Streams that needed an exception.",
            "which",
            pick(&["tls", "certificate"], &counters.exceptions),
        ),
        Measure::one(
            "s2s_repairs",
            Counter,
            "How often presence was looked after because a stream had broken.",
            counters.repairs.value(),
        ),
        Measure::one(
            "s2s_misbehaviour",
            Counter,
            "What other servers did wrong.",
            counters.misbehaviour.value(),
        ),
    ]
}
