//! Plays of push on the stage.
//!
//! Not here: sessions that wait to be resumed (scenes), the sealing itself (the program).

use std::sync::Arc;

use kernel::Direction;
use stanza::Stanza;

use super::*;
use crate::scene::{OWN, Scene, error, stanza};

const SERVICE: &str = "push.example";

fn push(content: Content) -> Push {
    // Sealed is what is written backwards.
    let seal: Seal = Arc::new(|key, plain| {
        assert_eq!(key, b"0123456789abcdef");
        Some(([7; 12], plain.iter().rev().copied().collect()))
    });
    Push { content, seal: Some(seal) }
}

fn enable(inner: &str) -> String {
    format!(
        "<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='n1'>{inner}</enable></iq>"
    )
}

/// A stage whose phone has registered, and gone.
fn stage(content: Content, inner: &str) -> Scene {
    let mut scene = Scene::one(push(content));
    let seen = scene.send("phone", &enable(inner));
    assert!(seen.iter().any(|line| line.contains("id='e' type='result'")), "{seen:?}");
    scene.close("phone");
    scene
}

fn chat(inner: &str) -> String {
    format!("<message from='bob@a.example/x' to='{OWN}' type='chat'>{inner}</message>")
}

/// What push services are told.
fn told(seen: &[String]) -> Vec<&String> {
    seen.iter().filter(|line| line.starts_with("-> <iq ") && line.contains("<notification ")).collect()
}

fn answer(scene: &mut Scene, from: &str, id: &str, ty: &str, inner: &str) -> Vec<String> {
    scene.get(&format!("<iq from='{from}' to='{OWN}' type='{ty}' id='{id}'>{inner}</iq>"))
}

fn id_of(line: &str) -> String {
    let from = line.find(" id='").unwrap() + 5;
    line[from..].split('\'').next().unwrap().to_owned()
}

fn field<'a>(line: &'a str, var: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("<field var='{var}'><value>"))?;
    rest.split('<').next()
}

#[test]
fn tells_that_there_is_something_and_no_more() {
    let said = "<body>wherefore art thou</body>";
    let omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'/><body>you cannot read this</body>";
    for (content, inner, sender, body) in [
        (Content::Nothing, said, None, "New message"),
        (Content::Sender, said, Some("bob@a.example/x"), "New message"),
        (Content::Body, said, Some("bob@a.example/x"), "wherefore art thou"),
        (Content::Body, omemo, Some("bob@a.example/x"), "New message"),
        (Content::Body, "<body>?OTRv2? hello</body>", Some("bob@a.example/x"), "New message"),
    ] {
        let mut scene = stage(content, "");
        let seen = scene.get(&chat(inner));
        let lines = told(&seen);
        assert_eq!(lines.len(), 1, "{seen:?}");
        let line = lines[0];
        assert!(line.contains(&format!("from='{OWN}' to='{SERVICE}'")), "{line}");
        assert!(line.contains("<publish node='n1'>"), "{line}");
        assert_eq!(field(line, "last-message-sender"), sender, "{line}");
        assert_eq!(field(line, "last-message-body"), Some(body), "{line}");
        assert_eq!(field(line, "message-count"), Some("1"), "{line}");
        assert_eq!(field(line, "pending-subscription-count"), None);
    }
}

#[test]
fn wakes_for_what_matters() {
    let ns = |name: &str, ns: &str| format!("<{name} xmlns='{ns}'/>");
    let copy = |side: &str, inner: &str| {
        format!(
            "<{side} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' \
             from='bob@a.example/x' to='{OWN}/laptop' type='chat'>{inner}</message></forwarded></{side}>"
        )
    };
    let body = "<body>a</body>";
    let bob = "bob@a.example/x";
    for (from, ty, inner, wakes) in [
        (bob, "chat", body.to_owned(), true),
        (bob, "normal", body.to_owned(), true),
        (bob, "chat", ns("encrypted", "urn:xmpp:omemo:2"), true),
        (bob, "chat", ns("encrypted", "eu.siacs.conversations.axolotl"), true),
        (bob, "chat", ns("openpgp", "urn:xmpp:openpgp:0"), true),
        (bob, "chat", "<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>".to_owned(), true),
        (bob, "chat", ns("x", "jabber:x:conference"), true),
        (bob, "chat", "<body/>".to_owned(), false),
        (bob, "chat", String::new(), false),
        (bob, "chat", ns("received", "urn:xmpp:receipts"), false),
        (bob, "chat", ns("displayed", "urn:xmpp:chat-markers:0"), false),
        (bob, "chat", ns("composing", "http://jabber.org/protocol/chatstates"), false),
        (bob, "chat", "<accept xmlns='urn:xmpp:jingle-message:0' id='c'/>".to_owned(), false),
        (bob, "chat", format!("{body}{}", ns("reactions", "urn:xmpp:reactions:0")), false),
        (bob, "chat", format!("{body}{}", ns("no-store", "urn:xmpp:hints")), false),
        (bob, "error", body.to_owned(), false),
        (bob, "headline", body.to_owned(), false),
        (OWN, "chat", copy("received", body), true),
        (OWN, "chat", copy("received", ""), false),
        (OWN, "chat", copy("sent", body), false),
        (OWN, "chat", body.to_owned(), false),
        ("alice@example.org/laptop", "chat", body.to_owned(), false),
    ] {
        let text = format!("<message from='{from}' to='{OWN}/phone' type='{ty}'>{inner}</message>");
        let mut scene = Scene::one(push(Content::Nothing));
        scene.send("phone", &enable(""));
        let session = scene.session("phone");
        let seen = scene.play(None, |kernel, turn| {
            kernel.unread(turn, session, vec![Arc::new(stanza(&text))]);
        });
        assert_eq!(told(&seen).len(), usize::from(wakes), "{text}: {seen:?}");
    }
}

#[test]
fn whose_client_is_there_is_not_woken() {
    let mut scene = Scene::one(push(Content::Nothing));
    scene.send("phone", &enable(""));
    scene.available("phone", 1);
    let message = chat("<body>a</body>");
    let seen = scene.get(&message);
    assert!(told(&seen).is_empty() && seen[0].starts_with("phone: "), "{seen:?}");
    // Another client is there, the one that registered is not.
    scene.open("laptop");
    scene.available("laptop", 1);
    scene.close("phone");
    assert_eq!(told(&scene.get(&message)).len(), 1);
    // It survives a restart.
    scene.reload();
    assert_eq!(told(&scene.get(&message)).len(), 1);
    // What is said in a room is for the session in it.
    scene.open("laptop");
    let room =
        format!("<message from='r@c.example/n' to='{OWN}/laptop' type='groupchat'><body>a</body></message>");
    assert!(told(&scene.get(&room)).is_empty());
}

#[test]
fn errands_wake_without_being_counted() {
    let errand = |from: &str| {
        format!(
            "<iq from='{from}' to='{OWN}/phone' type='set' id='up-1'><push \
             xmlns='http://gultsch.de/xmpp/drafts/unified-push' application='a' instance='i'>AAAA</push></iq>"
        )
    };
    let filter = "<ignore-unknown xmlns='tigase:push:filter:ignore-unknown:0'/><priority xmlns='tigase:push:priority:0'/>";
    for (from, wakes) in [("push.example.org", true), ("eve@a.example/x", false)] {
        let mut scene = Scene::one(push(Content::Body));
        scene.send("phone", &enable(filter));
        let session = scene.session("phone");
        let got: Vec<Arc<Stanza>> = vec![stanza(&errand(from)).into()];
        let seen = scene.play(None, |kernel, turn| kernel.unread(turn, session, got));
        assert_eq!(told(&seen).len(), usize::from(wakes), "{from}: {seen:?}");
        for line in told(&seen) {
            assert_eq!((field(line, "message-count"), field(line, "last-message-body")), (Some("0"), None));
            assert!(line.contains(">low</priority>"), "{line}");
        }
    }
}

#[test]
fn says_how_many_wait_for_an_answer() {
    let mut scene = stage(Content::Nothing, "");
    for from in ["eve@a.example", "mallory@a.example"] {
        scene.get(&format!("<presence from='{from}' to='{OWN}' type='subscribe'/>"));
    }
    let seen = scene.get(&chat("<body>a</body>"));
    assert_eq!(field(told(&seen)[0], "pending-subscription-count"), Some("2"));
}

#[test]
fn sends_one_at_a_time_and_the_last_of_the_rest() {
    let mut scene = stage(Content::Body, "");
    let seen = scene.get(&chat("<body>1</body>"));
    let first = id_of(told(&seen)[0]);
    for n in 2..6 {
        assert!(told(&scene.get(&chat(&format!("<body>{n}</body>")))).is_empty());
    }
    // A call does not wait, but for another call; what is said after that does not push it aside.
    let call = chat("<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>");
    let seen = scene.get(&call);
    let ringing = id_of(told(&seen)[0]);
    assert!(told(&scene.get(&call)).is_empty());
    scene.get(&chat("<body>6</body>"));
    assert!(answer(&mut scene, SERVICE, &first, "result", "").is_empty(), "it is no longer waited for");
    let seen = answer(&mut scene, SERVICE, &ringing, "result", "");
    let lines = told(&seen);
    assert_eq!(lines.len(), 1, "{seen:?}");
    assert_eq!(field(lines[0], "message-count"), Some("8"));
    assert_eq!(field(lines[0], "last-message-body"), Some("New message"));
    let second = id_of(lines[0]);
    assert!(answer(&mut scene, SERVICE, &second, "result", "").is_empty());
    // A service that never answers is told again after a while.
    assert_eq!(told(&scene.get(&chat("<body>8</body>"))).len(), 1);
    assert!(told(&scene.get(&chat("<body>9</body>"))).is_empty());
    scene.now_ms += 60_000;
    assert_eq!(told(&scene.get(&chat("<body>10</body>"))).len(), 1);
    // Whoever came back has read it.
    scene.open("phone");
    scene.available("phone", 1);
    scene.close("phone");
    scene.now_ms += 60_000;
    let seen = scene.get(&chat("<body>11</body>"));
    assert_eq!(field(told(&seen)[0], "message-count"), Some("1"));
}

#[test]
fn answers_decide_whether_a_registration_lives() {
    for (name, ty, lives) in [
        ("item-not-found", "cancel", false),
        ("gone", "cancel", false),
        ("forbidden", "auth", false),
        ("not-acceptable", "modify", false),
        ("feature-not-implemented", "cancel", false),
        ("item-not-found", "wait", true),
        ("service-unavailable", "cancel", true),
        ("remote-server-not-found", "cancel", true),
        ("resource-constraint", "wait", true),
        ("not-a-condition", "cancel", true),
    ] {
        let mut scene = stage(Content::Nothing, "");
        let seen = scene.get(&chat("<body>a</body>"));
        let id = id_of(told(&seen)[0]);
        let seen = answer(&mut scene, SERVICE, &id, "error", &error(ty, name));
        assert_eq!(seen.iter().any(|line| line.starts_with("del push")), !lives, "{name} {ty}: {seen:?}");
        assert_eq!(told(&scene.get(&chat("<body>b</body>"))).len(), usize::from(lives), "{name} {ty}");
    }
    // What passes, but never does.
    let mut scene = stage(Content::Nothing, "");
    for round in 1..=FAILURES {
        let seen = scene.get(&chat("<body>a</body>"));
        let id = id_of(told(&seen)[0]);
        let seen = answer(&mut scene, SERVICE, &id, "error", &error("cancel", "remote-server-not-found"));
        assert_eq!(seen.iter().any(|line| line.starts_with("del push")), round == FAILURES, "{round}");
    }
}
const FAILURES: u32 = 10;

/// Nobody is forgotten because too many are woken at once.
#[test]
fn what_there_is_no_room_for_is_told_again() {
    let mut scene = stage(Content::Body, "");
    let full = error("wait", "resource-constraint");
    let mut pauses = Vec::new();
    let mut id = id_of(told(&scene.get(&chat("<body>1</body>")))[0]);
    for _ in 0..10 {
        assert!(answer(&mut scene, SERVICE, &id, "error", &full).is_empty(), "not at once");
        let pause = scene.wish.take().unwrap();
        pauses.push(pause);
        scene.now_ms += pause - 1;
        assert!(scene.play(None, |kernel, turn| kernel.woken(turn)).is_empty(), "not before");
        assert_eq!(scene.wish.take(), Some(1));
        scene.now_ms += 1;
        let seen = scene.play(None, |kernel, turn| kernel.woken(turn));
        assert_eq!(field(told(&seen)[0], "last-message-body"), Some("1"));
        assert_eq!(field(told(&seen)[0], "message-count"), Some("1"));
        id = id_of(told(&seen)[0]);
    }
    assert!(pauses[0] < 10_000 && pauses[9] >= 640_000 && pauses[9] < 2 * 640_000, "{pauses:?}");
    // What came meanwhile takes its place; a result ends it.
    assert!(told(&scene.get(&chat("<body>2</body>"))).is_empty());
    answer(&mut scene, SERVICE, &id, "error", &full);
    scene.now_ms += scene.wish.take().unwrap();
    let seen = scene.play(None, |kernel, turn| kernel.woken(turn));
    assert_eq!(field(told(&seen)[0], "last-message-body"), Some("2"));
    answer(&mut scene, SERVICE, &id_of(told(&seen)[0]), "result", "");
    assert_eq!(scene.wish, None);
    // Who has come meanwhile need not be woken.
    let id = id_of(told(&scene.get(&chat("<body>3</body>")))[0]);
    scene.open("phone");
    scene.available("phone", 1);
    assert!(answer(&mut scene, SERVICE, &id, "error", &full).is_empty());
    assert_eq!(scene.wish, None);
}

/// A service that never has room would keep the account in memory for ever.
#[test]
fn what_there_is_never_room_for_is_given_up() {
    let mut scene = stage(Content::Body, "");
    let full = error("wait", "resource-constraint");
    for message in ["1", "2"] {
        let mut id = id_of(told(&scene.get(&chat(&format!("<body>{message}</body>"))))[0]);
        for _ in 0..20 {
            assert!(answer(&mut scene, SERVICE, &id, "error", &full).is_empty());
            scene.now_ms += scene.wish.take().unwrap();
            let seen = scene.play(None, |kernel, turn| kernel.woken(turn));
            assert_eq!(field(told(&seen)[0], "last-message-body"), Some(message));
            id = id_of(told(&seen)[0]);
        }
        assert!(answer(&mut scene, SERVICE, &id, "error", &full).is_empty());
        assert_eq!(scene.wish, None, "{message}");
    }
    // What came while it was told for the last time has its own time.
    let mut id = id_of(told(&scene.get(&chat("<body>3</body>")))[0]);
    for round in 0..=20 {
        if round == 20 {
            assert!(told(&scene.get(&chat("<body>4</body>"))).is_empty());
        }
        answer(&mut scene, SERVICE, &id, "error", &full);
        scene.now_ms += scene.wish.take().unwrap();
        let seen = scene.play(None, |kernel, turn| kernel.woken(turn));
        assert_eq!(field(told(&seen)[0], "last-message-body"), Some(if round == 20 { "4" } else { "3" }));
        id = id_of(told(&seen)[0]);
    }
}

#[test]
fn a_service_may_end_it() {
    let note = |from: &str, node: &str, affiliation: &str| {
        format!(
            "<message from='{from}' to='{OWN}'><pubsub xmlns='http://jabber.org/protocol/pubsub' node='{node}'>\
             <affiliation jid='{OWN}' affiliation='{affiliation}'/></pubsub></message>"
        )
    };
    let mut scene = stage(Content::Nothing, "");
    for (from, node, affiliation) in
        [("eve@a.example/x", "n1", "none"), (SERVICE, "n2", "none"), (SERVICE, "n1", "publish-only")]
    {
        scene.get(&note(from, node, affiliation));
        assert_eq!(told(&scene.get(&chat("<body>a</body>"))).len(), 1, "{from} {node} {affiliation}");
        scene.now_ms += 60_000;
    }
    assert_eq!(scene.get(&note(SERVICE, "n1", "none")), [format!("del push {SERVICE} n1")]);
    assert!(told(&scene.get(&chat("<body>a</body>"))).is_empty());
}

#[test]
fn filters_as_clients_want() {
    let muted =
        "<muted xmlns='tigase:push:filter:muted:0'><item jid='bob@a.example'/><item jid='@'/><item/></muted>";
    let unknown = "<ignore-unknown xmlns='tigase:push:filter:ignore-unknown:0'/>";
    let rooms = "<groupchat xmlns='tigase:push:filter:groupchat:0'><room jid='always@c.example' allow='always'/>\
        <room jid='some@c.example' allow='mentioned' nick='Alice'/><room jid='never@c.example' allow='never'/>\
        <room jid='bad@c.example' allow='mentioned'/></groupchat>";
    let mention = "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:alice@example.org'/>";
    for (filter, from, ty, inner, wakes) in [
        (muted, "bob@a.example/x", "chat", "", false),
        (muted, "carl@a.example/x", "chat", "", true),
        (unknown, "bob@a.example/x", "chat", "", true),
        (unknown, "eve@a.example/x", "chat", "", false),
        (unknown, "other@c.example/n", "groupchat", "", true),
        (rooms, "eve@a.example/x", "chat", "", true),
        (rooms, "always@c.example/n", "groupchat", "", true),
        (rooms, "never@c.example/n", "groupchat", "", false),
        (rooms, "other@c.example/n", "groupchat", "", false),
        (rooms, "bad@c.example/n", "groupchat", "<body>alice</body>", false),
        (rooms, "some@c.example/n", "groupchat", "", false),
        (rooms, "some@c.example/n", "groupchat", "<body>malice and alices</body>", false),
        (rooms, "some@c.example/n", "groupchat", "<body>so, alice: what now?</body>", true),
        (rooms, "some@c.example/n", "groupchat", mention, true),
        ("", "other@c.example/n", "groupchat", "", true),
    ] {
        let mut scene = Scene::one(push(Content::Nothing));
        scene.contact("bob@a.example", Direction::Active, Direction::None);
        scene.send("phone", &enable(filter));
        let body = if inner.starts_with("<body>") { "" } else { "<body>a</body>" };
        let text = format!("<message from='{from}' to='{OWN}/phone' type='{ty}'>{body}{inner}</message>");
        let session = scene.session("phone");
        let got: Vec<Arc<Stanza>> = vec![stanza(&text).into()];
        let seen = scene.play(None, |kernel, turn| kernel.unread(turn, session, got));
        assert_eq!(told(&seen).len(), usize::from(wakes), "{filter} {text}");
    }
}

#[test]
fn seals_for_the_client() {
    use base64::Engine as _;
    let key = base64::prelude::BASE64_STANDARD.encode(b"0123456789abcdef");
    let inner = format!(
        "<encrypt xmlns='tigase:push:encrypt:0' alg='aes-128-gcm'>{key}</encrypt><priority xmlns='tigase:push:priority:0'/>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>\
         http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>s</value></field></x>"
    );
    let call = "<propose xmlns='urn:xmpp:jingle-message:0' id='c'>\
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>";
    for (message, expected, voip) in [
        ("<body>hé</body>", r#"{"message":"hé","sender":"bob@a.example","type":"chat","unread":1}"#, false),
        (call, r#"{"media":["audio"],"sender":"bob@a.example/x","sid":"c","type":"call","unread":1}"#, true),
    ] {
        let mut scene = stage(Content::Nothing, &inner);
        let seen = scene.get(&chat(message));
        let line = told(&seen)[0];
        let sealed = line.split_once("<encrypted ").unwrap().1;
        assert_eq!(sealed.split_once('>').unwrap().0.contains("type='voip'"), voip, "{line}");
        let text = sealed.split_once('>').unwrap().1.split('<').next().unwrap();
        let plain: Vec<u8> =
            base64::prelude::BASE64_STANDARD.decode(text).unwrap().into_iter().rev().collect();
        assert_eq!(String::from_utf8(plain).unwrap(), expected);
        assert!(!line.contains("last-message"), "{line}");
        assert!(line.contains("<priority xmlns='tigase:push:priority:0'>high</priority>"), "{line}");
        assert!(
            line.contains("</publish><publish-options><x xmlns='jabber:x:data' type='submit'>"),
            "{line}"
        );
        assert!(
            line.contains("<field var='secret'><value>s</value></field></x></publish-options></pubsub>"),
            "{line}"
        );
    }
}

/// Whatever clients and push services send: a standard error, or nothing happens.
#[test]
fn bad_input() {
    let at = |attributes: &str, inner: &str| {
        format!("<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' {attributes}>{inner}</enable></iq>")
    };
    let form = |ty: &str, inner: &str| {
        at("jid='push.example' node='n'", &format!("<x xmlns='jabber:x:data'{ty}>{inner}</x>"))
    };
    let sealed = |attributes: &str, key: &str| {
        let inner = format!("<encrypt xmlns='tigase:push:encrypt:0' {attributes}>{key}</encrypt>");
        at("jid='push.example' node='n'", &inner)
    };
    let field =
        "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>";
    let long = "n".repeat(1_025);
    for (request, condition) in [
        (at("", ""), "bad-request"),
        (at("jid='' node='n'", ""), "bad-request"),
        (at("jid='@' node='n'", ""), "jid-malformed"),
        (at(&format!("jid='{OWN}' node='n'"), ""), "not-acceptable"),
        (at(&format!("jid='push.example' node='{long}'"), ""), "bad-request"),
        (at("jid='push.example' node='n'", &format!("<a>{}</a>", "a".repeat(16 * 1024))), "not-acceptable"),
        (form(" type='form'", field), "bad-request"),
        (form(" type='submit'", "<field/>"), "bad-request"),
        (form(" type='submit'", &field.replace("publish-options", "other")), "bad-request"),
        (sealed("", "a"), "feature-not-implemented"),
        (sealed("alg='rot13'", "a"), "feature-not-implemented"),
        (sealed("alg='aes-128-gcm'", ""), "bad-request"),
        (sealed("alg='aes-128-gcm'", "&lt;&gt;"), "bad-request"),
        (sealed("alg='aes-128-gcm'", "AAAA"), "bad-request"),
        ("<iq type='set' id='e'><other xmlns='urn:xmpp:push:0'/></iq>".into(), "bad-request"),
        ("<iq type='set' id='e'><disable xmlns='urn:xmpp:push:0' node='n'/></iq>".into(), "bad-request"),
        (
            "<iq type='get' id='e'><enable xmlns='urn:xmpp:push:0' jid='push.example'/></iq>".into(),
            "not-allowed",
        ),
    ] {
        let mut scene = Scene::one(push(Content::Nothing));
        let seen = scene.send("phone", &request);
        assert_eq!(seen.len(), 1, "{request}: {seen:?}");
        assert!(seen[0].contains(&format!("<{condition} ")), "{request}: {seen:?}");
    }
    // What cannot be sealed is not registered.
    let mut scene = Scene::one(Push::default());
    let key = "MDEyMzQ1Njc4OWFiY2RlZg==";
    assert!(scene.send("phone", &sealed("alg='aes-128-gcm'", key))[0].contains("<feature-not-implemented "));

    // Without a node, unknown elements, unknown pairs: all of that is allowed.
    let mut scene = Scene::one(push(Content::Nothing));
    for request in [
        at("jid='push.example' more='x'", "<unknown xmlns='urn:x'/>text"),
        "<iq type='set' id='e'><disable xmlns='urn:xmpp:push:0' jid='nobody.example' node='n'/></iq>".into(),
    ] {
        let seen = scene.send("phone", &request);
        assert!(seen.iter().any(|line| line.contains("type='result'")), "{seen:?}");
    }

    // Too many: the oldest goes. The same again is one.
    let mut scene = Scene::one(push(Content::Nothing));
    for n in [0].into_iter().chain(0..=REGISTRATIONS_MAX) {
        let seen = scene.send("phone", &at(&format!("jid='push.example' node='{n}'"), ""));
        let gone = seen.iter().filter(|line| line.starts_with("del push")).count();
        assert_eq!(gone, usize::from(n == REGISTRATIONS_MAX), "{n}: {seen:?}");
    }
    scene.close("phone");
    let seen = scene.get(&chat("<body>a</body>"));
    assert_eq!(told(&seen).len(), REGISTRATIONS_MAX);
    assert!(!seen.iter().any(|line| line.contains("node='0'")));

    // A hostile service: answers for others, with another's name, twice, huge, without reason.
    let mut scene = stage(Content::Nothing, "");
    let seen = scene.get(&chat("<body>a</body>"));
    let id = id_of(told(&seen)[0]);
    let huge = format!("{}<x xmlns='urn:x'>{}</x>", error("cancel", "item-not-found"), "x".repeat(200_000));
    for (from, name) in [("eve.example", &id[..]), (SERVICE, "push-0-0"), ("push.example/x", &id[..])] {
        assert!(answer(&mut scene, from, name, "error", &huge).is_empty(), "{from} {name}");
        assert!(answer(&mut scene, from, name, "result", "").is_empty(), "{from} {name}");
    }
    for inner in
        ["", "<error/>", "<error type='cancel'><item-not-found xmlns='urn:x'/></error>", "<a><b/></a>"]
    {
        answer(&mut scene, SERVICE, &id, "error", inner);
    }
    assert_eq!(told(&scene.get(&chat("<body>a</body>"))).len(), 1, "it is still there");
}
