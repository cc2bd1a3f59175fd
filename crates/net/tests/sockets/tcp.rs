//! Streams over TCP: STARTTLS, direct TLS, order, back-pressure, the end.

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use model::link::Down;
use stanza::Stanza;

use crate::world::client::{Client, Offer, auth, header, message};
use crate::world::{DOMAIN, World, settings, until};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// A client whose stream has just been secured by STARTTLS.
fn starttls(world: &World) -> Client {
    let mut client = Client::plain(world.c2s);
    let features = client.open();
    assert!(features.contains("<starttls") && !features.contains("<mechanism"), "{features}");
    client.send(STARTTLS);
    client.until("<proceed");
    client.until(">");
    client.secure(&world.certificate, &Offer::default()).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_over_starttls_and_over_direct_tls() {
    let world = World::new();
    let mut juliet = starttls(&world);
    juliet.log_in("juliet");
    let line = world.hear("bind juliet");
    assert!(line.contains("Tcp 127.0.0.1 Some(\"TLSv1.3 TLS_"), "{line}");
    let mut romeo = Client::tls(&world, world.direct);
    romeo.log_in("romeo");
    let line = world.hear("bind romeo");
    assert!(line.contains("DirectTls"), "{line}");
    romeo.send(message("juliet", 1, "hello"));
    let came = juliet.until("</message>");
    assert!(
        came.contains("<body>hello</body>") && came.contains(&format!("from='romeo@{DOMAIN}/")),
        "{came}"
    );
    assert_eq!(world.counters.streams(model::link::Transport::Tcp).value(), 1);
    assert_eq!(world.counters.authenticated.value(), 2);
    assert_eq!(world.counters.handshakes.value(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plaintext_behind_starttls_is_never_processed() {
    let world = World::new();
    for (what, smuggled) in [("in one segment", auth("juliet", "pencil")), ("half a byte", " ".into())] {
        let mut client = Client::plain(world.c2s);
        client.open();
        client.send(format!("{STARTTLS}{smuggled}"));
        let rest = client.rest();
        assert!(!rest.contains("<success") && !rest.contains("<challenge"), "{what}: {rest}");
    }
    // The same, but after <proceed/>: it is no TLS.
    let mut client = Client::plain(world.c2s);
    client.open();
    client.send(STARTTLS);
    client.until("<proceed");
    client.until(">");
    client.send(auth("juliet", "pencil"));
    let rest = client.rest();
    assert!(!rest.contains("success"), "{rest}");
    world.until("the handshake fails", |c| {
        c.handshakes_failed[net::HandshakeFault::Malformed as usize].value() == 1
    });
    assert_eq!(world.counters.authenticated.value(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_stanzas_in_one_write_arrive_all_and_in_order() {
    let world = World::new();
    let (mut juliet, mut romeo) = (Client::tls(&world, world.direct), starttls(&world));
    juliet.log_in("juliet");
    romeo.log_in("romeo");
    let count = 5000;
    let all: String = (0..count).map(|n| message("juliet", n, "x")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| romeo.send(&all));
        for n in 0..count {
            let came = juliet.until("</message>");
            assert!(came.contains(&format!("id='m{n}'")), "{n}: {came}");
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_at_a_time_is_a_login_too() {
    let world = World::new();
    let mut client = Client::tls(&world, world.direct);
    for byte in header().bytes() {
        client.send([byte]);
    }
    client.until("</stream:features>");
    for byte in auth("juliet", "pencil").bytes() {
        client.send([byte]);
    }
    client.until("<success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_builds_a_backlog_and_is_cut_and_others_go_on() {
    let world = World::with(|config| config.limits.write = Duration::from_millis(300));
    let (mut juliet, mut romeo) = (Client::tls(&world, world.direct), Client::tls(&world, world.direct));
    juliet.log_in("juliet");
    romeo.log_in("romeo");
    let link = world.link("juliet");
    let inner = format!("<body>{}</body>", "y".repeat(100_000));
    let stanza = Arc::new(Stanza::message(stanza::MessageType::Chat).with_inner(inner.into()));
    // Until the system's buffers are full and the rest waits here; much at once, or a busy machine cuts her off before.
    until("a backlog", || {
        (0..50).for_each(|_| link.send(Down::Stanza(stanza.clone())));
        link.backlog() > 10_000_000
    });
    world.hear("closed 1 Broken");
    assert_eq!(world.counters.stuck.value(), 1);
    until("the queue is dropped", || link.backlog() == 0);
    link.send(Down::Stanza(stanza));
    assert_eq!(link.backlog(), 0, "nothing piles up for the dead");
    romeo.send(message("romeo", 1, "to myself"));
    romeo.until("to myself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_everything_and_is_not_cut() {
    let world = World::with(|config| config.limits.write = Duration::from_secs(5));
    let mut juliet = Client::tls(&world, world.direct);
    juliet.log_in("juliet");
    let link = world.link("juliet");
    let count = 300;
    for n in 0..count {
        let inner = format!("<body>{}</body>", "z".repeat(50_000));
        let stanza = Stanza::message(stanza::MessageType::Chat).id(&format!("m{n}")).with_inner(inner.into());
        link.send(Down::Stanza(Arc::new(stanza)));
    }
    for n in 0..count {
        let came = juliet.until("</message>");
        assert!(came.contains(&format!("id='m{n}'")), "{n}");
    }
    until("nothing is left", || link.backlog() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_engine_slows_its_clients_down_and_nothing_is_lost() {
    let world = World::new();
    let mut juliet = Client::tls(&world, world.direct);
    juliet.log_in("juliet");
    let held = world.pause.clone().lock_owned().await;
    let count = 20_000;
    let all: String = (0..count).map(|n| message("nobody", n, "x")).collect();
    let all_bytes = all.len() as u64;
    let sending = std::thread::spawn(move || {
        juliet.send(&all);
        juliet
    });
    // The engine's queue and the system's buffers are full: what is left is not read.
    let mut last = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let now = world.counters.bytes_in.value();
        if now == last {
            break;
        }
        last = now;
    }
    assert!(last < all_bytes / 2, "{last} of {all_bytes} were read");
    drop(held);
    for n in 0..count {
        assert_eq!(world.hear("stanza"), format!("stanza 1 Some(\"m{n}\")"));
    }
    sending.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_stream() {
    let world = World::new();
    // Properly: both sides close.
    let mut client = Client::tls(&world, world.direct);
    client.log_in("juliet");
    client.send("</stream:stream>");
    assert_eq!(client.rest(), "</stream:stream>");
    world.hear("closed 1 Clean");
    // The client stops sending, but still reads what is on its way.
    let mut client = Client::plain(world.c2s);
    client.send(header());
    client.tcp.shutdown(Shutdown::Write).unwrap();
    let rest = client.rest();
    assert!(rest.contains("<stream:stream") && rest.ends_with("</stream:stream>"), "{rest}");
    // The connection breaks.
    let mut client = Client::tls(&world, world.direct);
    client.log_in("romeo");
    client.tcp.shutdown(Shutdown::Both).unwrap();
    drop(client);
    world.hear("closed 2 Broken");
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
    world.until("all streams are closed", |c| c.streams.iter().all(|n| n.value() == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_is_written_before_the_close() {
    let world = World::new();
    let mut client = Client::tls(&world, world.direct);
    client.log_in("juliet");
    let link = world.link("juliet");
    for n in 0..100 {
        let inner = format!("<body>{}</body>", "w".repeat(1000));
        let stanza = Stanza::message(stanza::MessageType::Chat).id(&format!("m{n}")).with_inner(inner.into());
        link.send(Down::Stanza(Arc::new(stanza)));
    }
    link.send(Down::Close(None));
    let rest = client.until("</stream:stream>");
    assert_eq!(rest.matches("<message").count(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_before_authentication_ends_and_white_space_does_not_help() {
    let world = World::with(|config| {
        let mut settings = settings();
        settings.timeouts.authenticate = Duration::from_millis(300);
        config.stream = net::Current::new(settings);
    });
    let mut client = Client::plain(world.c2s);
    client.open();
    let mut socket = client.tcp.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        while socket.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let rest = client.rest();
    assert!(rest.contains("<connection-timeout"), "{rest}");
    drop(client);
    dripping.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_xmpp_is_closed_at_once() {
    let world = World::new();
    for noise in
        ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "SSH-2.0-x\r\n", "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}"]
    {
        for to in [world.c2s, world.direct, world.https] {
            let mut client = Client::plain(to);
            client.send(noise);
            client.rest();
        }
    }
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
}
