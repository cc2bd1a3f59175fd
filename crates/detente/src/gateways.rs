//! Components: what of the configuration they get, opening their host, `detente component ...`, what is measured.
//!
//! Not here: what it does with that (components), listening by TCP (`translate.rs`).

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use address::Jid;
use admin::{Failure, FailureKind, Measure, More};
use components::{Component, Components, Counters, Parts, Settings};
use config::{Config, Requests, Speaking, Watching};
use engine::{Engine, Handle};
use federation::Federation;
use mailbox::Mailbox;
use model::away::Neighbours;
use model::rights::{Reach, Rights, Sight};
use net::{Phase, TlsStore};
use s2s::{Rate, Secret};
use serde_json::{Value, json};
use store::Store;
use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::reach::{Reach as Way, args};
use crate::{cli, servers, show};

/// Columns of the list.
const COLUMNS: &[&str] = &["domain", "name", "connected", "ip", "tls", "waiting"];

/// The settings.
pub(crate) fn settings(config: &Config) -> Settings {
    let own = &config.components;
    let component = |(domain, section): (&String, &config::Component)| {
        // Checked when the configuration was read.
        let jid = Jid::parse(domain).ok()?;
        let name = section.name.clone().unwrap_or_else(|| domain.clone());
        let secret = Secret::new(section.secret.reveal());
        let rights = Arc::new(rights(config, domain, &section.privileges));
        Some((domain.clone(), Component { domain: jid, secret, name, rights }))
    };
    Settings {
        components: config.component.iter().filter_map(component).collect(),
        wait: Duration::from_secs(own.wait_seconds),
        ping: components::limits::PING,
        rate: Rate { bytes_per_second: own.rate_bytes_per_second, burst_bytes: own.burst_bytes },
    }
}

fn rights(config: &Config, domain: &str, own: &config::Privileges) -> Rights {
    let reach = |requests| match requests {
        Requests::None => Reach::None,
        Requests::Get => Reach::Get,
        Requests::Set => Reach::Set,
        Requests::Both => Reach::Both,
    };
    Rights {
        domains: config.domains_of(domain),
        roster: reach(own.roster),
        push: own.pushes(),
        message: own.message == Speaking::Outgoing,
        iq: own.requests().map(|(namespace, requests)| (namespace.to_owned(), reach(requests))).collect(),
        presence: match own.presence {
            Watching::None => Sight::None,
            Watching::ManagedEntity => Sight::Managed,
            Watching::Roster => Sight::Roster,
        },
    }
}

/// Their host. There is always one: a reload may bring the first component.
pub(crate) fn open(
    config: &Config,
    engine: Handle,
    mailbox: Mailbox,
    tls: Arc<TlsStore>,
    phase: watch::Receiver<Phase>,
) -> Components {
    Components::new(settings(config), Parts { engine, mailbox, tls, counters: Arc::default(), phase })
}

/// The engine with its neighbours, components first: their domains are none of other servers.
///
/// # Errors
/// What waits for them cannot be read, or the socket for components cannot be opened.
pub(crate) async fn join(
    config: &Config,
    engine: Engine,
    components: &Components,
    federation: Option<&Federation>,
    store: &dyn Store,
) -> Result<Engine, Failure> {
    listen(config, components)?;
    let servers = federation.map(|federation| Arc::new(federation.clone()) as Arc<dyn Neighbours>);
    let components: Arc<dyn Neighbours> = Arc::new(components.clone());
    let neighbours = [components].into_iter().chain(servers).collect();
    Ok(engine.with_neighbours(neighbours, engine::spooled(store).await?))
}

/// Serves the socket in a folder, if there is to be one.
///
/// # Errors
/// It cannot be opened.
fn listen(config: &Config, components: &Components) -> Result<(), Failure> {
    if let Some(socket) = socket(config)? {
        tokio::spawn(components.clone().listen(socket));
    }
    Ok(())
}

/// What tells operators how they stand.
pub(crate) fn told(components: &Components) -> Box<dyn Fn() -> Value + Send + Sync> {
    let components = components.clone();
    Box::new(move || standing(&components))
}

/// What is measured of all neighbours.
pub(crate) fn more(federation: Option<&Federation>, components: &Components) -> More {
    let (servers, counters) = (servers::more(federation), components.counters().clone());
    Box::new(move || {
        let servers = servers.iter().flat_map(|measures| measures());
        servers.chain(measures(&counters)).collect()
    })
}

/// The socket in a folder, if there is to be one. Only the server's user and group may connect.
///
/// # Errors
/// It cannot be opened.
fn socket(config: &Config) -> Result<Option<UnixListener>, Failure> {
    let Some(path) = config.listen.components_socket.as_ref().map(|path| config.path(path)) else {
        return Ok(None);
    };
    let open = |path: &Path| {
        // One that an earlier server left behind is in the way; anything else is left alone.
        if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
            std::fs::remove_file(path)?;
        }
        let socket = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(socket)
    };
    open(&path).map(Some).map_err(|error: std::io::Error| {
        let what = format_args!("`components_socket` in [listen]: {}: {error}", path.display());
        Failure::new(FailureKind::Failed, what)
    })
}

/// How they stand, for operators.
fn standing(components: &Components) -> Value {
    let row = |standing: components::Standing| {
        json!({
            "domain": standing.domain,
            "name": standing.name,
            "connected": standing.connected.is_some(),
            "since_ms": standing.connected.map(|connected| connected.since_ms),
            "ip": standing.connected.and_then(|connected| connected.ip).map(|ip| ip.to_string()),
            "tls": standing.connected.map(|connected| connected.tls),
            "waiting": standing.waiting,
        })
    };
    components.standing().into_iter().map(row).collect()
}

/// `detente component ...`.
///
/// # Errors
/// No server runs.
pub(crate) fn run(command: cli::Component) -> Result<(), Failure> {
    let cli::Component::List(common) = command;
    let mut found = Way::new(&common.config)?.run("component list", args([]))?;
    let found = found["components"].take();
    if common.json {
        return show::json(&found);
    }
    show::table(found.as_array().map_or(&[], Vec::as_slice), COLUMNS);
    Ok(())
}

/// What is measured.
fn measures(counters: &Counters) -> Vec<Measure> {
    use admin::MeasureKind::{Counter, Gauge};
    let [to, from] = [0, 1].map(|at: usize| counters.stanzas[at].value());
    vec![
        Measure::one(
            "components_connected",
            Gauge,
            "Components that are connected.",
            counters.connected.value(),
        ),
        Measure::one(
            "components_connections",
            Gauge,
            "Connections of components.",
            counters.connections.value(),
        ),
        Measure::one(
            "components_waiting",
            Gauge,
            "Stanzas that wait for components.",
            counters.waiting.value(),
        ),
        Measure::each(
            "components_stanzas",
            Counter,
            "Stanzas that have reached or come from components.",
            "direction",
            vec![("out", to), ("in", from)],
        ),
        Measure::one(
            "components_bounced",
            Counter,
            "Stanzas for components that came back.",
            counters.bounced.value(),
        ),
        Measure::each(
            "components_refused",
            Counter,
            "Connections of components that were refused.",
            "why",
            vec![("secret", counters.refused.value()), ("conflict", counters.conflicts.value())],
        ),
        Measure::one(
            "components_misbehaviour",
            Counter,
            "What components did wrong.",
            counters.misbehaviour.value(),
        ),
    ]
}
