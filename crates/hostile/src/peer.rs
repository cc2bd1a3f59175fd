//! Another server, or a component, written for attacks: it calls the server under attack, or waits to be called, and says
//! what a row wants.
//!
//! RFC 6120 sections 4 to 6, XEP-0114 1.6, XEP-0220 1.1.1, XEP-0288 1.0.1
//!
//! Not here: rows (`rows/servers.rs`, `rows/components.rs`), DNS (`dns.rs`).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::aws_lc_rs::digest;
use bench::tls::AnyCertificate;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use crate::client::{PATIENCE, Socket, shown};
use crate::{Outcome, words};

/// What a peer shows: chain and key.
pub(crate) struct Shows {
    chain: CertificateDer<'static>,
    key: Vec<u8>,
}

/// Who issues certificates that the server under attack believes.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Outcome<Authority> {
        let key = KeyPair::generate().map_err(words)?;
        let mut params = CertificateParams::new([]).map_err(words)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).map_err(words)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate, changed somehow.
    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Outcome<Shows> {
        let mut params = CertificateParams::new([]).map_err(words)?;
        change(&mut params);
        let key = KeyPair::generate().map_err(words)?;
        let chain = params.signed_by(&key, &self.issuer).map_err(words)?.der().clone();
        Ok(Shows { chain, key: key.serialize_pem().into_bytes() })
    }

    /// One for these names, as they should be.
    pub(crate) fn proper(&self, names: &[&str]) -> Outcome<Shows> {
        self.issue(named(names))
    }
}

/// Names of the right kind.
pub(crate) fn named(names: &[&str]) -> impl Fn(&mut CertificateParams) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    move |params| {
        let named = |name: &String| name.as_str().try_into().ok().map(SanType::DnsName);
        params.subject_alt_names = names.iter().filter_map(named).collect();
    }
}

/// One that vouches for itself.
pub(crate) fn self_made(name: &str) -> Outcome<Shows> {
    let mut params = CertificateParams::new([]).map_err(words)?;
    named(&[name])(&mut params);
    let key = KeyPair::generate().map_err(words)?;
    let chain = params.self_signed(&key).map_err(words)?.der().clone();
    Ok(Shows { chain, key: key.serialize_pem().into_bytes() })
}

/// The beginning of a stream between servers.
pub(crate) fn header(attributes: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         xmlns:db='jabber:server:dialback' {attributes}>"
    )
}

/// A connection with the server under attack.
pub(crate) struct Peer {
    tcp: TcpStream,
    tls: Option<Connection>,
    pub(crate) seen: String,
    ended: bool,
}

impl Peer {
    fn of(tcp: TcpStream) -> Peer {
        Peer { tcp, tls: None, seen: String::new(), ended: false }
    }

    /// Connects; nothing is said.
    pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr) -> Outcome<Peer> {
        Ok(Peer::of(Socket::connect(from, to)?.tcp))
    }

    /// Waits to be called.
    pub(crate) fn accept(listener: &TcpListener) -> Outcome<Peer> {
        let until = Instant::now() + PATIENCE;
        listener.set_nonblocking(true).map_err(words)?;
        loop {
            match listener.accept() {
                Ok((tcp, _)) => {
                    tcp.set_nonblocking(false).map_err(words)?;
                    return Ok(Peer::of(tcp));
                }
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(format!("nobody calls: {error}")),
            }
        }
    }

    /// Shakes hands as who has called.
    pub(crate) fn secure_to(&mut self, name: &str, shows: Option<&Shows>, direct: bool) -> Outcome {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(words)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
        let mut config = match shows {
            Some(Shows { chain, key }) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(words)?;
                config.with_client_auth_cert(vec![chain.clone()], key).map_err(words)?
            }
            None => config.with_no_client_auth(),
        };
        if direct {
            config.alpn_protocols = vec![b"xmpp-server".to_vec()];
        }
        let name = ServerName::try_from(name.to_owned()).map_err(words)?;
        self.shake(ClientConnection::new(Arc::new(config), name).map_err(words)?.into())
    }

    /// Shakes hands as who was called.
    pub(crate) fn secure_from(&mut self, shows: &Shows) -> Outcome {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::from_pem_slice(&shows.key).map_err(words)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(words)?
            .with_no_client_auth()
            .with_single_cert(vec![shows.chain.clone()], key)
            .map_err(words)?;
        self.shake(ServerConnection::new(Arc::new(config)).map_err(words)?.into())
    }

    fn shake(&mut self, mut tls: Connection) -> Outcome {
        self.tcp.set_read_timeout(Some(PATIENCE)).map_err(words)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.tcp).map_err(|error| format!("TLS: {error}"))?;
        }
        self.seen.clear();
        self.tls = Some(tls);
        Ok(())
    }

    /// Says something. If the server takes no more, its reason is there to be read.
    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let _ = self.tcp.set_write_timeout(Some(PATIENCE));
        match &mut self.tls {
            Some(tls) => {
                for piece in text.chunks(16 * 1024) {
                    if tls.writer().write_all(piece).is_err() {
                        return;
                    }
                    while tls.wants_write() {
                        if tls.write_tls(&mut self.tcp).is_err() {
                            return;
                        }
                    }
                }
            }
            None => _ = self.tcp.write_all(text),
        }
    }

    /// Reads once. `false`: the end, or nothing in time.
    fn more(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        if self.ended || left.is_zero() || self.tcp.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        let mut buffer = [0; 16 * 1024];
        let read = match &mut self.tls {
            Some(tls) => loop {
                match tls.reader().read(&mut buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        match tls.read_tls(&mut self.tcp) {
                            Ok(0) => break Ok(0),
                            Ok(_) if tls.process_new_packets().is_err() => break Ok(0),
                            Ok(_) => {}
                            Err(error) => break Err(error),
                        }
                    }
                    other => break other,
                }
            },
            None => self.tcp.read(&mut buffer),
        };
        match read {
            Ok(0) => self.ended = true,
            Ok(n) => {
                self.seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
                return true;
            }
            Err(error) => {
                let waits = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                self.ended = !waits.contains(&error.kind());
            }
        }
        false
    }

    /// Everything up to the end of `pattern`.
    pub(crate) fn until(&mut self, pattern: &str) -> Outcome<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(pattern) {
                let rest = self.seen.split_off(at + pattern.len());
                return Ok(std::mem::replace(&mut self.seen, rest));
            }
            if !self.more(until) && !self.seen.contains(pattern) {
                let end = if self.ended { "the end" } else { "nothing more" };
                return Err(format!("no {pattern:?} in {:?}, then {end}", shown(&self.seen)));
            }
        }
    }

    /// Everything to the end.
    pub(crate) fn rest(&mut self) -> Outcome<String> {
        let until = Instant::now() + PATIENCE;
        while self.more(until) {}
        match self.ended {
            true => Ok(std::mem::take(&mut self.seen)),
            false => Err(format!("no end after {:?}", shown(&self.seen))),
        }
    }

    /// Calls as `domain`, which is believed if `shows` proves it; features are read.
    pub(crate) fn opened(
        from: Ipv4Addr,
        to: SocketAddr,
        direct: bool,
        domain: &str,
        local: &str,
        shows: Option<&Shows>,
    ) -> Outcome<Peer> {
        let mut peer = Peer::connect(from, to)?;
        let greeting = header(&format!("from='{domain}' to='{local}' version='1.0'"));
        if !direct {
            peer.say(&greeting);
            peer.until("</stream:features>")?;
            peer.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            peer.until("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")?;
        }
        peer.secure_to(local, shows, direct)?;
        peer.say(&greeting);
        Ok(peer)
    }

    /// Proves itself by SASL EXTERNAL, for both directions (XEP-0288).
    pub(crate) fn prove(&mut self, domain: &str, local: &str) -> Outcome {
        let features = self.until("</stream:features>")?;
        if !features.contains("<mechanism>EXTERNAL</mechanism>") {
            return Err(format!("no EXTERNAL: {}", shown(&features)));
        }
        self.say("<bidi xmlns='urn:xmpp:bidi'/>");
        self.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
        self.until("<success")?;
        self.until(">")?;
        self.say(header(&format!("from='{domain}' to='{local}' version='1.0'")));
        self.until("</stream:features>").map(drop)
    }

    /// Opens a stream as a component; gives its id.
    pub(crate) fn greet_as(&mut self, domain: &str) -> Outcome<String> {
        self.say(format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
        ));
        self.until("<stream:stream")?;
        let header = self.until(">")?;
        let id = header.split("id='").nth(1).and_then(|rest| rest.split('\'').next());
        Ok(id.unwrap_or_default().to_owned())
    }
}

/// The proof of XEP-0114: who knows the secret.
pub(crate) fn handshake(id: &str, secret: &str) -> String {
    let found = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{id}{secret}").as_bytes());
    let hex: String = found.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("<handshake>{hex}</handshake>")
}
