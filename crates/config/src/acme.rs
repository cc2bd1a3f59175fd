//! What the operator decides about certificates that the server gets itself, as types, and what it means together.
//!
//! Not here: what each setting means and may be (`around.rs`), getting them (crate `acme`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// `[acme]`, named as in the file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Acme {
    pub enabled: bool,
    pub agree_to_terms: bool,
    pub directory: String,
    pub contact: Vec<String>,
    pub challenge: Challenge,
    pub subdomains: bool,
    pub ca_file: Option<String>,
    pub external_key_id: Option<String>,
    pub external_key: Option<String>,
    pub dns_program: Option<String>,
    pub dns_server: Option<String>,
    pub dns_zone: Option<String>,
    pub dns_key_name: Option<String>,
    pub dns_key_algorithm: String,
    pub dns_key_secret: Option<String>,
    pub dns_wait_seconds: u64,
}

/// How we prove that a domain is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Challenge {
    #[default]
    #[serde(rename = "tls-alpn-01")]
    Tls,
    #[serde(rename = "http-01")]
    Http,
    #[serde(rename = "dns-01")]
    Dns,
}

impl Default for Acme {
    fn default() -> Acme {
        Acme {
            enabled: false,
            agree_to_terms: false,
            directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            contact: Vec::new(),
            challenge: Challenge::Tls,
            subdomains: true,
            ca_file: None,
            external_key_id: None,
            external_key: None,
            dns_program: None,
            dns_server: None,
            dns_zone: None,
            dns_key_name: None,
            dns_key_algorithm: "hmac-sha256".to_owned(),
            dns_key_secret: None,
            dns_wait_seconds: 30,
        }
    }
}

/// Without the secrets.
impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Acme");
        shown.field("enabled", &self.enabled).field("directory", &self.directory);
        shown.field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

impl Acme {
    /// Name and key of an account elsewhere (RFC 8555 section 7.3.4). Checked when the configuration was read.
    pub fn external(&self) -> Option<(String, Vec<u8>)> {
        let key = URL_SAFE_NO_PAD.decode(self.external_key.as_ref()?.trim_end_matches('=')).ok()?;
        Some((self.external_key_id.clone()?, key))
    }

    /// Name, algorithm and secret of the key that signs updates. Checked when the configuration was read.
    pub fn dns_key(&self) -> Option<(String, String, Vec<u8>)> {
        let secret = STANDARD.decode(self.dns_key_secret.as_ref()?).ok()?;
        Some((self.dns_key_name.clone()?, self.dns_key_algorithm.clone(), secret))
    }
}

impl Config {
    /// Whether clients and servers can be served with TLS, now or as soon as there is a certificate.
    pub fn has_tls(&self) -> bool {
        self.acme.enabled || !self.identities().is_empty()
    }

    /// The domains whose certificates the server gets itself: those that have none in a file.
    pub fn acme_domains(&self) -> Vec<String> {
        let with: Vec<String> = self.identities().into_iter().map(|identity| identity.domain).collect();
        let own = self.server.domains.iter().filter(|domain| self.acme.enabled && !with.contains(domain));
        own.cloned().collect()
    }
}

pub(crate) fn check(source: &mut Source, config: &Config) {
    let own = &config.acme;
    if !own.enabled {
        return;
    }
    if !own.agree_to_terms {
        let fix = "read the terms of the authority, and write agree_to_terms = true if you agree to them";
        source.error("acme.enabled", "nobody has agreed to the terms of the authority", fix);
    }
    if !own.directory.starts_with("https://") {
        let fix = "write an address as \"https://acme-v02.api.letsencrypt.org/directory\"";
        source.error("acme.directory", format!("\"{}\" is no such address", own.directory), fix);
    }
    for (at, contact) in own.contact.iter().enumerate().filter(|(_, text)| !text.starts_with("mailto:")) {
        let fix = "write \"mailto:\" and an address, as in \"mailto:admin@example.org\"";
        source.error(&format!("acme.contact[{at}]"), format!("\"{contact}\" is no such address"), fix);
    }
    if config.acme_domains().is_empty() {
        let fix = "take `certificate` and `key` out of [tls] or [domain.\"...\"], or set enabled = false";
        source.warning("acme.enabled", "all domains have certificates in files already", fix);
    }
    keys(source, own);
    doors(source, config);
}

fn keys(source: &mut Source, own: &Acme) {
    for (name, one, other) in [
        ("external_key", &own.external_key, &own.external_key_id),
        ("external_key_id", &own.external_key_id, &own.external_key),
        ("dns_key_secret", &own.dns_key_secret, &own.dns_key_name),
        ("dns_key_name", &own.dns_key_name, &own.dns_key_secret),
    ] {
        if one.is_some() && other.is_none() {
            let fix = "set both the name and the secret of a key, or neither";
            source.error(&format!("acme.{name}"), format!("`{name}` alone is of no use"), fix);
        }
    }
    for (name, given, good) in [
        ("external_key", &own.external_key, own.external().is_some()),
        ("dns_key_secret", &own.dns_key_secret, own.dns_key().is_some()),
    ] {
        let both = own.external_key_id.is_some() || name != "external_key";
        if given.is_some() && both && !good && (own.dns_key_name.is_some() || name == "external_key") {
            source.error(&format!("acme.{name}"), "it is not in Base64", "copy it as you were given it");
        }
    }
}

/// Whether proof can be shown in the way that was chosen.
fn doors(source: &mut Source, config: &Config) {
    let (own, listen) = (&config.acme, &config.listen);
    let at = |lists: &[&Vec<String>], port: &str| {
        lists.iter().flat_map(|list| list.iter()).any(|address| address.rsplit(':').next() == Some(port))
    };
    match own.challenge {
        Challenge::Tls if !at(&[&listen.shared, &listen.https, &listen.c2s_tls], "443") => {
            let fix = "write shared = [\"0.0.0.0:443\", \"[::]:443\"] in [listen], unless something in front of this machine leads port 443 to one of its ports with TLS";
            source.warning("acme.challenge", "authorities look at port 443, where nothing listens", fix);
        }
        Challenge::Http if !at(&[&listen.acme, &listen.http], "80") => {
            let fix = "write acme = [\"0.0.0.0:80\", \"[::]:80\"] in [listen], unless something in front of this machine leads /.well-known/acme-challenge/ of port 80 to `acme` or `http`";
            source.warning("acme.challenge", "authorities look at port 80, where nothing listens", fix);
        }
        Challenge::Dns if own.dns_program.is_none() && own.dns_server.is_none() => {
            let fix = "set `dns_program` or `dns_server`, or choose another kind of proof";
            source.error("acme.challenge", "nothing is said about how to change DNS", fix);
        }
        _ => {}
    }
}
