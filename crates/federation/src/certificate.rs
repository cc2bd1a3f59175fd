//! Whether a certificate proves a domain.
//!
//! RFC 6120 section 13.7.2, RFC 6125 and RFC 9525 (names), RFC 5280, RFC 7590
//!
//! Only subject alternative names count, never a common name. A certificate that is for servers only will do for a server
//! that connects, too: public authorities no longer give others.
//!
//! Not here: DANE (RFC 7673) and POSH (RFC 7711), revocation; what follows where a certificate proves nothing (s2s).

use std::io;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::san;
use crate::shown::Shown;
use crate::targets::ascii;

/// Certificates that are looked at in one chain.
const CHAIN_MAX: usize = 10;

/// Whom we trust to say whose a certificate is.
pub struct Roots(RootCertStore);

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is none.
    None,
    /// It is no certificate that we can read.
    Unreadable,
    /// It is not, or its issuers are not, valid now.
    OutsideValidity,
    /// It is not meant for servers.
    NotForServers,
    /// Nobody whom we trust has issued it.
    Untrusted,
    /// It is for other domains.
    OtherName,
}

impl Doubt {
    /// All of them.
    pub const ALL: [Doubt; 6] = [
        Doubt::None,
        Doubt::Unreadable,
        Doubt::OutsideValidity,
        Doubt::NotForServers,
        Doubt::Untrusted,
        Doubt::OtherName,
    ];

    /// A short name for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Doubt::None => "no_certificate",
            Doubt::Unreadable => "unreadable",
            Doubt::OutsideValidity => "outside_validity",
            Doubt::NotForServers => "not_for_servers",
            Doubt::Untrusted => "untrusted",
            Doubt::OtherName => "other_name",
        }
    }
}

impl Roots {
    /// Those of the system, and those in a file of the operator's (PEM).
    ///
    /// # Errors
    /// If that file cannot be read or holds no certificate.
    pub fn load(more: Option<&Path>) -> io::Result<Roots> {
        let mut store = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!("trusted certificates of the system: {error}");
        }
        store.add_parsable_certificates(found.certs);
        if let Some(path) = more {
            let bytes = std::fs::read(path)?;
            let own = Roots::of_pem(&bytes)?;
            store.extend(own.0.roots);
        }
        if store.is_empty() {
            tracing::warn!("the system has no trusted certificates: other servers cannot prove who they are");
        }
        Ok(Roots(store))
    }

    /// Only those in a PEM file.
    ///
    /// # Errors
    /// If there is none in it.
    pub fn of_pem(pem: &[u8]) -> io::Result<Roots> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
            store.add(certificate).map_err(|error| invalid(error.to_string()))?;
        }
        if store.is_empty() {
            return Err(invalid("it holds no certificate".to_owned()));
        }
        Ok(Roots(store))
    }

    /// What the first certificate of a PEM file says, and whether the file proves `domain` now.
    pub fn judge(&self, pem: &[u8], domain: &str) -> (Option<Shown>, Result<(), Doubt>) {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem).flatten().collect();
        let shown = chain.first().and_then(|leaf| Shown::read(leaf));
        let proof = match ascii(domain) {
            Some(name) => self.prove(&chain, &name, UnixTime::now()),
            None => Err(Doubt::OtherName),
        };
        (shown, proof)
    }

    /// Whether the chain, the peer's own certificate first, is one of `domain` (in ASCII).
    ///
    /// # Errors
    /// Why not.
    pub fn prove(&self, chain: &[CertificateDer<'_>], domain: &str, now: UnixTime) -> Result<(), Doubt> {
        let (leaf, intermediates) = chain.split_first().ok_or(Doubt::None)?;
        let intermediates = &intermediates[..intermediates.len().min(CHAIN_MAX)];
        let end = EndEntityCert::try_from(leaf).map_err(|_| Doubt::Unreadable)?;
        let usage = KeyUsage::server_auth();
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        end.verify_for_usage(algorithms, &self.0.roots, intermediates, now, usage, None, None)
            .map_err(|error| doubt(&error))?;
        names(&end, leaf, domain)
    }
}

fn names(end: &EndEntityCert<'_>, leaf: &CertificateDer<'_>, domain: &str) -> Result<(), Doubt> {
    let name = ServerName::try_from(domain).map_err(|_| Doubt::OtherName)?;
    if end.verify_is_valid_for_subject_name(&name).is_ok() || san::names(leaf, domain) {
        return Ok(());
    }
    Err(Doubt::OtherName)
}

fn doubt(error: &Error) -> Doubt {
    match error {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::InvalidCertValidity => {
            Doubt::OutsideValidity
        }
        Error::RequiredEkuNotFoundContext(_) => Doubt::NotForServers,
        Error::BadDer => Doubt::Unreadable,
        _ => Doubt::Untrusted,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer, KeyPair,
        OtherNameValue, SanType,
    };

    use super::*;

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn authority() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn leaf(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new([]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &authority.issuer).unwrap().der().clone()
    }

    fn dns(names: &'static [&'static str]) -> impl Fn(&mut CertificateParams) {
        move |params| {
            let named = |name: &&str| SanType::DnsName((*name).try_into().unwrap());
            params.subject_alt_names = names.iter().map(named).collect();
        }
    }

    fn other(oid: &'static [u64], value: &'static str) -> impl Fn(&mut CertificateParams) {
        move |params| {
            let value = OtherNameValue::Utf8String(value.to_owned());
            params.subject_alt_names = vec![SanType::OtherName((oid.to_vec(), value))];
        }
    }

    #[test]
    fn names_and_purposes() {
        let ours = authority();
        let roots = Roots::of_pem(ours.pem.as_bytes()).unwrap();
        let judge = |leaf: CertificateDer<'static>| roots.prove(&[leaf], "a.example", UnixTime::now());
        let with = |purposes: &'static [Eku]| {
            judge(leaf(&ours, |params| {
                dns(&["a.example"])(params);
                params.extended_key_usages = purposes.to_vec();
            }))
        };
        // C-19.
        assert_eq!(with(&[]), Ok(()));
        assert_eq!(with(&[Eku::ServerAuth]), Ok(()));
        assert_eq!(with(&[Eku::ServerAuth, Eku::ClientAuth]), Ok(()));
        assert_eq!(with(&[Eku::ClientAuth]), Err(Doubt::NotForServers));
        let named = |names: &'static [&'static str]| judge(leaf(&ours, dns(names)));
        assert_eq!(named(&["b.example", "A.Example"]), Ok(()));
        let below = roots.prove(&[leaf(&ours, dns(&["*.a.example"]))], "b.a.example", UnixTime::now());
        assert_eq!(below, Ok(()));
        for wrong in
            [&["b.example"][..], &["*.example"], &["*.a.example"], &["x.a.example"], &["a.example.org"], &[]]
        {
            assert_eq!(judge(leaf(&ours, dns(wrong))), Err(Doubt::OtherName), "{wrong:?}");
        }
        let in_common_name =
            leaf(&ours, |params| params.distinguished_name.push(DnType::CommonName, "a.example"));
        assert_eq!(judge(in_common_name), Err(Doubt::OtherName));
        const XMPP: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 5];
        const SRV: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 7];
        for (oid, value, want) in [
            (XMPP, "a.example", Ok(())),
            (XMPP, "b.example", Err(Doubt::OtherName)),
            (XMPP, "user@a.example", Err(Doubt::OtherName)),
            (SRV, "_xmpp-server.a.example", Ok(())),
            (SRV, "_xmpp-client.a.example", Err(Doubt::OtherName)),
            (SRV, "a.example", Err(Doubt::OtherName)),
            (&[1, 2, 3], "a.example", Err(Doubt::OtherName)),
        ] {
            assert_eq!(judge(leaf(&ours, other(oid, value))), want, "{value}");
        }
    }

    #[test]
    fn who_issued_it_and_when() {
        let (ours, theirs) = (authority(), authority());
        let roots = Roots::of_pem(ours.pem.as_bytes()).unwrap();
        let judge = |chain: &[CertificateDer<'static>]| roots.prove(chain, "a.example", UnixTime::now());
        assert_eq!(judge(&[]), Err(Doubt::None));
        assert_eq!(judge(&[CertificateDer::from(vec![0x30, 0])]), Err(Doubt::Unreadable));
        assert_eq!(judge(&[leaf(&theirs, dns(&["a.example"]))]), Err(Doubt::Untrusted));
        let own = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        assert_eq!(judge(&[own.cert.der().clone()]), Err(Doubt::Untrusted));
        for (from, to, want) in [(2000, 2001, Err(Doubt::OutsideValidity)), (2000, 4000, Ok(()))] {
            let old = leaf(&ours, |params| {
                dns(&["a.example"])(params);
                params.not_before = rcgen::date_time_ymd(from, 1, 1);
                params.not_after = rcgen::date_time_ymd(to, 1, 1);
            });
            assert_eq!(judge(&[old]), want);
        }
        let many = vec![leaf(&ours, dns(&["a.example"])); 100];
        assert_eq!(judge(&many), Ok(()));
    }
}
