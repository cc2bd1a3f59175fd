//! Connections that break: nothing that was accepted is lost, and presence is looked after.
//!
//! Not here: servers that are away for longer (`missing.rs`).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::{Plan, Server, Session, World};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example/balcony";

/// A wire between two servers that can be cut, and that can hang: then it takes everything and hands nothing on.
struct Wires(Arc<Mutex<Vec<JoinHandle<()>>>>, Arc<AtomicBool>);

impl Wires {
    /// Before the server at that domain.
    async fn before(world: &World, domain: &str) -> Wires {
        let name = format!("_xmpp-server._tcp.{domain}");
        let to = world.dns.srv.lock().unwrap()[&name][0].port;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        world.dns.put(domain, listener.local_addr().unwrap().port());
        let wires = Arc::new(Mutex::new(Vec::new()));
        let (own, hangs) = (wires.clone(), Arc::new(AtomicBool::new(false)));
        let hung = hangs.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let hung = hung.clone();
                let wire = tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::select! {
                        () = carry(near_in, far_out, hung.clone()) => {}
                        () = carry(far_in, near_out, hung) => {}
                    }
                });
                own.lock().unwrap().push(wire);
            }
        });
        Wires(wires, hangs)
    }

    fn hang(&self, hangs: bool) {
        self.1.store(hangs, Ordering::SeqCst);
    }

    fn cut(&self) {
        self.0.lock().unwrap().drain(..).for_each(|wire| wire.abort());
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, hung: Arc<AtomicBool>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if !hung.load(Ordering::SeqCst) && to.write_all(&buffer[..n]).await.is_err() {
            break;
        }
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
async fn what_a_hung_peer_was_sent_is_sent_again_although_it_acknowledges_nothing() {
    let world = World::new();
    let plain = |settings: &mut s2s::Settings| {
        (settings.bidi, settings.stream_management) = (false, false);
    };
    let (a, _b, romeo, mut juliet, wires) = pair(&world, plain).await;
    romeo.send(&format!("<message to='{JULIET}' type='chat'><body>hello</body></message>")).await;
    juliet.expect(&["hello"]).await;
    a.cleared("b.example").await;
    wires.iter().for_each(|wire| wire.hang(true));
    romeo.send(&format!("<message to='{JULIET}' type='chat'><body>are you there?</body></message>")).await;
    // Longer than what counts as delivered for its age alone.
    tokio::time::sleep(federation::limits::CONFIRM + Duration::from_secs(2)).await;
    assert_eq!(a.spooled("b.example").await, 1);
    wires.iter().for_each(|wire| wire.hang(false));
    wires.iter().for_each(Wires::cut);
    juliet.expect(&["are you there?"]).await;
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

/// It means work for everybody who knows somebody there: a wire that breaks again and again must not cause it each time.
#[tokio::test]
async fn presence_is_looked_after_once_a_minute() {
    let world = World::new();
    let (_a, _b, mut romeo, mut juliet, wires) = pair(&world, |_| ()).await;
    romeo.send("<presence/>").await;
    juliet.send("<presence/>").await;
    romeo.send("<presence to='juliet@b.example' type='subscribe'/>").await;
    juliet.send("<presence to='romeo@a.example' type='subscribe'/>").await;
    juliet.expect(&["type='subscribe'"]).await;
    juliet.send("<presence to='romeo@a.example' type='subscribed'/>").await;
    romeo.expect(&["type='subscribe'"]).await;
    romeo.send("<presence to='juliet@b.example' type='subscribed'/>").await;
    romeo.expect(&["<presence", &format!("from='{JULIET}'")]).await;
    juliet.expect(&["<presence", &format!("from='{ROMEO}'")]).await;
    let mut seen = Vec::new();
    for round in 0..4 {
        let before = shown(&mut romeo, &mut juliet);
        wires.iter().for_each(Wires::cut);
        let said = |to: &str| format!("<message to='{to}' type='chat'><body>round {round}.</body></message>");
        romeo.send(&said(JULIET)).await;
        juliet.expect(&[&format!("round {round}.")]).await;
        juliet.send(&said(ROMEO)).await;
        romeo.expect(&[&format!("round {round}.")]).await;
        // What was asked before that is answered by now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        seen.push(shown(&mut romeo, &mut juliet) - before);
    }
    assert!(seen[0] > 0, "{seen:?}");
    assert_eq!(seen[2..], [0, 0], "{seen:?}");
}

/// How often one has seen the presence of the other.
fn shown(romeo: &mut Session, juliet: &mut Session) -> usize {
    romeo.count(&["<presence", &format!("from='{JULIET}'")])
        + juliet.count(&["<presence", &format!("from='{ROMEO}'")])
}

/// A stream that we close says nothing of what a peer has read that hangs.
#[tokio::test]
async fn what_a_hung_peer_was_sent_stays_in_the_spool_when_we_stop() {
    let world = World::new();
    let plain = |settings: &mut s2s::Settings| {
        (settings.bidi, settings.stream_management) = (false, false);
    };
    let (a, _b, romeo, mut juliet, wires) = pair(&world, plain).await;
    romeo.send(&format!("<message to='{JULIET}' type='chat'><body>hello</body></message>")).await;
    juliet.expect(&["hello"]).await;
    a.cleared("b.example").await;
    wires.iter().for_each(|wire| wire.hang(true));
    romeo.send(&format!("<message to='{JULIET}' type='chat'><body>are you there?</body></message>")).await;
    let written = async {
        while a.spooled("b.example").await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, written).await.expect("it is written down");
    let store = a.stop(true).await;
    wires.iter().for_each(|wire| wire.hang(false));
    wires.iter().for_each(Wires::cut);
    let _again = world.start(Plan { store, stream: plain, ..world.plan("a.example") }).await;
    juliet.expect(&["are you there?"]).await;
}
