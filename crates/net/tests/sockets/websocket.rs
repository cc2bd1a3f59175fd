//! WebSocket: the upgrade and its refusals, a login, frames that break rules.

use crate::world::client::{Client, UPGRADE, auth, frame, message};
use crate::world::{DOMAIN, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_over_websocket_with_and_without_our_tls() {
    let world = World::new();
    let mut juliet = Client::tls(&world, world.https);
    juliet.log_in_websocket("juliet");
    assert!(world.hear("bind juliet").contains("WebSocket 127.0.0.1 Some(\"TLSv1.3"));
    let mut romeo = Client::plain(world.http);
    romeo.log_in_websocket("romeo");
    romeo.text(&message("juliet", 1, "hello"));
    let came = juliet.hear();
    assert!(came.starts_with("<message xmlns='jabber:client'") && came.contains("hello"), "{came}");
    // Many messages in one write come back as many messages.
    let all: Vec<u8> = (0..500).flat_map(|n| frame(0x81, message("juliet", n, "x").as_bytes())).collect();
    romeo.send(all);
    for n in 0..500 {
        assert!(juliet.hear().contains(&format!("id='m{n}'")));
    }
    // RFC 7395 section 3.6: <close/> is answered, then the WebSocket closes.
    juliet.text("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    let close = juliet.hear();
    assert!(close.starts_with("<close"), "{close}");
    assert_eq!(juliet.next(), (0x88, 1000u16.to_be_bytes().to_vec()));
    assert_eq!(juliet.rest(), "");
    world.hear("closed 1 Clean");
    // A connection that just ends may be resumed.
    romeo.frame(0x88, &1001u16.to_be_bytes());
    assert_eq!(romeo.next(), (0x88, 1001u16.to_be_bytes().to_vec()));
    world.hear("closed 2 Broken");
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upgrades_that_are_refused() {
    let world = World::new();
    let upgrade =
        |change: fn(String) -> String| change(format!("{UPGRADE}Sec-WebSocket-Protocol: chat, xmpp\r\n"));
    for (what, headers, status) in [
        ("no subprotocol", UPGRADE.to_owned(), 400),
        ("wrong subprotocol", format!("{UPGRADE}Sec-WebSocket-Protocol: mqtt\r\n"), 400),
        ("wrong version", upgrade(|all| all.replace("Version: 13", "Version: 8")), 426),
        ("no upgrade", "Connection: close\r\n".to_owned(), 426),
        ("short key", upgrade(|all| all.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl")), 400),
        ("foreign page", upgrade(|all| all + "Origin: https://evil.example\r\n"), 403),
        ("null page", upgrade(|all| all + "Origin: null\r\n"), 403),
        ("own page", upgrade(|all| all + "Origin: https://a.example\r\n"), 101),
        ("compression", upgrade(|all| all + "Sec-WebSocket-Extensions: permessage-deflate\r\n"), 101),
    ] {
        let mut client = Client::plain(world.http);
        let response = client.get("/xmpp-websocket", &headers);
        assert_eq!(response.status, status, "{what}: {response:?}");
        assert!(!response.head.contains("sec-websocket-extensions"), "{what}");
    }
    let mut client = Client::plain(world.http);
    client.request("POST /xmpp-websocket", &upgrade(|all| all), "");
    assert_eq!(client.response().status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_rules_end_the_connection_with_the_right_code() {
    let world = World::new();
    let big = vec![b'a'; 10_001];
    let mut unmasked = frame(0x81, b"");
    unmasked[1] &= 0x7f;
    for (what, bytes, code) in [
        ("binary", frame(0x82, b"x"), 1003u16),
        ("unmasked", unmasked, 1002),
        ("reserved bits", frame(0xf1, b"x"), 1002),
        ("bad UTF-8", frame(0x81, b"\xff"), 1007),
        ("too big before a login", frame(0x81, &big), 1009),
        ("ping flood", (0..100).flat_map(|_| frame(0x89, b"x")).collect(), 1008),
    ] {
        let mut client = Client::plain(world.http);
        client.upgrade();
        client.send(bytes);
        let close = loop {
            match client.next() {
                (0x88, payload) => break payload,
                (0x8a, _) => {}
                other => panic!("{what}: {other:?}"),
            }
        };
        assert_eq!(close, code.to_be_bytes(), "{what}");
        assert_eq!(client.rest(), "", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_no_single_element_are_stream_errors() {
    let world = World::new();
    for text in [
        "<a xmlns='jabber:client'/><b xmlns='jabber:client'/>",
        "<message xmlns='jabber:client'>",
        "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>",
        "<?xml version='1.0'?><!DOCTYPE a><a/>",
        "<message xmlns='jabber:client'/>",
    ] {
        let mut client = Client::plain(world.http);
        client.upgrade();
        client.open_websocket();
        client.text(text);
        let error = client.hear();
        assert!(error.contains("error"), "{text}: {error}");
        client.rest();
    }
    // Before <open/>.
    let mut client = Client::plain(world.http);
    client.upgrade();
    client.text(&auth("juliet", "pencil"));
    assert!(!client.rest().contains("<success"));
    assert_eq!(world.counters.authenticated.value(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_websocket_is_insecure_where_the_operator_says_so() {
    let world = World::with(|config| config.http.loopback_is_secure = false);
    let mut client = Client::plain(world.http);
    client.upgrade();
    client.text(&format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{DOMAIN}' version='1.0'/>"));
    client.hear();
    let features = client.hear();
    assert!(!features.contains("<mechanism"), "{features}");
    client.text(&auth("juliet", "pencil"));
    assert!(client.hear().contains("<encryption-required/>"));
    assert_eq!(world.counters.authenticated.value(), 0);
}
