//! Routes, heads and bodies of HTTP.

use crate::world::client::Client;
use crate::world::{DOMAIN, World};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_meta_says_where_to_connect() {
    let world = World::new();
    let mut client = Client::tls(&world, world.https);
    let response = client.get("/.well-known/host-meta", "");
    assert_eq!(response.status, 200);
    assert!(response.head.contains("content-type: application/xrd+xml"));
    assert!(
        response.head.contains("access-control-allow-origin: *\r\n")
            && !response.head.contains("credentials")
    );
    let ws = format!("<Link rel='urn:xmpp:alt-connections:websocket' href='wss://{DOMAIN}/xmpp-websocket'/>");
    let bosh = format!("<Link rel='urn:xmpp:alt-connections:xbosh' href='https://{DOMAIN}/http-bind'/>");
    assert!(response.body.contains(&ws) && response.body.contains(&bosh), "{}", response.body);
    let response = client.get("/.well-known/host-meta.json", "");
    assert!(response.head.contains("content-type: application/json"));
    let want = format!(
        "{{\"links\":[{{\"rel\":\"urn:xmpp:alt-connections:websocket\",\"href\":\"wss://{DOMAIN}/xmpp-websocket\"}},\
         {{\"rel\":\"urn:xmpp:alt-connections:xbosh\",\"href\":\"https://{DOMAIN}/http-bind\"}}]}}\n"
    );
    assert_eq!(response.body, want);
    let world = World::with(|config| {
        config.http.public_url = Some("https://chat.example:5281".into());
        config.http.bosh = None;
    });
    let body = Client::plain(world.http).get("/.well-known/host-meta", "").body;
    assert!(body.contains("'wss://chat.example:5281/xmpp-websocket'") && !body.contains("xbosh"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_welcome_page_needs_nothing_from_elsewhere() {
    let world = World::new();
    let mut client = Client::plain(world.http);
    let response = client.get("/", "");
    assert_eq!(response.status, 200);
    assert!(response.body.contains(&format!("you@{DOMAIN}")), "{}", response.body);
    for forbidden in ["src=", "href=", "<script", "url("] {
        assert!(!response.body.contains(forbidden), "{forbidden}");
    }
    for header in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
    ] {
        assert!(response.head.contains(header), "{header}: {}", response.head);
    }
    for path in ["/x", "/.well-known/", "//", "/http-bind/", "/..", "/%2e%2e/", "/.well-known/host-meta%00"] {
        assert_eq!(client.get(path, "").status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_heads_are_refused() {
    let world = World::new();
    let many: String = (0..101).map(|n| format!("X-{n}: y\r\n")).collect();
    for (what, request, status) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), Some(400)),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), Some(400)),
        ("strange host", "GET / HTTP/1.1\r\nHost: a'><x>\r\n\r\n".into(), Some(400)),
        ("other host", "GET /.well-known/host-meta HTTP/1.1\r\nHost: b.example\r\n\r\n".into(), Some(404)),
        ("absolute form", format!("GET http://{DOMAIN}/ HTTP/1.1\r\nHost: x\r\n\r\n"), Some(200)),
        ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n".into(), Some(200)),
        ("long head", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(20_000)), Some(431)),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), Some(431)),
        ("two lengths", "POST /http-bind HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".into(), Some(400)),
        ("length and chunks", "POST /http-bind HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".into(), Some(400)),
        ("length, then chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), Some(400)),
        ("chunks, then length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n".into(), Some(400)),
        ("folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n".into(), Some(400)),
        ("no HTTP", "\u{0}\u{1}\u{2}\r\n\r\n".into(), Some(400)),
    ] {
        let mut client = Client::plain(world.http);
        client.send(&request);
        let response = client.response();
        assert_eq!(Some(response.status), status, "{what}: {response:?}");
    }
    for method in ["POST", "PUT", "DELETE", "TRACE", "BREW"] {
        let mut client = Client::plain(world.http);
        client.request(&format!("{method} /"), "", "");
        assert_eq!(client.response().status, 405, "{method}");
    }
}

/// What follows a request that could be read in two ways is no request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled() {
    let world = World::new();
    let hidden = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n");
    for (first, second) in [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ] {
        let mut client = Client::plain(world.http);
        assert_eq!(client.get("/", "").status, 200);
        client.send(format!(
            "POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{hidden}"
        ));
        let response = client.response();
        assert_eq!(response.status, 400);
        assert!(response.head.contains("connection: close"), "{}", response.head);
        assert_eq!(client.rest(), "");
    }
}

/// A socket that is closed with input that nobody read resets the connection, and its last answer may be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_too_much_hears_the_answer_to_the_end() {
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let long = "y".repeat(300_000);
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/9.9\r\nHost: a\r\n\r\n{long}"), 400),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n{long}"
            ),
            405,
        ),
    ] {
        let mut client = Client::plain(world.http);
        client.send(&request);
        assert_eq!(client.response().status, status);
        let end = client.tcp.read(&mut [0; 1]);
        assert!(matches!(end, Ok(0)), "{status}: {end:?}");
        // Who still speaks is not cut off in the middle of a word, and so does not lose what it has not yet read.
        for _ in 0..20 {
            client.tcp.write_all(&[b'y'; 1_000]).unwrap();
        }
        drop(client);
    }
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_and_bodies_are_cut() {
    let world = World::with(|config| config.http.request = Duration::from_millis(200));
    let mut head = Client::plain(world.http);
    head.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    let mut body = Client::plain(world.http);
    body.send(format!("POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 100\r\n\r\n<body"));
    assert_eq!(body.response().status, 408);
    head.rest();
    drop((head, body));
    world.until("all sockets are closed", |c| c.sockets.value() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_believed_only_if_it_is_ours() {
    let forwarded = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    for (trusted, want) in [(false, "127.0.0.1"), (true, "203.0.113.9")] {
        let world = World::with(|config| {
            if trusted {
                config.http.trusted_proxies.push("127.0.0.1".parse().unwrap());
            }
        });
        let mut client = Client::plain(world.http);
        let upgrade = format!("{}Sec-WebSocket-Protocol: xmpp\r\n{forwarded}", crate::world::client::UPGRADE);
        assert_eq!(client.get("/xmpp-websocket", &upgrade).status, 101);
        client.open_websocket();
        client.text(&crate::world::client::auth("juliet", "pencil"));
        client.hear();
        client.open_websocket();
        client.text(crate::world::client::bind());
        client.hear();
        let line = world.hear("bind");
        assert!(line.contains(want), "{line}");
    }
}

/// I-38: measures are told where the operator wants it and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i38_watchers_have_a_door_of_their_own() {
    struct Sick;

    impl net::Monitor for Sick {
        fn metrics(&self) -> net::Watching<'_, String> {
            Box::pin(async { "# EOF\n".to_owned() })
        }

        fn ready(&self) -> net::Watching<'_, Result<(), String>> {
            Box::pin(async { Err("the disk is full".to_owned()) })
        }
    }

    let world = World::with(|config| config.monitor = Some(std::sync::Arc::new(Sick)));
    let mut client = Client::plain(world.watch);
    let metrics = client.get("/metrics", "");
    assert_eq!((metrics.status, metrics.body.as_str()), (200, "# EOF\n"));
    assert!(
        metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{metrics:?}"
    );
    assert_eq!(client.get("/healthz", "").body, "alive\n");
    let ready = client.get("/readyz", "");
    assert_eq!((ready.status, ready.body.as_str()), (503, "not ready: the disk is full\n"));
    for path in ["/", "/http-bind", "/xmpp-websocket", "/.well-known/host-meta", "/metrics/", "//metrics"] {
        assert_eq!(client.get(path, "").status, 404, "{path}");
    }
    client.request("POST /metrics", "", "");
    assert_eq!(client.response().status, 405);
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(Client::plain(world.http).get(path, "").status, 404, "{path}");
    }
}
