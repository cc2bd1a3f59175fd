//! One port for everything that begins with TLS: each gets what it asks for, and nobody anything else.
//!
//! Not here: what is chosen when several are offered (`src/shared_port.rs`), streams between servers (federation).

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use net::{Guest, HandshakeFault, Kind, Listener, Servers, Unnamed};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::AsyncReadExt;

use crate::world::client::{Client, Offer, header, message};
use crate::world::{DOMAIN, World};

/// Says what it was given and what can still be read.
struct Listening(Mutex<Sender<(bool, Vec<u8>)>>);

impl Servers for Listening {
    fn serve(&self, mut guest: Guest) {
        let to = self.0.lock().unwrap().clone();
        tokio::spawn(async move {
            let mut all = guest.read;
            let _ = guest.tcp.read_to_end(&mut all).await;
            let _ = to.send((guest.direct_tls, all));
        });
    }
}

fn world(unnamed: Unnamed, servers: Option<Arc<dyn Servers>>) -> World {
    World::with(|config| {
        config.listeners.push(Listener { address: "127.0.0.1:0".parse().unwrap(), kind: Kind::Shared });
        config.unnamed = unnamed;
        config.servers = servers;
    })
}

fn with(world: &World, alpn: &[&'static [u8]]) -> Result<Client, String> {
    let offer = Offer { alpn: alpn.to_vec(), ..Offer::default() };
    Ok(Client::plain(world.more[0]).secure(&world.certificate, &offer)?.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_each_kind_are_served_by_one_port() {
    let world = world(Unnamed::Web, None);
    let mut juliet = with(&world, &[b"xmpp-client"]).unwrap();
    juliet.log_in("juliet");
    let mut page = with(&world, &[b"h2", b"http/1.1"]).unwrap();
    let mut old = with(&world, &[]).unwrap();
    for client in [&mut page, &mut old] {
        client.request("GET /.well-known/host-meta", "", "");
        assert!(client.until("</XRD>").contains("wss://a.example/xmpp-websocket"));
    }
    let mut socket = with(&world, &[b"http/1.1"]).unwrap();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n";
    socket.request("GET /xmpp-websocket", upgrade, "");
    socket.until("101 Switching Protocols");
    let mut romeo = with(&world, &[b"xmpp-client"]).unwrap();
    romeo.log_in("romeo");
    romeo.send(message("juliet", 1, "by the same port"));
    juliet.until("by the same port");
    assert_eq!(world.counters.accepted[Kind::Shared as usize].value(), 5);
    assert_eq!(world.counters.handshakes.value(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_is_refused_and_who_says_nothing_gets_the_default() {
    let world = world(Unnamed::Refuse, None);
    for alpn in [&[b"xmpp-server" as &[u8]][..], &[b"stun.turn"], &[b"h2"], &[b"acme-tls/1"], &[]] {
        let error = with(&world, alpn).err().expect("it is refused");
        assert!(error.contains("NoApplicationProtocol"), "{alpn:?}: {error}");
    }
    let failed = |why| world.counters.handshakes_failed[why as usize].value();
    world.until("five are counted", |_| failed(HandshakeFault::Alpn) == 5);
    // Neither is anything else than TLS.
    for bytes in ["GET / HTTP/1.1\r\n\r\n".to_owned(), header()] {
        let mut client = Client::plain(world.more[0]);
        client.send(bytes);
        client.rest();
    }
    world.until("both are counted", |_| failed(HandshakeFault::Malformed) == 2);
    let world = self::world(Unnamed::Client, None);
    with(&world, &[]).unwrap().log_in("juliet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_servers_are_handed_over_with_all_that_they_have_sent() {
    let (to, guests) = channel();
    let world = world(Unnamed::Web, Some(Arc::new(Listening(Mutex::new(to)))));
    let offer = Offer { alpn: vec![b"xmpp-server"], ..Offer::default() };
    let config = crate::world::client::tls_config(&world.certificate, &offer);
    let mut tls = ClientConnection::new(config, ServerName::try_from(DOMAIN).unwrap()).unwrap();
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).unwrap();
    // In two pieces, and with something behind it.
    hello.extend(b"and more");
    let mut socket = TcpStream::connect(world.more[0]).unwrap();
    socket.set_nodelay(true).unwrap();
    for piece in hello.chunks(100) {
        socket.write_all(piece).unwrap();
    }
    drop(socket);
    assert_eq!(guests.recv().unwrap(), (true, hello));
}

/// Keeps what it is shown.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// What an authority is shown that asks for proof of a name.
fn shown(to: std::net::SocketAddr, name: &'static str, alpn: &[&[u8]]) -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let mut tls = ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap();
    let mut socket = TcpStream::connect(to).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).ok()?;
    }
    assert_eq!(tls.alpn_protocol(), Some(alpn[0]));
    Some(tls.peer_certificates().unwrap()[0].to_vec())
}

/// I-40
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_gets_its_answer_by_http_and_no_file_ever() {
    let challenges = Arc::new(net::Challenges::default());
    let given = challenges.clone();
    let world = World::with(|config| {
        config.listeners.push(Listener { address: "127.0.0.1:0".parse().unwrap(), kind: Kind::Acme });
        config.challenges = given;
    });
    challenges.begin("token", "token.thumbprint");
    for (at, path, status, body) in [
        (world.more[0], "/.well-known/acme-challenge/token", 200, "token.thumbprint"),
        (world.http, "/.well-known/acme-challenge/token", 200, "token.thumbprint"),
        (world.more[0], "/.well-known/acme-challenge/other", 404, ""),
        (world.more[0], "/.well-known/acme-challenge/", 404, ""),
        (world.more[0], "/.well-known/acme-challenge/../../etc/passwd", 404, ""),
        (world.more[0], "/.well-known/acme-challenge/%2e%2e%2ftoken", 404, ""),
        (world.more[0], "/", 404, ""),
        (world.more[0], "/.well-known/host-meta", 404, ""),
        (world.watch, "/.well-known/acme-challenge/token", 404, ""),
    ] {
        let mut client = Client::plain(at);
        client.request(&format!("GET {path}"), "", "");
        let response = client.response();
        assert_eq!(response.status, status, "{path}: {response:?}");
        assert!(status != 200 || response.body == body, "{path}: {response:?}");
    }
    challenges.end("token");
    let mut client = Client::plain(world.more[0]);
    client.request("GET /.well-known/acme-challenge/token", "", "");
    assert_eq!(client.response().status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_gets_its_proof_on_every_port_with_tls_and_only_while_there_is_one() {
    let world = world(Unnamed::Web, None);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["new.example".to_owned()]).unwrap();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let pair = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let acme: &[&[u8]] = &[b"acme-tls/1"];
    let ports = [world.more[0], world.direct, world.https];
    for port in ports {
        assert_eq!(shown(port, "new.example", acme), None);
    }
    world.tls.begin_challenge("New.example", certificate.clone(), &pair).unwrap();
    for port in ports {
        assert_eq!(shown(port, "new.example", acme).as_deref(), Some(&certificate[..]), "{port}");
        assert_eq!(shown(port, "other.example", acme), None);
    }
    // Nobody else is shown it: RFC 8737 section 3 has this protocol alone.
    assert_ne!(
        shown(ports[0], "new.example", &[b"http/1.1", b"acme-tls/1"]).as_deref(),
        Some(&certificate[..])
    );
    world.tls.end_challenge("new.example");
    assert_eq!(shown(ports[0], "new.example", acme), None);
}
