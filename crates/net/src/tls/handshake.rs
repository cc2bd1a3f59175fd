//! The TLS handshake: reads the client's hello, picks certificate and protocol, and finishes or fails with an alert.
//!
//! RFC 8446 section 4, RFC 9266 (`tls-exporter`, only from TLS 1.3), RFC 5929 section 4, RFC 7301, RFC 8737.
//!
//! Not here: what happens to a connection afterwards; the time limit (the caller's, around [`accept`]).

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::server::{Accepted, Acceptor};
use rustls::{AlertDescription, Error, ProtocolVersion, ServerConnection};
use sasl::{Channel, TlsVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::identity::{Identity, Purpose};
use super::store::TlsStore;
use crate::counters::HandshakeFault;
use crate::wire::Wire;

/// RFC 9266 section 2: label and length of the channel binding of TLS 1.3.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
/// The protocol of a challenge (RFC 8737 section 6.2).
pub(crate) const ACME: &[u8] = b"acme-tls/1";
/// A fatal alert before anything was agreed (RFC 7301 section 3.2).
const NO_APPLICATION_PROTOCOL: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 120];
/// Bytes read at once. A hello is 250 to 2,000 bytes; on the heap only while the handshake runs.
const READ: usize = 4096;

/// Secures `wire`. On failure the alert has been sent, as far as the socket took it.
pub(crate) async fn accept(
    wire: &mut Wire,
    store: &TlsStore,
    purpose: Purpose,
) -> Result<Option<stream::Tls>, HandshakeFault> {
    if wire.holds_input() {
        return Err(HandshakeFault::Malformed); // plaintext from before the handshake is never handed over
    }
    let hello = Box::pin(read_hello(wire.socket(), |_| {})).await?;
    Box::pin(go_on(wire, store, Some(purpose), hello)).await
}

/// A client's hello, and what was read behind it.
pub(crate) struct Hello {
    accepted: Box<Accepted>,
    buffer: Box<[u8]>,
    rest: std::ops::Range<usize>,
}

impl Hello {
    /// The protocols that the client offers (RFC 7301), its favourite first; `None`: it does not use ALPN.
    pub(crate) fn protocols(&self) -> Option<Vec<Vec<u8>>> {
        self.accepted.client_hello().alpn().map(|offered| offered.map(<[u8]>::to_vec).collect())
    }
}

/// The rest of [`accept`]. `None`: it was a challenge (RFC 8737), and nothing more is said. Without a purpose nothing else
/// is served.
pub(crate) async fn go_on(
    wire: &mut Wire,
    store: &TlsStore,
    purpose: Option<Purpose>,
    hello: Hello,
) -> Result<Option<stream::Tls>, HandshakeFault> {
    let socket = wire.socket();
    if hello.protocols().is_some_and(|offered| offered == [ACME]) {
        return Box::pin(challenge(socket, store, hello)).await.map(|()| None);
    }
    let Some(purpose) = purpose else { return refuse(socket).await };
    let Hello { accepted, mut buffer, rest } = hello;
    let identity =
        store.identity(accepted.client_hello().server_name()).ok_or(HandshakeFault::NoCertificate)?;
    let mut tls = match accepted.into_connection(identity.config(purpose)) {
        Ok(tls) => Box::new(tls),
        Err((error, mut alert)) => {
            let mut bytes = Vec::new();
            let _ = alert.write_all(&mut bytes);
            let _ = socket.write_all(&bytes).await;
            return Err(fault(&error));
        }
    };
    tls.set_buffer_limit(None); // bounded by whoever writes: see `carrier.rs`
    finish(socket, &mut tls, &mut buffer, rest).await?;
    let about = about(&tls, &identity);
    wire.secure(tls);
    Ok(Some(about))
}

/// RFC 8737 section 3: the certificate for the challenge is shown, and that is all.
async fn challenge(socket: &mut TcpStream, store: &TlsStore, hello: Hello) -> Result<(), HandshakeFault> {
    let Hello { accepted, mut buffer, rest } = hello;
    let Some(config) = store.challenge(accepted.client_hello().server_name()) else {
        return refuse(socket).await;
    };
    let tls = accepted.into_connection(config).map_err(|_| HandshakeFault::Malformed)?;
    let mut tls = Box::new(tls);
    finish(socket, &mut tls, &mut buffer, rest).await?;
    tls.send_close_notify();
    let _ = poll_fn(|cx| poll_write(&mut tls, socket, cx)).await;
    Ok(())
}

/// There is nobody here for what the client wants.
async fn refuse<T>(socket: &mut TcpStream) -> Result<T, HandshakeFault> {
    let _ = socket.write_all(&NO_APPLICATION_PROTOCOL).await;
    Err(HandshakeFault::Alpn)
}

/// Reads until the hello is whole. `seen` gets all that is read.
pub(crate) async fn read_hello(
    socket: &mut TcpStream,
    mut seen: impl FnMut(&[u8]),
) -> Result<Hello, HandshakeFault> {
    let mut buffer = vec![0; READ].into_boxed_slice();
    let mut acceptor = Acceptor::default();
    loop {
        let n = read(socket, &mut buffer).await?;
        seen(&buffer[..n]);
        let mut bytes = &buffer[..n];
        while !bytes.is_empty() {
            acceptor.read_tls(&mut bytes).map_err(|_| HandshakeFault::Malformed)?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let rest = n - bytes.len()..n;
                    return Ok(Hello { accepted: Box::new(accepted), buffer, rest });
                }
                Err((error, mut alert)) => {
                    let mut bytes = Vec::new();
                    let _ = alert.write_all(&mut bytes);
                    let _ = socket.write_all(&bytes).await;
                    return Err(fault(&error));
                }
            }
        }
    }
}

/// Runs the rest of the handshake, starting with `rest` of the buffer.
async fn finish(
    socket: &mut TcpStream,
    tls: &mut ServerConnection,
    buffer: &mut [u8],
    mut rest: std::ops::Range<usize>,
) -> Result<(), HandshakeFault> {
    loop {
        let processed = process(tls, &buffer[rest.clone()]);
        // What we have to say goes out also when it is an alert.
        let written = poll_fn(|cx| poll_write(tls, socket, cx)).await;
        processed.map_err(|error| fault(&error))?;
        written.map_err(|_| HandshakeFault::Gone)?;
        if !tls.is_handshaking() {
            return Ok(());
        }
        rest = 0..read(socket, buffer).await?;
    }
}

fn process(tls: &mut ServerConnection, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        if tls.read_tls(&mut bytes).map_err(|_| Error::General("full".into()))? == 0 {
            break;
        }
        tls.process_new_packets()?;
    }
    Ok(())
}

async fn read(socket: &mut TcpStream, buffer: &mut [u8]) -> Result<usize, HandshakeFault> {
    match socket.read(buffer).await {
        Ok(0) | Err(_) => Err(HandshakeFault::Gone),
        Ok(n) => Ok(n),
    }
}

fn poll_write(
    tls: &mut ServerConnection,
    socket: &mut TcpStream,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while tls.wants_write() {
        let mut pen = crate::wire::Pen { tcp: socket, cx };
        match tls.write_tls(&mut pen) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            result => result?,
        };
    }
    Poll::Ready(Ok(()))
}

/// What the stream wants to know.
fn about(tls: &ServerConnection, identity: &Arc<Identity>) -> stream::Tls {
    let version = tls.protocol_version();
    let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let exporter = (version == Some(ProtocolVersion::TLSv1_3))
        .then(|| tls.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).ok())
        .flatten();
    let (name, version) = match version {
        Some(ProtocolVersion::TLSv1_3) => ("TLSv1.3", TlsVersion::Tls13),
        _ => ("TLSv1.2", TlsVersion::Tls12), // the only other one that is ever agreed to
    };
    stream::Tls {
        about: format!("{name} {}", suite.unwrap_or("?").replacen("TLS13_", "TLS_", 1)),
        channel: Channel::tls(version, exporter, identity.end_point.clone()),
        server_name: tls.server_name().map(str::to_ascii_lowercase),
        early_data: false,
    }
}

fn fault(error: &Error) -> HandshakeFault {
    match error {
        Error::NoApplicationProtocol => HandshakeFault::Alpn,
        Error::PeerIncompatible(_) => HandshakeFault::Incompatible,
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => HandshakeFault::Alpn,
        Error::AlertReceived(_) => HandshakeFault::Alert,
        _ => HandshakeFault::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream as Socket;
    use std::time::Instant;

    use aws_lc_rs::digest::{SHA256, digest};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};
    use sasl::Binding;
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::{Current, Limits};
    use crate::counters::Counters;
    use crate::peers::Peers;

    async fn server(listener: TcpListener, store: TlsStore) -> stream::Tls {
        let (tcp, from) = listener.accept().await.unwrap();
        let counters = Arc::new(Counters::default());
        let permit = Peers::new(Current::new(Limits::default()))
            .admit(from.ip(), false, &counters, Instant::now())
            .unwrap();
        accept(&mut Wire::new(tcp, permit, counters), &store, Purpose::Client).await.unwrap().unwrap()
    }

    /// Both sides, and what each of them binds to: exporter and hash of the leaf.
    async fn bindings(version: &'static SupportedProtocolVersion) -> (stream::Tls, [u8; 32], Vec<u8>) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let store = TlsStore::new();
        store
            .load("a.example", made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::task::spawn_blocking(move || {
            let mut tls =
                ClientConnection::new(Arc::new(config), ServerName::try_from("a.example").unwrap()).unwrap();
            let mut socket = Socket::connect(address).unwrap();
            while tls.is_handshaking() {
                tls.complete_io(&mut socket).unwrap();
            }
            tls.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).unwrap()
        });
        let about = server(listener, store).await;
        (about, client.await.unwrap(), digest(&SHA256, made.cert.der()).as_ref().to_vec())
    }

    #[tokio::test]
    async fn both_sides_bind_to_the_same() {
        let (about, exporter, leaf) = bindings(&version::TLS13).await;
        assert_eq!(about.channel.data(Binding::TlsExporter), Some(&exporter[..]));
        assert_eq!(about.channel.data(Binding::TlsServerEndPoint), Some(&leaf[..]));
        assert_eq!(about.server_name.as_deref(), Some("a.example"));
        assert!(about.about.starts_with("TLSv1.3 TLS_"), "{}", about.about);
        let (about, _, leaf) = bindings(&version::TLS12).await;
        assert_eq!(about.channel.data(Binding::TlsExporter), None);
        assert_eq!(about.channel.data(Binding::TlsServerEndPoint), Some(&leaf[..]));
        assert!(about.about.starts_with("TLSv1.2 TLS_ECDHE_"), "{}", about.about);
    }
}
