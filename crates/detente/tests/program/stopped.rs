//! Commands while no server runs: answers, exit codes, data that looks like options.

use model::storage::{Batch, Entry, Loaded, LogQuery, Owner, Read, Space, Write};
use store::{Store, block_on};
use store_sqlite::{Options, Sqlite};

use crate::world::World;

#[test]
fn accounts_are_made_listed_changed_and_removed() {
    let world = World::new();
    let add = ["user", "add", "alice@localhost", "--password-stdin"];
    let made = world.run_with(&[&add[..], &["--admin", "--json"]].concat(), "pencil\n");
    assert_eq!(
        (made.code, made.out.as_str(), made.err.as_str()),
        (0, "{\n  \"jid\": \"alice@localhost\"\n}\n", "")
    );
    for (args, input, code, err) in [
        (&add[..], "pencil\n", 4, "detente: alice@localhost exists already\n"),
        (
            &["user", "add", "Alice@LocalHost", "--password-stdin"],
            "x\n",
            4,
            "detente: Alice@LocalHost exists already\n",
        ),
        (&["user", "add", "bob@localhost", "--password-stdin"], "", 1, "detente: the password is empty\n"),
        (
            &["user", "add", "bob@b.example", "--password-stdin"],
            "x\n",
            1,
            "detente: the domain is not one of this server's\n",
        ),
        (
            &["user", "add", "localhost", "--password-stdin"],
            "x\n",
            2,
            "detente: \"localhost\" is a domain; write an address like name@localhost\n",
        ),
        (&["user", "show", "eve@localhost"], "", 3, "detente: there is no account eve@localhost\n"),
        (
            &["user", "passwd", "eve@localhost", "--password-stdin"],
            "x\n",
            3,
            "detente: there is no account eve@localhost\n",
        ),
        (&["user", "suspend", "eve@localhost"], "", 3, "detente: there is no account eve@localhost\n"),
        (
            &["user", "remove", "eve@localhost", "--yes"],
            "",
            3,
            "detente: there is no account eve@localhost\n",
        ),
        (
            &["user", "list", "b.example"],
            "",
            3,
            "detente: b.example is not one of this server's domains: localhost\n",
        ),
        (&["user", "passwd", "alice@localhost", "--password-stdin"], "pen\r\n", 0, ""),
        (&["user", "suspend", "alice@localhost"], "", 0, ""),
        (&["user", "demote", "alice@localhost"], "", 0, ""),
    ] {
        let said = world.run_with(args, input);
        assert_eq!((said.code, said.err.as_str()), (code, err), "{args:?}");
    }
    let shown = world.run(&["user", "show", "alice@localhost", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&shown["suspended"], &shown["admin"]), (&true.into(), &false.into()));
    assert_eq!(world.run(&["user", "resume", "alice@localhost"]).out, "alice@localhost may log in again\n");
    let list = world.run(&["user", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["jid"]), (1, &"alice@localhost".into()));
    let table = world.run(&["user", "list"]).out;
    assert!(
        table
            .starts_with("JID              ADMIN  SUSPENDED  CREATED\nalice@localhost  no     no         20"),
        "{table}"
    );
    let removed = world.run(&["user", "remove", "alice@localhost", "--yes", "--json"]);
    assert_eq!((removed.code, world.run(&["user", "list", "--json"]).out.as_str()), (0, "[]\n"));
}

#[test]
fn l12_arguments_are_data() {
    let world = World::new();
    for (jid, code) in [
        ("--admin", 2),
        ("-x@localhost", 2),
        ("a\nb@localhost", 2),
        ("{\"jid\":\"a\"}@localhost", 2),
        ("$(id)@localhost", 0),
        ("../../x@localhost", 2),
        ("", 2),
    ] {
        let said = world.run_with(&["user", "add", jid, "--password-stdin"], "pencil");
        assert_eq!(said.code, code, "{jid:?} {said:?}");
        assert!(!said.err.contains("pencil"));
    }
    let dashed = world.run_with(&["user", "add", "--password-stdin", "--", "-x@localhost"], "-p \"'{}\n");
    assert_eq!(dashed.code, 0, "{dashed:?}");
}

#[test]
fn without_server_and_terminal_commands_say_what_to_do() {
    let world = World::new();
    for (args, code, expected) in [
        (&["session", "list"][..], 5, "the server does not run: nobody answers at "),
        (&["session", "end", "a@localhost"], 5, "the server does not run"),
        (&["user", "fly"], 2, "unrecognized subcommand"),
        (&["user"], 2, "Usage: detente user"),
        (&["user", "show", "a@localhost", "--config", "none.toml"], 1, "name another file with --config"),
        (
            &["init", "run", "--domain", "localhost"],
            4,
            "run/detente.toml exists already; nothing was changed",
        ),
        (&["init", "x", "--domain", "a@b"], 2, "\"a@b\" is no domain"),
        (&["init", "x"], 2, "--domain <NAME>"),
        (&["init", "x", "--domain", "a.example", "--cert", "x.pem"], 2, "--key <FILE>"),
        (&["init", "x", "--domain", "a.example", "--port-offset", "60300"], 2, "ports end at 65535"),
    ] {
        let said = world.run(args);
        assert_eq!(said.code, code, "{args:?} {said:?}");
        assert!(said.err.contains(expected), "{args:?} {said:?}");
    }
    assert!(!world.path().join("run/data").exists(), "a question about sessions makes no database");
}

#[test]
fn a_configuration_is_looked_for_in_three_places() {
    let world = World::new();
    let none = world.command(&["check"]).env_remove("DETENTE_CONFIG").output().unwrap();
    if !std::path::Path::new("/etc/detente/detente.toml").exists() {
        assert_eq!(none.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&none.stderr).contains("detente init DIR --domain NAME"));
    }
    let here =
        world.command(&["check"]).env_remove("DETENTE_CONFIG").current_dir(world.path().join("run")).output();
    assert!(here.unwrap().status.success());
    assert_eq!(world.run(&["check", "--config", "run/detente.toml"]).code, 0);
    let in_order = format!("{} is in order: localhost\n", world.config().display());
    let said = world.run(&["check"]).out;
    assert!(said.starts_with(&in_order) && said.contains("there is no relay"), "{said}");
    let with =
        world.command(&["check"]).env("DETENTE_TURN__EXTERNAL_ADDRESS", "203.0.113.1").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&with.stdout), in_order);
}

#[test]
fn check_judges_certificates_and_keys() {
    let world = World::new();
    let second = world.run(&["init", "other", "--domain", "a.example"]);
    assert_eq!(second.code, 0);
    let text = std::fs::read_to_string(world.config()).unwrap();
    for (from, to, expected) in [
        (
            "certs/localhost.key",
            "../other/certs/a.example.key",
            "no certificate in the file belongs to the private key",
        ),
        ("certs/localhost", "../other/certs/a.example", "the certificate is not valid for localhost"),
        ("certs/localhost.key", "certs/localhost.crt", "holds no private key"),
        ("certs/localhost.crt", "detente.toml", "the certificate file holds no certificate"),
        ("certs/localhost.crt", "none", "cannot be read: No such file"),
        ("# idle_seconds = 300", "idle_second = 300", "did you mean `idle_seconds`?"),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(world.config(), text.replace(from, to)).unwrap();
        let said = world.run(&["check"]);
        assert_eq!(said.code, 1);
        assert!(said.err.contains(expected) && said.err.contains(" in "), "{expected}: {}", said.err);
        // The server does not start with it.
        let served = world.run(&["serve"]);
        assert!(served.code == 1 && served.err.contains(expected), "{served:?}");
    }
}

#[test]
fn documents_are_made_from_the_command_line_itself() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = world.run(&["completions", shell]);
        assert!(said.code == 0 && said.out.contains("passwd"), "{shell}");
    }
    assert_eq!(world.run(&["man", "."]).code, 0);
    for page in ["detente.1", "detente-user-add.1", "detente-serve.1"] {
        assert!(world.path().join(page).exists(), "{page}");
    }
    let help = world.run(&["--help"]).out;
    for word in ["Set it up:", "Examples:", "Exit codes:", "serve        run the server"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    let xeps: serde_json::Value = serde_json::from_str(&world.run(&["xeps", "--json"]).out).unwrap();
    assert!(xeps.as_array().unwrap().iter().any(|row| row["xep"] == "0280" && row["status"] == "complete"));
}

/// All of the account's drawers: documents, maps and logs.
const DOCS: [&str; 6] = ["vcard", "last", "archive-prefs", "roster-version", "directory", "directory-cards"];
const MAPS: [&str; 5] = ["roster", "private", "blocklist", "token", "strangers"];
const LOGS: [&str; 3] = ["archive", "offline", "held"];

fn open(world: &World) -> Sqlite {
    Sqlite::open(world.path().join("run/data"), Options::default()).unwrap()
}

/// j06: a name that is given again inherits nothing; and those who had it as a contact have it no more.
#[test]
fn j06_a_removed_account_leaves_nothing_and_its_contacts_know() {
    let world = World::new();
    let add = |name: &str| {
        let made = world.run_with(&["user", "add", name, "--password-stdin"], "pencil\n");
        assert_eq!(made.code, 0, "{made:?}");
    };
    add("alice@localhost");
    add("bob@localhost");
    let (alice, bob) = (Owner::from("alice@localhost"), Owner::from("bob@localhost"));
    let both = || bytes(r#"{"to":"active","from":"active","listed":true}"#);
    let map = |space, owner: &Owner, key: &str, value| Write::MapPut {
        space: Space(space),
        owner: owner.clone(),
        key: key.into(),
        value,
    };
    let store = open(&world);
    let mut batch = Batch::new();
    batch.push(map("roster", &bob, "alice@localhost", both()));
    batch.push(map("roster", &alice, "bob@localhost", both()));
    for space in &MAPS[1..] {
        batch.push(map(space, &alice, "k", bytes("{}")));
    }
    for space in DOCS {
        batch.push(Write::DocPut { space: Space(space), owner: alice.clone(), value: bytes("{}") });
    }
    for space in LOGS {
        let entry = Entry { id: 1, at_ms: 1, with: None, resource: None, tag: 0, value: bytes("<message/>") };
        batch.push(Write::LogAppend { space: Space(space), owner: alice.clone(), entry });
    }
    block_on(store.commit(batch)).unwrap();
    drop(store);
    let removed = world.run(&["user", "remove", "alice@localhost", "--yes"]);
    assert_eq!((removed.code, removed.err.as_str()), (0, ""), "{removed:?}");
    add("alice@localhost");
    let store = open(&world);
    let read = |read| block_on(store.read(read)).unwrap();
    for space in DOCS {
        let doc = read(Read::Doc { space: Space(space), owner: alice.clone() });
        assert_eq!(doc, Loaded::Doc(None), "{space}");
    }
    for space in MAPS {
        let map = read(Read::Map { space: Space(space), owner: alice.clone() });
        assert_eq!(map, Loaded::Map(Vec::new()), "{space}");
    }
    for space in LOGS {
        let page = read(LogQuery::new(Space(space), alice.clone()).into()).into_page();
        assert!(page.entries.is_empty(), "{space}");
    }
    let contacts = read(Read::Map { space: Space("roster"), owner: bob }).into_map();
    let (contact, item) = &contacts[0];
    assert_eq!((&**contact, contacts.len()), ("alice@localhost", 1));
    let item: serde_json::Value = serde_json::from_slice(item).unwrap();
    assert_eq!((&item["to"], &item["from"]), (&"none".into(), &"none".into()), "as if she had cancelled it");
}

fn bytes(text: &str) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(text.as_bytes())
}

/// r07: a value that is not what was written is found.
#[test]
fn r07_check_looks_at_the_data() {
    let world = World::new();
    let made = world.run_with(&["user", "add", "alice@localhost", "--password-stdin"], "pencil\n");
    assert_eq!(made.code, 0, "{made:?}");
    let said = world.run(&["check", "--data"]);
    assert!(said.code == 0 && said.out.contains("data is in order: "), "{said:?}");
    let store = open(&world);
    let said = world.run(&["check", "--data"]);
    assert!(said.code == 5 && said.err.contains("stop the server first"), "{said:?}");
    let text = "what is stored here".repeat(500);
    let put =
        Write::DocPut { space: Space("vcard"), owner: Owner::from("alice@localhost"), value: bytes(&text) };
    block_on(store.commit(put.into())).unwrap();
    drop(store);
    let file = world.path().join("run/data/detente.db");
    let mut content = std::fs::read(&file).unwrap();
    let at = content.windows(19).rposition(|window| window == b"what is stored here").unwrap();
    content[at] = b'W';
    std::fs::write(&file, content).unwrap();
    let said = world.run(&["check", "--data"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("damaged: vcard of alice@localhost") && said.err.contains("1 damaged"),
        "{said:?}"
    );
}

/// What users reported is read and taken from the list, whatever is in it.
#[test]
fn reports_are_listed_shown_and_done() {
    let world = World::new();
    assert_eq!(world.run_with(&["user", "add", "alice@localhost", "--password-stdin"], "x\n").code, 0);
    assert_eq!(world.run(&["reports", "list"]).out, "ID  AT  REASON  JID  BY\n");
    let report = r#"{"by":"alice@localhost","jid":"eve@spam.example","reason":"urn:xmpp:reporting:spam","text":"a\u001b[2Jb","messages":["one\ntwo"],"report_origin":true}"#;
    let store = open(&world);
    let mut batch = Batch::new();
    for (id, value) in [(7, report), (8, "?")] {
        let entry =
            Entry { id, at_ms: 1_767_225_600_000, with: None, resource: None, tag: 0, value: bytes(value) };
        batch.push(Write::LogAppend { space: Space("reports"), owner: Owner::from("localhost"), entry });
    }
    block_on(store.commit(batch)).unwrap();
    drop(store);
    let list = world.run(&["reports", "list"]).out;
    let line = "7   2026-01-01T00:00:00Z  spam    eve@spam.example  alice@localhost\n";
    assert!(list.contains(line), "{list}");
    let shown = world.run(&["reports", "show", "7"]).out;
    assert!(shown.contains("a[2Jb\n") && shown.ends_with("> one\n> two\n"), "{shown}");
    let shown: serde_json::Value =
        serde_json::from_str(&world.run(&["reports", "show", "7", "--json"]).out).unwrap();
    assert_eq!((&shown["report_origin"], &shown["third_party"]), (&true.into(), &false.into()));
    for (args, code) in [
        (&["reports", "done", "7"][..], 0),
        (&["reports", "done", "7"], 3),
        (&["reports", "show", "eight"], 3),
        (&["reports", "show", "99999999999999999999999"], 3),
        (&["reports", "list", "b.example"], 3),
        (&["reports", "done", "8"], 0),
    ] {
        assert_eq!(world.run(args).code, code, "{args:?}");
    }
    assert_eq!(world.run(&["reports", "list", "--json"]).out, "[]\n");
}

#[test]
fn groups_are_made_and_unmade() {
    let world = World::new();
    assert_eq!(world.run_with(&["user", "add", "carol@localhost", "--password-stdin"], "x\n").code, 0);
    for (args, code, out) in [
        (&["group", "add", "Family", "alice@localhost"][..], 0, "alice@localhost is in the group Family\n"),
        (
            &["group", "add", "Family", "bob@localhost", "--called", "Bob"],
            0,
            "bob@localhost is in the group Family\n",
        ),
        (&["group", "add", "Family", "eve@b.example"], 3, ""),
        (&["group", "add", "Family", "localhost"], 2, ""),
        (&["group", "add", "a/b", "alice@localhost"], 2, ""),
        (&["group", "add", "", "alice@localhost"], 2, ""),
        (&["group", "list"], 0, "NAME    MEMBERS\nFamily  2\n"),
        (
            &["group", "show", "Family"],
            0,
            "JID              CALLED\nalice@localhost  -\nbob@localhost    Bob\n",
        ),
        (&["group", "show", "Choir"], 3, ""),
        (&["group", "remove", "Family", "carol@localhost"], 3, ""),
        (
            &["group", "remove", "Family", "bob@localhost"],
            0,
            "bob@localhost is not in the group Family any more\n",
        ),
        (
            &["group", "remove", "Family", "alice@localhost"],
            0,
            "alice@localhost is not in the group Family any more\n",
        ),
        (&["group", "add", "Family", "carol@localhost"], 0, "carol@localhost is in the group Family\n"),
        (&["user", "remove", "carol@localhost", "--yes"], 0, "carol@localhost is removed\n"),
        (&["group", "list", "--json"], 0, "[]\n"),
    ] {
        let said = world.run(args);
        assert_eq!((said.code, said.out.as_str()), (code, out), "{args:?}: {said:?}");
    }
}
