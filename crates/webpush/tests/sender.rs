//! The sender against a push service that the test plays, over TLS on loopback: what it gets, what it may say, and what
//! is made of that.
//!
//! Not here: encryption on its own (`encrypt.rs`).
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;
use std::time::Duration;

use address::{Bare, Jid};
use model::push::{Notification, Subscription};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use turn::peers::Peers;
use webpush::browser::Browser;
use webpush::{Secret, Sender, Settings, Vapid};

/// A push service: answers each request with the next of its lines, and tells what it got.
struct Service {
    port: u16,
    roots: RootCertStore,
    got: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
}

async fn service(answers: Vec<&'static str>) -> Service {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind(("localhost", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, got) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let tls = TlsAcceptor::from(Arc::new(config));
        for answer in answers {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = tls.accept(socket).await else {
                tell.send(("no TLS".into(), Vec::new())).unwrap();
                continue;
            };
            tell.send(request(&mut socket).await).unwrap();
            if answer == "silence" {
                tokio::spawn(async move {
                    let _held = socket;
                    std::future::pending::<()>().await;
                });
                continue;
            }
            let answer = answer.replace("{huge}", &"x".repeat(1_000_000));
            let _ = socket.write_all(answer.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    Service { port, roots, got }
}

/// Head and body of a request.
async fn request(socket: &mut (impl AsyncReadExt + Unpin)) -> (String, Vec<u8>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
            let length = head.split_once("content-length: ").unwrap().1.split("\r\n").next().unwrap();
            if bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                return (head, bytes[end + 4..].to_vec());
            }
        }
        let n = socket.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the request is not whole");
        bytes.extend_from_slice(&buffer[..n]);
    }
}

fn notification(to: Subscription, text: &str) -> Notification {
    Notification {
        service: Jid::parse("push.a.example").unwrap(),
        account: Bare::parse("alice@a.example").unwrap(),
        node: "0123456789abcdef0123456789abcdef".into(),
        to,
        text: text.as_bytes().to_vec(),
        urgent: true,
    }
}

/// A sender that may reach this machine, and hears of ended subscriptions.
fn sender(roots: &RootCertStore, local: bool, pauses: usize) -> (Sender, mpsc::UnboundedReceiver<String>) {
    made(roots, local, pauses, Duration::from_millis(500))
}

/// One that waits for long.
fn with_patience(roots: &RootCertStore, patience: Duration) -> (Sender, mpsc::UnboundedReceiver<String>) {
    made(roots, true, 0, patience)
}

fn made(
    roots: &RootCertStore,
    local: bool,
    pauses: usize,
    patience: Duration,
) -> (Sender, mpsc::UnboundedReceiver<String>) {
    let (tell, gone) = mpsc::unbounded_channel();
    let vapid = Vapid::new(&Secret::new([9; 32]), "mailto:admin@a.example");
    let mut settings = Settings::new(vapid, Box::new(move |of| tell.send(of.node.clone()).unwrap()));
    if local {
        let own = ["127.0.0.0/8", "::1"];
        settings.peers =
            Peers { allowed: own.map(|range| range.parse().unwrap()).into(), denied: Vec::new() };
    }
    settings.roots = roots.clone();
    settings.pauses = vec![Duration::from_millis(1); pauses];
    settings.patience = patience;
    (Sender::new(settings), gone)
}

const CREATED: &str = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_browser_reads_what_was_sent() {
    let mut service = service(vec![CREATED]).await;
    let (sender, _gone) = sender(&service.roots, true, 0);
    let browser = Browser::new().unwrap();
    let to = browser.subscription(&format!("https://localhost:{}/push/x?y=z", service.port));
    sender.check(&to).unwrap();
    assert!(sender.send(notification(to, "{\"message-count\":\"1\"}")));
    let (head, body) = service.got.recv().await.unwrap();
    assert_eq!(browser.read(&body).unwrap(), b"{\"message-count\":\"1\"}");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /push/x?y=z http/1.1\r\n"), "{head}");
    for field in [
        &format!("host: localhost:{}", service.port)[..],
        "content-encoding: aes128gcm",
        "ttl: 259200",
        "urgency: high",
        "topic: 0123456789abcdef0123456789abcdef",
        "authorization: vapid t=",
    ] {
        assert!(head.contains(&format!("\r\n{field}")), "{field}: {head}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_stays_is_not() {
    for (answers, requests, ends) in [
        (vec![CREATED], 1, false),
        (vec!["HTTP/1.1 410 Gone\r\n\r\n"], 1, true),
        (vec!["HTTP/1.1 404 Not Found\r\n\r\n"], 1, true),
        (vec!["HTTP/1.1 429 Slow\r\nRetry-After: 0\r\n\r\n", "HTTP/1.1 503 Busy\r\n\r\n", CREATED], 3, false),
        (vec!["HTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 410 Gone\r\n\r\n"], 2, true),
        // As often as is allowed, and not more.
        (vec!["HTTP/1.1 500 No\r\n\r\n"; 5], 4, false),
        // No redirects, no second try where the first was wrong.
        (vec!["HTTP/1.1 307 There\r\nLocation: https://localhost/\r\n\r\n", CREATED], 1, false),
        (vec!["HTTP/1.1 400 Bad\r\n\r\n", CREATED], 1, false),
        (vec!["HTTP/1.1 413 Large\r\n\r\n", CREATED], 1, false),
        // What is no answer, is no end of it, or is none for ever.
        (
            vec!["nonsense\r\n\r\n", "HTTP/1.1 201 {huge}\r\n\r\n", "silence", "HTTP/1.1 410 Gone\r\n\r\n"],
            4,
            true,
        ),
        (vec!["HTTP/1.1 410 Gone\r\nContent-Length: 1000000\r\n\r\n{huge}"], 1, true),
    ] {
        let told = format!("{answers:.60?}");
        let mut service = service(answers).await;
        let (sender, mut gone) = sender(&service.roots, true, 3);
        let browser = Browser::new().unwrap();
        let to = browser.subscription(&format!("https://localhost:{}/", service.port));
        assert!(sender.send(notification(to, "a")));
        for _ in 0..requests {
            let (_, body) = service.got.recv().await.unwrap();
            assert_eq!(browser.read(&body).unwrap(), b"a", "{told}");
        }
        // The sender goes when it has nothing more to do, and with it the way of its news.
        drop(sender);
        assert_eq!(gone.recv().await.is_some(), ends, "{told}");
        assert!(service.got.try_recv().is_err(), "{told}");
    }
}

#[tokio::test]
async fn what_is_overtaken_is_not_tried_again() {
    let mut service = service(vec!["HTTP/1.1 503 Busy\r\n\r\n"; 6]).await;
    let (sender, mut gone) = sender(&service.roots, true, 3);
    let browser = Browser::new().unwrap();
    let to = browser.subscription(&format!("https://localhost:{}/", service.port));
    assert!(sender.send(notification(to.clone(), "old")) && sender.send(notification(to, "new")));
    drop(sender);
    assert_eq!(gone.recv().await, None);
    let mut texts = Vec::new();
    while let Ok((_, body)) = service.got.try_recv() {
        texts.push(browser.read(&body).unwrap());
    }
    // The old one had not even begun.
    assert_eq!(texts, [b"new"; 4]);
}

#[tokio::test]
async fn nothing_inside_is_reached() {
    let mut service = service(vec![CREATED]).await;
    let (sender, mut gone) = sender(&service.roots, false, 1);
    let browser = Browser::new().unwrap();
    for host in
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00::1]", "0.0.0.0"]
    {
        let to = browser.subscription(&format!("https://{host}/"));
        assert_eq!(sender.check(&to), Err("the endpoint is no public address"), "{host}");
    }
    // A name is looked at when it is resolved.
    let to = browser.subscription(&format!("https://localhost:{}/", service.port));
    assert!(sender.send(notification(to, "a")));
    drop(sender);
    assert_eq!(gone.recv().await, None);
    assert!(service.got.try_recv().is_err());
}

#[tokio::test]
async fn who_is_not_known_is_not_told() {
    let mut service = service(vec![CREATED]).await;
    let (sender, mut gone) = sender(&RootCertStore::empty(), true, 0);
    let to = Browser::new().unwrap().subscription(&format!("https://localhost:{}/", service.port));
    assert!(sender.send(notification(to, "a")));
    drop(sender);
    assert_eq!(gone.recv().await, None);
    assert_eq!(service.got.recv().await.unwrap().0, "no TLS");
}

/// A host that takes connections, and says nothing.
async fn silent() -> (Subscription, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let to = Browser::new().unwrap();
    let to = to.subscription(&format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port()));
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    (to, held)
}

#[tokio::test]
async fn whose_push_service_is_slow_waits_alone() {
    let (slow, silent) = silent().await;
    let most = webpush::limits::CONNECTIONS_MAX;
    // One account with many browsers, then many accounts with a host in common.
    for accounts in [1, most] {
        let mut service = service(vec![CREATED]).await;
        let (sender, _gone) = with_patience(&service.roots, Duration::from_secs(600));
        for number in 0..2 * most {
            let account = Bare::parse(&format!("{}@a.example", number % accounts)).unwrap();
            let node = format!("n{number}");
            sender.send(Notification { account, node, ..notification(slow.clone(), "a") });
        }
        // All who may have a connection have it.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        let to = Browser::new().unwrap().subscription(&format!("https://localhost:{}/", service.port));
        let bob = Bare::parse("bob@a.example").unwrap();
        assert!(sender.send(Notification { account: bob, ..notification(to, "b") }));
        let got = tokio::time::timeout(Duration::from_secs(20), service.got.recv()).await;
        assert!(got.is_ok(), "{accounts}");
    }
    silent.abort();
}

#[tokio::test]
async fn too_much_is_refused() {
    let (sender, _gone) = sender(&RootCertStore::empty(), true, 0);
    let browser = Browser::new().unwrap();
    let send = |account: usize, node: usize, host: usize| {
        let to = browser.subscription(&format!("https://h{host}.localhost:1/"));
        let account = Bare::parse(&format!("{account}@a.example")).unwrap();
        sender.send(Notification { account, node: node.to_string(), ..notification(to, "a") })
    };
    use webpush::limits::{QUEUE_MAX, QUEUE_PER_ACCOUNT_MAX, QUEUE_PER_HOST_MAX};
    // Nothing is sent before this test waits for something.
    for number in 0..=QUEUE_PER_ACCOUNT_MAX {
        assert_eq!(send(0, number, 0), number < QUEUE_PER_ACCOUNT_MAX, "of one account");
    }
    for number in QUEUE_PER_ACCOUNT_MAX..=QUEUE_PER_HOST_MAX {
        assert_eq!(send(number, 0, 0), number < QUEUE_PER_HOST_MAX, "for one host");
    }
    for number in QUEUE_PER_HOST_MAX..=QUEUE_MAX {
        assert_eq!(send(number, 0, 1), number < QUEUE_MAX, "of all");
    }
}
