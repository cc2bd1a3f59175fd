//! Whom a server believes, and what senders hear of those whom it does not.
//!
//! RFC 6120 section 13.7, RFC 7590, XEP-0220 1.1.1
//!
//! Not here: servers that are believed (`talking.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use federation::Settings;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Eku};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use s2s::Policy;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::world::{Plan, Server, World};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example/balcony";

fn chat(to: &str, word: &str) -> String {
    format!("<message to='{to}' type='chat' id='{word}'><body>{word}</body></message>")
}

/// `None`: it arrives in both directions; else the first word that the senders at A and at B hear of each other.
async fn talk(a: &Server, b: &Server, want: Option<(&str, &str)>) {
    let (mut romeo, mut juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    match want {
        None => {
            romeo.send(&chat(JULIET, "there")).await;
            juliet.expect(&["there"]).await;
            juliet.send(&chat(ROMEO, "back")).await;
            romeo.expect(&["back"]).await;
        }
        Some((at_a, at_b)) => {
            romeo.send(&chat(JULIET, "there")).await;
            romeo.expect(&["type='error'", "id='there'", at_a]).await;
            juliet.send(&chat(ROMEO, "back")).await;
            juliet.expect(&["type='error'", "id='back'", at_b]).await;
        }
    }
}

/// Two servers, where B's certificate is changed somehow.
async fn with(
    world: &World,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> (Server, Server) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let identity = world.authority.issue(&names, change);
    let a = world.server("a.example").await;
    let b = world.start(Plan { identity, ..world.plan("b.example") }).await;
    (a, b)
}

/// C-19: what public authorities issue today.
#[tokio::test]
async fn certificates_for_servers_only_will_do() {
    let world = World::new();
    let for_servers = |params: &mut CertificateParams| params.extended_key_usages = vec![Eku::ServerAuth];
    let (a, b) = with(&world, &["b.example"], for_servers).await;
    talk(&a, &b, None).await;
}

#[tokio::test]
async fn certificates_for_clients_only_will_not() {
    let world = World::new();
    let for_clients = |params: &mut CertificateParams| params.extended_key_usages = vec![Eku::ClientAuth];
    let (a, b) = with(&world, &["b.example"], for_clients).await;
    talk(&a, &b, Some(("certificate does not prove", "remote-server-timeout"))).await;
}

#[tokio::test]
async fn certificates_must_be_valid_now() {
    let world = World::new();
    let (a, b) = with(&world, &["b.example"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    })
    .await;
    talk(&a, &b, Some(("certificate does not prove", "remote-server-timeout"))).await;
    assert!(a.counters.doubts[federation::Doubt::OutsideValidity as usize].value() > 0);
}

#[tokio::test]
async fn certificates_must_come_from_somebody_who_is_trusted() {
    let world = World::new();
    let own = rcgen::generate_simple_self_signed(["b.example".to_owned()]).unwrap();
    let identity = (own.cert.pem(), own.signing_key.serialize_pem());
    let a = world.server("a.example").await;
    let b = world.start(Plan { identity, ..world.plan("b.example") }).await;
    talk(&a, &b, Some(("certificate does not prove", "remote-server-timeout"))).await;
}

/// Somebody else answers at the address of B.
#[tokio::test]
async fn certificates_must_be_for_the_domain() {
    let world = World::new();
    let a = world.server("a.example").await;
    let mut plan = world.plan("c.example");
    plan.rules.ours.insert("b.example".to_owned());
    let c = world.start(plan).await;
    let at = world.dns.srv.lock().unwrap()["_xmpp-server._tcp.c.example"].clone();
    world.dns.srv.lock().unwrap().insert("_xmpp-server._tcp.b.example".into(), at);
    let mut romeo = a.client(ROMEO).await;
    romeo.send(&chat(JULIET, "m")).await;
    romeo.expect(&["type='error'", "certificate does not prove"]).await;
    // And one that says itself that it is not that server.
    let at = world.dns.srv.lock().unwrap()["_xmpp-server._tcp.c.example"].clone();
    world.dns.srv.lock().unwrap().insert("_xmpp-server._tcp.d.example".into(), at);
    romeo.send(&chat("x@d.example", "m")).await;
    romeo.expect(&["type='error'", "remote-server-not-found"]).await;
    assert_eq!(c.counters.stanzas[1].value(), 0);
}

/// An exception of the operator's: dialback will do for one domain.
#[tokio::test]
async fn dialback_will_do_where_the_operator_says_so() {
    let world = World::new();
    let own = rcgen::generate_simple_self_signed(["b.example".to_owned()]).unwrap();
    let identity = (own.cert.pem(), own.signing_key.serialize_pem());
    let lax = Policy { require_certificate: false, ..Policy::default() };
    let mut plan = world.plan("a.example");
    plan.rules.domains = HashMap::from([("b.example".to_owned(), lax)]);
    let a = world.start(plan).await;
    let b = world.start(Plan { identity, ..world.plan("b.example") }).await;
    talk(&a, &b, None).await;
    assert!(a.counters.exceptions[1].value() > 0, "it is counted");
}

#[tokio::test]
async fn who_is_blocked_is_not_talked_with() {
    let world = World::new();
    let mut plan = world.plan("a.example");
    plan.rules.blocked.insert("b.example".to_owned());
    let (a, b) = (world.start(plan).await, world.server("b.example").await);
    talk(&a, &b, Some(("not-allowed", "remote-server-timeout"))).await;
}

/// Waits until a server has no streams.
async fn ended(server: &crate::world::Server) {
    tokio::time::timeout(crate::world::PATIENCE, async {
        while server.counters.streams[0].value() + server.counters.streams[1].value() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the streams end");
}

/// A domain of ours that goes takes its streams with it, whoever opened them.
#[tokio::test]
async fn who_is_served_no_longer_has_no_streams() {
    for ours_goes in [true, false] {
        let world = World::new();
        let (a, b) = (world.server("a.example").await, world.server("b.example").await);
        talk(&a, &b, None).await;
        let goes = if ours_goes { &a } else { &b };
        let mut rules = federation::Rules::clone(&goes.settings.rules);
        rules.ours.clear();
        goes.federation.replace(Settings { private_addresses: true, ..Settings::new(rules) });
        ended(goes).await;
    }
}

/// G-23: who is blocked while a stream is open loses it.
#[tokio::test]
async fn blocking_holds_at_once() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    talk(&a, &b, None).await;
    let mut rules = federation::Rules::clone(&a.settings.rules);
    rules.blocked.insert("b.example".to_owned());
    a.federation.replace(Settings { private_addresses: true, ..Settings::new(rules) });
    let mut romeo = a.client(ROMEO).await;
    ended(&a).await;
    romeo.send(&chat(JULIET, "m")).await;
    romeo.expect(&["type='error'", "not-allowed"]).await;
}

/// A server that the test plays: it says what it is told, and looks for what it expects.
struct Peer<S> {
    socket: S,
    seen: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn says(&mut self, xml: &str) {
        self.socket.write_all(xml.as_bytes()).await.unwrap();
        self.socket.flush().await.unwrap();
    }

    /// Reads up to this, and gives all of it.
    async fn until(&mut self, end: &str) -> String {
        let reading = async {
            loop {
                if let Some(at) = self.seen.find(end) {
                    let rest = self.seen.split_off(at + end.len());
                    return std::mem::replace(&mut self.seen, rest);
                }
                let mut buffer = [0; 4096];
                let n = self.socket.read(&mut buffer).await.unwrap();
                assert!(n > 0, "no {end:?} in {:?}", self.seen);
                self.seen.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
        };
        tokio::time::timeout(crate::world::PATIENCE, reading).await.expect(end)
    }

    async fn opens(&mut self) -> String {
        self.says(
            "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
             xmlns:stream='http://etherx.jabber.org/streams' from='b.example' to='a.example' version='1.0'>",
        )
        .await;
        self.until("</stream:features>").await
    }
}

/// One stream, from `b.example`, which has proven itself by its certificate.
async fn proven(world: &World, names: &[&str]) -> Peer<impl AsyncRead + AsyncWrite + Unpin> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let (chain, key) = world.authority.issue(&names, |_| ());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = config.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
    let port = world.dns.srv.lock().unwrap()["_xmpp-server._tcp.a.example"][0].port;
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut peer = Peer { socket, seen: String::new() };
    peer.opens().await;
    peer.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
    peer.until("<proceed").await;
    peer.until(">").await;
    let name = ServerName::try_from("a.example").unwrap();
    let socket = TlsConnector::from(Arc::new(config)).connect(name, peer.socket).await.unwrap();
    let mut peer = Peer { socket, seen: String::new() };
    assert!(peer.opens().await.contains("EXTERNAL"));
    peer.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>").await;
    peer.until("<success").await;
    peer.until(">").await;
    peer.opens().await;
    peer
}

/// Other servers speak for their rooms on the same stream. Their certificate says that they may; nobody need call back.
#[tokio::test]
async fn a_certificate_proves_further_domains_on_one_stream() {
    let world = World::new();
    let a = world.server("a.example").await;
    let mut peer = proven(&world, &["b.example", "rooms.b.example"]).await;
    // Nobody finds these two: whoever called back would fail.
    for (domain, valid) in [("rooms.b.example", true), ("other.b.example", false)] {
        peer.says(&format!("<db:result from='{domain}' to='a.example'>key</db:result>")).await;
        peer.until("<db:result").await;
        let answer = peer.until(">").await;
        assert_eq!(answer.contains("type='valid'"), valid, "{domain}: {answer}");
    }
    let mut romeo = a.client(ROMEO).await;
    for (domain, word) in [("rooms.b.example", "first"), ("b.example", "second")] {
        peer.says(&format!(
            "<message from='x@{domain}' to='{ROMEO}' type='chat'><body>{word}</body></message>"
        ))
        .await;
        romeo.expect(&[word, domain]).await;
    }
}
