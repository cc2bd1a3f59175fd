//! Connections that break: nothing that was accepted is lost, and presence is looked after.
//!
//! Not here: servers that are away for longer (`missing.rs`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::{Plan, Server, Session, World};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example/balcony";

/// A wire between two servers that can be cut.
struct Wires(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Wires {
    /// Before the server at that domain.
    async fn before(world: &World, domain: &str) -> Wires {
        let name = format!("_xmpp-server._tcp.{domain}");
        let to = world.dns.srv.lock().unwrap()[&name][0].port;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        world.dns.put(domain, listener.local_addr().unwrap().port());
        let wires = Arc::new(Mutex::new(Vec::new()));
        let own = wires.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let wire = tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
                own.lock().unwrap().push(wire);
            }
        });
        Wires(wires)
    }

    fn cut(&self) {
        self.0.lock().unwrap().drain(..).for_each(|wire| wire.abort());
    }
}

async fn pair(
    world: &World,
    stream: fn(&mut s2s::Settings),
) -> (Server, Server, Session, Session, [Wires; 2]) {
    let a = world.start(Plan { stream, ..world.plan("a.example") }).await;
    let b = world.start(Plan { stream, ..world.plan("b.example") }).await;
    let wires = [Wires::before(world, "a.example").await, Wires::before(world, "b.example").await];
    let (romeo, juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    (a, b, romeo, juliet, wires)
}

/// All arrive, some perhaps twice, however often the wires are cut meanwhile.
async fn nothing_is_lost(stream: fn(&mut s2s::Settings)) {
    let world = World::new();
    let (a, _b, mut romeo, mut juliet, wires) = pair(&world, stream).await;
    // Strangers may not send that much.
    juliet.send(&format!("<message to='{ROMEO}' type='chat'><body>write!</body></message>")).await;
    romeo.expect(&["write!"]).await;
    const MANY: usize = 120;
    for n in 0..MANY {
        romeo
            .send(&format!("<message to='{JULIET}' type='chat' id='n{n}'><body>no {n}.</body></message>"))
            .await;
        if n % 40 == 20 {
            juliet.expect(&["<body"]).await;
            wires.iter().for_each(Wires::cut);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    a.cleared("b.example").await;
    let mut came = BTreeSet::new();
    for n in 0..MANY {
        if juliet.count(&[&format!("id='n{n}'")]) > 0 {
            came.insert(n);
        }
    }
    // Three were looked for above.
    assert!(came.len() >= MANY - 3, "{came:?}");
}

#[tokio::test]
async fn nothing_is_lost_on_streams_for_both_directions() {
    nothing_is_lost(|_| ()).await;
}

#[tokio::test]
async fn nothing_is_lost_on_streams_that_are_resumed() {
    nothing_is_lost(|settings| settings.bidi = false).await;
}

#[tokio::test]
async fn nothing_is_lost_on_streams_that_cannot_be_resumed() {
    nothing_is_lost(|settings| (settings.bidi, settings.resume) = (false, Duration::ZERO)).await;
}

#[tokio::test]
async fn presence_is_looked_after() {
    let world = World::new();
    let (_a, _b, mut romeo, mut juliet, wires) = pair(&world, |_| ()).await;
    romeo.send("<presence/>").await;
    juliet.send("<presence/>").await;
    romeo.send("<presence to='juliet@b.example' type='subscribe'/>").await;
    juliet.expect(&["type='subscribe'"]).await;
    juliet.send("<presence to='romeo@a.example' type='subscribed'/>").await;
    romeo.expect(&["<presence", &format!("from='{JULIET}'")]).await;
    wires.iter().for_each(Wires::cut);
    // Nobody says anything: who is there is asked all the same, and answered.
    romeo.expect(&["<presence", &format!("from='{JULIET}'")]).await;
}
