//! Files of other servers come in, ours go out and come in again, broken ones are told with their line.
//!
//! XEP-0227 1.1
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs::File;
use std::path::{Path, PathBuf};

use model::spaces::{ACCOUNT, ARCHIVE};
use model::storage::{Batch, Entry, LogQuery, Owner, Read, Space, Write};
use moving::{Counts, Export, Import, Summary, export, import};
use sasl::{Hash, Password, ScramKeys};
use store::memory::Memory;
use store::{Store, block_on};

fn how() -> Import {
    Import {
        domains: vec!["prosody.example".into(), "ejabberd.example".into(), "a.example".into()],
        rooms: vec!["conference.a.example".into()],
        nodes: vec!["pubsub.a.example".into()],
        hashes: vec![Hash::Sha256, Hash::Sha1],
        iterations: 4_096,
        now_ms: 1_795_300_000_000,
        dry_run: false,
    }
}

fn what() -> Export {
    let how = how();
    Export { domains: how.domains, rooms: how.rooms, nodes: how.nodes, only: None }
}

fn file(store: &dyn Store, how: &Import, path: &Path) -> Summary {
    let folder = path.parent().unwrap().to_owned();
    let mut open = |name: &str| Ok(Box::new(File::open(folder.join(name))?) as Box<dyn std::io::Read>);
    import(store, how, "file", Box::new(File::open(path).unwrap()), &mut open).unwrap()
}

fn text(store: &dyn Store, how: &Import, text: &str) -> Result<Summary, String> {
    let mut open = |_: &str| Err(std::io::Error::other("there is none"));
    let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
    import(store, how, "file", Box::new(bytes), &mut open).map_err(|fault| fault.to_string())
}

fn out(store: &dyn Store) -> (Counts, String) {
    let mut bytes = Vec::new();
    let counts = export(store, &what(), &mut bytes).unwrap();
    (counts, String::from_utf8(bytes).unwrap())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Whether that password opens the account with that hash.
fn opens(store: &dyn Store, account: &str, hash: Hash, password: &str) -> bool {
    let read = Read::Doc { space: ACCOUNT, owner: Owner::from(account) };
    let document = block_on(store.read(read)).unwrap().into_doc().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    let keys = &document["keys"][hash.name()];
    let decode = |name: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(keys[name].as_str().unwrap_or_default()).unwrap()
    };
    let iterations = keys["iterations"].as_u64().unwrap_or(0);
    let keys = ScramKeys::import(hash, decode("salt"), iterations, &decode("stored"), &decode("server"));
    keys.is_ok_and(|keys| keys.verify_password(&Password::parse(password).unwrap()))
}

/// Out, into an empty store, and out again: the same bytes. And in once more: nothing happens.
fn round_trip(store: &dyn Store) -> String {
    let (_, first) = out(store);
    let other = Memory::new();
    let summary = text(&other, &how(), &first).unwrap();
    assert_eq!(summary.notes, [""; 0], "{first}");
    let (_, second) = out(&other);
    assert_eq!(first, second);
    let again = text(&other, &how(), &first).unwrap();
    assert_eq!((again.accounts, again.rooms, again.existing), (0, 0, summary.accounts));
    assert_eq!(out(&other).1, first);
    first
}

#[test]
fn a_file_of_ejabberd_with_its_inclusion() {
    let (store, path) = (Memory::new(), fixture("ejabberd-23.01/20261121-180600.xml"));
    let dry = Import { dry_run: true, ..how() };
    assert_eq!(file(&store, &dry, &path).accounts, 4);
    assert_eq!(out(&store).0, Counts::default());
    let summary = file(&store, &how(), &path);
    let Summary { accounts, contacts, offline, existing, .. } = summary;
    assert_eq!((accounts, contacts, offline, existing), (4, 2, 3, 0), "{:?}", summary.notes);
    assert_eq!(summary.notes, [""; 0]);
    assert!(opens(&store, "alice@ejabberd.example", Hash::Sha1, "secret"));
    assert!(!opens(&store, "alice@ejabberd.example", Hash::Sha1, "other"));
    let all = round_trip(&store);
    for part in [
        "<item jid='bob@ejabberd.example' name='Bob' subscription='both'><group>Friends</group></item>",
        "<FN>Alice Example</FN>",
        "<exodus xmlns='exodus:prefs'><defaultnick>Al</defaultnick></exodus>",
        "<item type='jid' value='mallory@evil.example' action='deny' order='1'/>",
        "<presence xmlns='jabber:client' from='alice@ejabberd.example' to='bob@ejabberd.example' type='subscribe'/>",
        "message 2 &lt;&amp;&gt; ünïcode",
        "stamp='2026-11-21T18:05:54.658Z'",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert_eq!(file(&store, &how(), &path).existing, 4);
}

#[test]
fn files_of_prosody() {
    let store = Memory::new();
    let mut archived = 0;
    for name in ["admin", "alice", "bob"] {
        let summary = file(&store, &how(), &fixture(&format!("prosody-0.12.3/{name}@prosody.example.xml")));
        assert_eq!((summary.accounts, &*summary.notes), (1, &[][..]), "{name}");
        archived += summary.archived;
    }
    assert_eq!(archived, 6);
    assert!(opens(&store, "bob@prosody.example", Hash::Sha1, "secret"));
    assert!(opens(&store, "admin@prosody.example", Hash::Sha1, "admin"));
    let all = round_trip(&store);
    for part in [
        "<item jid='bob@prosody.example' name='Bob' subscription='none' ask='subscribe'>",
        "<presence xmlns='jabber:client' from='alice@prosody.example' to='bob@prosody.example' type='subscribe'/>",
        "<nick xmlns='http://jabber.org/protocol/nick'>Al</nick>",
        "message 0 &lt;&amp;&gt; ünïcode",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    // What is private stays so; what Prosody leaves open begins as nodes of that name begin here.
    let access = |node: &str| {
        let rest = all.split_once(&format!("<configure node='{node}'")).unwrap().1;
        let value = rest.split_once("pubsub#access_model").unwrap().1.split_once("<value>").unwrap().1;
        value.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(access("storage:bookmarks"), "whitelist");
    assert_eq!(access("http://jabber.org/protocol/nick"), "presence");
    assert_eq!(access("urn:xmpp:vcard4"), "open");
}

/// Everything that an account, a room and a service can have.
const WHOLE: &str = r#"<?xml version="1.0"?>
<!-- by hand --><p:server-data xmlns:p='urn:xmpp:pie:0' xmlns:m="urn:x-detente:moving:0"><p:host jid='a.example'>
<p:user name='romeo' password='pencil'><m:standing created='2020-01-02T03:04:05Z' admin='true' suspended='true'/>
<query xmlns='jabber:iq:roster'><item jid='b@a.example' subscription='to' approved='true'/></query>
<p:offline-messages><message xmlns='jabber:client' from='x@y.example' type='chat'><body><![CDATA[<a>]]></body>
</message></p:offline-messages>
<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>x@y.example</jid></always><never/></prefs>
<m:kept space='last'>{"at":7}</m:kept>
<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='n'><x xmlns='jabber:x:data' type='submit'>
<field var='pubsub#access_model'><value>telepathy</value></field></x></configure>
<affiliations node='n'><affiliation jid='c@a.example' affiliation='member'/></affiliations>
<subscriptions node='n'><subscription jid='c@a.example' subscription='subscribed' m:options='{"deliver":false}'/>
</subscriptions></pubsub>
<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'><item id='1' m:at='2020-01-02T03:04:05Z'><a xmlns='u'/></item>
<item id='0'/></items></pubsub>
<archive xmlns='urn:xmpp:pie:0#mam'><result xmlns='urn:xmpp:mam:2' id='99'><forwarded xmlns='urn:xmpp:forward:0'>
<delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/><message xmlns='jabber:client' to='x@y.example/z'
from='romeo@a.example/o'><body>b</body></message></forwarded></result></archive>
</p:user></p:host></p:server-data>"#;

#[test]
fn everything_goes_around() {
    let store = Memory::new();
    let summary = text(&store, &how(), WHOLE).unwrap();
    assert_eq!((summary.nodes, summary.items, summary.offline), (1, 2, 1), "{:?}", summary.notes);
    assert!(opens(&store, "romeo@a.example", Hash::Sha256, "pencil"));
    let room = Owner::from("hall@conference.a.example");
    let service = Owner::from("conference.a.example");
    let entry = Entry {
        id: 7,
        at_ms: 8_001,
        with: Some("romeo@a.example".into()),
        resource: Some("o".into()),
        tag: 1,
        value: "<message xmlns='jabber:client' from='hall@conference.a.example/R'><body>b</body></message>"
            .into(),
    };
    let row = |space, owner: &Owner, key: &str, value: &'static str| Write::MapPut {
        space: Space(space),
        owner: owner.clone(),
        key: key.into(),
        value: value.into(),
    };
    block_on(store.commit(Batch::from(vec![
        Write::DocPut {
            space: Space("muc-room"),
            owner: room.clone(),
            value: r#"{"creator":"romeo@a.example","subject":"<&>\n"}"#.into(),
        },
        row("muc-affiliations", &room, "romeo@a.example", r#"{"a":"owner"}"#),
        row("muc-listed", &service, "hall", r#"{"n":"Hall"}"#),
        row("muc-owned", &service, "romeo@a.example/hall", "{}"),
        Write::LogAppend { space: ARCHIVE, owner: room, entry },
    ])))
    .unwrap();
    let all = round_trip(&store);
    for part in [
        "approved='true'",
        "<standing xmlns='urn:x-detente:moving:0' created='2020-01-02T03:04:05Z' admin='true' suspended='true'/>",
        "<body>&lt;a&gt;</body>",
        "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>x@y.example</jid></always><never/></prefs>",
        "<value>whitelist</value>",
        "affiliation='member'",
        "\"deliver\":false",
        "id='99'",
        "space='muc-owned' key='romeo@a.example/hall'",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    let page = LogQuery::new(ARCHIVE, Owner::from("romeo@a.example"));
    let page = block_on(store.read(page.into())).unwrap().into_page();
    assert_eq!(page.entries[0].with.as_deref(), Some("x@y.example"));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let user = |inside: &str| {
        format!(
            "<server-data xmlns='urn:xmpp:pie:0'>\n<host jid='a.example'>\n<user name='r'>\n{inside}</user></host></server-data>"
        )
    };
    for (file, said) in [
        (String::new(), "line 1: the file is empty"),
        ("<html/>".into(), "line 1: <html xmlns=''> is no portable data"),
        ("<server-data xmlns='urn:xmpp:pie:0'>\n<host>".into(), "line 2: <host/> without a valid jid"),
        (user("<vCard xmlns='vcard-temp'>\n<FN>x</vCard>"), "line 5: an element cannot be read"),
        (user("<x:a/>"), "line 4: a start tag cannot be read"),
        (user("text"), "line 4: text where"),
        (user("<query xmlns='jabber:iq:roster'>"), "line 4: the file ends in the middle"),
        (user("<!DOCTYPE a>"), "line 4: a document type"),
        (
            user("<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='../a'/>"),
            "line 4: \"../a\" is no file",
        ),
        (
            user("<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='a'/>"),
            "line 4: \"a\" cannot be opened",
        ),
        (
            user(&format!("<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>", "x".repeat(5 << 20))),
            "more than 4194304 bytes",
        ),
        (user(&"<a>".repeat(100_000)), "the file ends in the middle"),
    ] {
        let fault = text(&Memory::new(), &how(), &file).unwrap_err();
        assert!(fault.contains(said), "{fault} for {}", &file[..file.len().min(200)]);
    }
    for (file, said) in [
        (user("<unknown/>"), "line 4: <unknown xmlns='urn:xmpp:pie:0'> of r@a.example is left out"),
        (user(""), "r@a.example has no password"),
        (
            user("<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'/>"),
            "<scram-credentials/> of r@a.example",
        ),
        (
            "<host xmlns='urn:xmpp:pie:0' jid='b.example'><user name='x'/></host>".into(),
            "b.example is not served here",
        ),
    ] {
        let notes = text(&Memory::new(), &how(), &file).unwrap().notes;
        assert!(notes[0].contains(said), "{notes:?}");
    }
}
