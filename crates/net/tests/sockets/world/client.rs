//! Clients that write what they are told and wait for what they expect: plain, TLS, HTTP and WebSocket.
//!
//! Not here: any knowledge of XMPP beyond a login.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::{DOMAIN, PASSWORD, PATIENCE, World};

trait Socket: Read + Write + Send {}

impl<T: Read + Write + Send> Socket for T {}

/// A connection, and what came and was not looked at.
pub(crate) struct Client {
    socket: Box<dyn Socket>,
    pub(crate) tcp: TcpStream,
    pub(crate) seen: Vec<u8>,
}

/// What a TLS client offers.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) alpn: Vec<&'static [u8]>,
    pub(crate) name: &'static str,
    pub(crate) sni: bool,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

impl Default for Offer {
    fn default() -> Offer {
        Offer { alpn: Vec::new(), name: DOMAIN, sni: true, versions: rustls::ALL_VERSIONS }
    }
}

pub(crate) fn tls_config(certificate: &str, offer: &Offer) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(offer.versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offer.alpn.iter().map(|name| name.to_vec()).collect();
    config.enable_sni = offer.sni;
    Arc::new(config)
}

impl Client {
    pub(crate) fn plain(to: SocketAddr) -> Client {
        let tcp = TcpStream::connect(to).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { socket: Box::new(tcp.try_clone().unwrap()), tcp, seen: Vec::new() }
    }

    /// Runs a TLS handshake now.
    pub(crate) fn secure(mut self, certificate: &str, offer: &Offer) -> Result<(Client, Agreed), String> {
        assert!(self.seen.is_empty());
        let name = ServerName::try_from(offer.name).unwrap();
        let mut tls = ClientConnection::new(tls_config(certificate, offer), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut self.tcp).map_err(|error| error.to_string())?;
        }
        let about = Agreed {
            alpn: tls.alpn_protocol().map(<[u8]>::to_vec),
            leaf: tls.peer_certificates().unwrap()[0].to_vec(),
            version: tls.protocol_version().unwrap(),
        };
        let socket = Box::new(StreamOwned::new(tls, self.tcp.try_clone().unwrap()));
        Ok((Client { socket, tcp: self.tcp, seen: Vec::new() }, about))
    }

    pub(crate) fn tls(world: &World, to: SocketAddr) -> Client {
        Client::plain(to).secure(&world.certificate, &Offer::default()).unwrap().0
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
        self.socket.flush().unwrap();
    }

    /// Reads once more; `false` at the end.
    pub(crate) fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let n = match self.socket.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing more comes after {:?}", String::from_utf8_lossy(&self.seen))
            }
            Err(_) => 0,
        };
        self.seen.extend_from_slice(&buffer[..n]);
        n > 0
    }

    /// Reads up to the end of `pattern`, and gives all of it.
    pub(crate) fn until(&mut self, pattern: &str) -> String {
        loop {
            if let Some(at) = self.seen.windows(pattern.len()).position(|seen| seen == pattern.as_bytes()) {
                let rest = self.seen.split_off(at + pattern.len());
                let seen = std::mem::replace(&mut self.seen, rest);
                return String::from_utf8(seen).unwrap();
            }
            assert!(self.more(), "no {pattern:?} in {:?}", String::from_utf8_lossy(&self.seen));
        }
    }

    /// Reads exactly that many bytes.
    pub(crate) fn exactly(&mut self, n: usize) -> Vec<u8> {
        while self.seen.len() < n {
            assert!(self.more(), "the end after {:?}", String::from_utf8_lossy(&self.seen));
        }
        let rest = self.seen.split_off(n);
        std::mem::replace(&mut self.seen, rest)
    }

    /// Our end of the connection.
    pub(crate) fn local(&self) -> SocketAddr {
        self.tcp.local_addr().unwrap()
    }

    /// Reads to the end.
    pub(crate) fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned()
    }

    /// Opens a stream over TCP; gives header and features.
    pub(crate) fn open(&mut self) -> String {
        self.send(header());
        self.until("</stream:features>")
    }

    /// Authenticates and binds over TCP.
    pub(crate) fn log_in(&mut self, user: &str) {
        self.open();
        self.send(auth(user, PASSWORD));
        self.until("<success");
        self.until(">");
        self.open();
        self.send(bind());
        self.until("</iq>");
    }
}

/// What was agreed in a handshake.
pub(crate) struct Agreed {
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) leaf: Vec<u8>,
    pub(crate) version: rustls::ProtocolVersion,
}

pub(crate) fn header() -> String {
    format!(
        "<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

pub(crate) fn plain(user: &str, password: &str) -> String {
    BASE64.encode(format!("\0{user}\0{password}"))
}

pub(crate) fn auth(user: &str, password: &str) -> String {
    let data = plain(user, password);
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>")
}

pub(crate) fn bind() -> &'static str {
    "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
}

pub(crate) fn message(to: &str, id: usize, text: &str) -> String {
    format!("<message xmlns='jabber:client' to='{to}@{DOMAIN}' id='m{id}'><body>{text}</body></message>")
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn request(&mut self, line: &str, headers: &str, body: &str) {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.send(format!("{line} HTTP/1.1\r\nHost: {DOMAIN}\r\n{length}{headers}\r\n{body}"));
    }

    pub(crate) fn response(&mut self) -> Response {
        let head = self.until("\r\n\r\n").to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse().unwrap());
        let body = String::from_utf8(self.exactly(length)).unwrap();
        Response { status, head, body }
    }

    pub(crate) fn get(&mut self, path: &str, headers: &str) -> Response {
        self.request(&format!("GET {path}"), headers, "");
        self.response()
    }
}

pub(crate) const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// WebSocket.
impl Client {
    pub(crate) fn upgrade(&mut self) {
        let response = self.get("/xmpp-websocket", &format!("{UPGRADE}Sec-WebSocket-Protocol: xmpp\r\n"));
        assert_eq!(response.status, 101, "{response:?}");
        assert!(response.head.contains("sec-websocket-protocol: xmpp"));
    }

    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) {
        self.send(frame(first, payload));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes());
    }

    /// The next frame: its first byte and payload.
    pub(crate) fn next(&mut self) -> (u8, Vec<u8>) {
        let head = self.exactly(2);
        let length = match head[1] {
            126 => self.exactly(2).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => self.exactly(8).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        (head[0], self.exactly(length))
    }

    /// The next message.
    pub(crate) fn hear(&mut self) -> String {
        let (first, payload) = self.next();
        assert_eq!(first, 0x81, "{:?}", String::from_utf8_lossy(&payload));
        String::from_utf8(payload).unwrap()
    }

    pub(crate) fn open_websocket(&mut self) -> String {
        self.text(&format!(
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{DOMAIN}' version='1.0'/>"
        ));
        let open = self.hear();
        assert!(open.starts_with("<open"), "{open}");
        self.hear()
    }

    pub(crate) fn log_in_websocket(&mut self, user: &str) {
        self.upgrade();
        self.open_websocket();
        self.text(&auth(user, PASSWORD));
        let success = self.hear();
        assert!(success.starts_with("<success"), "{success}");
        self.open_websocket();
        self.text(bind());
        let bound = self.hear();
        assert!(bound.contains("type='result'"), "{bound}");
    }
}

/// A frame as clients send it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 0, 255, 19];
    let mut out = vec![first];
    match payload.len() {
        n @ 0..126 => out.push(0x80 | n as u8),
        n @ 126..0x10000 => {
            out.push(0x80 | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}
