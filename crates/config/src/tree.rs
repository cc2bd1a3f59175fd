//! The configuration as types.
//!
//! Not here: what each setting means and may be (`settings.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::acme::Acme;
use crate::bytestreams::Bytestreams;
use crate::calls::{External, Turn};
use crate::components::{Component, Components};
use crate::federation::Federation;
use crate::groups::Group;
use crate::objects::Objects;
use crate::push::Push;
use crate::rooms::Rooms;
use crate::safety::{Safety, Strangers};

/// All of it. Fields are named as in the file and described in [`crate::settings::SETTINGS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Config {
    pub server: Server,
    pub listen: Listen,
    pub tls: Tls,
    pub acme: Acme,
    pub log: Log,
    pub auth: Auth,
    pub registration: Registration,
    pub storage: Storage,
    pub rooms: Rooms,
    pub limits: Limits,
    pub http: Http,
    pub upload: Upload,
    pub s3: Objects,
    pub pubsub: PubSub,
    pub push: Push,
    pub turn: Turn,
    pub bytestreams: Bytestreams,
    pub external: BTreeMap<String, External>,
    pub federation: Federation,
    pub components: Components,
    pub component: BTreeMap<String, Component>,
    pub invitations: Invitations,
    pub safety: Safety,
    pub group: BTreeMap<String, Group>,
    pub domain: BTreeMap<String, Domain>,
    /// The folder of the file, from which relative paths are seen.
    #[serde(skip)]
    pub base: PathBuf,
    /// Those of `server.domains` that commands have added.
    #[serde(skip)]
    pub added: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Invitations {
    pub enabled: bool,
    pub users: bool,
    pub days: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PubSub {
    pub enabled: bool,
}

impl Default for Invitations {
    fn default() -> Invitations {
        Invitations { enabled: true, users: true, days: 7 }
    }
}

impl Default for PubSub {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Server {
    pub domains: Vec<String>,
    pub data_dir: String,
    pub tell_os: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Listen {
    pub c2s: Vec<String>,
    pub c2s_tls: Vec<String>,
    pub http: Vec<String>,
    pub https: Vec<String>,
    pub metrics: Vec<String>,
    pub turn: Vec<String>,
    pub turn_tls: Vec<String>,
    pub bytestreams: Vec<String>,
    pub s2s: Vec<String>,
    pub s2s_tls: Vec<String>,
    pub shared: Vec<String>,
    pub shared_default: SharedDefault,
    pub acme: Vec<String>,
    pub components: Vec<String>,
    pub components_tls: Vec<String>,
    pub components_socket: Option<String>,
    pub resume_location: Option<String>,
}

/// What is spoken on a shared port with who names no protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum SharedDefault {
    #[default]
    Https,
    C2s,
    Refuse,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Tls {
    pub certificate: Option<String>,
    pub key: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Auth {
    pub scram: Vec<String>,
    pub plain: bool,
    pub fast: bool,
    pub iterations: u32,
    pub insecure_loopback: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Registration {
    pub open: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Storage {
    pub archive_days: u32,
    pub durability: Durability,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Durability {
    #[default]
    Full,
    Normal,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Limits {
    pub stanza_bytes: u32,
    pub rate_bytes_per_second: u32,
    pub burst_bytes: u32,
    pub recipients_per_minute: u32,
    pub authenticate_seconds: u64,
    pub idle_seconds: u64,
    pub answer_seconds: u64,
    pub auth_failures: u8,
    pub failures_per_address: u32,
    pub connections: usize,
    pub connections_per_address: u32,
    pub connects_per_address: u32,
    pub handshake_seconds: u64,
    pub write_seconds: u64,
    pub shutdown_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Http {
    pub websocket: bool,
    pub bosh: bool,
    pub welcome: bool,
    pub public_url: Option<String>,
    pub origins: Vec<String>,
    pub trusted_proxies: Vec<String>,
    pub loopback_is_secure: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Upload {
    pub enabled: bool,
    pub file_bytes: u64,
    pub day_bytes: u64,
    pub account_bytes: u64,
    pub keep_days: u64,
    pub permanent: bool,
    pub delete_retracted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Domain {
    pub certificate: Option<String>,
    pub key: Option<String>,
    pub registration: Option<bool>,
    pub resume_location: Option<String>,
    pub outage: Vec<String>,
    pub strangers: Option<Strangers>,
    pub contacts: Contacts,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Contacts {
    pub abuse: Vec<String>,
    pub admin: Vec<String>,
    pub feedback: Vec<String>,
    pub sales: Vec<String>,
    pub security: Vec<String>,
    pub status: Vec<String>,
    pub support: Vec<String>,
}

/// The certificate of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// For which domain.
    pub domain: String,
    /// File of the chain.
    pub certificate: PathBuf,
    /// File of the key.
    pub key: PathBuf,
}

impl Config {
    /// The same with domains that commands have added; those that cannot be there are given back, with why.
    #[must_use]
    pub fn with_added(mut self, names: &[String]) -> (Config, Vec<(String, String)>) {
        let before = std::mem::take(&mut self.added);
        self.server.domains.retain(|domain| !before.contains(domain));
        let mut refused = Vec::new();
        for name in names {
            let (domains, own) = (&self.server.domains, self.services_of(name));
            let service = domains.iter().find(|domain| self.services_of(domain).contains(name));
            let other = domains.iter().find(|domain| own.contains(domain));
            if let Some(domain) = service.filter(|_| !domains.contains(name)) {
                refused.push((name.clone(), format!("it is the name of a service of {domain}")));
            } else if let Some(domain) = other {
                refused.push((name.clone(), format!("a service of it would have the name of {domain}")));
            } else if self.component.contains_key(name) {
                refused.push((name.clone(), "a component has that name".to_owned()));
            } else if !self.server.domains.contains(name) {
                self.server.domains.push(name.clone());
                self.added.push(name.clone());
            }
        }
        (self, refused)
    }

    /// The names that services of a domain have.
    fn services_of(&self, domain: &str) -> Vec<String> {
        let rooms = self.rooms.enabled.then(|| self.rooms.domain_of(domain));
        let nodes = self.pubsub.enabled.then(|| format!("pubsub.{domain}"));
        let push = self.push.service.then(|| self.push.domain_of(domain));
        let proxy = self.bytestreams.is_on().then(|| self.bytestreams.domain_of(domain));
        rooms.into_iter().chain(nodes).chain(push).chain(proxy).collect()
    }

    /// A path of the configuration as the system understands it.
    pub fn path(&self, path: &str) -> PathBuf {
        if Path::new(path).is_absolute() { PathBuf::from(path) } else { self.base.join(path) }
    }

    /// The folder of all data.
    pub fn data_dir(&self) -> PathBuf {
        self.path(&self.server.data_dir)
    }

    /// The certificates, one for each domain that has one.
    pub fn identities(&self) -> Vec<Identity> {
        let own = |domain: &String| {
            // That of [tls] is for those that the operator had in mind.
            if self.acme.enabled && self.added.contains(domain) {
                return None;
            }
            let own = self.domain.get(domain).and_then(|d| Some((d.certificate.as_ref()?, d.key.as_ref()?)));
            let (certificate, key) =
                own.or_else(|| Some((self.tls.certificate.as_ref()?, self.tls.key.as_ref()?)))?;
            Some(Identity {
                domain: domain.clone(),
                certificate: self.path(certificate),
                key: self.path(key),
            })
        };
        self.server.domains.iter().filter_map(own).collect()
    }

    /// Where files of a domain's people are found: the beginning of an `https` address. `None`: uploads are off, or there
    /// is no such way in.
    pub fn upload_origin(&self, domain: &str) -> Option<String> {
        self.https_origin(domain).filter(|_| self.upload.enabled)
    }

    /// Where a domain is found with `https`, if it is.
    fn https_origin(&self, domain: &str) -> Option<String> {
        if let Some(url) = self.http.public_url.as_ref().filter(|url| url.starts_with("https://")) {
            return Some(url.trim_end_matches('/').to_owned());
        }
        // Programs that name no protocol must find HTTP there, too.
        let (shared, https) = (self.listen.shared.first(), self.listen.https.first());
        let found = match self.listen.shared_default {
            SharedDefault::Https => shared.or(https),
            _ => https.or(shared),
        };
        let port = found?.rsplit_once(':')?.1;
        Some(match port {
            "443" => format!("https://{domain}"),
            port => format!("https://{domain}:{port}"),
        })
    }

    /// What stands before the token in the address of an invitation's page; `None`: there is no way in with `https`.
    pub fn invite_page(&self, domain: &str) -> Option<String> {
        let origin = self.https_origin(domain).filter(|_| self.invitations.enabled)?;
        Some(format!("{origin}/invite/"))
    }

    /// What stands before the token in an address to which programs may post for clients; `None`: there is none.
    pub fn push_address(&self, domain: &str) -> Option<String> {
        let origin = self.https_origin(domain).filter(|_| self.push.service)?;
        Some(format!("{origin}/push/"))
    }

    /// Whether anybody may make an account at that domain.
    pub fn registers(&self, domain: &str) -> bool {
        self.domain.get(domain).and_then(|domain| domain.registration).unwrap_or(self.registration.open)
    }

    /// Where sessions of that domain are best resumed, if the operator has said so.
    pub fn resume_location(&self, domain: &str) -> Option<&str> {
        let own = self.domain.get(domain).and_then(|domain| domain.resume_location.as_deref());
        own.or(self.listen.resume_location.as_deref())
    }
}

impl Contacts {
    /// Name of the field (XEP-0157 section 2) and addresses, without empty ones.
    pub fn fields(&self) -> Vec<(&'static str, &[String])> {
        let all: [(&str, &[String]); 7] = [
            ("abuse-addresses", &self.abuse),
            ("admin-addresses", &self.admin),
            ("feedback-addresses", &self.feedback),
            ("sales-addresses", &self.sales),
            ("security-addresses", &self.security),
            ("status-addresses", &self.status),
            ("support-addresses", &self.support),
        ];
        all.into_iter().filter(|(_, addresses)| !addresses.is_empty()).collect()
    }
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

impl Default for Server {
    fn default() -> Server {
        Server { domains: Vec::new(), data_dir: "data".to_owned(), tell_os: false }
    }
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            c2s: list(&["0.0.0.0:5222", "[::]:5222"]),
            c2s_tls: list(&["0.0.0.0:5223", "[::]:5223"]),
            http: list(&["127.0.0.1:5280"]),
            https: list(&["0.0.0.0:5281", "[::]:5281"]),
            metrics: Vec::new(),
            turn: list(&["0.0.0.0:3478", "[::]:3478"]),
            turn_tls: list(&["0.0.0.0:5349", "[::]:5349"]),
            bytestreams: list(&["0.0.0.0:7777", "[::]:7777"]),
            s2s: list(&["0.0.0.0:5269", "[::]:5269"]),
            s2s_tls: list(&["0.0.0.0:5270", "[::]:5270"]),
            shared: Vec::new(),
            shared_default: SharedDefault::Https,
            acme: Vec::new(),
            components: Vec::new(),
            components_tls: Vec::new(),
            components_socket: None,
            resume_location: None,
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Default for Auth {
    fn default() -> Auth {
        Auth {
            scram: list(&["SHA-512", "SHA-256", "SHA-1"]),
            plain: true,
            fast: true,
            iterations: sasl::limits::ITERATIONS_DEFAULT,
            insecure_loopback: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        let (rate, timeouts) = (stream::Rate::CLIENT, stream::Timeouts::default());
        Limits {
            stanza_bytes: xml::Limits::CLIENT.element_bytes,
            rate_bytes_per_second: rate.bytes_per_second,
            burst_bytes: rate.burst_bytes,
            recipients_per_minute: 500,
            authenticate_seconds: timeouts.authenticate.as_secs(),
            idle_seconds: timeouts.idle.as_secs(),
            answer_seconds: timeouts.answer.as_secs(),
            auth_failures: 5,
            failures_per_address: 20,
            connections: 100_000,
            connections_per_address: 500,
            connects_per_address: 300,
            handshake_seconds: 10,
            write_seconds: 30,
            shutdown_seconds: 30,
        }
    }
}

impl Default for Upload {
    fn default() -> Upload {
        Upload {
            enabled: true,
            file_bytes: 50 << 20,
            day_bytes: 500 << 20,
            account_bytes: 2 << 30,
            keep_days: 30,
            permanent: false,
            delete_retracted: true,
        }
    }
}

impl Default for Http {
    fn default() -> Http {
        Http {
            websocket: true,
            bosh: true,
            welcome: true,
            public_url: None,
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            loopback_is_secure: true,
        }
    }
}
