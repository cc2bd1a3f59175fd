//! What the operator decides about certificates, and what is told of them.
//!
//! Not here: where the values come from (config).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Which authority, and how to speak with it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of its directory (RFC 8555 section 7.1.1).
    pub directory: String,
    /// Addresses (URIs) under which it may warn the operator.
    pub contact: Vec<String>,
    /// How we prove that a name is ours.
    pub way: Way,
    /// Name and key of an account elsewhere that the authority asks for (RFC 8555 section 7.3.4).
    pub external: Option<(String, Vec<u8>)>,
    /// Which authorities are believed about the directory itself.
    pub roots: Arc<RootCertStore>,
    /// The folder in which account and certificates are kept. It is made when there is none.
    pub folder: PathBuf,
}

/// How we prove that a name is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By an answer on port 80 (RFC 8555 section 8.3).
    Http,
    /// By a certificate on port 443 (RFC 8737).
    Tls,
    /// By a record in DNS (RFC 8555 section 8.4) that this program sets: `PROGRAM add|remove NAME VALUE`; then this pause.
    Hook(PathBuf, Duration),
    /// The same, set by an update (RFC 2136); then this pause.
    Update(Update, Duration),
}

/// An update of DNS.
#[derive(Clone, PartialEq, Eq)]
pub struct Update {
    /// The server that takes updates: host and port.
    pub server: String,
    /// The zone; empty: the domain itself.
    pub zone: String,
    /// Name, algorithm (as `hmac-sha256`) and secret of the key that signs it (RFC 8945).
    pub key: Option<(String, String, Vec<u8>)>,
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("server", &self.server)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

/// A certificate that shall be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For this domain of ours.
    pub domain: String,
    /// Names below it that shall be in it, too, if the authority can be convinced of them.
    pub more: Vec<String>,
}

/// How it stands with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// For this domain.
    pub domain: String,
    /// First and last second of validity of what is in service, Unix time.
    pub validity: Option<(i64, i64)>,
    /// When the next attempt is to be made, Unix time.
    pub next: i64,
    /// Names that the authority could not be convinced of, and why.
    pub left_out: Vec<(String, String)>,
    /// Failures since the last success.
    pub failures: u32,
    /// What went wrong last.
    pub trouble: Option<String>,
}

/// Whom to believe about the directory: those that the system trusts, and one more file.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn roots(more: Option<&Path>) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = more {
        let pem = std::fs::read(path).map_err(|error| error.to_string())?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        if roots.add_parsable_certificates(found).0 == 0 {
            return Err("it holds no certificate".to_owned());
        }
    }
    Ok(Arc::new(roots))
}
