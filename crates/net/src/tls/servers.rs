//! TLS between servers: both sides show their certificates, and nobody is turned away for what is in one.
//!
//! RFC 7590, RFC 9325, XEP-0178 1.2 section 3, XEP-0368 1.1.0 (ALPN)
//!
//! The handshake proves that the peer has the key of the certificate that it shows. For whom that certificate speaks is
//! judged afterwards, for the domain that the stream is about: many certificates are for servers only (no `clientAuth`),
//! and some peers are believed for other reasons.
//!
//! Not here: that judgement (federation), the handshake itself.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs as provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

/// The protocol's name where TLS comes first (XEP-0368).
const ALPN: &[u8] = b"xmpp-server";

/// What a certificate of ours is served with to other servers, and shown to them.
#[derive(Clone)]
pub(crate) struct Servers {
    pub(crate) accepting: Arc<ServerConfig>,
    pub(crate) connecting: Arc<ClientConfig>,
    pub(crate) connecting_direct: Arc<ClientConfig>,
}

impl Servers {
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Servers, Error> {
        let provider = Arc::new(provider::default_provider());
        let any = Arc::new(AnyCertificate(provider.clone()));
        let mut accepting = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(any.clone())
            .with_single_cert(chain.clone(), key.clone_key())?;
        accepting.require_ems = true;
        accepting.session_storage = Arc::new(NoServerSessionStorage {});
        accepting.send_tls13_tickets = 0; // a resumed session would show no certificate
        accepting.max_early_data_size = 0;
        accepting.alpn_protocols = vec![ALPN.to_vec()];
        let mut connecting = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(any)
            .with_client_auth_cert(chain, key.clone_key())?;
        connecting.resumption = Resumption::disabled();
        connecting.require_ems = true;
        let mut direct = connecting.clone();
        direct.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Servers {
            accepting: Arc::new(accepting),
            connecting: Arc::new(connecting),
            connecting_direct: Arc::new(direct),
        })
    }
}

/// Accepts every certificate whose key the peer has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false // who shows none may still prove itself by dialback, where that is allowed
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
