//! The server itself: its first start, commands while it runs, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::world::{Said, World, said, signal};

/// A server on ports that the system chose.
pub(crate) struct Server {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    /// What it said until it was ready.
    begin: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a test that failed; one that passed has waited for its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(world: &World) -> Server {
        Server::start_with(world, &[])
    }

    /// With these in its environment.
    pub(crate) fn start_with(world: &World, environment: &[(&str, &str)]) -> Server {
        let mut command = world.command(&["serve", "--log-format", "json"]);
        command.envs(environment.iter().copied());
        for listener in ["C2S", "C2S_TLS", "HTTP", "HTTPS", "METRICS"] {
            command.env(format!("DETENTE_LISTEN__{listener}"), "127.0.0.1:0");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut begin = String::new();
        while !begin.lines().any(|line| line.starts_with("ready: ")) {
            if out.read_line(&mut begin).unwrap() == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("it did not start: {begin} {err}");
            }
        }
        Server { child, out, begin }
    }

    pub(crate) fn address(&self, kind: &str) -> String {
        let ready = self.begin.lines().find_map(|line| line.strip_prefix("ready: ")).unwrap();
        let address = ready.split(", ").find_map(|word| word.strip_prefix(&format!("{kind} ")));
        address.unwrap().to_owned()
    }

    /// It reads its configuration again.
    pub(crate) fn reload(&self) {
        signal(&self.child, "HUP");
    }

    pub(crate) fn stop(mut self) -> Said {
        signal(&self.child, "TERM");
        let mut out = std::mem::take(&mut self.begin);
        self.out.read_to_string(&mut out).unwrap();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Said { out, err, code: self.child.wait().unwrap().code().unwrap_or(-1) }
    }
}

fn features_of(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                  to='localhost' version='1.0'>";
    stream.write_all(header.as_bytes()).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.contains("</stream:features>") {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "closed after {text}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    text
}

/// RFC 8489: who asks is told where it is seen; the rest of the relay is tested in its crates.
#[test]
fn a_relay_answers_by_udp_and_tcp() {
    let world = World::new();
    let here = "127.0.0.1:0";
    let variables =
        [("TURN__EXTERNAL_ADDRESS", "127.0.0.1"), ("LISTEN__TURN", here), ("LISTEN__TURN_TLS", here)];
    let variables = variables.map(|(name, value)| (format!("DETENTE_{name}"), value));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let server = Server::start_with(&world, &variables);
    let request =
        turn::Builder::new(turn::attribute::BINDING, turn::attribute::Class::Request, [7; 12]).finish();
    let seen = |answer: &[u8]| {
        let message = turn::message::Message::parse(answer).unwrap();
        message.address(turn::attribute::XOR_MAPPED_ADDRESS).unwrap()
    };
    let mut answer = [0; 32];
    let udp = std::net::UdpSocket::bind(here).unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    udp.send_to(&request, server.address("turn-udp")).unwrap();
    let length = udp.recv(&mut answer).unwrap();
    assert_eq!(seen(&answer[..length]), udp.local_addr().unwrap());
    let mut tcp = TcpStream::connect(server.address("turn")).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    tcp.write_all(&request).unwrap();
    tcp.read_exact(&mut answer).unwrap();
    assert_eq!(seen(&answer), tcp.local_addr().unwrap());
    server.address("turn-tls");
    let key = std::fs::metadata(world.path().join("run/data/turn.key")).unwrap();
    assert_eq!((key.permissions().mode() & 0o777, key.len()), (0o600, 32));
    assert_eq!(server.stop().code, 0);
}

/// RFC 6120 section 5, RFC 7590: another server gets nothing but the offer of TLS. What is said then is tested in its
/// crates.
#[test]
fn other_servers_are_let_in_where_they_are_wanted() {
    let world = World::new();
    let here = "127.0.0.1:0";
    let variables = [
        ("DETENTE_FEDERATION__ENABLED", "on"),
        ("DETENTE_LISTEN__S2S", here),
        ("DETENTE_LISTEN__S2S_TLS", here),
    ];
    let server = Server::start_with(&world, &variables);
    server.address("s2s-tls");
    let mut stream = TcpStream::connect(server.address("s2s")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
                  from='b.example' to='localhost' version='1.0'>";
    stream.write_all(header.as_bytes()).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.contains("</stream:features>") {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "closed after {text}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    assert!(text.contains("<required/>") && !text.contains("mechanism"), "{text}");
    let metrics = get(&server.address("metrics"), "/metrics");
    assert!(metrics.contains("\ndetente_s2s_streams{direction=\"in\"} 1\n"), "{metrics}");
    assert!(metrics.contains("\ndetente_connections_total{listener=\"s2s\"} 1\n"), "{metrics}");
    assert_eq!(server.stop().code, 0);
}

#[test]
fn a_server_starts_is_administered_and_stops() {
    let world = World::new();
    let server = Server::start(&world);
    // The first start: an account to begin with, its password said once.
    assert!(server.begin.contains("address   admin@localhost"), "{}", server.begin);
    let password =
        server.begin.lines().find_map(|line| line.trim().strip_prefix("password  ")).unwrap().to_owned();
    assert_eq!(password.len(), 20);
    let data = world.path().join("run/data");
    for (name, mode) in [("", 0o700), ("admin.sock", 0o600), ("token.key", 0o600)] {
        let meta = std::fs::metadata(data.join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{name}");
    }
    assert!(features_of(&server.address("c2s")).contains("<starttls"));

    // Commands go through the socket while it runs.
    let add = world.run_with(&["user", "add", "bob@localhost", "--password-stdin"], "pencil");
    assert_eq!((add.code, add.out.as_str()), (0, "bob@localhost is made\n"), "{add:?}");
    let list = world.run(&["user", "list", "--json"]).out;
    assert!(list.contains("admin@localhost") && list.contains("bob@localhost"));
    let shown: serde_json::Value =
        serde_json::from_str(&world.run(&["user", "show", "admin@localhost", "--json"]).out).unwrap();
    assert_eq!((&shown["admin"], &shown["sessions"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(world.run(&["session", "list", "--json"]).out, "[]\n");
    assert_eq!(
        world.run(&["session", "end", "bob@localhost"]).out,
        "bob@localhost had 0 sessions, which end\n"
    );
    assert_eq!(world.run(&["session", "end", "eve@localhost"]).code, 3);
    assert_eq!(world.run(&["user", "remove", "bob@localhost", "--yes"]).code, 0);

    // How it is doing, for operators and for programs.
    let status: serde_json::Value = serde_json::from_str(&world.run(&["status", "--json"]).out).unwrap();
    assert_eq!((&status["ready"], &status["storage"]), (&true.into(), &"ok".into()), "{status}");
    assert_eq!(status["measures"]["connections"]["c2s"], 1, "{status}");
    let told = world.run(&["status"]);
    assert!(told.code == 0 && told.out.contains("ready:   yes\n"), "{told:?}");
    let metrics = get(&server.address("metrics"), "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 ") && metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(metrics.contains("\ndetente_connections_total{listener=\"c2s\"} 1\n"), "{metrics}");
    assert!(get(&server.address("metrics"), "/readyz").ends_with("\r\n\r\nready\n"));
    assert!(get(&server.address("http"), "/readyz").starts_with("HTTP/1.1 404 "));
    let added = world.run(&["group", "add", "Family", "bob@localhost"]);
    assert_eq!(added.out, "bob@localhost is in the group Family\n", "{added:?}");
    assert_eq!(world.run(&["group", "list"]).out, "NAME    MEMBERS\nFamily  1\n");
    assert_eq!(world.run(&["reports", "list", "--json"]).out, "[]\n");
    assert_eq!(world.run(&["announce", "hello"]).out, "sent to 0 devices\n");
    assert_eq!(world.run(&["announce", "hello", "--domain", "b.example"]).code, 3);

    // A second server on the same data is refused.
    let second = world.command(&["serve"]).env("DETENTE_LISTEN__C2S", "127.0.0.1:0").output().unwrap();
    let second = said(second);
    assert!(second.code == 5 && second.err.contains("in use by another process"), "{second:?}");

    let stopped = server.stop();
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert!(!data.join("admin.sock").exists());
    // L-02: the password is said to the terminal, not to the log.
    assert!(!stopped.err.contains(&password) && !stopped.err.contains("pencil"), "{}", stopped.err);
    assert!(stopped.err.contains("\"command\":\"user add\""), "what operators do is logged: {}", stopped.err);
    assert!(stopped.err.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));

    // The second start makes nothing anew, and data is there.
    let server = Server::start(&world);
    assert!(!server.begin.contains("password"));
    let list = world.run(&["user", "list", "--json"]).out;
    assert!(list.contains("admin@localhost") && !list.contains("bob@localhost"));
    assert_eq!(server.stop().code, 0);
}

/// A request over HTTP, and all that comes back.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn l04_a_reload_keeps_what_works() {
    let world = World::new();
    let mut server = Server::start(&world);
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    let mut wait_for = |words: &str| {
        let mut seen = String::new();
        while !seen.contains(words) {
            assert!(log.read_line(&mut seen).unwrap() > 0, "{words} is not in {seen}");
        }
    };
    let text = std::fs::read_to_string(world.config()).unwrap();
    for (changed, expected) in [
        (format!("nonsense = 1\n{text}"), "the server goes on with the old one"),
        (text.clone(), "reloaded"),
        (text.replace("# idle_seconds = 300", "idle_seconds = 200"), "reloaded"),
        (text.replace("# level = \"info\"", "level = \"info,net=debug\""), "reloaded"),
        (text.replace("# plain = true", "plain = false"), "reloaded"),
        (
            text.replace("# durability = \"full\"", "durability = \"normal\""),
            "reloaded; needs a restart: storage.durability",
        ),
    ] {
        std::fs::write(world.config(), changed).unwrap();
        signal(&server.child, "HUP");
        wait_for(expected);
        assert!(features_of(&server.address("c2s")).contains("<starttls"));
    }
    signal(&server.child, "INT");
    wait_for("stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// sd_notify(3): ready, alive while the engine answers, reloading, stopping.
#[test]
fn the_service_manager_hears_how_it_is() {
    let world = World::new();
    let path = world.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let server =
        Server::start_with(&world, &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")]);
    let hear = |wanted: &str| {
        let mut buffer = [0; 256];
        loop {
            let length = socket.recv(&mut buffer).unwrap();
            match std::str::from_utf8(&buffer[..length]).unwrap() {
                said if said == wanted => return,
                "WATCHDOG=1" => {}
                other => panic!("{other} instead of {wanted}"),
            }
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    signal(&server.child, "HUP");
    hear("RELOADING=1");
    hear("READY=1");
    // L-02: what a dump would hold is written nowhere.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let said = server.stop();
    assert_eq!(said.code, 0, "{said:?}");
    hear("STOPPING=1");
}
