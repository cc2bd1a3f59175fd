//! Measures the memory of an idle authenticated connection: this process serves, a child of it holds the clients.
//!
//! `cargo run --release -p net --example idle -- [connections]`
//!
//! Not here: kernel memory of the sockets, and what an engine keeps for a session.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs, reason = "a measuring tool")]

#[path = "../tests/sockets/world/mod.rs"]
mod world;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use world::World;
use world::client::{Client, Offer};

fn main() {
    let mut args = std::env::args().skip(1);
    match (args.next(), args.next(), args.next()) {
        (Some(kind), Some(address), Some(count)) => hold(&kind, &address, count.parse().unwrap()),
        // A process of its own for each kind: memory that was freed would be used again.
        (Some(count), Some(kind), None) => serve(count.parse().unwrap(), &kind),
        (count, ..) => {
            let count = count.unwrap_or("3000".into());
            println!("{:<16} {:>6} {:>12}", "kind", "count", "KiB each");
            for kind in ["plain", "starttls", "direct", "websocket", "websocket-plain"] {
                Command::new(std::env::current_exe().unwrap()).args([&count, kind]).status().unwrap();
            }
        }
    }
}

/// The child: logs in one after the other, says so, and waits to be told to go.
fn hold(kind: &str, address: &str, count: usize) {
    let mut certificate = String::new();
    let mut input = std::io::stdin().lock();
    while input.read_line(&mut certificate).unwrap() > 0 && !certificate.contains("-----END") {}
    let address = address.parse().unwrap();
    let clients: Vec<Client> = (0..count)
        .map(|n| {
            let mut client = Client::plain(address);
            if kind == "starttls" {
                client.open();
                client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
                client.until("<proceed");
                client.until(">");
            }
            if !matches!(kind, "plain" | "websocket-plain") {
                client = client.secure(&certificate, &Offer::default()).unwrap().0;
            }
            let user = format!("user{n}");
            if kind.starts_with("websocket") {
                client.log_in_websocket(&user)
            } else {
                client.log_in(&user)
            }
            client
        })
        .collect();
    println!("ready");
    let _ = input.read(&mut [0]);
    drop(clients);
}

fn serve(count: usize, kind: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
    let _guard = runtime.enter();
    let world = World::with(|config| {
        config.limits.connections_per_address = u32::MAX;
        config.limits.connects_per_address = u32::MAX;
        let mut settings = world::settings();
        settings.plain_on_loopback = true;
        config.stream = net::Current::new(settings);
    });
    let address = match kind {
        "direct" => world.direct,
        "websocket" => world.https,
        "websocket-plain" => world.http,
        _ => world.c2s,
    };
    for count in [20, count] {
        let before = resident();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([kind, &address.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(world.certificate.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        while world.heard.try_recv().is_ok() {}
        let each = (resident() as f64 - before as f64) / count as f64;
        if count > 20 {
            println!("{kind:<16} {count:>6} {each:>12.2}");
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        world.until("all sockets are closed", |counters| counters.sockets.value() == 0);
    }
}

/// KiB of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
