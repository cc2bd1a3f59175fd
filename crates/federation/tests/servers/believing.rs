//! Whom a server believes, and what senders hear of those whom it does not.
//!
//! RFC 6120 section 13.7, RFC 7590, XEP-0220 1.1.1
//!
//! Not here: servers that are believed (`talking.rs`).

use std::collections::HashMap;

use federation::Settings;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Eku};
use s2s::Policy;

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
