//! Servers that are not there, not there yet, or not there any more.
//!
//! RFC 6120 sections 8.3.3.16 and 8.3.3.17
//!
//! Not here: servers that are not believed (`believing.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use federation::Srv;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Plan, World, closed_port};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example/balcony";

fn chat(to: &str, word: &str) -> String {
    format!("<message to='{to}' type='chat' id='{word}'><body>{word}</body></message>")
}

#[tokio::test]
async fn who_is_not_there_is_not_found() {
    let world = World::new();
    let a = world.server("a.example").await;
    let mut romeo = a.client(ROMEO).await;
    let dot = Srv { priority: 0, weight: 0, port: 0, target: String::new() };
    world.dns.srv.lock().unwrap().insert("_xmpp-server._tcp.dot.example".into(), vec![dot]);
    for to in ["x@nowhere.example", "x@dot.example", "x@127.0.0.1", "x@[::1]"] {
        romeo.send(&chat(to, "m")).await;
        romeo.expect(&["type='error'", "remote-server-not-found", &format!("from='{to}'")]).await;
    }
    romeo.send("<iq to='nowhere.example' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    romeo.expect(&["id='1'", "remote-server-not-found", "type='cancel'"]).await;
    // Who wants to enter a room waits for an answer; who merely shows presence does not.
    romeo.send("<presence to='r@nowhere.example/n' id='2'><x xmlns='http://jabber.org/protocol/muc'/></presence>").await;
    romeo.expect(&["<presence", "id='2'", "remote-server-not-found"]).await;
    a.cleared("nowhere.example").await;
    assert_eq!(romeo.count(&["type='error'"]), 0);
}

#[tokio::test]
async fn addresses_within_are_not_connected_to() {
    let world = World::new();
    let a = world.start(Plan { private: false, ..world.plan("a.example") }).await;
    let b = world.server("b.example").await;
    let mut romeo = a.client(ROMEO).await;
    romeo.send(&chat(JULIET, "m")).await;
    romeo.expect(&["type='error'", "remote-server-not-found", "public network"]).await;
    assert_eq!(b.counters.streams[1].value(), 0);
}

/// The clock runs as fast as nothing happens: five minutes pass at once.
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_given_up_in_the_end() {
    let world = World::new();
    let a = world.server("a.example").await;
    let mut romeo = a.client(ROMEO).await;
    world.dns.put("b.example", closed_port().await.port());
    let start = tokio::time::Instant::now();
    romeo.send(&chat(JULIET, "late")).await;
    romeo.send(&format!("<iq to='{JULIET}' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>")).await;
    romeo.expect_in(Duration::from_secs(60), &["id='q'", "remote-server-timeout", "type='wait'"]).await;
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    romeo.expect_in(Duration::from_secs(400), &["id='late'", "remote-server-timeout"]).await;
    let waited = start.elapsed();
    assert!((290..=320).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(romeo.count(&["id='late'"]), 0, "exactly once");
    assert_eq!(a.spooled("b.example").await, 0);
}

/// G-18: names that are made up leave nothing behind.
#[tokio::test(start_paused = true)]
async fn domains_that_are_not_there_are_forgotten() {
    let world = World::new();
    let a = world.server("a.example").await;
    let mut romeo = a.client(ROMEO).await;
    const MANY: usize = 400;
    for n in 0..MANY {
        romeo.send(&chat(&format!("x@n{n}.nowhere.example"), "m")).await;
    }
    for _ in 0..MANY {
        romeo.expect_in(Duration::from_secs(60), &["remote-server-not-found"]).await;
    }
    assert_eq!(a.counters.bounced[federation::Failure::NotFound as usize].value(), MANY as u64);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((a.counters.lanes.value(), a.counters.waiting.value()), (0, 0));
}

/// A domain about which DNS says nothing delays no other.
#[tokio::test]
async fn silence_of_one_delays_no_other() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    world.dns.silent.lock().unwrap().push("silent.example".into());
    let (romeo, mut juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    for n in 0..100 {
        romeo.send(&chat(&format!("x@s{n}.silent.example"), "m")).await;
    }
    let start = std::time::Instant::now();
    romeo.send(&chat(JULIET, "hello")).await;
    juliet.expect(&["hello"]).await;
    assert!(start.elapsed() < Duration::from_secs(8), "sooner than the silent ones");
}

/// Ours is killed while theirs is away; what was accepted arrives, once.
#[tokio::test]
async fn what_waits_survives_a_restart() {
    let world = World::new();
    let a = world.server("a.example").await;
    world.dns.put("b.example", closed_port().await.port());
    let romeo = a.client(ROMEO).await;
    for word in ["one", "two", "three"] {
        romeo.send(&chat("juliet@b.example", word)).await;
    }
    romeo.send("<presence to='juliet@b.example' type='subscribe'/>").await;
    // A message of no worth later is not kept.
    romeo.send("<message to='juliet@b.example' type='headline'><body>news</body></message>").await;
    while a.spooled("b.example").await < 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let store = a.stop(false).await;
    let b = world.server("b.example").await;
    let mut juliet = b.client(JULIET).await;
    juliet.send("<presence/>").await;
    let a = world.start(Plan { store, ..world.plan("a.example") }).await;
    for word in ["one", "two", "three"] {
        let next = juliet.expect(&["<body"]).await;
        assert!(next.contains(word), "{word}: {next}");
    }
    juliet.expect(&["type='subscribe'", "romeo@a.example"]).await;
    a.cleared("b.example").await;
    assert_eq!(juliet.count(&["<body"]), 0, "each once");
}

/// Theirs is killed and comes back: what was sent meanwhile arrives.
#[tokio::test]
async fn a_server_that_comes_back_gets_what_waited() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    let romeo = a.client(ROMEO).await;
    let mut juliet = b.client(JULIET).await;
    romeo.send(&chat(JULIET, "before")).await;
    juliet.expect(&["before"]).await;
    let store = b.stop(false).await;
    romeo.send(&chat("juliet@b.example", "meanwhile")).await;
    let b = world.start(Plan { store, ..world.plan("b.example") }).await;
    let mut juliet = b.client(JULIET).await;
    juliet.send("<presence/>").await;
    romeo.send(&chat("juliet@b.example", "after")).await;
    juliet.expect(&["meanwhile"]).await;
    juliet.expect(&["after"]).await;
    a.cleared("b.example").await;
}

/// RFC 6120 section 4.9.3.19: a server sends us elsewhere; whoever is there must prove the same domain.
#[tokio::test]
async fn a_server_may_send_us_elsewhere_but_not_for_ever() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    let at = world.dns.srv.lock().unwrap()["_xmpp-server._tcp.b.example"][0].port;
    let (listener, calls) = sends_on(|_| format!("127.0.0.1:{at}")).await;
    world.dns.put("b.example", listener);
    let mut romeo = a.client(ROMEO).await;
    let mut juliet = b.client(JULIET).await;
    romeo.send(&chat(JULIET, "hello")).await;
    juliet.expect(&["hello"]).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // To somebody else: not believed there.
    let (listener, _) = sends_on(|_| format!("127.0.0.1:{at}")).await;
    world.dns.put("c.example", listener);
    romeo.send(&chat("x@c.example", "wrong")).await;
    romeo.expect(&["type='error'", "id='wrong'"]).await;
    // To itself, again and again.
    let (listener, calls) = sends_on(|port| format!("host.d.example:{port}")).await;
    world.dns.put("d.example", listener);
    romeo.send("<iq to='d.example' type='get' id='loop'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    romeo.expect(&["type='error'", "id='loop'"]).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1 + federation::limits::REDIRECTS_MAX);
}

/// A server that only says where to go instead; its port, and how often it was asked.
async fn sends_on(place: impl FnOnce(u16) -> String) -> (u16, Arc<AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, calls) = (listener.local_addr().unwrap().port(), Arc::<AtomicU32>::default());
    let (counted, place) = (calls.clone(), place(port));
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = tcp.read(&mut [0; 1024]).await;
            let said = format!(
                "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='x' version='1.0'>\
                 <stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{place}</see-other-host>\
                 </stream:error></stream:stream>"
            );
            let _ = tcp.write_all(said.as_bytes()).await;
        }
    });
    (port, calls)
}
