//! Blobs in a bucket of a small storage that is played here: it checks names, hashes and ranges, and fails when told to.
//!
//! Not here: whether real storages take our signatures (the vectors in `sign.rs`, and `interop/`).
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use model::storage::{Batch, BlobId, Loaded, Read};
use store::memory::Memory;
use store::suite::{self, Subject};
use store::{BlobHash, Blobs, BoxFuture, Fault, FaultKind, Intake, Store};
use store_s3::{Endpoint, Keys, Objects, Settings, limits};
use tokio::net::TcpListener;

#[derive(Default)]
struct World {
    objects: HashMap<String, Bytes>,
    /// Answers to give before anything else.
    failures: Vec<u16>,
    asked: Vec<String>,
    connections: usize,
    /// How many parts are being asked for, and how many ever were at once.
    now: usize,
    most: usize,
}

type Shared = Arc<Mutex<World>>;

/// Plays a storage on this address.
async fn storage(world: Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            world.lock().unwrap().connections += 1;
            let world = world.clone();
            let service = service_fn(move |request| answer(world.clone(), request));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
            );
        }
    });
    format!("http://{address}")
}

async fn answer(world: Shared, request: Request<Incoming>) -> Result<Response<Whole>, Infallible> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else { break };
        bytes.extend(frame.into_data().unwrap_or_default());
    }
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if head.method == Method::GET {
        let count = |by: isize| {
            let mut world = world.lock().unwrap();
            world.now = world.now.checked_add_signed(by).unwrap();
            world.most = world.most.max(world.now);
        };
        count(1);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        count(-1);
    }
    let mut world = world.lock().unwrap();
    let path = head.uri.path().to_owned();
    world.asked.push(format!("{} {path}", head.method));
    if !world.failures.is_empty() {
        let status = world.failures.remove(0);
        let code = if status == 404 { "NoSuchBucket" } else { "SlowDown" };
        return Ok(reply(status, format!("<Error><Code>{code}</Code></Error>")));
    }
    let mut hash = BlobHash::new();
    hash.update(&bytes);
    let authorization = header("authorization").unwrap_or_default();
    if header("x-amz-content-sha256") != Some(hash.finish().to_string())
        || !authorization.starts_with("AWS4-HMAC-SHA256 Credential=key/")
        || !authorization.contains("/garage/s3/aws4_request,SignedHeaders=host;")
    {
        return Ok(reply(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"));
    }
    let Some(name) = path.strip_prefix("/files/xmpp/") else {
        return Ok(reply(404, "<Error><Code>NoSuchBucket</Code></Error>"));
    };
    if head.method == Method::PUT {
        world.objects.insert(name.to_owned(), bytes.into());
        return Ok(reply(200, ""));
    }
    let Some(object) = world.objects.get(name).cloned() else { return Ok(reply(404, "")) };
    if head.method == Method::DELETE {
        world.objects.remove(name);
        return Ok(reply(204, ""));
    }
    let Some(range) = header("range") else {
        let mut response = reply(200, "");
        response.headers_mut().insert("content-length", object.len().into());
        return Ok(response);
    };
    let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
    match start < object.len() {
        true => Ok(reply(206, object.slice(start..(end + 1).min(object.len())))),
        false => Ok(reply(416, "")),
    }
}

fn reply(status: u16, body: impl Into<Bytes>) -> Response<Whole> {
    let mut response = Response::new(Whole(Some(body.into())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

struct House {
    world: Shared,
    before: Arc<Memory>,
    objects: Objects,
    spool: PathBuf,
}

async fn house(name: &str) -> House {
    let world = Shared::default();
    let endpoint = storage(world.clone()).await;
    open(name, world, &endpoint)
}

fn open(name: &str, world: Shared, endpoint: &str) -> House {
    let keys = Keys { access: "key".into(), secret: "secret".to_owned().into(), region: "garage".into() };
    let spool = std::env::temp_dir().join(format!("detente-s3-{}-{name}", std::process::id()));
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let settings =
        Settings { prefix: "xmpp/".into(), ..Settings::new(endpoint, "files".into(), keys, spool.clone()) };
    let before = Arc::new(Memory::new());
    let objects = Objects::open(settings, before.clone()).unwrap();
    House { world, before, objects, spool }
}

impl House {
    async fn put(&self, bytes: &[u8]) -> Result<BlobId, Fault> {
        put(&self.objects, bytes).await
    }

    fn waiting(&self) -> usize {
        std::fs::read_dir(&self.spool).unwrap().count()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.spool);
    }
}

async fn put(blobs: &dyn Blobs, bytes: &[u8]) -> Result<BlobId, Fault> {
    let mut intake = blobs.blob_put().await?;
    for piece in bytes.chunks(100_000) {
        intake.write(Bytes::copy_from_slice(piece)).await?;
    }
    let name = intake.id()?;
    let id = intake.finish().await?;
    assert_eq!(name, id);
    Ok(id)
}

/// What the suite wants: one engine for all shapes.
struct Both(Memory, House);

impl Store for Both {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.commit(batch)
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Fault>> {
        self.0.read(read)
    }
}

impl Blobs for Both {
    fn blob_put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>> {
        self.1.objects.blob_put()
    }

    fn blob_size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>> {
        self.1.objects.blob_size(id)
    }

    fn blob_read(
        &self,
        id: BlobId,
        range: std::ops::Range<u64>,
    ) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        self.1.objects.blob_read(id, range)
    }

    fn blob_delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>> {
        self.1.objects.blob_delete(id)
    }
}

/// The same tests as for every engine.
#[test]
fn the_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let house = runtime.block_on(house("suite"));
    let _inside = runtime.enter();
    let subject = Subject::new(Both(Memory::new(), house), ());
    suite::blobs_are_named_by_their_bytes(&subject);
    suite::blobs_are_read_in_pieces(&subject);
    suite::dropped_blobs_leave_nothing(&subject);
}

#[tokio::test]
async fn large_blobs_pass_in_pieces() {
    let house = house("large").await;
    let chunk = limits::CHUNK_BYTES as usize;
    for length in [chunk - 1, chunk, chunk + 1, 3 * chunk + 17] {
        let bytes: Vec<u8> = (0..length).map(|n| (n / 7) as u8).collect();
        let id = house.put(&bytes).await.unwrap();
        assert_eq!(house.objects.blob_size(id).await.unwrap(), Some(length as u64));
        for range in [0..length, chunk - 5..length, 10..20, length - 1..length, length..length + 9] {
            let (start, end) = (range.start as u64, range.end as u64);
            let read = house.objects.blob_read(id, start..end).await.unwrap().unwrap();
            assert!(read == bytes[range.start..range.end.min(length)], "{start} {end} of {length}");
        }
    }
    assert_eq!(house.waiting(), 0, "nothing stays behind on this machine");
    assert!(house.world.lock().unwrap().connections <= 2, "connections are used again");
}

#[tokio::test]
async fn equal_bytes_go_once_and_readers_share_chunks() {
    let house = house("once").await;
    let id = house.put(b"abc").await.unwrap();
    assert_eq!(house.put(b"abc").await.unwrap(), id);
    for _ in 0..3 {
        house.objects.blob_read(id, 0..2).await.unwrap().unwrap();
    }
    let name = format!("/files/xmpp/{id}");
    let asked = std::mem::take(&mut house.world.lock().unwrap().asked);
    assert_eq!(asked, ["HEAD", "PUT", "HEAD", "GET"].map(|method| format!("{method} {name}")));
}

/// However many read: so many fetch, and what is handed out keeps no more in memory than it is long.
#[tokio::test]
async fn many_readers_are_bounded() {
    let house = Arc::new(house("many").await);
    let mut ids = Vec::new();
    for n in 0..2 * limits::FETCHES_MAX {
        ids.push(house.put(&[n as u8; 1_000]).await.unwrap());
    }
    // Twice each: who waits for the same chunk shares it.
    let readers = ids.iter().chain(&ids).map(|id| {
        let (house, id) = (house.clone(), *id);
        tokio::spawn(async move { house.objects.blob_read(id, 0..100).await.unwrap().unwrap() })
    });
    for reader in readers.collect::<Vec<_>>() {
        let part = reader.await.unwrap();
        assert!(part.len() == 100 && part.is_unique(), "the chunk is not held by its part");
    }
    let world = house.world.lock().unwrap();
    assert!(world.most > 1 && world.most <= limits::FETCHES_MAX, "{}", world.most);
    let gets = world.asked.iter().filter(|asked| asked.starts_with("GET")).count();
    assert!(gets <= ids.len() + limits::FETCHES_MAX, "{gets}");
}

#[tokio::test]
async fn what_was_stored_before_is_still_there() {
    let house = house("before").await;
    let old = put(&*house.before, b"old").await.unwrap();
    assert_eq!(house.objects.blob_read(old, 0..9).await.unwrap().unwrap(), "old");
    assert_eq!(house.objects.blob_size(old).await.unwrap(), Some(3));
    house.objects.blob_delete(old).await.unwrap();
    assert_eq!(house.objects.blob_read(old, 0..9).await.unwrap(), None);
}

/// A storage that stumbles is asked again; one that stays away is told so, and nothing new is taken in for a while.
#[tokio::test(start_paused = true)]
async fn a_storage_that_is_away() {
    let house = house("away").await;
    let fail = |with: &[u16]| house.world.lock().unwrap().failures = with.to_vec();
    fail(&[503, 500]);
    let id = house.put(b"abc").await.unwrap();
    fail(&[503; 3]);
    let fault = house.objects.blob_read(id, 0..3).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Away);
    assert!(fault.kind().passes() && fault.cause().contains("SlowDown"), "{fault}");
    assert_eq!(house.objects.ready().unwrap_err().kind(), FaultKind::Away);
    assert_eq!(house.put(b"abd").await.unwrap_err().kind(), FaultKind::Away);
    tokio::time::advance(limits::AWAY).await;
    house.objects.ready().unwrap();
    house.put(b"abd").await.unwrap();
    for (status, kind, word) in [(403, FaultKind::Away, "keys"), (507, FaultKind::Full, "store a file")] {
        fail(&[404, status]);
        let fault = house.put(b"abe").await.unwrap_err();
        assert_eq!(fault.kind(), kind);
        assert!(fault.cause().contains(word), "{fault}");
    }
    assert_eq!(house.waiting(), 0);
}

#[tokio::test]
async fn nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = open("nobody", Shared::default(), &format!("http://{free}"));
    let fault = house.objects.check().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Away);
    assert!(fault.cause().contains("does not answer"), "{fault}");
}

#[tokio::test]
async fn the_bucket_is_looked_at() {
    let house = house("check").await;
    house.objects.check().await.unwrap();
    house.world.lock().unwrap().failures = vec![404];
    let fault = house.objects.check().await.unwrap_err();
    assert!(fault.cause().contains("is there a bucket \"files\"?"), "{fault}");
}
