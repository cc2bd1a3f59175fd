//! The certificates in service, by name; replaced while connections are open.
//!
//! RFC 6066 section 3 (server name), XEP-0368 version 1.1.0 (which name clients ask for).
//!
//! Not here: reading files, and when to reload (config); one certificate (`identity.rs`).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ServerConfig};

use super::challenge;
use super::identity::{Identity, TlsError, TlsNote};

/// All certificates. Handshakes take what is there when they begin; running connections keep what they have.
#[derive(Default)]
pub struct TlsStore {
    table: RwLock<Arc<Table>>,
    /// By name: what is shown to an authority that wants proof of it.
    challenges: RwLock<HashMap<String, Arc<ServerConfig>>>,
}

#[derive(Clone, Default)]
struct Table {
    /// By hosted domain: what the operator assigned.
    domains: HashMap<String, Arc<Identity>>,
    /// By name in a certificate, for HTTP hosts and wildcards.
    names: HashMap<String, Arc<Identity>>,
    /// For clients that ask for no name or an unknown one: the domain loaded first.
    default: Option<String>,
}

impl TlsStore {
    /// A store without certificates: TLS handshakes fail, and STARTTLS is not to be offered.
    pub fn new() -> TlsStore {
        TlsStore::default()
    }

    /// Puts a certificate chain and its key (both PEM) into service for `domain`. Tells what was repaired.
    ///
    /// # Errors
    /// If they do not fit each other or the domain; then nothing changes, an older certificate stays in service, and
    /// the log says so at level error.
    pub fn load(&self, domain: &str, chain: &[u8], key: &[u8]) -> Result<Vec<TlsNote>, TlsError> {
        let domain = domain.to_ascii_lowercase();
        let result = Identity::read(chain, key, unix_now()).and_then(|(identity, notes)| {
            let covered = identity.covers(&domain);
            covered.then_some((identity, notes)).ok_or(TlsError::WrongName(domain.clone()))
        });
        match result {
            Ok((identity, notes)) => {
                for note in &notes {
                    tracing::warn!(domain, "certificate: {note}");
                }
                self.replace(domain, Arc::new(identity));
                Ok(notes)
            }
            Err(error) => {
                let kept = self.serves(&domain);
                tracing::error!(domain, old_certificate_stays = kept, "certificate refused: {error}");
                Err(error)
            }
        }
    }

    fn replace(&self, domain: String, identity: Arc<Identity>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = Table::clone(&table);
        new.default.get_or_insert_with(|| domain.clone());
        new.domains.insert(domain, identity);
        new.index();
        *table = Arc::new(new);
    }

    /// Takes a domain's certificate out of service.
    pub fn remove(&self, domain: &str) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = Table::clone(&table);
        new.domains.remove(domain);
        if new.default.as_deref() == Some(domain) {
            new.default = new.domains.keys().min().cloned();
        }
        new.index();
        *table = Arc::new(new);
    }

    /// Whether a certificate was loaded for `domain`.
    pub fn serves(&self, domain: &str) -> bool {
        self.table().domains.contains_key(domain)
    }

    /// First and last second of validity of a domain's certificate, Unix time.
    pub fn validity(&self, domain: &str) -> Option<(i64, i64)> {
        self.table().domains.get(domain).map(|identity| identity.validity)
    }

    /// TLS for a connection from another server that asks for `name`; `None` without any certificate.
    pub fn accepting(&self, name: Option<&str>) -> Option<Arc<ServerConfig>> {
        self.identity(name).map(|identity| identity.servers.accepting.clone())
    }

    /// TLS for a connection to another server on behalf of `local`. `direct`: TLS comes first (XEP-0368). The peer's
    /// certificate is not judged by it.
    pub fn connecting(&self, local: &str, direct: bool) -> Option<Arc<ClientConfig>> {
        let servers = &self.identity(Some(local))?.servers;
        Some(if direct { servers.connecting_direct.clone() } else { servers.connecting.clone() })
    }

    /// From now on an authority that wants proof of `name` by tls-alpn-01 is shown this certificate (RFC 8737).
    ///
    /// # Errors
    /// If the key cannot be used.
    pub fn begin_challenge(
        &self,
        name: &str,
        certificate: CertificateDer<'static>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        let config = challenge::configuration(certificate, key)?;
        let mut challenges = self.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(name.to_ascii_lowercase(), config);
        Ok(())
    }

    /// No longer.
    pub fn end_challenge(&self, name: &str) {
        let mut challenges = self.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.remove(&name.to_ascii_lowercase());
    }

    /// What to show to who wants proof of `name`.
    pub(crate) fn challenge(&self, name: Option<&str>) -> Option<Arc<ServerConfig>> {
        self.challenges
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name?.to_ascii_lowercase())
            .cloned()
    }

    /// Whether the certificate that is shown on behalf of `name` is one for it.
    pub fn proves(&self, name: &str) -> bool {
        self.identity(Some(name)).is_some_and(|identity| identity.covers(name))
    }

    /// What to serve to a client that asks for `name`.
    pub(crate) fn identity(&self, name: Option<&str>) -> Option<Arc<Identity>> {
        let table = self.table();
        let named = name.and_then(|name| {
            let wildcard =
                || name.split_once('.').and_then(|(_, parent)| table.names.get(&format!("*.{parent}")));
            table.domains.get(name).or_else(|| table.names.get(name)).or_else(wildcard)
        });
        named.or_else(|| table.domains.get(table.default.as_ref()?)).cloned()
    }

    fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Table {
    fn index(&mut self) {
        let named =
            self.domains.values().flat_map(|id| id.names.iter().map(|name| (name.clone(), id.clone())));
        self.names = named.collect();
    }
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    fn pair(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn load(
        store: &TlsStore,
        domain: &str,
        (chain, key): &(String, String),
    ) -> Result<Vec<TlsNote>, TlsError> {
        store.load(domain, chain.as_bytes(), key.as_bytes())
    }

    #[test]
    fn names_find_their_certificate_and_others_the_first() {
        let store = TlsStore::new();
        assert!(store.identity(None).is_none());
        load(&store, "a.example", &pair(&["a.example", "*.web.example"])).unwrap();
        load(&store, "b.example", &pair(&["b.example", "chat.b.example"])).unwrap();
        let of = |name| store.identity(name).unwrap().end_point.clone();
        let (a, b) = (of(Some("a.example")), of(Some("b.example")));
        assert_ne!(a, b);
        for (name, want) in [
            (None, &a),
            (Some("nobody.example"), &a),
            (Some("chat.b.example"), &b),
            (Some("x.web.example"), &a),
        ] {
            assert_eq!(&of(name), want, "{name:?}");
        }
        store.remove("a.example");
        assert_eq!(of(None), b);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_old_one_stays() {
        let store = TlsStore::new();
        let (old, other) = (pair(&["a.example"]), pair(&["a.example"]));
        load(&store, "a.example", &old).unwrap();
        let before = store.identity(Some("a.example")).unwrap();
        for (chain, key, want) in [
            (&other.0[..], &old.1[..], TlsError::KeyMismatch),
            ("", &old.1, TlsError::Empty),
            (&pair(&["b.example"]).0, &old.1, TlsError::KeyMismatch),
        ] {
            assert_eq!(store.load("a.example", chain.as_bytes(), key.as_bytes()), Err(want));
        }
        assert!(matches!(store.load("a.example", old.0.as_bytes(), b"x"), Err(TlsError::KeyFile(_))));
        let wrong = load(&store, "a.example", &pair(&["b.example"]));
        assert_eq!(wrong, Err(TlsError::WrongName("a.example".into())));
        assert!(Arc::ptr_eq(&before, &store.identity(Some("a.example")).unwrap()));
        load(&store, "a.example", &other).unwrap();
        assert!(!Arc::ptr_eq(&before, &store.identity(Some("a.example")).unwrap()));
    }

    #[test]
    fn a_chain_is_put_in_order() {
        let (root_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut root = CertificateParams::new([]).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(rcgen::DnType::CommonName, "the root");
        let root_cert = root.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(root, root_key);
        let leaf =
            CertificateParams::new(["a.example".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
        let (leaf, root, key) = (leaf.pem(), root_cert.pem(), leaf_key.serialize_pem());
        let stranger = pair(&["c.example"]).0;
        for (chain, want) in [
            (format!("{leaf}{root}"), vec![]),
            (format!("{root}{leaf}"), vec![TlsNote::Reordered]),
            (leaf.clone(), vec![TlsNote::NoIntermediate]),
            (format!("some text\n{leaf}{stranger}{root}"), vec![TlsNote::Unrelated(1)]),
        ] {
            let store = TlsStore::new();
            assert_eq!(store.load("a.example", chain.as_bytes(), key.as_bytes()), Ok(want));
        }
    }
}
