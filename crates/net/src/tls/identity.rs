//! One certificate with its key, ready to serve: checked, ordered, with a TLS configuration for each purpose.
//!
//! RFC 9325 (TLS 1.2 and 1.3 only, extended master secret required), RFC 7301 and XEP-0368 version 1.1.0 (ALPN),
//! RFC 5929 section 4 (`tls-server-end-point`).
//!
//! Not here: which identity serves which name (`store.rs`), obtaining certificates.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{self as provider, Ticketer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;

use super::der;
use super::servers::Servers;

/// What a TLS connection is for; decides the application protocol (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// XMPP by STARTTLS or direct TLS: `xmpp-client`, or a client that offers nothing.
    Client,
    /// HTTP: `http/1.1`, or a client that offers nothing.
    Web,
    /// STUN and TURN: `stun.turn` or `stun.nat-discovery` (RFC 7443), or a client that offers nothing.
    Relay,
}

/// A certificate with its key.
pub(crate) struct Identity {
    client: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
    relay: Arc<ServerConfig>,
    /// For other servers.
    pub(crate) servers: Servers,
    /// RFC 5929 hash of the leaf, if its signature algorithm defines one.
    pub(crate) end_point: Option<Vec<u8>>,
    /// Names in the leaf, lower case; a wildcard as `*.example`.
    pub(crate) names: Vec<String>,
    /// First and last second of validity, Unix time.
    pub(crate) validity: (i64, i64),
}

/// Why a certificate cannot be served.
#[derive(Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The certificate file is not PEM, or has a broken block.
    CertificateFile(String),
    /// The key file is not PEM, has a broken block, or no key.
    KeyFile(String),
    /// The certificate file has no certificate.
    Empty,
    /// No certificate in the file belongs to the key.
    KeyMismatch,
    /// A block is no certificate that we can read.
    Unreadable,
    /// The certificate is for other names.
    WrongName(String),
    /// The cryptography library refuses the key or certificate.
    Refused(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::CertificateFile(why) => write!(f, "the certificate file is not proper PEM: {why}"),
            TlsError::KeyFile(why) => {
                write!(f, "the key file is not proper PEM or holds no private key: {why}")
            }
            TlsError::Empty => f.write_str("the certificate file holds no certificate"),
            TlsError::KeyMismatch => f.write_str("no certificate in the file belongs to the private key"),
            TlsError::Unreadable => f.write_str("a block of the certificate file is no readable certificate"),
            TlsError::WrongName(name) => write!(f, "the certificate is not valid for {name}"),
            TlsError::Refused(why) => write!(f, "the certificate or key cannot be used: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// What was repaired or looks wrong, but can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsNote {
    /// The leaf was not first, or the chain not in order; it is served in order.
    Reordered,
    /// This many certificates do not belong to the chain; they are not served.
    Unrelated(usize),
    /// The chain ends with a certificate that is not self-signed and no other follows: most often an intermediate is missing.
    NoIntermediate,
    /// Not valid any more, or not yet.
    OutsideValidity,
}

impl fmt::Display for TlsNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsNote::Reordered => f.write_str("the certificates were not in order; they are served in order"),
            TlsNote::Unrelated(n) => {
                write!(f, "{n} certificates do not belong to the chain and are not served")
            }
            TlsNote::NoIntermediate => {
                f.write_str("only a leaf: the intermediate certificate is probably missing")
            }
            TlsNote::OutsideValidity => f.write_str("the certificate is not valid now"),
        }
    }
}

impl Identity {
    /// Reads PEM. `now` in Unix seconds is only for a note.
    pub(crate) fn read(chain: &[u8], key: &[u8], now: i64) -> Result<(Identity, Vec<TlsNote>), TlsError> {
        let certificates = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::CertificateFile(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::KeyFile(error.to_string()))?;
        let (chain, mut notes) = in_order(certificates, &key)?;
        let leaf = der::fields(&chain[0]).ok_or(TlsError::Unreadable)?;
        let validity = (leaf.not_before, leaf.not_after);
        if now < validity.0 || now > validity.1 {
            notes.push(TlsNote::OutsideValidity);
        }
        let end_point = leaf.end_point_hash().map(|hash| digest::digest(hash, &chain[0]).as_ref().to_vec());
        let names = names(&chain[0])?;
        let servers =
            Servers::new(chain.clone(), &key).map_err(|error| TlsError::Refused(error.to_string()))?;
        let [client, web, relay] = configurations(chain, key)?;
        Ok((Identity { client, web, relay, servers, end_point, names, validity }, notes))
    }

    /// The configuration for a purpose.
    pub(crate) fn config(&self, purpose: Purpose) -> Arc<ServerConfig> {
        match purpose {
            Purpose::Client => self.client.clone(),
            Purpose::Web => self.web.clone(),
            Purpose::Relay => self.relay.clone(),
        }
    }

    /// Whether the leaf is valid for `name` (RFC 6125: exact, or one label under a wildcard).
    pub(crate) fn covers(&self, name: &str) -> bool {
        let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        self.names.iter().any(|known| known == name || Some(known) == wildcard.as_ref())
    }
}

fn names(leaf: &CertificateDer<'_>) -> Result<Vec<String>, TlsError> {
    let parsed = webpki::EndEntityCert::try_from(leaf).map_err(|_| TlsError::Unreadable)?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// Puts the certificate of the key first, and after each its issuer. What is left over is not served.
fn in_order(
    mut given: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<(Vec<CertificateDer<'static>>, Vec<TlsNote>), TlsError> {
    if given.is_empty() {
        return Err(TlsError::Empty);
    }
    let signing = provider::sign::any_supported_type(key).map_err(|e| TlsError::Refused(e.to_string()))?;
    if given.iter().any(|certificate| der::fields(certificate).is_none()) {
        return Err(TlsError::Unreadable);
    }
    let belongs = |c: &CertificateDer<'static>| {
        CertifiedKey::new(vec![c.clone()], signing.clone()).keys_match().is_ok()
    };
    let first = given.iter().position(belongs).ok_or(TlsError::KeyMismatch)?;
    let mut chain = vec![given.remove(first)];
    let mut reordered = first != 0;
    let mut complete = false;
    while let Some(last) = chain.last().and_then(|der| der::fields(der)) {
        complete = last.issuer == last.subject;
        let issuer = given
            .iter()
            .position(|other| der::fields(other).is_some_and(|other| other.subject == last.issuer));
        match issuer {
            Some(at) if !complete => {
                reordered |= at != 0;
                let issuer = given.remove(at);
                chain.push(issuer);
            }
            _ => break,
        }
    }
    let mut notes = Vec::new();
    if !given.is_empty() {
        notes.push(TlsNote::Unrelated(given.len()));
    } else if reordered {
        notes.push(TlsNote::Reordered);
    }
    if chain.len() == 1 && !complete {
        notes.push(TlsNote::NoIntermediate);
    }
    Ok((chain, notes))
}

/// One configuration per purpose, with one ticket key for all: a new certificate ends resumption with the old one,
/// so that a resumed session never has another `tls-server-end-point` than the client remembers.
fn configurations(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<[Arc<ServerConfig>; 3], TlsError> {
    let refused = |error: rustls::Error| TlsError::Refused(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(refused)?;
    config.require_ems = true;
    config.ticketer = Ticketer::new().map_err(refused)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1; // a client resumes one connection with it and gets the next
    config.max_early_data_size = 0; // early data can be replayed
    let speaking = |protocols: &[&str]| {
        let mut config = config.clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    };
    Ok([speaking(&["xmpp-client"]), speaking(&["http/1.1"]), speaking(&["stun.turn", "stun.nat-discovery"])])
}
