//! What is shown to an authority that wants proof of a name.
//!
//! RFC 8737 section 3
//!
//! Not here: making that certificate (crate `acme`), when it is shown (`handshake.rs`).

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::TlsError;
use super::handshake::ACME;

/// TLS for such a connection. The certificate's extension is critical, and nobody but an authority need understand it: it
/// is not looked at.
pub(crate) fn configuration(
    certificate: CertificateDer<'static>,
    key: &PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let refused = |error: rustls::Error| TlsError::Refused(error.to_string());
    let key = provider::sign::any_supported_type(key).map_err(refused)?;
    let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![ACME.to_vec()];
    Ok(Arc::new(config))
}
