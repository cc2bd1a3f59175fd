//! Connections that need a relay for a call are handed over, TLS taken off, and end with the server.
//!
//! Not here: STUN and TURN (crate `relay`).

use std::net::SocketAddr;
use std::sync::Arc;

use net::{Duplex, Kind, Listener, Pending, Phase, Relay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;
use crate::world::client::{Client, Offer};

/// Says where somebody comes from, then gives back what it gets.
struct Echo;

impl Relay for Echo {
    fn serve(&self, mut connection: Box<dyn Duplex>, from: SocketAddr) -> Pending<'static, ()> {
        Box::pin(async move {
            connection.write_all(format!("{from};").as_bytes()).await.unwrap();
            connection.flush().await.unwrap();
            let mut buffer = [0; 100];
            while let Ok(length @ 1..) = connection.read(&mut buffer).await {
                connection.write_all(&buffer[..length]).await.unwrap();
                connection.flush().await.unwrap();
            }
        })
    }
}

fn world(relay: Option<Arc<dyn Relay>>) -> World {
    World::with(|config| {
        let listener = |kind| Listener { address: "127.0.0.1:0".parse().unwrap(), kind };
        config.listeners.extend([Kind::Turn, Kind::TurnTls].map(listener));
        config.relay = relay;
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_handed_over_with_and_without_tls() {
    let world = world(Some(Arc::new(Echo)));
    let (plain, secure) = (world.more[0], world.more[1]);
    let with_tls = |alpn: Vec<&'static [u8]>| {
        Client::plain(secure).secure(&world.certificate, &Offer { alpn, ..Offer::default() })
    };
    let mut clients = vec![
        Client::plain(plain),
        with_tls(vec![]).unwrap().0,
        with_tls(vec![b"stun.turn"]).unwrap().0,
        with_tls(vec![b"stun.nat-discovery"]).unwrap().0,
    ];
    assert!(with_tls(vec![b"http/1.1"]).is_err());
    for client in &mut clients {
        let seen = client.until(";");
        assert_eq!(seen, format!("{};", client.local()));
        for _ in 0..3 {
            client.send("hello");
            assert_eq!(client.exactly(5), b"hello");
        }
    }
    world.phase.send(Phase::Closing).unwrap();
    for client in &mut clients {
        assert_eq!(client.rest(), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_relay_they_are_closed() {
    let world = world(None);
    assert_eq!(Client::plain(world.more[0]).rest(), "");
}
