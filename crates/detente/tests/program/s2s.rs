//! `detente s2s ...`: two servers on this machine, and a DNS of their own.

use std::time::{Duration, Instant};

use hostile::dns::Dns;
use serde_json::Value;

use crate::server::Server;
use crate::world::{Said, World};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A world with one server's folder in it.
struct Side {
    world: World,
    environment: Vec<(String, String)>,
}

impl Side {
    fn new(domain: &str, dns: &Dns) -> Side {
        let world = World::empty();
        let dir = world.path().join("run");
        let made = world.run(&["init", dir.to_str().unwrap(), "--domain", domain]);
        assert_eq!(made.code, 0, "{made:?}");
        let mut side = Side { world, environment: Vec::new() };
        side.set("FEDERATION__ENABLED", "on");
        side.set("FEDERATION__PRIVATE_ADDRESSES", "true");
        side.set("FEDERATION__DNS_SERVERS", &dns.address().to_string());
        side.set("LISTEN__S2S", "127.0.0.1:0");
        side.set("LISTEN__S2S_TLS", "127.0.0.1:0");
        side
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.push((format!("DETENTE_{name}"), value.to_owned()));
    }

    /// The one that `init` has made.
    fn certificate(&self, domain: &str) -> String {
        self.world.path().join(format!("run/certs/{domain}.crt")).to_str().unwrap().to_owned()
    }

    fn start(&self) -> Server {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Server::start_with(&self.world, &environment)
    }

    /// `s2s`, with these.
    fn s2s(&self, args: &[&str]) -> Said {
        self.world.run(&[&["s2s"], args].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        let said = self.s2s(&[args, &["--json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }
}

#[test]
fn other_servers_are_looked_at_tried_blocked_and_allowed() {
    let dns = Dns::start().unwrap();
    let theirs = Side::new("b.example", &dns);
    let b = theirs.start();
    let port = |kind: &str| b.address(kind).rsplit_once(':').unwrap().1.parse().unwrap();
    dns.put_server("b.example", port("s2s"), false);
    let ours = Side::new("a.example", &dns);
    let a = ours.start();
    assert_eq!(ours.json(&["list"]), Value::Array(Vec::new()));

    // A self-made certificate proves nothing.
    let said = ours.s2s(&["test", "b.example"]);
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "DNS   _xmpp-server._tcp.b.example  0 5 ",
        "FAIL",
        "self-made",
        "TLSv1.3",
        "for b.example",
        "auth = \"dialback\"",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    let found = ours.json(&["test", "b.example"]);
    assert_eq!(found["error"], "certificate", "{found:#}");
    assert_eq!(found["tried"][0]["doubt"], "untrusted", "{found:#}");
    // What is not there, and what is no domain at all.
    let said = ours.s2s(&["test", "nowhere.example"]);
    assert!(said.code == 1 && said.out.contains("Is it spelled right?"), "{said:?}");
    for wrong in
        [&["test", "x@b.example"][..], &["show", "a.example"], &["test", "b.example", "--from", "c.example"]]
    {
        assert!([2, 3].contains(&ours.s2s(wrong).code), "{wrong:?}");
    }

    let blocked = ours.s2s(&["block", "b.example"]);
    assert_eq!((blocked.code, blocked.out.as_str()), (0, "b.example is blocked\n"));
    assert_eq!(ours.json(&["show", "b.example"])["blocked_by"], "command");
    assert_eq!(ours.json(&["test", "b.example"])["error"], "blocked");
    assert_eq!(a.stop().code, 0);
    // It is remembered, and can be lifted while the server is stopped.
    assert_eq!(ours.s2s(&["list"]).code, 5);
    let a = ours.start();
    let listed = ours.json(&["list"]);
    assert_eq!(
        (&listed[0]["domain"], &listed[0]["state"]),
        (&"b.example".into(), &"blocked".into()),
        "{listed:#}"
    );
    assert_eq!(a.stop().code, 0);
    assert_eq!(ours.s2s(&["allow", "b.example"]).code, 0);
    assert_eq!(ours.s2s(&["allow", "b.example"]).code, 3);
    assert_eq!(b.stop().code, 0);
}

/// With certificates that are believed, a test succeeds and leaves nothing behind.
#[test]
fn a_server_that_is_as_it_should_be_passes_the_test() {
    let dns = Dns::start().unwrap();
    let (mut ours, mut theirs) = (Side::new("a.example", &dns), Side::new("b.example", &dns));
    let certificates = [ours.certificate("a.example"), theirs.certificate("b.example")];
    ours.set("FEDERATION__CA_FILE", &certificates[1]);
    theirs.set("FEDERATION__CA_FILE", &certificates[0]);
    let (a, b) = (ours.start(), theirs.start());
    let port = |kind: &str| b.address(kind).rsplit_once(':').unwrap().1.parse().unwrap();
    dns.put_server("b.example", port("s2s"), false);
    dns.put_server("b.example", port("s2s-tls"), true);
    let said = ours.s2s(&["test", "b.example"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.matches("works; it believed us by certificate").count(), 2, "{}", said.out);
    let until = Instant::now() + PATIENCE;
    while ours.json(&["show", "b.example"])["out"] != 0 {
        assert!(Instant::now() < until, "the test lets go");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(a.stop().code, 0);
    assert_eq!(b.stop().code, 0);
}
