//! Files over HTTP: what is put, fetched, refused, and how browsers are kept from running any of it.

use std::collections::HashMap;
use std::future::ready;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use model::storage::BlobId;
use net::{Download, Files, Pending, Status, Taking, Upload};

use crate::world::client::Client;
use crate::world::{DOMAIN, World};

const TOKEN: &str = "token";
const BLOB: BlobId = BlobId([7; 32]);

/// One shelf: everything with the token `token` and the secret `secret` has a place.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<HashMap<String, Bytes>>>);

struct Coming(Shelf, String, Vec<u8>, u64);

impl Files for Shelf {
    fn begin(&self, put: Upload) -> Pending<'static, Result<Box<dyn Taking>, Status>> {
        let outcome: Result<Box<dyn Taking>, Status> = match (&put.token[..], &put.secret[..], put.bytes) {
            (TOKEN, "secret", Some(bytes)) => Ok(Box::new(Coming(self.clone(), put.name, Vec::new(), bytes))),
            (TOKEN, "secret", None) => Err(411),
            (TOKEN, ..) => Err(403),
            _ => Err(404),
        };
        Box::pin(ready(outcome))
    }

    fn open(&self, token: String, name: String) -> Pending<'static, Result<Option<Download>, Status>> {
        let files = self.0.lock().unwrap();
        let found = files.get(&name).filter(|_| token == TOKEN).map(|bytes| Download {
            blob: BLOB,
            bytes: bytes.len() as u64,
            media_type: match name.rsplit('.').next().unwrap() {
                "png" => "image/png",
                "svg" => "image/svg+xml",
                "html" => "text/html",
                _ => "application/octet-stream",
            }
            .into(),
            name,
        });
        Box::pin(ready(Ok(found)))
    }

    fn piece(&self, blob: BlobId, range: Range<u64>) -> Pending<'static, Option<Bytes>> {
        assert_eq!(blob, BLOB);
        let files = self.0.lock().unwrap();
        let longest = files.values().max_by_key(|bytes| bytes.len()).unwrap();
        Box::pin(ready(Some(longest.slice(range.start as usize..range.end as usize))))
    }
}

impl Taking for Coming {
    fn write(&mut self, bytes: Bytes) -> Pending<'_, Result<(), Status>> {
        self.2.extend_from_slice(&bytes);
        Box::pin(ready(Ok(())))
    }

    fn finish(self: Box<Self>) -> Pending<'static, Result<(), Status>> {
        let Coming(shelf, name, bytes, length) = *self;
        let whole = bytes.len() as u64 == length;
        if whole {
            shelf.0.lock().unwrap().insert(name, bytes.into());
        }
        Box::pin(ready(if whole { Ok(()) } else { Err(413) }))
    }
}

fn world() -> (World, Shelf) {
    let shelf = Shelf::default();
    let files = shelf.clone();
    (World::with(move |config| config.files = Some(Arc::new(files))), shelf)
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n{headers}\r\n{body}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_put_and_fetched() {
    let (world, _) = world();
    let mut client = Client::tls(&world, world.https);
    let content: String = (0..200_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let length = format!("Content-Length: {}\r\n", content.len());
    client.send(request("PUT", "/upload/token/secret/a%20b.png", &length, &content));
    let response = client.response();
    assert_eq!(response.status, 201, "{response:?}");
    let response = client.get("/upload/token/a%20b.png", "Origin: https://elsewhere.example\r\n");
    assert_eq!((response.status, response.body == content), (200, true));
    for header in [
        "content-type: image/png\r\n",
        "content-length: 200000\r\n",
        "content-disposition: inline; filename*=utf-8''a%20b.png\r\n",
        "x-content-type-options: nosniff\r\n",
        "access-control-allow-origin: *\r\n",
        "accept-ranges: bytes\r\n",
        &format!("etag: \"{BLOB}\"\r\n"),
    ] {
        assert!(response.head.contains(header), "{header} in {}", response.head);
    }
    assert!(response.head.contains("sandbox") && !response.head.contains("credentials"), "{}", response.head);
    let part = client.get("/upload/token/a%20b.png", "Range: bytes=26-51\r\n");
    assert_eq!((part.status, &part.body[..]), (206, "abcdefghijklmnopqrstuvwxyz"));
    assert!(part.head.contains("content-range: bytes 26-51/200000\r\n"), "{}", part.head);
    for range in ["bytes=200000-", "bytes=0-1,2-3"] {
        let refused = client.get("/upload/token/a%20b.png", &format!("Range: {range}\r\n"));
        assert_eq!(refused.status, 416);
        assert!(refused.head.contains("content-range: bytes */200000\r\n"), "{}", refused.head);
    }
    let known = client.get("/upload/token/a%20b.png", &format!("If-None-Match: \"{BLOB}\"\r\n"));
    assert_eq!((known.status, &known.body[..]), (304, ""));
    client.send(request("HEAD", "/upload/token/a%20b.png", "", ""));
    let head = client.until("\r\n\r\n");
    assert!(head.contains(" 200 ") && head.contains("content-length: 200000\r\n"), "{head}");
    let after = client.get("/", "");
    assert_eq!(after.status, 200, "nothing of a body came behind the head");
}

/// I-30: whatever a browser might run is saved, not shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dangerous_types_are_not_shown() {
    let (world, shelf) = world();
    let mut client = Client::plain(world.http);
    for (name, how) in
        [("a.html", "attachment"), ("a.svg", "attachment"), ("a", "attachment"), ("a.png", "inline")]
    {
        *shelf.0.lock().unwrap() = HashMap::from([(name.to_owned(), Bytes::from_static(b"<script>"))]);
        let response = client.get(&format!("/upload/token/{name}"), "");
        assert_eq!(response.status, 200);
        assert!(response.head.contains(&format!("content-disposition: {how};")), "{name}: {}", response.head);
        let policy = "content-security-policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; \
            form-action 'none'; sandbox\r\n";
        assert!(response.head.contains(policy), "{}", response.head);
    }
}

/// I-26, I-27, I-29, I-35.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_offered_is_refused() {
    let (world, shelf) = world();
    shelf.0.lock().unwrap().insert("a".into(), Bytes::from_static(b"x"));
    let one = "Content-Length: 1\r\n";
    for (method, path, headers, body, status) in [
        ("GET", "/upload/token/b", "", "", 404),
        ("GET", "/upload/other/a", "", "", 404),
        ("GET", "/upload/token/secret/a", "", "", 404),
        ("GET", "/upload/token/../token/a", "", "", 404),
        ("GET", "/upload/token/%61", "", "", 404),
        ("GET", "/upload//token/a", "", "", 404),
        ("GET", "/upload/", "", "", 404),
        ("GET", "/upload", "", "", 404),
        ("GET", "/uploads/token/a", "", "", 404),
        ("PUT", "/upload/token/a", one, "x", 404),
        ("PUT", "/upload/token/wrong/a", one, "x", 403),
        ("PUT", "/upload/other/secret/a", one, "x", 404),
        ("PUT", "/upload/token/secret/a", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n", 411),
        ("POST", "/upload/token/secret/a", one, "x", 405),
        ("DELETE", "/upload/token/a", "", "", 405),
        ("PATCH", "/upload/token/a", "", "", 405),
    ] {
        let mut client = Client::plain(world.http);
        client.send(request(method, path, headers, body));
        let response = client.response();
        assert_eq!(response.status, status, "{method} {path}");
    }
    let mut client = Client::plain(world.http);
    client.send(request("OPTIONS", "/upload/token/secret/a", "Origin: null\r\n", ""));
    let head = client.until("\r\n\r\n");
    assert!(head.contains(" 204 ") && head.contains("access-control-allow-origin: *\r\n"), "{head}");
    assert!(head.contains("access-control-allow-methods: OPTIONS, HEAD, GET, PUT\r\n"), "{head}");
    assert!(!head.contains("credentials"), "{head}");
    let without = World::new();
    let mut none = Client::plain(without.http);
    assert_eq!(none.get("/upload/token/a", "").status, 404);
}

/// A client that goes away half-way leaves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_file_is_none() {
    let (world, shelf) = world();
    let mut client = Client::plain(world.http);
    client.send(request("PUT", "/upload/token/secret/a", "Content-Length: 10\r\n", "12345"));
    drop(client);
    crate::world::until("the connection is over", || Arc::strong_count(&shelf.0) <= 2);
    assert!(shelf.0.lock().unwrap().is_empty());
}
