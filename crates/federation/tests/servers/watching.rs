//! What operators see of other servers, what they can try, and whom they block.
//!
//! Not here: the words and the command line (detente).

use std::time::Duration;

use federation::{Attempt, Doubt, Failure, Standing, advice, step};
use s2s::Pair;

use crate::world::{PATIENCE, Plan, Server, World, closed_port};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example/balcony";

fn chat(to: &str, word: &str) -> String {
    format!("<message to='{to}' type='chat' id='{word}'><body>{word}</body></message>")
}

fn pair(remote: &str) -> Pair {
    let bare = |text: &str| address::Bare::parse(text).unwrap();
    Pair { local: bare("a.example"), remote: bare(remote) }
}

/// How A stands with B, as soon as that fits.
async fn standing(a: &Server, fits: impl Fn(&Standing) -> bool) -> Standing {
    let waiting = async {
        loop {
            let found =
                a.federation.standing(Some("b.example")).await.remove("b.example").unwrap_or_default();
            if fits(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to that")
}

async fn test(a: &Server, remote: &str) -> Attempt {
    a.federation.test(&pair(remote)).await.expect("there is room")
}

#[tokio::test]
async fn a_stream_tells_what_it_is() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    assert!(a.federation.standing(None).await.is_empty());
    let (romeo, mut juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    romeo.send(&chat(JULIET, "hello")).await;
    juliet.expect(&["hello"]).await;
    let found = standing(&a, |found| found.lanes.iter().any(|lane| lane.connected)).await;
    let stream = &found.streams[0];
    assert!(!stream.incoming && stream.seen.external && stream.seen.doubt.is_none(), "{stream:?}");
    assert!(
        stream
            .seen
            .tls
            .as_ref()
            .is_some_and(|tls| tls.as_ref().is_ok_and(|about| about.starts_with("TLSv1.3")))
    );
    let names = &stream.seen.certificate.as_ref().unwrap().names;
    assert_eq!(*names, ["b.example", "conference.b.example"]);
    let theirs = b.federation.standing(None).await;
    assert!(theirs["a.example"].streams[0].incoming, "{theirs:?}");
}

#[tokio::test]
async fn what_waits_and_why_can_be_seen() {
    let world = World::new();
    let a = world.server("a.example").await;
    let port = closed_port().await;
    world.dns.put("b.example", port.port());
    let romeo = a.client(ROMEO).await;
    romeo.send(&chat(JULIET, "one")).await;
    romeo.send(&chat(JULIET, "two")).await;
    let found = standing(&a, |found| found.failed.is_some() && found.lanes[0].failures > 0).await;
    let (lane, failed) = (&found.lanes[0], found.failed.unwrap());
    assert_eq!(
        (lane.local.as_str(), lane.waiting, lane.failed),
        ("a.example", 2, Some(Failure::Unreachable))
    );
    assert!(lane.oldest.is_some() && !lane.connected, "{lane:?}");
    assert_eq!(failed.tried[0].address, port);
    assert!(step(&failed.tried[0]).contains("no connection"));
    let said = advice("b.example", &failed, &a.federation.rules());
    assert!(said[0].contains("Nobody listens"), "{said:?}");
}

#[tokio::test]
async fn a_domain_is_tried_at_all_its_addresses_and_let_go() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    world.dns.put_as("_xmpps-server", "b.example", closed_port().await.port());
    let found = test(&a, "b.example").await;
    assert_eq!(found.outcome, Ok(()));
    assert_eq!(found.tried.len(), 2, "{found:?}");
    assert_eq!(found.srv.len(), 2);
    let said: Vec<String> = found.tried.iter().map(step).collect();
    assert!(said.iter().any(|said| said.contains("works; it believed us by certificate")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("no connection")), "{said:?}");
    tokio::time::timeout(PATIENCE, async {
        while a.counters.streams[0].value() + b.counters.streams[1].value() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("nothing of it is left");
    assert_eq!(a.counters.lanes.value(), 0);
}

#[tokio::test]
async fn a_test_says_what_is_wrong() {
    let world = World::new();
    let a = world.server("a.example").await;
    let own = rcgen::generate_simple_self_signed(["b.example".to_owned()]).unwrap();
    let identity = (own.cert.pem(), own.signing_key.serialize_pem());
    let _b = world.start(Plan { identity, ..world.plan("b.example") }).await;
    let mut plan = world.plan("x.example");
    plan.rules.ours.insert("c.example".to_owned());
    let _x = world.start(plan).await;
    for domain in ["c.example", "e.example"] {
        let at = world.dns.srv.lock().unwrap()["_xmpp-server._tcp.x.example"].clone();
        world.dns.srv.lock().unwrap().insert(format!("_xmpp-server._tcp.{domain}"), at);
    }
    let mut plan = world.plan("d.example");
    plan.rules.blocked.insert("a.example".to_owned());
    let _d = world.start(plan).await;
    for (domain, outcome, doubt, says) in [
        ("b.example", Failure::Certificate, Some(Doubt::Untrusted), "self-made"),
        ("c.example", Failure::Certificate, Some(Doubt::OtherName), "other names: x.example"),
        ("e.example", Failure::NotFound, None, "host-unknown"),
        ("d.example", Failure::NotAuthenticated, None, "policy-violation"),
    ] {
        let found = test(&a, domain).await;
        assert_eq!((found.outcome, found.tried[0].seen.doubt), (Err(outcome), doubt), "{found:?}");
        assert!(step(&found.tried[0]).contains(says), "{}", step(&found.tried[0]));
        assert_eq!(advice(domain, &found, &a.federation.rules()).len(), 1);
    }
    let found = test(&a, "nowhere.example").await;
    assert_eq!((found.outcome, found.tried.len()), (Err(Failure::NotFound), 0));
}

/// G-23, by command: streams end, what waits and what comes bounces, and after that all is as before.
#[tokio::test]
async fn a_block_by_command_holds_at_once_and_is_lifted_at_once() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    let (mut romeo, mut juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    romeo.send(&chat(JULIET, "before")).await;
    juliet.expect(&["before"]).await;
    let set = |barred| {
        a.federation.barred().set("example", barred);
        a.federation.enforce();
    };
    set(true);
    tokio::time::timeout(PATIENCE, async {
        while a.counters.streams[0].value() + a.counters.streams[1].value() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the stream ends");
    romeo.send(&chat(JULIET, "blocked")).await;
    romeo.expect(&["id='blocked'", "type='error'", "not-allowed"]).await;
    assert_eq!(test(&a, "b.example").await.outcome, Err(Failure::Blocked));
    set(false);
    romeo.send(&chat(JULIET, "after")).await;
    juliet.expect(&["after"]).await;
}

/// What waits for a domain that does not answer comes back as soon as it is blocked.
#[tokio::test]
async fn what_waits_for_whom_is_blocked_comes_back() {
    let world = World::new();
    let a = world.server("a.example").await;
    world.dns.put("b.example", closed_port().await.port());
    let mut romeo = a.client(ROMEO).await;
    romeo.send(&chat(JULIET, "m")).await;
    standing(&a, |found| found.failed.is_some()).await;
    a.federation.barred().set("b.example", true);
    a.federation.enforce();
    romeo.expect(&["id='m'", "type='error'", "not-allowed"]).await;
    a.cleared("b.example").await;
}

/// Who connects to us is there: what we thought of it before is forgotten, though its stream takes nothing of ours.
#[tokio::test]
async fn who_comes_to_us_ends_the_back_off() {
    let world = World::new();
    let a = world.server("a.example").await;
    let mut romeo = a.client(ROMEO).await;
    romeo.send(&chat(JULIET, "early")).await;
    romeo.expect(&["id='early'", "remote-server-not-found"]).await;
    let one_way = |stream: &mut s2s::Settings| stream.bidi = false;
    let b = world.start(Plan { stream: one_way, ..world.plan("b.example") }).await;
    let mut juliet = b.client(JULIET).await;
    juliet.send(&chat(ROMEO, "here")).await;
    romeo.expect(&["here"]).await;
    romeo.send(&format!("<iq to='{JULIET}' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>")).await;
    juliet.expect(&["id='q'", "urn:xmpp:ping"]).await;
}
