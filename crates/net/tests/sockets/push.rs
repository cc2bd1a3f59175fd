//! What programs post for clients, and what they hear.

use std::future::ready;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use net::{PUSH_BYTES_MAX, Pending, Pushes, Status};

use crate::world::client::Client;
use crate::world::{DOMAIN, World};

/// Takes what comes for the token `known`.
#[derive(Clone, Default)]
struct Taker(Arc<Mutex<Vec<Bytes>>>);

impl Pushes for Taker {
    fn post(&self, token: String, body: Bytes) -> Pending<'static, Status> {
        let status = match &token[..] {
            "known" => 201,
            "away" => 503,
            _ => 404,
        };
        if status == 201 {
            self.0.lock().unwrap().push(body);
        }
        Box::pin(ready(status))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_posted_is_brought() {
    let taker = Taker::default();
    let took = taker.clone();
    let world = World::with(move |config| config.pushes = Some(Arc::new(took)));
    let longest = "x".repeat(PUSH_BYTES_MAX);
    let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
    for (method, path, body, status) in [
        ("POST", "/push/known", "hello", 201),
        ("POST", "/push/known", &longest[..], 201),
        ("POST", "/push/known", &format!("{longest}x"), 413),
        ("POST", "/push/known", "", 400),
        ("POST", "/push/away", "a", 503),
        ("POST", "/push/unknown", "a", 404),
        ("POST", "/push/", "a", 404),
        ("POST", "/push", "a", 404),
        ("GET", "/push/known", "", 200),
        ("PUT", "/push/known", "", 405),
        ("OPTIONS", "/push/known", "", 204),
    ] {
        let mut client = Client::plain(world.http);
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n{}\r\n{body}", length(body)));
        let response = client.response();
        assert_eq!(response.status, status, "{method} {path} {}", body.len());
        if path.starts_with("/push/") {
            assert!(response.head.contains("access-control-allow-origin: *\r\n"), "{}", response.head);
        }
        if status == 201 {
            assert!(response.head.contains("ttl: 0\r\n"), "{}", response.head);
        }
        if method == "GET" {
            assert_eq!(response.body, "{\"unifiedpush\":{\"version\":1}}");
        }
    }
    assert_eq!(*taker.0.lock().unwrap(), [Bytes::from("hello"), Bytes::from(longest)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_takers_there_is_nothing() {
    let world = World::new();
    let response = Client::plain(world.http).get("/push/known", "");
    assert_eq!(response.status, 404);
    assert!(!response.body.contains("unifiedpush"), "{response:?}");
}
