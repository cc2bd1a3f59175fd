//! Handshakes: protocols, versions, names, time, and certificates that change.

use std::time::Duration;

use net::HandshakeFault;
use rustls::ProtocolVersion;

use crate::world::client::{Client, Offer, message};
use crate::world::{DOMAIN, World, certificate};

fn failed(world: &World, why: HandshakeFault) -> u64 {
    world.counters.handshakes_failed[why as usize].value()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_right_application_protocol_is_spoken() {
    let world = World::new();
    let cases: [(_, Vec<&'static [u8]>, _); 7] = [
        (world.direct, vec![], Some(&b""[..])),
        (world.direct, vec![b"xmpp-client"], Some(b"xmpp-client")),
        (world.direct, vec![b"h2", b"xmpp-client"], Some(b"xmpp-client")),
        (world.direct, vec![b"http/1.1"], None),
        (world.direct, vec![b"xmpp-server"], None),
        (world.https, vec![b"h2", b"http/1.1"], Some(b"http/1.1")),
        (world.https, vec![b"xmpp-client"], None),
    ];
    for (to, alpn, want) in cases {
        let offer = Offer { alpn: alpn.clone(), ..Offer::default() };
        let got = Client::plain(to).secure(&world.certificate, &offer);
        match (got, want) {
            (Ok((_, agreed)), Some(want)) => assert_eq!(agreed.alpn.unwrap_or_default(), want, "{alpn:?}"),
            (Err(error), None) => assert!(error.contains("NoApplicationProtocol"), "{alpn:?}: {error}"),
            (got, _) => panic!("{alpn:?}: {:?}", got.map(|(_, agreed)| agreed.alpn)),
        }
    }
    world.until("three are counted", |_| failed(&world, HandshakeFault::Alpn) == 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_and_unknown_names_are_served() {
    let world = World::new();
    static OLD: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    let offer = Offer { versions: &OLD, ..Offer::default() };
    let (mut client, agreed) = Client::plain(world.direct).secure(&world.certificate, &offer).unwrap();
    assert_eq!(agreed.version, ProtocolVersion::TLSv1_2);
    let features = client.open();
    // RFC 9266: no exporter binding before TLS 1.3.
    assert!(!features.contains("tls-exporter") && features.contains("tls-server-end-point"), "{features}");
    let (mut client, agreed) =
        Client::plain(world.direct).secure(&world.certificate, &Offer::default()).unwrap();
    assert_eq!(agreed.version, ProtocolVersion::TLSv1_3);
    assert!(client.open().contains("tls-exporter"));
    let offer = Offer { sni: false, ..Offer::default() };
    Client::plain(world.direct).secure(&world.certificate, &offer).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_resumed_until_the_certificate_changes() {
    use crate::world::client::tls_config;
    let world = World::new();
    let config = tls_config(&world.certificate, &Offer::default());
    let connect = || {
        let name = rustls::pki_types::ServerName::try_from(DOMAIN).unwrap();
        let mut tls = rustls::ClientConnection::new(config.clone(), name).unwrap();
        let mut client = Client::plain(world.direct);
        while tls.is_handshaking() {
            tls.complete_io(&mut client.tcp).unwrap();
        }
        let kind = tls.handshake_kind().unwrap();
        assert!(!tls.is_early_data_accepted());
        // The ticket comes after the handshake, before what the server says on its stream.
        let mut stream = rustls::StreamOwned::new(tls, client.tcp.try_clone().unwrap());
        std::io::Write::write_all(&mut stream, crate::world::client::header().as_bytes()).unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0; 100]).unwrap();
        kind
    };
    use rustls::HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
    assert_eq!(connect(), Full);
    assert_eq!(connect(), Resumed);
    assert_eq!(connect(), Resumed);
    // The same key in a new certificate would do; a ticket of before must not.
    let (new, key) = certificate();
    world.tls.load(DOMAIN, new.as_bytes(), key.as_bytes()).unwrap();
    world.tls.load(DOMAIN, world.certificate.as_bytes(), world.key.as_bytes()).unwrap();
    assert!(matches!(connect(), Full | FullWithHelloRetryRequest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_handshakes_are_cut() {
    let world = World::with(|config| config.limits.handshake = Duration::from_millis(200));
    // Nothing at all, half a record, and a peer that stops in the middle.
    let mut silent = Client::plain(world.direct);
    let mut half = Client::plain(world.https);
    half.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]);
    let mut starttls = Client::plain(world.c2s);
    starttls.open();
    starttls.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    starttls.until("<proceed");
    for client in [&mut silent, &mut half, &mut starttls] {
        client.rest();
    }
    world.until("all three are counted", |_| failed(&world, HandshakeFault::Slow) == 3);
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_served_and_open_connections_go_on() {
    let world = World::new();
    let (mut juliet, old) =
        Client::plain(world.direct).secure(&world.certificate, &Offer::default()).unwrap();
    juliet.log_in("juliet");
    let (new, key) = certificate();
    // A pair that does not fit changes nothing.
    assert_eq!(
        world.tls.load(DOMAIN, world.certificate.as_bytes(), key.as_bytes()),
        Err(net::TlsError::KeyMismatch)
    );
    let (_, still) = Client::plain(world.direct).secure(&world.certificate, &Offer::default()).unwrap();
    assert_eq!(still.leaf, old.leaf);
    world.tls.load(DOMAIN, new.as_bytes(), key.as_bytes()).unwrap();
    assert!(Client::plain(world.direct).secure(&world.certificate, &Offer::default()).is_err());
    let (mut romeo, agreed) = Client::plain(world.direct).secure(&new, &Offer::default()).unwrap();
    assert_ne!(agreed.leaf, old.leaf);
    romeo.log_in("romeo");
    romeo.send(message("juliet", 1, "still there?"));
    juliet.until("still there?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_handshakes_fail_properly() {
    let world = World::new();
    world.tls.remove(DOMAIN);
    assert!(Client::plain(world.direct).secure(&world.certificate, &Offer::default()).is_err());
    world.until("it is counted", |_| failed(&world, HandshakeFault::NoCertificate) == 1);
}
