//! A socket with or without TLS that believes any certificate.
//!
//! RFC 9266 (tls-exporter), RFC 5929 (tls-server-end-point, for certificates signed with SHA-256)
//!
//! Not here: what the bytes mean (`lanes.rs`, `http.rs`).

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bench::tls::AnyCertificate;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};

use crate::verdict::{Lack, Said, broken};

/// The longest that one answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection.
pub(crate) struct Socket {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Socket {
    pub(crate) fn connect(to: SocketAddr) -> Said<Socket> {
        match TcpStream::connect_timeout(&to, PATIENCE) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                tcp.set_write_timeout(Some(PATIENCE))?;
                Ok(Socket { tcp, tls: None })
            }
            Err(error) => Err(Lack::Missing(format!("port {}: {error}", to.port()))),
        }
    }

    /// Runs a handshake for that name, offering one protocol if it is not empty.
    pub(crate) fn secure(&mut self, name: &str, alpn: &str) -> Said {
        self.secure_with(name, alpn, rustls::ALL_VERSIONS)
    }

    pub(crate) fn secure_with(
        &mut self,
        name: &str,
        alpn: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Said {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        }
        let name = ServerName::try_from(name.to_owned())?;
        let mut tls = ClientConnection::new(Arc::new(config), name)?;
        self.tcp.set_read_timeout(Some(PATIENCE))?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut self.tcp) {
                return broken(format!("TLS: {error}"));
            }
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// The protocol that was agreed on (RFC 7301).
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.tls.as_ref()?.alpn_protocol()
    }

    /// The channel binding `tls-exporter`.
    pub(crate) fn exporter(&self) -> Said<Vec<u8>> {
        let Some(tls) = &self.tls else { return broken("no TLS") };
        Ok(tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).map(Vec::from)?)
    }

    /// The hash of the certificate that `tls-server-end-point` is.
    pub(crate) fn end_point(&self) -> Said<Vec<u8>> {
        let certificate = self.tls.as_ref().and_then(|tls| tls.peer_certificates()?.first());
        let Some(certificate) = certificate else { return broken("no certificate") };
        Ok(::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, certificate).as_ref().to_vec())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Said {
        match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.tcp);
                stream.write_all(bytes).and_then(|()| stream.flush())?;
            }
            None => self.tcp.write_all(bytes)?,
        }
        Ok(())
    }

    /// Reads once: nothing if nothing came in time, and an empty piece at the end.
    pub(crate) fn read(&mut self, patience: Duration) -> Said<Option<Vec<u8>>> {
        let mut buffer = vec![0; 32 * 1024];
        self.tcp.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        let read = match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).read(&mut buffer),
            None => self.tcp.read(&mut buffer),
        };
        match read {
            Ok(n) => {
                buffer.truncate(n);
                Ok(Some(buffer))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(None)
            }
            // A server may well close without a goodbye.
            Err(_) => Ok(Some(Vec::new())),
        }
    }
}
