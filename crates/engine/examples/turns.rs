//! What a message costs between stream and stream: kernel, features, and the line behind the commit, without I/O.
//!
//! `cargo run --release -p engine --example turns`
//!
//! Not here: parsing, TLS, storage; commits are answered at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use address::{Bare, Jid};
use engine::{Engine, Input, Output, Time};
use kernel::{Card, Feature, Flow, HostFacts, Kernel, Now, Step, Turn, Way};
use model::link::{
    About, Bind, Client, ClientState, Down, Link, Resource, SessionId, StreamId, Transport, Up,
};
use model::query::{Found, Query};
use model::storage::{Loaded, Read};
use stanza::{MessageType, Stanza};

/// Counts what it is sent.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Link for Counter {
    fn send(&self, down: Down) {
        if matches!(down, Down::Stanza(_)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// A feature that stands on every step and does nothing.
struct Idle;

impl Feature for Idle {
    fn card(&self) -> &'static Card {
        use Step::{Copy, Keep, Miss, Screen, Stamp};
        static CARD: Card = Card {
            steps: &[
                (Way::Leave, Screen),
                (Way::Leave, Stamp),
                (Way::Leave, Keep),
                (Way::Leave, Copy),
                (Way::Arrive, Screen),
                (Way::Arrive, Stamp),
                (Way::Arrive, Keep),
                (Way::Arrive, Copy),
                (Way::Arrive, Miss),
            ],
            ..Card::named("idle")
        };
        &CARD
    }

    fn step(&self, _: Way, _: Step, _: &mut Turn<'_, kernel::Account>, _: &mut Stanza) -> Flow {
        Flow::On
    }
}

fn empty(read: Read) -> Loaded {
    match read {
        Read::Doc { space, .. } if space.0 == "account" => Loaded::Doc(Some("{}".into())),
        Read::Doc { .. } | Read::MapGet { .. } => Loaded::Doc(None),
        Read::Map { .. } | Read::MapRange { .. } => Loaded::Map(Vec::new()),
        Read::MapSize { .. } => Loaded::Size(Default::default()),
        Read::Many(reads) => Loaded::Many(reads.into_iter().map(empty).collect()),
        Read::Owners { .. } => Loaded::Owners(Vec::new()),
        Read::Log(_) => Loaded::Page(Default::default()),
        Read::LogBounds { .. } => Loaded::Bounds(Default::default()),
        Read::HighestId => Loaded::HighestId(0),
    }
}

/// Gives the engine what it asks for until it asks no more.
fn settle(engine: &mut Engine, time: Time) {
    engine.finish();
    while let Some(output) = engine.poll_output() {
        match output {
            Output::Commit(ticket, _) => engine.handle(time, Input::Committed(ticket, Ok(()))),
            Output::Ask(ticket, Query::Read(read)) => {
                engine.handle(time, Input::Found(ticket, Ok(Found::Loaded(empty(read)))));
            }
            Output::Ask(..) => {}
        }
        engine.finish();
    }
}

fn bind(engine: &mut Engine, time: Time, number: u64) -> (Jid, SessionId, Arc<Counter>) {
    let link = Arc::new(Counter::default());
    // Every address is valid: letters and digits.
    let account = Bare::parse(&format!("user{number}@localhost")).expect("valid");
    let about = About {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        transport: Transport::Tcp,
        tls: None,
        mechanism: "PLAIN",
        client: Client::default(),
    };
    let jid = account.with_resource("r").expect("valid");
    let bind = Bind {
        stream: StreamId(number),
        link: link.clone(),
        account,
        grant: model::grant::Grant::default(),
        resource: Resource::Asked(jid.clone()),
        carbons: false,
        enable: None,
        client_state: ClientState::Active,
        about: Arc::new(about),
    };
    engine.handle(time, Input::Up(Up::Bind(Box::new(bind))));
    settle(engine, time);
    (jid, SessionId(number), link)
}

fn measure(name: &str, features: Vec<Box<dyn Feature>>, idle_sessions: u64, batch: usize) {
    let time = Time { now: Now { unix_ms: 1_800_000_000_000 }, mono_ms: 0 };
    let domain = Jid::parse("localhost").expect("valid");
    let hosts = vec![(domain, Arc::new(HostFacts::default()))];
    let mut engine = Engine::new(Kernel::new(features), hosts, 0, time, Box::new(|bytes| bytes.fill(7)));
    let (alice, session, _) = bind(&mut engine, time, 1);
    let (bob, _, got) = bind(&mut engine, time, 2);
    for number in 3..3 + idle_sessions {
        bind(&mut engine, time, number);
    }
    let inner = "<body>Wherefore art thou, Romeo?</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
                 <request xmlns='urn:xmpp:receipts'/>";
    let message = Stanza::message(MessageType::Chat).from(&alice).to(&bob).id("m1").with_inner(inner.into());
    let rounds = 200_000 / batch;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..rounds {
            for _ in 0..batch {
                engine.handle(time, Input::Up(Up::Stanza(session, message.clone())));
            }
            settle(&mut engine, time);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (rounds * batch) as f64);
    }
    assert_eq!(got.0.load(Ordering::Relaxed), rounds * batch * 5, "every message arrives");
    println!("{name:44} {best:7.0} ns a message");
}

fn idle(count: usize) -> Vec<Box<dyn Feature>> {
    (0..count).map(|_| Box::new(Idle) as Box<dyn Feature>).collect()
}

fn main() {
    let all = || features::all("0", "", Vec::new());
    measure("no features, batches of 1", idle(0), 0, 1);
    measure("no features, batches of 64", idle(0), 0, 64);
    measure("30 idle features on all 9 steps, of 64", idle(30), 0, 64);
    measure("all features (archive of both sides), of 64", all(), 0, 64);
    measure("the same with 100,000 idle sessions", all(), 100_000, 64);
}
