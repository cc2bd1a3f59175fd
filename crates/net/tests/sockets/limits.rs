//! Limits across connections, and shutdown.

use std::time::Duration;

use net::Phase;

use crate::world::World;
use crate::world::client::{Client, auth};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_connections() {
    let world = World::with(|config| config.limits.connections_per_address = 3);
    let mut open: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::plain(world.c2s);
            client.open();
            client
        })
        .collect();
    assert_eq!(Client::plain(world.c2s).rest(), "");
    assert_eq!(world.counters.refused_per_address.value(), 1);
    drop(open.pop());
    world.until("one is closed", |c| c.sockets.value() == 2);
    Client::plain(world.c2s).open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_guesses_passwords_is_held_back_over_all_its_connections() {
    let world = World::with(|config| {
        config.limits.failures_per_address = 3;
        let mut settings = crate::world::settings();
        settings.timeouts.failure = Duration::from_millis(1);
        config.stream = net::Current::new(settings);
    });
    for n in 0..4 {
        let mut client = Client::tls(&world, world.direct);
        client.open();
        client.send(auth("juliet", "wrong"));
        let want = if n < 3 { "<not-authorized" } else { "<temporary-auth-failure" };
        client.until(want);
    }
    let mut client = Client::tls(&world, world.direct);
    client.open();
    client.send(auth("juliet", "pencil"));
    client.until("<temporary-auth-failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_many_short_connections() {
    let world = World::with(|config| {
        config.limits.connects_per_address = 10_000;
    });
    for n in 0..300 {
        let mut client = match n % 3 {
            0 => Client::plain(world.c2s),
            1 => Client::tls(&world, world.direct),
            _ => Client::plain(world.http),
        };
        if n % 3 != 2 {
            client.open();
        }
    }
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
    world.until("all streams are closed", |c| c.streams.iter().all(|n| n.value() == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_tells_every_stream_and_ends() {
    let world = World::new();
    let mut fresh = Client::plain(world.c2s);
    fresh.open();
    let mut juliet = Client::tls(&world, world.direct);
    juliet.log_in("juliet");
    let mut romeo = Client::plain(world.http);
    romeo.log_in_websocket("romeo");
    world.phase.send(Phase::Draining).unwrap();
    // Those who are in go on.
    juliet.send(crate::world::client::message("romeo", 1, "still here"));
    assert!(romeo.hear().contains("still here"));
    world.phase.send(Phase::Closing).unwrap();
    for client in [&mut fresh, &mut juliet] {
        let rest = client.rest();
        assert!(rest.contains("<system-shutdown") && rest.ends_with("</stream:stream>"), "{rest}");
    }
    assert!(romeo.hear().contains("<system-shutdown"));
    drop((fresh, juliet, romeo));
    world.done.await.unwrap();
}
