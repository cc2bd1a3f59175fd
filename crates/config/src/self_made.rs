//! A self-made certificate, for trying the server out and for closed networks.
//!
//! RFC 5280; ECDSA with P-256.
//!
//! Not here: certificates that others trust.

use rcgen::{CertificateParams, DnType, KeyPair};

/// Certificate and key, both PEM, for a domain and the names below it that services use.
///
/// # Errors
/// The domain cannot stand in a certificate.
pub(crate) fn pair(domain: &str) -> Result<(String, String), rcgen::Error> {
    let mut names = vec![domain.to_owned()];
    names.extend(["conference", "upload", "pubsub", "push"].map(|service| format!("{service}.{domain}")));
    if domain.contains('.') {
        names.push(format!("*.{domain}"));
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, domain);
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2035, 12, 31);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
