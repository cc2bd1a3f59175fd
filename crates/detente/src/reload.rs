//! SIGHUP: takes over what can be changed while the server runs, and names what cannot.
//!
//! Not here: reading and checking the configuration (config), what the settings do (the parts).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use accounts::Accounts;
use acme::Keeper;
use admin::Failure;
use components::Components;
use config::Config;
use engine::{Handle, Input};
use federation::Federation;
use files::Files;
use net::{Adjustable, TlsStore};
use serde_json::Value;
use store::Store;
use tokio::sync::Notify;

use crate::adapters::Reader;
use crate::calls::Secret;
use crate::config_file::environment;
use crate::push::Push;
use crate::serve::{failed, leave_out_ipv6};
use crate::{certs, domains, gateways, servers, translate};

/// Changes how much is logged.
pub(crate) type Relevel = Box<dyn Fn(&str) -> Result<(), Failure>>;

/// The parts that take something over.
pub(crate) struct Parts {
    pub(crate) tls: Arc<TlsStore>,
    /// Certificates that are not in files.
    pub(crate) keeper: Keeper,
    pub(crate) net: Adjustable,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) engine: Handle,
    pub(crate) started_ms: u64,
    /// For credentials of the relay.
    pub(crate) secret: Secret,
    pub(crate) dials: Dials,
    pub(crate) federation: Option<Federation>,
    pub(crate) components: Components,
    pub(crate) files: Option<Arc<Files>>,
    pub(crate) pushes: Option<Push>,
    /// For groups and domains that were made by commands.
    pub(crate) store: Arc<dyn Store>,
    pub(crate) notices: Notices,
}

/// What commands know, and what they tell.
pub(crate) struct Notices {
    /// The domains of which commands know.
    pub(crate) domains: admin::Domains,
    /// Groups have changed.
    pub(crate) regrouping: Arc<Notify>,
    /// Domains have been added or removed.
    pub(crate) rehosting: Arc<Notify>,
}

/// Numbers that parts look up each time they need them.
#[derive(Clone)]
pub(crate) struct Dials {
    pub(crate) recipients: Arc<AtomicU32>,
    pub(crate) archive_days: Arc<AtomicU32>,
}

impl Dials {
    pub(crate) fn new(config: &Config) -> Dials {
        let dials = Dials { recipients: Arc::default(), archive_days: Arc::default() };
        dials.set(config);
        dials
    }

    fn set(&self, config: &Config) {
        self.recipients.store(config.limits.recipients_per_minute, Ordering::Relaxed);
        self.archive_days.store(config.storage.archive_days, Ordering::Relaxed);
    }
}

/// Loads all certificates; those that cannot be loaded leave the old ones in service.
pub(crate) fn certificates(config: &Config, tls: &TlsStore) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for identity in config.identities() {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| failed(format_args!("{}: {error}", path.display())))
        };
        let loaded = read(&identity.certificate).and_then(|chain| {
            let key = read(&identity.key)?;
            tls.load(&identity.domain, &chain, &key)
                .map_err(|error| failed(format_args!("certificate of {}: {error}", identity.domain)))
        });
        match loaded {
            // The certificate of [tls] need not be for a domain that came later.
            Err(failure) if config.added.contains(&identity.domain) => tracing::error!("{failure}"),
            Err(failure) => outcome = Err(failure),
            Ok(_) => {}
        }
    }
    outcome
}

impl Parts {
    /// Reads the configuration again; one with errors changes nothing (L-04). Gives back what holds now.
    pub(crate) async fn reload(&self, file: &Path, now: Config, relevel: &Relevel) -> Config {
        let checked = config::check(file, environment(), &Reader);
        for fault in &checked.faults {
            tracing::warn!("{fault}");
        }
        let Some(mut config) = checked.config else {
            tracing::error!("the configuration has errors: the server goes on with the old one");
            return now;
        };
        leave_out_ipv6(&mut config);
        let config = match domains::with_added(config, &*self.store).await {
            Ok(config) => config,
            Err(failure) => {
                tracing::error!("{failure}; the server goes on with the old configuration");
                return now;
            }
        };
        let next = adopted(&now, &config);
        if let Err(failure) = relevel(&next.log.level) {
            tracing::error!("{failure}");
        }
        self.take_over(&now, &next).await;
        match differences(&next, &config) {
            late if late.is_empty() => tracing::info!("reloaded"),
            late => tracing::warn!("reloaded; needs a restart: {}", late.join(", ")),
        }
        next
    }

    /// All parts hear what holds from now on.
    pub(crate) async fn take_over(&self, now: &Config, next: &Config) {
        // Before anybody new is let in somewhere, and nobody comes any more where a domain goes.
        self.components.replace(gateways::settings(next));
        self.net.stream.replace(translate::streams(next, self.accounts.grants()));
        for outcome in
            [certificates(next, &self.tls), certs::replace(next, &self.keeper), self.accounts(next)]
        {
            if let Err(failure) = outcome {
                tracing::error!("{failure}");
            }
        }
        self.rehost(now, next).await;
        // After the engine: a domain that has gone is not looked for elsewhere meanwhile.
        if let Err(failure) = self.servers(next) {
            tracing::error!("{failure}");
        }
        self.net.limits.replace(translate::limits(next));
        self.dials.set(next);
        self.net.http.replace(translate::http(next));
        self.regroup(next).await;
        self.served(next);
    }

    fn servers(&self, config: &Config) -> Result<(), Failure> {
        let Some(federation) = &self.federation else { return Ok(()) };
        federation.replace_roots(servers::roots(config)?);
        federation.replace(servers::settings(config, federation.barred())?);
        Ok(())
    }

    /// The engine hears what the configuration and the stored groups say.
    pub(crate) async fn regroup(&self, config: &Config) {
        let groups = match admin::stored_groups(&*self.store).await {
            Ok(groups) => groups,
            Err(fault) => return tracing::error!(%fault, "the groups cannot be read: the old ones stay"),
        };
        for (domain, facts) in translate::hosts(config, self.started_ms, &self.secret, &groups) {
            self.engine.send(Input::Facts(domain, facts)).await;
        }
    }

    fn accounts(&self, config: &Config) -> Result<(), Failure> {
        // The key for tokens is one of the things that stay.
        Ok(self.accounts.reload(&translate::accounts(config, [0; 32].into()))?)
    }
}

/// The new configuration, but for what holds until the next start.
fn adopted(now: &Config, new: &Config) -> Config {
    let mut next = new.clone();
    next.server.data_dir = now.server.data_dir.clone();
    next.listen =
        config::Listen { resume_location: new.listen.resume_location.clone(), ..now.listen.clone() };
    next.log.format = now.log.format;
    next.storage.durability = now.storage.durability;
    next.upload = now.upload.clone();
    next.s3 = now.s3.clone();
    next.rooms = now.rooms.clone();
    next.pubsub = now.pubsub.clone();
    // Rooms have theirs from the start.
    next.safety.block_lists = now.safety.block_lists.clone();
    next.push = now.push.clone();
    next.turn = now.turn.clone();
    next.bytestreams = now.bytestreams.clone();
    next.federation.enabled = now.federation.enabled;
    next.federation.dns_servers = now.federation.dns_servers.clone();
    // Addresses of files that were given out begin with it.
    next.http.public_url = now.http.public_url.clone();
    next
}

/// The settings that are not the same, by their names.
fn differences(a: &Config, b: &Config) -> Vec<String> {
    // Both are plain trees of text, numbers and lists, so neither can fail.
    let tree = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    let mut names = Vec::new();
    differ(&tree(a), &tree(b), String::new(), &mut names);
    names
}

fn differ(a: &Value, b: &Value, path: String, names: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differ(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), inner, names);
            }
        }
        _ if a != b => names.push(path),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::settings::SETTINGS;

    /// Every setting either is taken over or is named; none is forgotten.
    #[test]
    fn what_is_not_taken_over_is_named() {
        let now = Config::default();
        let changed = |path: &str| {
            let mut tree = serde_json::to_value(&now).unwrap();
            let leaf = path.split('.').fold(&mut tree, |tree, key| &mut tree[key]);
            *leaf = match &*leaf {
                Value::Bool(flag) => Value::Bool(!flag),
                Value::Number(n) => (n.as_u64().unwrap() + 1).into(),
                Value::Array(_) => vec!["SHA-256"].into(),
                Value::String(text) if text == "text" => "json".into(),
                Value::String(text) if text == "https" => "c2s".into(),
                Value::String(text) if text == "tls-alpn-01" => "http-01".into(),
                Value::String(text) if text == "full" => "normal".into(),
                Value::String(text) if text == "local" => "nobody".into(),
                Value::String(text) if text == "auto" => "on".into(),
                Value::String(text) if text == "required" => "optional".into(),
                Value::String(text) if text == "certificate" => "dialback".into(),
                Value::String(text) if text == "allow" => "hold".into(),
                Value::String(text) if text == "opt-in" => "off".into(),
                Value::String(text) if text == "nothing" => "body".into(),
                _ => "other".into(),
            };
            let new: Config = serde_json::from_value(tree).unwrap();
            assert_ne!(new, now, "{path}");
            differences(&adopted(&now, &new), &new)
        };
        let restart = [
            "server.data_dir",
            "listen.c2s",
            "listen.c2s_tls",
            "listen.http",
            "listen.https",
            "listen.metrics",
            "listen.turn",
            "listen.turn_tls",
            "listen.bytestreams",
            "listen.s2s",
            "listen.s2s_tls",
            "listen.shared",
            "listen.shared_default",
            "listen.acme",
            "listen.components",
            "listen.components_tls",
            "listen.components_socket",
            "federation.enabled",
            "federation.dns_servers",
            "log.format",
            "storage.durability",
            "http.public_url",
            "safety.block_lists",
        ];
        for setting in SETTINGS.iter().filter(|setting| !setting.path.contains('*')) {
            let section = setting.path.split('.').next().unwrap_or_default();
            let whole = ["upload", "s3", "rooms", "pubsub", "push", "turn", "bytestreams"].contains(&section);
            let late = whole || restart.contains(&setting.path);
            let named: Vec<&str> = late.then_some(setting.path).into_iter().collect();
            assert_eq!(changed(setting.path), named, "{}", setting.path);
        }
    }
}
