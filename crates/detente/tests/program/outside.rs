//! `detente check dns|certs|connectivity`, against a DNS on this machine.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use hostile::dns::{Dns, Record};
use serde_json::Value;

use crate::server::Server;
use crate::world::{Said, World, said};

/// A folder for one domain, and the variables that differ from it.
fn world(domain: &str) -> World {
    let world = World::empty();
    let dir = world.path().join("run");
    let made = world.run(&["init", dir.to_str().unwrap(), "--domain", domain, "--listen", "127.0.0.1"]);
    assert_eq!(made.code, 0, "{made:?}");
    world
}

fn check(world: &World, args: &[&str], environment: &[(&str, String)]) -> Said {
    let mut command = world.command(&[&["check"], args].concat());
    command.envs(environment.iter().map(|(name, value)| (format!("DETENTE_{name}"), value)));
    said(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap())
}

fn on() -> (&'static str, String) {
    ("FEDERATION__ENABLED", "on".to_owned())
}

/// Level and what to do of what is said about a name.
fn about(found: &Value, name: &str) -> (String, String) {
    let one = found.as_array().unwrap().iter().find(|one| one["about"].as_str().unwrap().starts_with(name));
    let one = one.unwrap_or_else(|| panic!("nothing about {name}: {found:#}"));
    (one["level"].as_str().unwrap().to_owned(), one["todo"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_is_missing_in_dns_is_said_as_the_record_to_add() {
    let dns = Dns::start().unwrap();
    let world = world("a.example");
    let server = dns.address().to_string();
    let look = |environment: &[(&str, String)]| {
        let all = [environment, &[on()]].concat();
        let text = check(&world, &["dns", "--dns", &server], &all);
        let json = check(&world, &["dns", "--dns", &server, "--json"], &all);
        assert_eq!(text.code, json.code, "{text:?}");
        (text, serde_json::from_str::<Value>(&json.out).unwrap())
    };
    // Nothing is there.
    let (text, found) = look(&[]);
    assert_eq!(text.code, 1, "{text:?}");
    let record = "_xmpp-client._tcp.a.example. 3600 IN SRV 0 5 5222 a.example.";
    assert!(text.out.contains(record), "{}", text.out);
    for (name, level, record) in [
        ("_xmpp-client._tcp.a", "wrong", record),
        ("_xmpps-client._tcp.a", "better", "_xmpps-client._tcp.a.example. 3600 IN SRV 0 5 5223 a.example."),
        ("_xmpp-server._tcp.a", "wrong", "_xmpp-server._tcp.a.example. 3600 IN SRV 0 5 5269 a.example."),
        (
            "_xmpp-server._tcp.conference",
            "better",
            "_xmpp-server._tcp.conference.a.example. 3600 IN SRV 0 5 5269 a.example.",
        ),
        ("https://a.example", "note", "host-meta"),
    ] {
        let (is, todo) = about(&found, name);
        assert!(is == level && todo.contains(record), "{name}: {is} {todo}");
    }
    // An address is enough for the usual ports, and not for others.
    dns.put("a.example", vec![Record::Address([192, 0, 2, 1].into())]);
    assert_eq!(about(&look(&[]).1, "_xmpp-client._tcp.a").0, "note");
    let elsewhere = [("LISTEN__C2S", "127.0.0.1:5422".to_owned())];
    let (is, todo) = about(&look(&elsewhere).1, "_xmpp-client._tcp.a");
    assert!(is == "wrong" && todo.contains("SRV 0 5 5422 a.example."), "{is} {todo}");
    // Records that are wrong, and one that is right.
    let srv = |port, host: &str| vec![Record::Srv(0, 5, port, host.to_owned())];
    dns.put("_xmpp-client._tcp.a.example", srv(5222, "nowhere.example"));
    dns.put("_xmpps-client._tcp.a.example", srv(0, ""));
    dns.put("_xmpp-server._tcp.a.example", srv(5269, "a.example"));
    dns.put("_xmpps-server._tcp.a.example", srv(443, "a.example"));
    let (text, found) = look(&[]);
    assert_eq!(text.code, 1);
    for (name, level, words) in [
        ("_xmpp-client._tcp.a", "wrong", "nowhere.example. 3600 IN A"),
        (
            "_xmpps-client._tcp.a",
            "wrong",
            "put in its place: _xmpps-client._tcp.a.example. 3600 IN SRV 0 5 5223",
        ),
        ("_xmpp-server._tcp.a", "ok", ""),
        ("_xmpps-server._tcp.a", "better", "5270 a.example."),
    ] {
        let (is, todo) = about(&found, name);
        assert!(is == level && todo.contains(words), "{name}: {is} {todo}");
    }
    // All that must be is there, though rooms and nodes are not found.
    dns.put("_xmpp-client._tcp.a.example", srv(5222, "a.example"));
    dns.put("_xmpps-client._tcp.a.example", srv(5223, "a.example"));
    assert_eq!(look(&[]).0.code, 0);
    let silent = check(&world, &["dns", "c.example", "--dns", &server], &[on()]);
    assert_eq!(silent.code, 3, "no domain of this server: {silent:?}");
}

#[test]
fn certificates_are_held_against_the_domains() {
    let world = world("a.example");
    std::fs::copy(world.path().join("run/certs/a.example.crt"), world.path().join("run/certs/old.pem"))
        .unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(world.config()).unwrap();
    let secret = "0123456789abcdef".repeat(4);
    writeln!(file, "\n[component.\"irc.far.a.example\"]\nsecret = \"{secret}\"").unwrap();
    let said = check(&world, &["certs"], &[on()]);
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "for a.example",
        "no authority",
        "conference.a.example: is in the certificate",
        "irc.far.a.example: is in no certificate",
        "old.pem",
        "which is not used",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    // Its own authority is named, and nobody else wants rooms: all that matters is in order.
    let ca = world.path().join("run/certs/a.example.crt").to_str().unwrap().to_owned();
    let said = check(&world, &["certs", "a.example"], &[on(), ("FEDERATION__CA_FILE", ca)]);
    assert_eq!(said.code, 0, "{said:?}");
    // A key of another certificate.
    let other = self::world("b.example");
    std::fs::copy(other.path().join("run/certs/b.example.key"), world.path().join("run/certs/a.example.key"))
        .unwrap();
    assert_eq!(check(&world, &["certs"], &[]).code, 1);
    std::fs::remove_file(world.path().join("run/certs/a.example.crt")).unwrap();
    let said = check(&world, &["certs", "--json"], &[]);
    assert!(said.code == 1 && said.out.contains("cannot be read"), "{said:?}");
}

#[test]
fn listeners_are_tried_here_and_where_dns_says() {
    let dns = Dns::start().unwrap();
    let world = world("a.example");
    let server = Server::start_with(&world, &[]);
    let names = [("c2s", "C2S"), ("c2s-tls", "C2S_TLS"), ("http", "HTTP"), ("https", "HTTPS")];
    let mut environment: Vec<(String, String)> =
        names.iter().map(|(kind, name)| (format!("LISTEN__{name}"), server.address(kind))).collect();
    environment.push(("LISTEN__METRICS".to_owned(), "[]".to_owned()));
    let asked = dns.address().to_string();
    let look = |args: &[&str]| {
        let environment: Vec<(&str, String)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        check(&world, &[&["connectivity", "--dns", &asked], args].concat(), &environment)
    };
    let port = |address: &str| address.rsplit_once(':').unwrap().1.parse().unwrap();
    let here = vec![Record::Srv(0, 5, port(&server.address("c2s")), "a.example".to_owned())];
    dns.put("_xmpp-client._tcp.a.example", here);
    dns.put("a.example", vec![Record::Address([127, 0, 0, 1].into())]);
    let said = look(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.matches("answers").count(), 5, "{}", said.out);
    // DNS leads to something else, and to nobody.
    let strange = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = strange.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in strange.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"SSH-2.0-x\r\n");
        }
    });
    dns.put("_xmpp-client._tcp.a.example", vec![Record::Srv(0, 5, at, "a.example".to_owned())]);
    let said = look(&["a.example"]);
    assert!(said.code == 1 && said.out.contains("does not speak XMPP"), "{said:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    dns.put("_xmpp-client._tcp.a.example", vec![Record::Srv(0, 5, nobody, "a.example".to_owned())]);
    let said = look(&["a.example"]);
    assert!(said.code == 1 && said.out.contains("no connection"), "{said:?}");
    assert_eq!(server.stop().code, 0);
    let said = look(&[]);
    assert!(said.out.contains("start the server"), "{said:?}");
}
