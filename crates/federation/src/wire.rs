//! One connection, plain or with TLS, and the handshakes that make the one the other.
//!
//! RFC 6120 section 5, RFC 7590, XEP-0368 1.1.0 (server name, ALPN)
//!
//! Not here: certificates of ours (net), what a peer's certificate proves (`certificate.rs`).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use net::TlsStore;
use rustls::CommonState;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, client, server};

use crate::limits;
use crate::replay::Replay;
use crate::targets::ascii;

/// A connection.
pub(crate) enum Wire {
    Plain(Replay),
    Client(Box<client::TlsStream<Replay>>),
    Server(Box<server::TlsStream<Replay>>),
    /// It was lost in a handshake.
    Gone,
}

/// What a handshake brought.
pub(crate) struct Secured {
    pub(crate) about: String,
    /// The peer's certificates, its own first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

impl Wire {
    /// A socket, and what was read of it already.
    pub(crate) fn new(tcp: TcpStream, read: Vec<u8>) -> Wire {
        Wire::Plain(Replay::new(tcp, read))
    }

    /// The other end, before any TLS.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Wire::Plain(replay) => replay.peer(),
            _ => None,
        }
    }

    /// Shakes hands as the side that connected, on behalf of `local`.
    pub(crate) async fn connect_tls(
        &mut self,
        store: &TlsStore,
        local: &str,
        remote: &str,
        direct: bool,
    ) -> io::Result<Secured> {
        let tcp = self.take_plain()?;
        let config = store.connecting(local, direct).ok_or(io::ErrorKind::Unsupported)?;
        let name = ascii(remote).and_then(|name| ServerName::try_from(name).ok());
        let name = name.ok_or(io::ErrorKind::InvalidInput)?;
        let handshake = TlsConnector::from(config).connect(name, tcp);
        let tls = tokio::time::timeout(limits::HANDSHAKE, handshake).await??;
        let secured = secured(tls.get_ref().1);
        *self = Wire::Client(Box::new(tls));
        Ok(secured)
    }

    /// Shakes hands as the side that was connected to.
    pub(crate) async fn accept_tls(&mut self, store: &TlsStore) -> io::Result<Secured> {
        let tcp = self.take_plain()?;
        let handshake = async {
            let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
            let config = store.accepting(hello.client_hello().server_name());
            hello.into_stream(config.ok_or(io::ErrorKind::Unsupported)?).await
        };
        let tls = tokio::time::timeout(limits::HANDSHAKE, handshake).await??;
        let secured = secured(tls.get_ref().1);
        *self = Wire::Server(Box::new(tls));
        Ok(secured)
    }

    fn take_plain(&mut self) -> io::Result<Replay> {
        match std::mem::replace(self, Wire::Gone) {
            Wire::Plain(tcp) => Ok(tcp),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

fn secured(state: &CommonState) -> Secured {
    let version = match state.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = state.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("?");
    let chain = state.peer_certificates().unwrap_or_default();
    Secured {
        about: format!("{version} {}", suite.replacen("TLS13_", "TLS_", 1)),
        chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Wire::Client(tls) => Pin::new(tls).poll_read(cx, buffer),
            Wire::Server(tls) => Pin::new(tls).poll_read(cx, buffer),
            Wire::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Wire::Client(tls) => Pin::new(tls).poll_write(cx, bytes),
            Wire::Server(tls) => Pin::new(tls).poll_write(cx, bytes),
            Wire::Gone => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Client(tls) => Pin::new(tls).poll_flush(cx),
            Wire::Server(tls) => Pin::new(tls).poll_flush(cx),
            Wire::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Client(tls) => Pin::new(tls).poll_shutdown(cx),
            Wire::Server(tls) => Pin::new(tls).poll_shutdown(cx),
            Wire::Gone => Poll::Ready(Ok(())),
        }
    }
}
