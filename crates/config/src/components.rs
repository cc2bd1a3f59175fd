//! What the operator decides about components, as types, and what it means together.
//!
//! XEP-0114 1.6, XEP-0356 0.4.1
//!
//! Not here: what each setting means and may be (`settings.rs`), what a component does with it (components, engine).

use std::fmt;
use std::net::SocketAddr;

use address::Jid;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// A secret shorter than this is warned of, in characters.
const SECRET_CHARS: usize = 32;
/// And one shorter than this is not taken.
const SECRET_CHARS_MIN: usize = 8;

/// `[components]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Components {
    pub wait_seconds: u64,
    pub rate_bytes_per_second: u32,
    pub burst_bytes: u32,
    pub without_tls: bool,
}

/// `[component."..."]`, named as in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Component {
    pub secret: Hidden,
    pub name: Option<String>,
    pub domains: Vec<String>,
    pub privileges: Privileges,
}

/// `[component."...".privileges]`, named as in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Privileges {
    pub roster: Requests,
    pub roster_push: Option<bool>,
    pub message: Speaking,
    pub iq: Vec<String>,
    pub presence: Watching,
}

/// Which requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Requests {
    #[default]
    None,
    Get,
    Set,
    Both,
}

/// Whether to send messages in the name of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Speaking {
    #[default]
    None,
    Outgoing,
}

/// Whose presence is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Watching {
    #[default]
    None,
    ManagedEntity,
    Roster,
}

/// A secret; it is never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl Default for Components {
    fn default() -> Components {
        Components {
            wait_seconds: 300,
            rate_bytes_per_second: 1 << 20,
            burst_bytes: 4 << 20,
            without_tls: false,
        }
    }
}

impl Privileges {
    /// Whether it hears of changes of rosters (XEP-0356 section 3.1).
    pub fn pushes(&self) -> bool {
        matches!(self.roster, Requests::Get | Requests::Both) && self.roster_push.unwrap_or(true)
    }

    /// Namespaces, and which requests of them: `get `, `set ` before one, or both.
    pub fn requests(&self) -> impl Iterator<Item = (&str, Requests)> {
        self.iq.iter().map(|entry| match entry.split_once(' ') {
            Some(("get", namespace)) => (namespace.trim(), Requests::Get),
            Some(("set", namespace)) => (namespace.trim(), Requests::Set),
            _ => (entry.as_str(), Requests::Both),
        })
    }
}

impl Config {
    /// For whose users a component is: those that are named, else the domain that it is below of, else all.
    pub fn domains_of(&self, component: &str) -> Vec<String> {
        let named = self.component.get(component).map(|own| own.domains.clone()).unwrap_or_default();
        if !named.is_empty() {
            return named;
        }
        let parent = component.split_once('.').map(|(_, parent)| parent.to_owned());
        match parent.filter(|parent| self.server.domains.contains(parent)) {
            Some(parent) => vec![parent],
            None => self.server.domains.clone(),
        }
    }
}

/// Checks the sections of components.
pub(crate) fn check(source: &mut Source, config: &Config) {
    for (domain, component) in &config.component {
        let section = format!("component.{domain}");
        name(source, config, domain, &section);
        secret(source, component, &section);
        for (at, other) in component.domains.iter().enumerate() {
            if !config.server.domains.contains(other) {
                let fix = "name domains out of `domains` in [server]";
                let what = format!("\"{other}\" is not one of this server's domains");
                source.error(&format!("{section}.domains[{at}]"), what, fix);
            }
        }
        let own = &component.privileges;
        if own.presence == Watching::Roster && !matches!(own.roster, Requests::Get | Requests::Both) {
            let what = "who may see the presence of contacts must be allowed to read rosters";
            let fix = "set roster = \"get\" or \"both\" beside it";
            source.error(&format!("{section}.privileges.presence"), what, fix);
        }
        for (at, (namespace, _)) in own.requests().enumerate() {
            if namespace.is_empty() || namespace.contains(char::is_whitespace) {
                let fix = "write a namespace, perhaps with `get ` or `set ` before it";
                source.error(&format!("{section}.privileges.iq[{at}]"), "this is no namespace", fix);
            }
        }
    }
    listeners(source, config);
}

fn name(source: &mut Source, config: &Config, domain: &str, section: &str) {
    let prepared = Jid::parse(domain).ok().filter(Jid::is_domain);
    if prepared.is_none_or(|jid| jid.as_str() != domain) {
        let fix = "write it in small letters, as in [component.\"irc.example.org\"]";
        source.error(section, format!("\"{domain}\" is no domain"), fix);
    }
    let own = &config.server.domains;
    let rooms = own.iter().filter(|_| config.rooms.enabled).map(|own| config.rooms.domain_of(own));
    let nodes = own.iter().filter(|_| config.pubsub.enabled).map(|own| format!("pubsub.{own}"));
    if own.iter().cloned().chain(rooms).chain(nodes).any(|taken| taken == domain) {
        let fix = "give the component another name, or switch off what has this one";
        source.error(section, format!("{domain} is served by this server itself"), fix);
    }
}

fn secret(source: &mut Source, component: &Component, section: &str) {
    let path = format!("{section}.secret");
    let fix = "set `secret` to what `openssl rand -hex 24` prints, here and in the component";
    match component.secret.reveal().chars().count() {
        0 => source.error(section, "it has no `secret`", fix),
        n if n < SECRET_CHARS_MIN => source.error(&path, "the secret can be guessed", fix),
        n if n < SECRET_CHARS => {
            source.warning(&path, format!("the secret is shorter than {SECRET_CHARS} characters"), fix);
        }
        _ => {}
    }
}

fn listeners(source: &mut Source, config: &Config) {
    let listen = &config.listen;
    for (at, text) in listen.components.iter().enumerate() {
        let Ok(address) = text.parse::<SocketAddr>() else { continue };
        if !address.ip().is_loopback() && !config.components.without_tls {
            let fix = "listen on 127.0.0.1, use `components_tls`, or set without_tls = true in [components] if only machines of yours can reach it";
            let what = "components from other machines would send all in the clear";
            source.error(&format!("listen.components[{at}]"), what, fix);
        }
    }
    let nowhere = listen.components.is_empty()
        && listen.components_tls.is_empty()
        && listen.components_socket.is_none();
    if nowhere && let Some(domain) = config.component.keys().next() {
        let fix = "set components = [\"127.0.0.1:5347\"] in [listen]";
        source.warning(&format!("component.{domain}"), "there is no listener for components", fix);
    }
}
