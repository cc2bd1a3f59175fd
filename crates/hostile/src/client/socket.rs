//! A socket from an address of one's choice, with TLS if wanted. Nothing that the server does is an error here.
//!
//! Not here: what the bytes mean.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bench::tls::AnyCertificate;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};
use socket2::{Domain, Protocol, Type};

use super::PATIENCE;
use crate::{Outcome, words};

/// A TCP connection, perhaps encrypted.
pub(crate) struct Socket {
    pub(crate) tcp: TcpStream,
    pub(crate) tls: Option<Box<ClientConnection>>,
}

/// What came.
pub(crate) enum Read {
    Bytes(Vec<u8>),
    Nothing,
    End,
}

/// What a TLS client offers.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) alpn: Vec<&'static [u8]>,
    pub(crate) name: String,
    pub(crate) sni: bool,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    pub(crate) early_data: bool,
}

impl Offer {
    pub(crate) fn of(name: &str) -> Offer {
        Offer {
            alpn: vec![],
            name: name.into(),
            sni: true,
            versions: rustls::ALL_VERSIONS,
            early_data: false,
        }
    }

    /// Settings of a client that believes any certificate and resumes nothing.
    pub(crate) fn config(&self) -> Outcome<ClientConfig> {
        static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
        let provider = PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone();
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.versions)
            .map_err(words)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        config.enable_sni = self.sni;
        config.enable_early_data = self.early_data;
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

impl Socket {
    pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr) -> Outcome<Socket> {
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(words)?;
        let connected = socket
            .bind(&SocketAddr::from((from, 0)).into())
            .and_then(|()| socket.connect_timeout(&to.into(), PATIENCE));
        connected.map_err(|error| format!("cannot connect from {from} to {to}: {error}"))?;
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true).map_err(words)?;
        tcp.set_write_timeout(Some(PATIENCE)).map_err(words)?;
        Ok(Socket { tcp, tls: None })
    }

    /// Runs a TLS handshake.
    pub(crate) fn secure(&mut self, offer: &Offer) -> Outcome {
        self.secure_with(Arc::new(offer.config()?), &offer.name)
    }

    /// The same with settings that remember sessions.
    pub(crate) fn secure_with(&mut self, config: Arc<ClientConfig>, name: &str) -> Outcome {
        let name = ServerName::try_from(name.to_owned()).map_err(words)?;
        let mut tls = ClientConnection::new(config, name).map_err(words)?;
        self.tcp.set_read_timeout(Some(PATIENCE)).map_err(words)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.tcp).map_err(|error| format!("TLS: {error}"))?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Writes. If the server takes no more, its reason is there to be read.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.tcp);
                stream.write_all(bytes).and_then(|()| stream.flush())
            }
            None => self.tcp.write_all(bytes),
        };
    }

    /// Reads once.
    pub(crate) fn read(&mut self, patience: Duration) -> Read {
        let mut buffer = vec![0; 64 * 1024];
        if self.tcp.set_read_timeout(Some(patience.max(Duration::from_millis(1)))).is_err() {
            return Read::End;
        }
        let read = match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).read(&mut buffer),
            None => self.tcp.read(&mut buffer),
        };
        match read {
            Ok(0) => Read::End,
            Ok(n) => {
                buffer.truncate(n);
                Read::Bytes(buffer)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Read::Nothing
            }
            Err(_) => Read::End,
        }
    }

    /// Everything to the end.
    pub(crate) fn rest(&mut self, patience: Duration) -> Outcome<Vec<u8>> {
        let (until, mut out) = (std::time::Instant::now() + patience, Vec::new());
        loop {
            match self.read(until.saturating_duration_since(std::time::Instant::now())) {
                Read::Bytes(bytes) => out.extend(bytes),
                Read::End => return Ok(out),
                Read::Nothing => return Err(format!("no end after {:?}", String::from_utf8_lossy(&out))),
            }
        }
    }

    /// Says that no more will come, by TLS too if there is any.
    pub(crate) fn half_close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.complete_io(&mut self.tcp);
        }
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    /// The channel binding `tls-exporter` (RFC 9266) of this connection.
    pub(crate) fn exporter(&self) -> Outcome<[u8; 32]> {
        let tls = self.tls.as_ref().ok_or("no TLS")?;
        tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).map_err(words)
    }
}
