//! Files from slot to sweep, on the store in memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use address::Bare;
use bytes::Bytes;
use files::{Files, Put, Refusal, Settings};
use model::storage::{Batch, BlobId, Owner, Read, Space, Write};
use model::upload::{Purpose, Slot, UploadFound, UploadQuery, UploadedFile};
use store::memory::Memory;
use store::{Blobs, BoxFuture, Fault, FaultKind, Intake, Store};

const DAY: u64 = 86_400_000;

struct House {
    files: Arc<Files>,
    store: Arc<Memory>,
    clock: Arc<AtomicU64>,
}

fn alice() -> Bare {
    Bare::parse("alice@example.org").unwrap()
}

impl House {
    fn new(change: impl FnOnce(&mut Settings)) -> House {
        let (store, clock) = (Arc::new(Memory::new()), Arc::new(AtomicU64::new(1_000 * DAY)));
        let urls = BTreeMap::from([("example.org".to_owned(), "https://example.org/upload/".to_owned())]);
        let mut settings = Settings::new(urls);
        let hands = clock.clone();
        settings.clock = Arc::new(move || hands.load(Ordering::Relaxed));
        change(&mut settings);
        House { files: Arc::new(Files::new(store.clone(), store.clone(), settings)), store, clock }
    }

    fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    async fn ask(&self, name: &str, bytes: u64, ty: Option<&str>, purpose: Purpose) -> UploadFound {
        let (name, media_type) = (name.to_owned(), ty.map(str::to_owned));
        let query = UploadQuery::Slot { account: alice(), name, bytes, media_type, purpose };
        self.files.answer(query).await.unwrap()
    }

    async fn slot(&self, name: &str, bytes: u64) -> Slot {
        match self.ask(name, bytes, None, Purpose::Message).await {
            UploadFound::Slot(slot) => slot,
            other => panic!("{other:?}"),
        }
    }

    async fn put(&self, slot: &Slot, bytes: &[u8], ty: Option<&str>) -> Result<(), Refusal> {
        let (token, secret, name) = parts(&slot.put);
        let length = Some(bytes.len() as u64);
        let put = Put { token, secret: secret.unwrap(), name, bytes: length, media_type: ty };
        let mut arrival = self.files.begin(put).await?;
        for piece in bytes.chunks(3) {
            arrival.write(Bytes::copy_from_slice(piece)).await?;
        }
        arrival.finish().await
    }

    async fn fetch(&self, slot: &Slot) -> Option<Bytes> {
        let (token, _, name) = parts(&slot.get);
        let stored = self.files.open(token, name).await.unwrap()?;
        self.files.piece(stored.blob, 0..stored.bytes).await.unwrap()
    }

    async fn list(&self) -> Vec<UploadedFile> {
        let query = UploadQuery::List { account: alice(), limit: 10 };
        match self.files.answer(query).await.unwrap() {
            UploadFound::Files(files) => files,
            other => panic!("{other:?}"),
        }
    }
}

fn parts(url: &str) -> (&str, Option<&str>, &str) {
    let path: Vec<&str> = url.strip_prefix("https://example.org/upload/").unwrap().split('/').collect();
    match path[..] {
        [token, secret, name] => (token, Some(secret), name),
        [token, name] => (token, None, name),
        _ => panic!("{url}"),
    }
}

#[tokio::test]
async fn what_is_put_can_be_fetched() {
    let house = House::new(|_| {});
    let slot = house.slot("très cool.jpg", 7).await;
    assert!(slot.get.ends_with("/tr%C3%A8s%20cool.jpg") && slot.put.ends_with("/tr%C3%A8s%20cool.jpg"));
    assert_eq!(house.fetch(&slot).await, None, "not before it is there");
    house.put(&slot, b"content", Some("image/jpeg")).await.unwrap();
    assert_eq!(house.fetch(&slot).await.unwrap(), "content");
    let (token, _, name) = parts(&slot.get);
    let stored = house.files.open(token, name).await.unwrap().unwrap();
    assert_eq!((stored.bytes, &stored.media_type[..], &stored.name[..]), (7, "image/jpeg", "très cool.jpg"));
    let listed = house.list().await;
    assert_eq!((listed.len(), &listed[0].url, listed[0].until_ms), (1, &slot.get, Some(1_030 * DAY)));
}

/// I-26, I-27, I-29, I-36: everything that does not fit its slot is refused, and the slot stays free.
#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let house = House::new(|_| {});
    let UploadFound::Slot(slot) = house.ask("a.png", 4, Some("image/PNG; q=1"), Purpose::Message).await
    else {
        panic!()
    };
    let (token, secret, name) = parts(&slot.put);
    let good = Put { token, secret: secret.unwrap(), name, bytes: Some(4), media_type: Some("image/png") };
    let other = "0".repeat(40);
    for (put, want) in [
        (Put { token: &other, ..good }, Refusal::NotFound),
        (Put { token: "..", ..good }, Refusal::NotFound),
        (Put { name: "a.html", ..good }, Refusal::NotFound),
        (Put { secret: &other, ..good }, Refusal::Forbidden),
        (Put { secret: "", ..good }, Refusal::Forbidden),
        (Put { bytes: None, ..good }, Refusal::NoLength),
        (Put { bytes: Some(5), ..good }, Refusal::Length),
        (Put { bytes: Some(3), ..good }, Refusal::Length),
        (Put { media_type: Some("text/html"), ..good }, Refusal::MediaType),
    ] {
        assert_eq!(house.files.begin(put).await.err(), Some(want), "{put:?}");
    }
    let mut first = house.files.begin(good).await.unwrap();
    assert_eq!(house.files.begin(good).await.err(), Some(Refusal::Taken), "two at once");
    assert_eq!(first.write(Bytes::from_static(b"12345")).await, Err(Refusal::Length));
    drop(first);
    let mut short = house.files.begin(good).await.unwrap();
    short.write(Bytes::from_static(b"123")).await.unwrap();
    assert_eq!(short.finish().await, Err(Refusal::Length));
    assert_eq!(house.fetch(&slot).await, None);
    house.put(&slot, b"1234", None).await.unwrap();
    assert_eq!(house.put(&slot, b"1234", None).await, Err(Refusal::Taken), "after it is there");
    assert_eq!(house.files.open(token, "b.png").await.unwrap(), None);
    let elsewhere = UploadQuery::Slot {
        account: Bare::parse("a@other.example").unwrap(),
        name: "a".into(),
        bytes: 1,
        media_type: None,
        purpose: Purpose::Message,
    };
    assert_eq!(house.files.answer(elsewhere).await.unwrap(), UploadFound::Off);
}

#[tokio::test]
async fn purposes_decide_how_long_and_how_large() {
    let house = House::new(|settings| settings.file_bytes = 3_000_000);
    let now = house.clock.load(Ordering::Relaxed);
    let ask = |bytes, purpose| house.ask("a", bytes, None, purpose);
    assert_eq!(ask(3_000_001, Purpose::Message).await, UploadFound::TooLarge(3_000_000));
    assert_eq!(ask(2_097_153, Purpose::Profile).await, UploadFound::TooLarge(2_097_152));
    assert_eq!(ask(1, Purpose::Permanent).await, UploadFound::Purpose);
    assert_eq!(ask(1, Purpose::Ephemeral(now)).await, UploadFound::Malformed);
    assert_eq!(house.ask("a", 1, Some("x"), Purpose::Message).await, UploadFound::Malformed);
    for (purpose, days) in [
        (Purpose::Message, Some(30)),
        (Purpose::Profile, None),
        (Purpose::Ephemeral(now + DAY), Some(1)),
        (Purpose::Ephemeral(now + 900 * DAY), Some(30)),
    ] {
        let UploadFound::Slot(slot) = ask(1, purpose).await else { panic!() };
        house.put(&slot, b"x", None).await.unwrap();
        let (token, _, name) = parts(&slot.get);
        let stored = house.files.open(token, name).await.unwrap().unwrap();
        assert_eq!(stored.until_ms, days.map(|days| now + days * DAY), "{purpose:?}");
    }
}

/// I-28: a quota holds exactly, however many ask at once; and it comes back.
#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_exact() {
    let house = House::new(|settings| settings.day_bytes = 100);
    let asks = (0..40).map(|_| house.ask("a", 5, None, Purpose::Message));
    let found = futures_util::future::join_all(asks).await;
    let given = found.iter().filter(|found| matches!(found, UploadFound::Slot(_))).count();
    let refused = found.iter().filter(|found| **found == UploadFound::Quota(1_001 * DAY)).count();
    assert_eq!((given, refused), (20, 20));
    house.pass(301_000);
    assert_eq!(house.files.sweep().await.unwrap(), 20, "slots that nobody used go");
    assert!(matches!(house.ask("a", 100, None, Purpose::Message).await, UploadFound::Slot(_)));
    assert!(matches!(house.ask("a", 1, None, Purpose::Message).await, UploadFound::Quota(_)));
    house.pass(DAY);
    assert!(matches!(house.ask("a", 1, None, Purpose::Message).await, UploadFound::Slot(_)));
}

#[tokio::test]
async fn slots_that_wait_are_counted() {
    let house = House::new(|_| {});
    for _ in 0..files::limits::SLOTS_WAITING_MAX {
        house.slot("a", 1).await;
    }
    assert!(matches!(house.ask("a", 1, None, Purpose::Message).await, UploadFound::Quota(_)));
}

/// I-34: what is over cannot be fetched, and its bytes go with the last file that has them.
#[tokio::test]
async fn files_go_when_their_time_is_over() {
    let house = House::new(|_| {});
    let (one, two) = (house.slot("a", 3).await, house.slot("b", 3).await);
    house.put(&one, b"abc", None).await.unwrap();
    house.pass(DAY / 2);
    assert_eq!(house.put(&two, b"abc", None).await, Err(Refusal::NotFound), "the slot is over");
    let two = house.slot("b", 3).await;
    house.put(&two, b"abc", None).await.unwrap();
    let (token, _, name) = parts(&one.get);
    let blob = house.files.open(token, name).await.unwrap().unwrap().blob;
    house.pass(30 * DAY - DAY / 2);
    assert_eq!(house.fetch(&one).await, None, "before the sweep, too");
    assert_eq!(house.files.sweep().await.unwrap(), 2, "a file and a slot");
    assert_eq!(house.fetch(&two).await.unwrap(), "abc");
    let id = house.list().await[0].id.clone();
    let delete = |account, id: &str| {
        house.files.answer(UploadQuery::Delete { account, ids: vec![id.into(), id.into()] })
    };
    let eve = Bare::parse("eve@example.org").unwrap();
    for (account, id) in [(eve, &id[..]), (alice(), "nonsense"), (alice(), "")] {
        assert_eq!(delete(account, id).await.unwrap(), UploadFound::Deleted(0));
    }
    assert_eq!(delete(alice(), &id).await.unwrap(), UploadFound::Deleted(1));
    assert_eq!((house.fetch(&two).await, house.list().await.len()), (None, 0));
    assert_eq!(house.store.blob_size(blob).await.unwrap(), None);
    house.pass(100 * DAY);
    assert_eq!(house.files.sweep().await.unwrap(), 0, "nothing is left behind");
}

/// A slow upload outlives its slot; one that never ends holds nothing back.
#[tokio::test]
async fn a_slow_upload_keeps_its_slot() {
    let house = House::new(|_| {});
    let slot = house.slot("a", 3).await;
    let (token, secret, name) = parts(&slot.put);
    let put = Put { token, secret: secret.unwrap(), name, bytes: Some(3), media_type: None };
    let mut arrival = house.files.begin(put).await.unwrap();
    house.pass(400_000);
    assert_eq!(house.files.sweep().await.unwrap(), 0);
    arrival.write(Bytes::from_static(b"abc")).await.unwrap();
    arrival.finish().await.unwrap();
    assert_eq!(house.fetch(&slot).await.unwrap(), "abc");
}

/// J-06, L-07: with an account its files go, whether it was removed here or while the server was not running.
#[tokio::test]
async fn files_go_with_their_account() {
    for known in [true, false] {
        let house = House::new(|_| {});
        let (one, two) = (house.slot("a", 3).await, house.slot("b", 3).await);
        house.put(&one, b"abc", None).await.unwrap();
        let tokens = house.files.tokens(&alice()).await.unwrap();
        assert_eq!(tokens.len(), 2);
        let purge = Write::Purge { owner: Owner::from("alice@example.org") };
        house.store.commit(Batch::from(purge)).await.unwrap();
        match known {
            true => house.files.forget(&tokens).await.unwrap(),
            false => assert_eq!(house.files.sweep_orphans().await.unwrap(), 2),
        }
        assert_eq!(house.fetch(&one).await, None);
        assert_eq!(house.put(&two, b"abc", None).await, Err(Refusal::NotFound));
        house.pass(100 * DAY);
        assert_eq!(house.files.sweep().await.unwrap(), 0);
        assert_eq!(house.files.sweep_orphans().await.unwrap(), 0);
        let answer = house.ask("a", 1, None, Purpose::Message).await;
        assert!(matches!(answer, UploadFound::Slot(_)), "a new account begins at nothing");
    }
}

/// XEP-0424: own files at own addresses go, in whatever order, and only where the operator wants it.
#[tokio::test]
async fn retracted_files_go() {
    for on in [true, false] {
        let house = House::new(|settings| settings.retract = on);
        let (one, two) = (house.slot("a", 3).await, house.slot("b", 3).await);
        for slot in [&one, &two] {
            house.put(slot, b"abc", None).await.unwrap();
        }
        let urls = vec!["https://b.example/x".to_owned(), String::new(), one.get.clone(), one.get.clone()];
        let retract = |account| UploadQuery::Retract { account, urls: urls.clone() };
        let eve = Bare::parse("eve@example.org").unwrap();
        let none = if on { UploadFound::Deleted(0) } else { UploadFound::Off };
        assert_eq!(house.files.answer(retract(eve)).await.unwrap(), none);
        let done = if on { UploadFound::Deleted(1) } else { UploadFound::Off };
        assert_eq!(house.files.answer(retract(alice())).await.unwrap(), done);
        assert_eq!(house.fetch(&one).await.is_none(), on);
        assert_eq!(house.fetch(&two).await.unwrap(), "abc");
    }
}

#[tokio::test]
async fn the_list_begins_with_the_newest() {
    let house = House::new(|_| {});
    for name in ["a", "b", "c"] {
        let slot = house.slot(name, 1).await;
        house.put(&slot, b"x", None).await.unwrap();
        house.pass(1);
    }
    let query = UploadQuery::List { account: alice(), limit: 2 };
    let UploadFound::Files(files) = house.files.answer(query).await.unwrap() else { panic!() };
    assert_eq!(files.iter().map(|file| &file.name[..]).collect::<Vec<_>>(), ["c", "b"]);
}

/// Storage on another machine that comes and goes.
struct Distant(Arc<Memory>, Arc<AtomicBool>);

struct OnItsWay(Box<dyn Intake>, Arc<AtomicBool>);

impl Distant {
    fn there(&self) -> Result<(), Fault> {
        there(&self.1)
    }
}

fn there(away: &AtomicBool) -> Result<(), Fault> {
    match away.load(Ordering::Relaxed) {
        true => Err(Fault::new(FaultKind::Away, "away")),
        false => Ok(()),
    }
}

impl Blobs for Distant {
    fn ready(&self) -> Result<(), Fault> {
        self.there()
    }

    fn blob_put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>> {
        Box::pin(async move {
            Ok(Box::new(OnItsWay(self.0.blob_put().await?, self.1.clone())) as Box<dyn Intake>)
        })
    }

    fn blob_size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>> {
        self.0.blob_size(id)
    }

    fn blob_read(
        &self,
        id: BlobId,
        range: std::ops::Range<u64>,
    ) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        self.0.blob_read(id, range)
    }

    fn blob_delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            self.there()?;
            self.0.blob_delete(id).await
        })
    }
}

impl Intake for OnItsWay {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.write(bytes)
    }

    fn id(&self) -> Result<BlobId, Fault> {
        self.0.id()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId, Fault>> {
        Box::pin(async move {
            there(&self.1)?;
            self.0.finish().await
        })
    }
}

/// While storage is away nothing new is taken, what is deleted is gone at once, and nothing stays behind for good.
#[tokio::test]
async fn storage_that_is_away_leaves_no_orphans() {
    let away = Arc::new(AtomicBool::new(false));
    let mut house = House::new(|_| {});
    let mut settings =
        Settings::new(BTreeMap::from([("example.org".to_owned(), "https://example.org/upload/".to_owned())]));
    let hands = house.clock.clone();
    settings.clock = Arc::new(move || hands.load(Ordering::Relaxed));
    let distant = Arc::new(Distant(house.store.clone(), away.clone()));
    house.files = Arc::new(Files::new(house.store.clone(), distant, settings));
    let users = || {
        let read = Read::Owners { space: Space("file-blob"), after: None, limit: 9 };
        store::block_on(house.store.read(read)).unwrap().into_owners().len()
    };
    let (one, two) = (house.slot("a", 3).await, house.slot("b", 3).await);
    house.put(&one, b"abc", None).await.unwrap();
    away.store(true, Ordering::Relaxed);
    let (token, _, name) = parts(&one.get);
    assert_eq!(house.files.open(token, name).await.unwrap_err().kind(), FaultKind::Away);
    let query = UploadQuery::Slot {
        account: alice(),
        name: "c".into(),
        bytes: 1,
        media_type: None,
        purpose: Purpose::Message,
    };
    assert_eq!(house.files.answer(query).await.unwrap_err().kind(), FaultKind::Away);
    assert_eq!(house.put(&two, b"xyz", None).await, Err(Refusal::Failed));
    let id = house.list().await[0].id.clone();
    let delete = UploadQuery::Delete { account: alice(), ids: vec![id] };
    assert_eq!(house.files.answer(delete).await.unwrap(), UploadFound::Deleted(1));
    assert_eq!(house.files.open(token, name).await, Ok(None));
    assert_eq!(users(), 2, "both wait for their end");
    assert!(house.files.sweep_orphans().await.is_err());
    away.store(false, Ordering::Relaxed);
    assert_eq!((house.files.sweep_orphans().await.unwrap(), users()), (2, 0));
    house.put(&two, b"xyz", None).await.unwrap();
    assert_eq!((house.files.sweep_orphans().await.unwrap(), users()), (0, 1));
    assert_eq!(house.fetch(&two).await.unwrap(), "xyz");
}
