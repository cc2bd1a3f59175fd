//! The table over the account store, and over the socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use accounts::{Accounts, Settings};
use admin::{Failure, FailureKind, Port, ask, bind, run};
use model::query::{AccountFound, AccountQuery, SessionFilter, SessionFound};
use model::storage::{Batch, Loaded, Owner, Read, Space, Write};
use serde_json::{Map, Value, json};
use store::{BoxFuture, Store};

/// The account store alone.
struct Direct {
    accounts: Arc<Accounts>,
    store: Arc<dyn Store>,
    domains: Vec<String>,
}

impl Port for Direct {
    fn account(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Failure>> {
        Box::pin(async move { Ok(self.accounts.answer(query).await?) })
    }

    fn sessions(&self, _: SessionFilter) -> BoxFuture<'_, Result<Option<Vec<SessionFound>>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Failure>> {
        Box::pin(async move { Ok(self.store.read(read).await?) })
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move { Ok(self.store.commit(batch).await?) })
    }

    fn domains(&self) -> Vec<String> {
        self.domains.clone()
    }
}

async fn port() -> Arc<dyn Port> {
    let domains = vec!["a.example".to_owned(), "b.example".to_owned()];
    let settings = Settings { iterations: 4_096, ..Settings::new(domains.clone(), [1; 32]) };
    let store: Arc<dyn Store> = Arc::new(store::memory::Memory::new());
    let accounts = Arc::new(Accounts::open(store.clone(), settings).await.unwrap());
    Arc::new(Direct { accounts, store, domains })
}

fn args(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[tokio::test]
async fn commands_do_what_they_say() {
    let port = port().await;
    let add = |jid: &str| json!({ "jid": jid, "password": "pencil" });
    let bob = || json!({ "jid": "bob@a.example" });
    for (name, given, expected) in [
        ("user add", add("bob@a.example"), Ok(r#"{"jid":"bob@a.example"}"#)),
        ("user add", add("Bob@a.example"), Err(FailureKind::Exists)),
        ("user add", add("bob@c.example"), Err(FailureKind::Refused)),
        ("user add", add("b.example"), Err(FailureKind::Usage)),
        ("user add", add("bob@a.example/phone"), Err(FailureKind::Usage)),
        ("user add", json!({ "jid": "x@a.example", "password": "" }), Err(FailureKind::Refused)),
        ("user add", json!({ "jid": "x@a.example" }), Err(FailureKind::Usage)),
        ("user add", json!({ "jid": 7, "password": "x" }), Err(FailureKind::Usage)),
        ("user fly", bob(), Err(FailureKind::Usage)),
        ("user show", json!({ "jid": "bob@a.example", "x": 1 }), Err(FailureKind::Usage)),
        ("user show", json!({ "jid": "eve@a.example" }), Err(FailureKind::NotFound)),
        ("user promote", bob(), Ok(r#"{"jid":"bob@a.example"}"#)),
        ("user suspend", bob(), Ok(r#"{"jid":"bob@a.example"}"#)),
        ("user passwd", add("bob@a.example"), Ok(r#"{"jid":"bob@a.example"}"#)),
        ("user remove", json!({ "jid": "eve@a.example" }), Err(FailureKind::NotFound)),
        ("session list", json!({}), Err(FailureKind::Unreachable)),
        ("session end", bob(), Err(FailureKind::Unreachable)),
        ("announce", json!({ "text": "hello" }), Err(FailureKind::Unreachable)),
        ("announce", json!({ "text": " " }), Err(FailureKind::Usage)),
        ("announce", json!({ "text": "a\u{7}" }), Err(FailureKind::Usage)),
        ("announce", json!({ "text": "x".repeat(8_193) }), Err(FailureKind::Usage)),
        ("announce", json!({ "text": "hello", "domain": "c.example" }), Err(FailureKind::NotFound)),
        ("s2s list", json!({}), Err(FailureKind::Refused)),
        ("s2s block", json!({ "domain": "x@c.example" }), Err(FailureKind::Usage)),
        ("s2s block", json!({ "domain": "a.example" }), Err(FailureKind::Usage)),
        ("s2s block", json!({ "domain": "C.example" }), Ok(r#"{"blocked":true,"domain":"c.example"}"#)),
        ("s2s block", json!({ "domain": "c.example" }), Ok(r#"{"blocked":true,"domain":"c.example"}"#)),
        ("s2s allow", json!({ "domain": "x.c.example" }), Err(FailureKind::NotFound)),
        ("s2s block", json!({ "domain": "x.c.example" }), Ok(r#"{"blocked":true,"domain":"x.c.example"}"#)),
        ("s2s allow", json!({ "domain": "x.c.example" }), Ok(r#"{"blocked":true,"domain":"x.c.example"}"#)),
        ("s2s allow", json!({ "domain": "c.example" }), Ok(r#"{"blocked":false,"domain":"c.example"}"#)),
        ("s2s allow", json!({ "domain": "c.example" }), Err(FailureKind::NotFound)),
    ] {
        let got = run(&*port, name, args(given.clone())).await;
        let got = got.map(|value| value.to_string()).map_err(|failure| failure.kind);
        assert_eq!(got, expected.map(str::to_owned), "{name} {given}");
    }
    let shown = run(&*port, "user show", args(bob())).await.unwrap();
    assert_eq!((&shown["admin"], &shown["suspended"]), (&json!(true), &json!(true)));
    assert!(shown["created"].as_str().unwrap().ends_with('Z') && shown.get("sessions").is_none());
    run(&*port, "user remove", args(bob())).await.unwrap();
    assert_eq!(run(&*port, "user show", args(bob())).await.unwrap_err().kind, FailureKind::NotFound);
}

/// A domain that was added by a command may stand in the configuration by now.
#[tokio::test]
async fn a_domain_of_the_configuration_loses_nothing_to_a_command() {
    let port = port().await;
    let bob = json!({ "jid": "bob@a.example", "password": "pencil" });
    run(&*port, "user add", args(bob)).await.unwrap();
    let (space, owner) = (Space("domains"), Owner::from("server"));
    let row = Write::MapPut { space, owner, key: "a.example".into(), value: Default::default() };
    port.write(Batch::from(row)).await.unwrap();
    let remove = || args(json!({ "name": "a.example", "purge": true }));
    let refused = run(&*port, "domain remove", remove()).await.unwrap_err();
    assert!(refused.kind == FailureKind::Refused && refused.text.contains("nothing of it"), "{refused:?}");
    run(&*port, "user show", args(json!({ "jid": "bob@a.example" }))).await.unwrap();
    let again = run(&*port, "domain remove", remove()).await.unwrap_err();
    assert!(again.text.contains("stands in the configuration:"), "{again:?}");
}

#[tokio::test]
async fn accounts_of_several_domains_are_listed_in_pages() {
    let port = port().await;
    for jid in ["a@b.example", "z@a.example", "b@b.example", "c@a.example"] {
        run(&*port, "user add", args(json!({ "jid": jid, "password": "pencil" }))).await.unwrap();
    }
    let list = async |given: Value| {
        let page = run(&*port, "user list", args(given)).await.unwrap();
        let jids: Vec<&str> =
            page["users"].as_array().unwrap().iter().map(|u| u["jid"].as_str().unwrap()).collect();
        (jids.join(" "), page["more"].as_str().unwrap_or_default().to_owned())
    };
    let all = "c@a.example z@a.example a@b.example b@b.example";
    assert_eq!(list(json!({})).await, (all.to_owned(), String::new()));
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let (jids, more) = list(json!({ "limit": 1, "after": after })).await;
        seen.push(jids);
        if more.is_empty() {
            break;
        }
        after = more.into();
    }
    assert_eq!(seen.join(" ").trim(), all);
    assert_eq!(list(json!({ "domain": "b.example" })).await.0, "a@b.example b@b.example");
    let other = run(&*port, "user list", args(json!({ "domain": "c.example" }))).await;
    assert_eq!(other.unwrap_err().kind, FailureKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_carries_commands_and_bounds_requests() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("detente-admin-{}.sock", std::process::id()));
    std::fs::write(&path, "left over").unwrap();
    let socket = bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let serving = tokio::spawn(socket.run(port().await));
    let conversation = {
        let path = path.clone();
        move || {
            let add = args(json!({ "jid": "bob@a.example", "password": "pencil \"{" }));
            assert_eq!(ask(&path, "user add", &add).unwrap().unwrap()["jid"], "bob@a.example");
            assert_eq!(ask(&path, "user add", &add).unwrap().unwrap_err().kind, FailureKind::Exists);
            for (line, expected) in [
                ("{}\n".to_owned(), "usage"),
                ("nonsense\n".to_owned(), "usage"),
                (format!("{}\n", "[".repeat(10_000)), "usage"),
                (format!("{}\n", "x".repeat(70_000)), "usage"),
                ("{\"command\":\"user show\",\"args\":{\"jid\":\"x@a.example\"}}\n".to_owned(), "not-found"),
            ] {
                let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
                // The server may answer and close before it has read all.
                let _ = stream.write_all(line.as_bytes());
                let mut reply = String::new();
                let _ = BufReader::new(stream).read_line(&mut reply);
                assert!(reply.contains(expected) || line.len() > 65_536, "{reply}");
                assert!(!reply.contains("xxx"));
            }
        }
    };
    tokio::task::spawn_blocking(conversation).await.unwrap();
    serving.abort();
    let _ = serving.await;
    assert!(!path.exists(), "the file goes with the server");
    assert!(ask(&path, "user list", &Map::new()).is_none());
}
