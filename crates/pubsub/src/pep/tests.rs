use super::*;
use crate::scene::{Scene, error};
use kernel::Direction::{Active, None as Not};

const TUNE: &str = "http://jabber.org/protocol/tune";

/// What stands for the discovery of accounts.
struct Disco;

static DISCO: Card =
    Card { iqs: &[IqRoute::open(ns::DISCO_INFO), IqRoute::open(ns::DISCO_ITEMS)], ..Card::named("disco") };

impl Feature for Disco {
    fn card(&self) -> &'static Card {
        &DISCO
    }
}

fn stage() -> Scene {
    let mut scene = Scene::new(vec![Box::new(Pep), Box::new(Disco)]);
    scene.open("phone");
    scene.contact("bob@a.example", Active, Active);
    scene
}

fn pubsub(inner: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{inner}</pubsub>")
}

fn owner(inner: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{inner}</pubsub>")
}

fn own(scene: &mut Scene, ty: &str, payload: &str) -> Vec<String> {
    scene.send("phone", &format!("<iq type='{ty}' id='q'>{payload}</iq>"))
}

fn ask(scene: &mut Scene, from: &str, ty: &str, payload: &str) -> Vec<String> {
    scene.get(&format!("<iq from='{from}' to='alice@example.org' type='{ty}' id='q'>{payload}</iq>"))
}

/// The answer among what happened.
fn answer(seen: &[String]) -> &str {
    let answers: Vec<&String> = seen.iter().filter(|line| line.contains("id='q'")).collect();
    assert_eq!(answers.len(), 1, "{seen:?}");
    answers[0]
}

fn publish(node: &str, id: &str, payload: &str) -> String {
    pubsub(&format!("<publish node='{node}'><item id='{id}'>{payload}</item></publish>"))
}

fn form(ty: &str, kind: &str, fields: &[(&str, &str)]) -> String {
    let field =
        |(var, value): &(&str, &str)| format!("<field var='pubsub#{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='{ty}'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#{kind}</value></field>{fields}</x>"
    )
}

fn with_options(node: &str, payload: &str, fields: &[(&str, &str)]) -> String {
    let options = form("submit", "publish-options", fields);
    pubsub(&format!(
        "<publish node='{node}'><item id='1'>{payload}</item></publish><publish-options>{options}</publish-options>"
    ))
}

fn configure(scene: &mut Scene, node: &str, fields: &[(&str, &str)]) -> Vec<String> {
    let x = form("submit", "node_config", fields);
    own(scene, "set", &owner(&format!("<configure node='{node}'>{x}</configure>")))
}

fn refused(seen: &[String], ty: &str, condition: &str, special: &str) {
    let line = answer(seen);
    let code = if condition == "item-not-found" { " code='404'" } else { "" };
    let general =
        format!("<error type='{ty}'{code}><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
    let name = special.split(' ').next().unwrap();
    let attr = special.split_once(' ').map(|(_, value)| format!(" feature='{value}'")).unwrap_or_default();
    let special = format!("<{name} xmlns='http://jabber.org/protocol/pubsub#errors'{attr}/>");
    let fits = line.contains(&general) && (name.is_empty() || line.contains(&special));
    assert!(fits, "wanted {ty} {condition} {special}, got {line}");
    assert!(name.is_empty() != line.contains("pubsub#errors"), "wanted {special}, got {line}");
    let writes = seen.iter().filter(|line| line.starts_with("put ") || line.starts_with("del "));
    assert_eq!(writes.count(), 0, "nothing half done: {seen:?}");
}

const BOB: &str = "bob@a.example/x";
const EVE: &str = "eve@a.example/x";

/// One node of each kind.
fn furnished() -> Scene {
    let mut scene = stage();
    for (node, access) in [
        ("open", "open"),
        ("presence", "presence"),
        ("roster", "roster"),
        ("authorize", "authorize"),
        ("whitelist", "whitelist"),
    ] {
        let seen =
            own(&mut scene, "set", &with_options(node, "<a xmlns='urn:a'/>", &[("access_model", access)]));
        assert!(answer(&seen).contains("type='result'"), "{seen:?}");
    }
    let quiet = [("persist_items", "0"), ("deliver_payloads", "0")];
    let create = |node: &str, fields: &[(&str, &str)]| {
        let x = form("submit", "node_config", fields);
        pubsub(&format!("<create node='{node}'/><configure>{x}</configure>"))
    };
    for (node, fields) in [
        ("bell", &quiet[..]),
        ("fleeting", &quiet[..1]),
        ("bare", &quiet[1..]),
        ("closed", &[("access_model", "open"), ("subscribe", "0")]),
        ("small", &[("max_payload_size", "10")]),
    ] {
        let seen = own(&mut scene, "set", &create(node, fields));
        assert!(answer(&seen).contains("type='result'"), "{seen:?}");
    }
    let list = owner(
        "<affiliations node='open'><affiliation jid='out@a.example' affiliation='outcast'/>\
         <affiliation jid='pub@a.example' affiliation='publisher'/></affiliations>",
    );
    assert!(answer(&own(&mut scene, "set", &list)).contains("type='result'"));
    let subscribe = pubsub("<subscribe node='authorize' jid='eve@a.example'/>");
    assert!(answer(&ask(&mut scene, EVE, "set", &subscribe)).contains("subscription='pending'"));
    scene
}

/// XEP-0060: the error cases of each request, and requests with each part missing (F-23, F-24).
#[test]
fn every_refusal_says_what_is_wrong() {
    let mut scene = furnished();
    let me = "alice@example.org/phone";
    let long = "n".repeat(1_024);
    let big = format!("<publish node='small'><item><a xmlns='urn:a'>{}</a></item></publish>", "x".repeat(10));
    let long_node = format!("<publish node='{long}'><item><a/></item></publish>");
    let long_id = format!("<publish node='open'><item id='{}'><a/></item></publish>", "i".repeat(3_072));
    let bad_options = |inner: &str| {
        format!("<publish node='open'><item><a/></item></publish><publish-options>{inner}</publish-options>")
    };
    let subscribe = |node: &str, jid: &str| format!("<subscribe node='{node}' jid='{jid}'/>");
    let eve = |node: &str| subscribe(node, "eve@a.example");
    let options = |x: &str| format!("<options node='open' jid='eve@a.example'>{x}</options>");
    // Who, type, payload, and the expected error: type, condition, special condition and its feature.
    let cases: Vec<(&str, &str, String, &str, &str, &str)> = vec![
        // The frame.
        (me, "set", String::new(), "modify", "bad-request", ""),
        (me, "set", "<nonsense/>".into(), "cancel", "feature-not-implemented", ""),
        (me, "get", "<publish node='open'/>".into(), "cancel", "feature-not-implemented", ""),
        // 7.1 publish
        (me, "set", "<publish/>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "set", "<publish node=''><item/></publish>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "set", long_node, "modify", "not-acceptable", ""),
        (me, "set", long_id, "modify", "not-acceptable", ""),
        (me, "set", "<publish node='open'/>".into(), "modify", "bad-request", "item-required"),
        (
            me,
            "set",
            "<publish node='open'><item/></publish>".into(),
            "modify",
            "bad-request",
            "payload-required",
        ),
        (me, "set", "<publish node='fleeting'/>".into(), "modify", "bad-request", "item-required"),
        (me, "set", "<publish node='bare'/>".into(), "modify", "bad-request", "item-required"),
        (
            me,
            "set",
            "<publish node='bell'><item/></publish>".into(),
            "modify",
            "bad-request",
            "item-forbidden",
        ),
        (
            me,
            "set",
            "<publish node='open'><item><a/><b/></item></publish>".into(),
            "modify",
            "bad-request",
            "invalid-payload",
        ),
        (
            me,
            "set",
            "<publish node='open'><item><a/></item><item><a/></item></publish>".into(),
            "modify",
            "bad-request",
            "",
        ),
        (me, "set", big, "modify", "not-acceptable", "payload-too-big"),
        (BOB, "set", "<publish node='open'><item><a/></item></publish>".into(), "auth", "forbidden", ""),
        (
            BOB,
            "set",
            "<publish node='new'><item><a/></item></publish>".into(),
            "cancel",
            "item-not-found",
            "",
        ),
        (
            EVE,
            "set",
            "<publish node='new'><item><a/></item></publish>".into(),
            "cancel",
            "service-unavailable",
            "",
        ),
        (
            "out@a.example",
            "set",
            "<publish node='open'><item><a/></item></publish>".into(),
            "auth",
            "forbidden",
            "",
        ),
        // 7.1.5 publish-options
        (me, "set", bad_options(""), "modify", "bad-request", ""),
        (me, "set", bad_options(&form("cancel", "publish-options", &[])), "modify", "bad-request", ""),
        (me, "set", bad_options(&form("form", "publish-options", &[])), "modify", "bad-request", ""),
        (
            me,
            "set",
            bad_options(&form("submit", "node_config", &[])),
            "modify",
            "bad-request",
            "invalid-options",
        ),
        (
            me,
            "set",
            bad_options(&form("submit", "publish-options", &[("access_model", "presence")])),
            "cancel",
            "conflict",
            "precondition-not-met",
        ),
        (
            me,
            "set",
            bad_options(&form("submit", "publish-options", &[("max_items", "max")])),
            "cancel",
            "conflict",
            "precondition-not-met",
        ),
        (
            me,
            "set",
            bad_options(&form("submit", "publish-options", &[("weather", "1")])),
            "cancel",
            "conflict",
            "precondition-not-met",
        ),
        // 7.2 retract
        (me, "set", "<retract><item id='1'/></retract>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "set", "<retract node='open'/>".into(), "modify", "bad-request", "item-required"),
        (
            me,
            "set",
            "<retract node='open'><item/></retract>".into(),
            "modify",
            "bad-request",
            "item-required",
        ),
        (
            me,
            "set",
            "<retract node='open'><item id='1'/><item id='2'/></retract>".into(),
            "modify",
            "bad-request",
            "",
        ),
        (
            me,
            "set",
            "<retract node='open' notify='maybe'><item id='1'/></retract>".into(),
            "modify",
            "bad-request",
            "",
        ),
        (me, "set", "<retract node='open'><item id='x'/></retract>".into(), "cancel", "item-not-found", ""),
        (
            me,
            "set",
            "<retract node='nowhere'><item id='x'/></retract>".into(),
            "cancel",
            "item-not-found",
            "",
        ),
        (
            me,
            "set",
            "<retract node='fleeting'><item id='x'/></retract>".into(),
            "cancel",
            "feature-not-implemented",
            "unsupported persistent-items",
        ),
        (BOB, "set", "<retract node='open'><item id='1'/></retract>".into(), "auth", "forbidden", ""),
        (
            "pub@a.example/x",
            "set",
            "<retract node='open'><item id='1'/></retract>".into(),
            "auth",
            "forbidden",
            "",
        ),
        // 6.5 items
        (me, "get", "<items/>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "get", "<items node='nowhere'/>".into(), "cancel", "item-not-found", ""),
        (
            me,
            "get",
            "<items node='fleeting'/>".into(),
            "cancel",
            "feature-not-implemented",
            "unsupported persistent-items",
        ),
        (me, "get", "<items node='open'><item/></items>".into(), "modify", "bad-request", ""),
        (me, "get", "<items node='open' max_items='few'/>".into(), "modify", "bad-request", ""),
        (
            me,
            "get",
            "<items node='open'/><set xmlns='http://jabber.org/protocol/rsm'><max>x</max></set>".into(),
            "modify",
            "bad-request",
            "",
        ),
        (
            me,
            "get",
            "<items node='open'/><set xmlns='http://jabber.org/protocol/rsm'><after>x</after></set>".into(),
            "cancel",
            "item-not-found",
            "",
        ),
        (EVE, "get", "<items node='nowhere'/>".into(), "cancel", "service-unavailable", ""),
        (
            EVE,
            "get",
            "<items node='presence'/>".into(),
            "auth",
            "not-authorized",
            "presence-subscription-required",
        ),
        (EVE, "get", "<items node='roster'/>".into(), "auth", "not-authorized", "not-in-roster-group"),
        (BOB, "get", "<items node='roster'/>".into(), "auth", "not-authorized", "not-in-roster-group"),
        (BOB, "get", "<items node='whitelist'/>".into(), "cancel", "not-allowed", "closed-node"),
        (EVE, "get", "<items node='authorize'/>".into(), "auth", "not-authorized", "not-subscribed"),
        ("out@a.example/x", "get", "<items node='open'/>".into(), "auth", "forbidden", ""),
        // 6.1 subscribe
        (EVE, "set", "<subscribe jid='eve@a.example'/>".into(), "modify", "bad-request", "nodeid-required"),
        (EVE, "set", "<subscribe node='open'/>".into(), "modify", "bad-request", "jid-required"),
        (EVE, "set", subscribe("open", "bob@a.example"), "modify", "bad-request", "invalid-jid"),
        (EVE, "set", subscribe("open", "a@b@c"), "modify", "bad-request", "invalid-jid"),
        (EVE, "set", eve("presence"), "auth", "not-authorized", "presence-subscription-required"),
        (EVE, "set", eve("roster"), "auth", "not-authorized", "not-in-roster-group"),
        (EVE, "set", eve("whitelist"), "cancel", "not-allowed", "closed-node"),
        (EVE, "set", eve("authorize"), "auth", "not-authorized", "pending-subscription"),
        (EVE, "set", eve("closed"), "cancel", "feature-not-implemented", "unsupported subscribe"),
        (EVE, "set", eve("nowhere"), "cancel", "service-unavailable", ""),
        ("out@a.example/x", "set", subscribe("open", "out@a.example"), "auth", "forbidden", ""),
        (EVE, "set", format!("{}<options node='open'/>", eve("open")), "modify", "bad-request", ""),
        (EVE, "set", format!("<options/>{}", eve("open")), "modify", "bad-request", "nodeid-required"),
        // 6.2 unsubscribe
        (EVE, "set", "<unsubscribe node='open'/>".into(), "modify", "bad-request", "jid-required"),
        (EVE, "set", "<unsubscribe jid='eve@a.example'/>".into(), "modify", "bad-request", "nodeid-required"),
        (EVE, "set", "<unsubscribe node='open' jid='bob@a.example'/>".into(), "auth", "forbidden", ""),
        (
            EVE,
            "set",
            "<unsubscribe node='open' jid='eve@a.example'/>".into(),
            "cancel",
            "unexpected-request",
            "not-subscribed",
        ),
        // 6.3 options
        (EVE, "get", options(""), "cancel", "unexpected-request", "not-subscribed"),
        (EVE, "get", "<options node='open'/>".into(), "modify", "bad-request", "jid-required"),
        (EVE, "get", "<options jid='eve@a.example'/>".into(), "modify", "bad-request", "nodeid-required"),
        (EVE, "get", "<options node='open' jid='bob@a.example'/>".into(), "auth", "forbidden", ""),
        (
            EVE,
            "set",
            format!(
                "<options node='authorize' jid='eve@a.example'>{}</options>",
                form("submit", "subscribe_options", &[("deliver", "maybe")])
            ),
            "modify",
            "bad-request",
            "invalid-options",
        ),
        (EVE, "set", "<options node='authorize' jid='eve@a.example'/>".into(), "modify", "bad-request", ""),
        // 8.1 create
        (me, "set", "<create node='open'/>".into(), "cancel", "conflict", ""),
        (BOB, "set", "<create node='new'/>".into(), "cancel", "item-not-found", ""),
        (BOB, "set", "<create node='open'/>".into(), "auth", "forbidden", ""),
        (me, "set", "<create node='new'/><configure node='new'/>".into(), "modify", "bad-request", ""),
        (
            me,
            "set",
            format!(
                "<create node='new'/><configure>{}</configure>",
                form("submit", "node_config", &[("access_model", "nobody")])
            ),
            "modify",
            "not-acceptable",
            "unsupported-access-model",
        ),
        (
            me,
            "set",
            format!(
                "<create node='new'/><configure>{}</configure>",
                form("submit", "node_config", &[("max_items", "-1")])
            ),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            me,
            "set",
            format!(
                "<create node='urn:xmpp:bookmarks:1'/><configure>{}</configure>",
                form("submit", "node_config", &[("access_model", "open")])
            ),
            "modify",
            "not-acceptable",
            "unsupported-access-model",
        ),
    ];
    for (who, ty, inner, kind, condition, special) in &cases {
        let seen = match *who {
            who if who == me => own(&mut scene, ty, &pubsub(inner)),
            who => ask(&mut scene, who, ty, &pubsub(inner)),
        };
        eprintln!("{who} {inner}");
        refused(&seen, kind, condition, special);
    }
}

/// The same for what only owners may do.
#[test]
fn every_refusal_to_owners_says_what_is_wrong() {
    let mut scene = furnished();
    let me = "alice@example.org/phone";
    let configure = |x: &str| format!("<configure node='open'>{x}</configure>");
    let submit = |fields: &[(&str, &str)]| configure(&form("submit", "node_config", fields));
    let affiliate = |items: &str| format!("<affiliations node='open'>{items}</affiliations>");
    let subscriptions = |items: &str| format!("<subscriptions node='open'>{items}</subscriptions>");
    let mut cases: Vec<(&str, &str, String, &str, &str, &str)> = vec![
        (me, "set", "<configure/>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "get", "<configure/>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "get", "<configure node='nowhere'/>".into(), "cancel", "item-not-found", ""),
        (me, "set", configure(""), "modify", "bad-request", ""),
        (
            me,
            "set",
            submit(&[("access_model", "nobody")]),
            "modify",
            "not-acceptable",
            "unsupported-access-model",
        ),
        (me, "set", submit(&[("title", "x"), ("persist_items", "perhaps")]), "modify", "not-acceptable", ""),
        (
            me,
            "set",
            configure("<x xmlns='jabber:x:data' type='submit'><field/></x>"),
            "modify",
            "bad-request",
            "invalid-options",
        ),
        (BOB, "get", "<default/>".into(), "auth", "forbidden", ""),
        (me, "get", "<default type='collection'/>".into(), "modify", "not-acceptable", ""),
        (me, "set", "<delete/>".into(), "modify", "bad-request", "nodeid-required"),
        (me, "set", "<delete node='nowhere'/>".into(), "cancel", "item-not-found", ""),
        (me, "set", "<purge/>".into(), "modify", "bad-request", "nodeid-required"),
        (
            me,
            "set",
            "<purge node='fleeting'/>".into(),
            "cancel",
            "feature-not-implemented",
            "unsupported persistent-items",
        ),
        (
            me,
            "set",
            affiliate("<affiliation affiliation='member'/>"),
            "modify",
            "bad-request",
            "jid-required",
        ),
        (
            me,
            "set",
            affiliate("<affiliation jid='a@b@c' affiliation='member'/>"),
            "modify",
            "bad-request",
            "invalid-jid",
        ),
        (
            me,
            "set",
            affiliate("<affiliation jid='bob@a.example' affiliation='king'/>"),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            me,
            "set",
            affiliate(
                "<affiliation jid='bob@a.example' affiliation='member'/><affiliation jid='alice@example.org' affiliation='none'/>",
            ),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            me,
            "set",
            affiliate(
                "<affiliation jid='bob@a.example' affiliation='member'/><affiliation jid='bob@a.example/x' affiliation='none'/>",
            ),
            "modify",
            "bad-request",
            "",
        ),
        (
            me,
            "set",
            subscriptions("<subscription subscription='none'/>"),
            "modify",
            "bad-request",
            "jid-required",
        ),
        (
            me,
            "set",
            subscriptions("<subscription jid='bob@a.example' subscription='maybe'/>"),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            me,
            "set",
            "<collection node='open'><associate node='small'/></collection>".into(),
            "cancel",
            "feature-not-implemented",
            "unsupported collections",
        ),
    ];
    for request in ["configure", "affiliations", "subscriptions"] {
        cases.push((BOB, "get", format!("<{request} node='open'/>"), "auth", "forbidden", ""));
        cases.push((EVE, "get", format!("<{request} node='nowhere'/>"), "cancel", "service-unavailable", ""));
    }
    for request in ["configure", "delete", "purge", "affiliations", "subscriptions"] {
        cases.push((BOB, "set", format!("<{request} node='open'/>"), "auth", "forbidden", ""));
        cases.push(("pub@a.example", "set", format!("<{request} node='open'/>"), "auth", "forbidden", ""));
    }
    for (who, ty, inner, kind, condition, special) in &cases {
        let seen = match *who {
            who if who == me => own(&mut scene, ty, &owner(inner)),
            who => ask(&mut scene, who, ty, &owner(inner)),
        };
        eprintln!("{who} {inner}");
        refused(&seen, kind, condition, special);
    }
}

#[test]
fn a_node_that_is_not_there_has_the_number_that_profanity_looks_for() {
    let mut scene = stage();
    let seen = own(&mut scene, "get", &pubsub("<items node='eu.siacs.conversations.axolotl.devicelist'/>"));
    assert!(answer(&seen).contains("<error type='cancel' code='404'><item-not-found "), "{seen:?}");
}

#[test]
fn publishes_keeps_and_gives_back() {
    let mut scene = stage();
    let seen = own(
        &mut scene,
        "set",
        &publish(TUNE, "current", "<tune xmlns='http://jabber.org/protocol/tune'>a</tune>"),
    );
    assert!(
        answer(&seen)
            .contains("<publish node='http://jabber.org/protocol/tune'><item id='current'/></publish>")
    );
    own(
        &mut scene,
        "set",
        &publish(TUNE, "current", "<tune xmlns='http://jabber.org/protocol/tune'>b</tune>"),
    );
    let get = pubsub(&format!("<items node='{TUNE}'/>"));
    let expected = format!(
        "<items node='{TUNE}'><item id='current'><tune xmlns='http://jabber.org/protocol/tune'>b</tune></item></items></pubsub>"
    );
    for _ in 0..2 {
        let seen = own(&mut scene, "get", &get);
        assert!(answer(&seen).contains(&expected), "{seen:?}");
        let seen = ask(&mut scene, BOB, "get", &get);
        assert!(answer(&seen).contains(&expected), "{seen:?}");
        scene.reload();
        scene.open("phone");
    }
    let seen = own(
        &mut scene,
        "set",
        &pubsub(&format!("<publish node='{TUNE}'><item><a xmlns='urn:a'/></item></publish>")),
    );
    let id = answer(&seen).split("<item id='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let seen = own(&mut scene, "get", &get);
    assert!(
        answer(&seen).contains(&format!("<item id='{id}'><a xmlns='urn:a'/></item></items>")),
        "{seen:?}"
    );
}

#[test]
fn keeps_the_newest_in_order() {
    let mut scene = stage();
    let options = [("max_items", "3")];
    for (id, text) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4"), ("d", "5")] {
        let x = form("submit", "publish-options", &options);
        let item = format!("<item id='{id}'><v xmlns='urn:v'>{text}</v></item>");
        let request = format!("<publish node='n'>{item}</publish><publish-options>{x}</publish-options>");
        let seen = own(&mut scene, "set", &pubsub(&request));
        assert!(answer(&seen).contains("result"), "{seen:?}");
    }
    let ids = |scene: &mut Scene, asked: &str| {
        let seen = own(scene, "get", &pubsub(asked));
        let parts: Vec<String> = answer(&seen)
            .split("<item id='")
            .skip(1)
            .map(|rest| rest.split('\'').next().unwrap().to_owned())
            .collect();
        parts.join(" ")
    };
    let page =
        |set: &str| format!("<items node='n'/><set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
    for reload in [false, true] {
        if reload {
            scene.reload();
            scene.open("phone");
        }
        assert_eq!(ids(&mut scene, "<items node='n'/>"), "c a d");
        assert_eq!(ids(&mut scene, "<items node='n' max_items='2'/>"), "a d");
        assert_eq!(
            ids(&mut scene, "<items node='n'><item id='d'/><item id='b'/><item id='c'/></items>"),
            "d c"
        );
        assert_eq!(ids(&mut scene, &page("<max>2</max>")), "c a");
        assert_eq!(ids(&mut scene, &page("<max>2</max><after>c</after>")), "a d");
        assert_eq!(ids(&mut scene, &page("<max>1</max><before/>")), "d");
    }
    let seen = own(&mut scene, "get", &pubsub(&page("<max>1</max><after>c</after>")));
    let set = "<set xmlns='http://jabber.org/protocol/rsm'><first index='1'>a</first><last>a</last><count>3</count></set>";
    assert!(answer(&seen).contains(set), "{seen:?}");
    configure(&mut scene, "n", &[("max_items", "1")]);
    assert_eq!(ids(&mut scene, "<items node='n'/>"), "d");
    let seen = own(&mut scene, "set", &pubsub("<retract node='n'><item id='d'/></retract>"));
    assert!(seen.iter().filter(|line| line.starts_with("del node-")).count() == 2, "{seen:?}");
    assert_eq!(ids(&mut scene, "<items node='n'/>"), "");
}

/// F-26: of two that make a node with other demands, one wins.
#[test]
fn demands_are_checked_against_the_node() {
    let mut scene = stage();
    let payload = "<a xmlns='urn:a'/>";
    let open = with_options("n", payload, &[("access_model", "open"), ("persist_items", "true")]);
    let closed = with_options("n", payload, &[("access_model", "whitelist")]);
    assert!(answer(&own(&mut scene, "set", &open)).contains("result"));
    let seen = own(&mut scene, "set", &closed);
    assert!(answer(&seen).contains("pubsub#access_model of the node is another"), "{seen:?}");
    refused(&seen, "cancel", "conflict", "precondition-not-met");
    assert!(answer(&own(&mut scene, "set", &open)).contains("result"));
    // Deleted and made anew, it is as demanded.
    assert!(answer(&own(&mut scene, "set", &owner("<delete node='n'/>"))).contains("result"));
    assert!(answer(&own(&mut scene, "set", &closed)).contains("result"));
    refused(
        &ask(&mut scene, BOB, "get", &pubsub("<items node='n'/>")),
        "cancel",
        "not-allowed",
        "closed-node",
    );
}

fn presence(scene: &mut Scene, from: &str, ver: &str) -> Vec<String> {
    scene.get(&format!(
        "<presence from='{from}' to='alice@example.org'>\
         <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:client' ver='{ver}'/></presence>"
    ))
}

/// A client that wishes for tunes.
const TUNES_QUERY: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='client' type='pc'/><feature var='http://jabber.org/protocol/tune+notify'/></query>";

fn hash_of(query: &str) -> String {
    let tree = xml::Tree::parse(query.as_bytes(), ns::CLIENT).unwrap();
    super::caps::examine(tree.root().unwrap()).unwrap().hash.unwrap()
}

/// The id of the question to a client.
fn question(seen: &[String], to: &str) -> String {
    let head = format!("to='{to}' id='");
    let line = seen.iter().find(|line| line.contains(&head) && line.contains("disco#info"));
    let line = line.unwrap_or_else(|| panic!("nobody asks {to}: {seen:?}"));
    line.split(&head).nth(1).unwrap().split('\'').next().unwrap().to_owned()
}

fn reply(scene: &mut Scene, from: &str, id: &str, query: &str) -> Vec<String> {
    scene.get(&format!("<iq from='{from}' to='alice@example.org' type='result' id='{id}'>{query}</iq>"))
}

fn events(seen: &[String]) -> Vec<&String> {
    seen.iter().filter(|line| line.contains("pubsub#event")).collect()
}

fn tune(scene: &mut Scene, text: &str) -> Vec<String> {
    own(scene, "set", &publish(TUNE, "current", &format!("<tune xmlns='{TUNE}'>{text}</tune>")))
}

#[test]
fn contacts_hear_what_they_wish_for() {
    let tunes = hash_of(TUNES_QUERY);
    let mut scene = stage();
    tune(&mut scene, "first");
    // The hash is unknown: the client is asked, and gets the last item when it has answered.
    let seen = presence(&mut scene, BOB, &tunes);
    let id = question(&seen, BOB);
    assert!(seen.iter().any(|line| line.contains(&format!("node='urn:client#{tunes}'"))), "{seen:?}");
    let seen = reply(&mut scene, BOB, &id, TUNES_QUERY);
    let told = events(&seen);
    assert_eq!(told.len(), 1, "{seen:?}");
    assert!(
        told[0].starts_with("-> <message from='alice@example.org' to='bob@a.example/x' id='"),
        "{told:?}"
    );
    assert!(
        told[0].contains("type='headline'")
            && told[0].contains("first")
            && told[0].contains("urn:xmpp:delay")
    );
    // Once only (XEP-0163 section 4.3.3).
    assert!(presence(&mut scene, BOB, &tunes).is_empty());
    // A second resource of the same hash is not asked, nor is one after a restart.
    let seen = presence(&mut scene, "bob@a.example/y", &tunes);
    assert_eq!(events(&seen).len(), 1, "{seen:?}");
    scene.reload();
    scene.open("phone");
    let seen = presence(&mut scene, BOB, &tunes);
    assert!(events(&seen).len() == 1 && !seen.iter().any(|line| line.contains("disco#info")), "{seen:?}");
    let seen = tune(&mut scene, "second");
    assert!(events(&seen).len() == 1 && events(&seen)[0].contains("second"), "{seen:?}");
    // Of other nodes it does not hear.
    assert!(events(&own(&mut scene, "set", &publish("urn:other", "1", "<a xmlns='urn:other'/>"))).is_empty());
    scene.get("<presence from='bob@a.example/x' to='alice@example.org' type='unavailable'/>");
    assert!(events(&tune(&mut scene, "third")).is_empty());
}

/// E-20: what does not fit its hash is true of that client only, and kept nowhere.
#[test]
fn a_wrong_hash_deceives_nobody() {
    let mut scene = stage();
    scene.contact("carl@a.example", Active, Active);
    tune(&mut scene, "a");
    let seen = presence(&mut scene, BOB, "bm90IGl0");
    let id = question(&seen, BOB);
    let carls = question(&presence(&mut scene, "carl@a.example/x", "bm90IGl0"), "carl@a.example/x");
    let third = presence(&mut scene, "carl@a.example/y", "bm90IGl0");
    assert!(third.iter().all(|line| !line.contains("disco")), "two are asked: {third:?}");
    scene.get("<presence from='carl@a.example/y' to='alice@example.org' type='unavailable'/>");
    assert!(reply(&mut scene, EVE, &id, TUNES_QUERY).is_empty(), "an answer from somebody else");
    let seen = reply(&mut scene, BOB, &id, TUNES_QUERY);
    assert!(!seen.iter().any(|line| line.starts_with("put caps")), "{seen:?}");
    assert_eq!(events(&seen).len(), 1, "{seen:?}");
    let nothing = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    assert!(events(&reply(&mut scene, "carl@a.example/x", &carls, nothing)).is_empty());
    assert_eq!(events(&tune(&mut scene, "b")).len(), 1);
    // Neither an error nor nonsense is believed to be anything.
    let id = question(&presence(&mut scene, "bob@a.example/z", "YWdhaW4="), "bob@a.example/z");
    let seen =
        scene.get(&format!("<iq from='bob@a.example/z' to='alice@example.org' type='error' id='{id}'/>"));
    assert!(seen.is_empty(), "{seen:?}");
}

/// F-27: who has lost access hears nothing more.
#[test]
fn nothing_is_heard_after_access_is_lost() {
    let tunes = hash_of(TUNES_QUERY);
    let mut scene = stage();
    tune(&mut scene, "a");
    let id = question(&presence(&mut scene, BOB, &tunes), BOB);
    reply(&mut scene, BOB, &id, TUNES_QUERY);
    assert_eq!(events(&tune(&mut scene, "b")).len(), 1);
    scene.account.blocked.insert(crate::scene::jid("bob@a.example"));
    assert!(events(&tune(&mut scene, "c")).is_empty(), "blocked");
    scene.account.blocked.clear();
    scene.contact("bob@a.example", Active, Not);
    assert!(events(&tune(&mut scene, "d")).is_empty(), "no longer subscribed");
    scene.contact("bob@a.example", Active, Active);
    configure(&mut scene, TUNE, &[("access_model", "whitelist")]);
    assert!(events(&tune(&mut scene, "e")).is_empty(), "not on the list");
    let list = |what: &str| {
        owner(&format!(
            "<affiliations node='{TUNE}'><affiliation jid='bob@a.example' affiliation='{what}'/></affiliations>"
        ))
    };
    own(&mut scene, "set", &list("member"));
    assert_eq!(events(&tune(&mut scene, "f")).len(), 1, "on the list");
    own(&mut scene, "set", &list("none"));
    assert!(events(&tune(&mut scene, "g")).is_empty());
}

#[test]
fn own_resources_hear_too() {
    let tunes = hash_of(TUNES_QUERY);
    let mut scene = stage();
    tune(&mut scene, "a");
    scene.open("laptop");
    let caps =
        format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:c' ver='{tunes}'/>");
    let seen = scene.send("laptop", &format!("<presence>{caps}</presence>"));
    let id = question(&seen, "alice@example.org/laptop");
    let seen = scene
        .send("laptop", &format!("<iq to='alice@example.org' type='result' id='{id}'>{TUNES_QUERY}</iq>"));
    assert!(events(&seen).len() == 1 && events(&seen)[0].starts_with("laptop: "), "{seen:?}");
    assert!(
        scene
            .send("laptop", &format!("<presence><show>away</show>{caps}</presence>"))
            .iter()
            .all(|l| !l.contains("#event"))
    );
    let seen = tune(&mut scene, "b");
    assert!(events(&seen).len() == 1 && events(&seen)[0].starts_with("laptop: "), "{seen:?}");
    scene.close("laptop");
    assert!(events(&tune(&mut scene, "c")).is_empty());
}

#[test]
fn subscribers_without_presence_hear_too() {
    let mut scene = stage();
    own(&mut scene, "set", &with_options("n", "<a xmlns='urn:a'>1</a>", &[("access_model", "open")]));
    let seen = ask(&mut scene, EVE, "set", &pubsub("<subscribe node='n' jid='eve@a.example'/>"));
    assert!(answer(&seen).contains("<subscription node='n' jid='eve@a.example' subscription='subscribed'/>"));
    assert!(
        events(&seen).len() == 1 && events(&seen)[0].contains("to='eve@a.example' "),
        "the last item: {seen:?}"
    );
    scene.reload();
    scene.open("phone");
    let seen = own(&mut scene, "set", &publish("n", "2", "<a xmlns='urn:a'>2</a>"));
    assert!(events(&seen).len() == 1 && events(&seen)[0].contains("to='eve@a.example' "), "{seen:?}");
    let seen = ask(&mut scene, EVE, "get", &pubsub("<subscriptions/>"));
    assert!(answer(&seen).contains("<subscription node='n' jid='eve@a.example' subscription='subscribed'/>"));
    let seen = own(&mut scene, "set", &owner("<delete node='n'/>"));
    assert!(events(&seen).len() == 1 && events(&seen)[0].contains("<delete node='n'/>"), "{seen:?}");
    assert!(
        answer(&ask(&mut scene, EVE, "get", &pubsub("<subscriptions/>"))).contains("service-unavailable")
    );
}

#[test]
fn owners_let_subscribers_in() {
    let mut scene = stage();
    own(&mut scene, "set", &with_options("n", "<a xmlns='urn:a'>1</a>", &[("access_model", "authorize")]));
    let subscribe = pubsub("<subscribe node='n' jid='eve@a.example'/>");
    let items = pubsub("<items node='n'/>");
    for (allow, word) in [("0", "none"), ("1", "subscribed")] {
        let seen = ask(&mut scene, EVE, "set", &subscribe);
        assert!(answer(&seen).contains("subscription='pending'"), "{seen:?}");
        let form = seen.iter().find(|line| line.contains("subscribe_authorization")).unwrap();
        assert!(
            form.contains("<value>eve@a.example</value>") && form.contains("to='alice@example.org'"),
            "{form}"
        );
        let x = self::form(
            "submit",
            "subscribe_authorization",
            &[("node", "n"), ("subscriber_jid", "eve@a.example"), ("allow", allow)],
        );
        // Only the owner's word counts.
        let other = format!("<message from='bob@a.example/x' to='alice@example.org'>{x}</message>");
        assert!(scene.get(&other).iter().all(|line| !line.starts_with("put node")));
        let seen = scene.send("phone", &format!("<message to='alice@example.org'>{x}</message>"));
        assert!(events(&seen)[0].contains(&format!("subscription='{word}'")), "{seen:?}");
    }
    assert!(answer(&ask(&mut scene, EVE, "get", &items)).contains("<item id='1'>"));
    let list =
        "<affiliations node='n'><affiliation jid='eve@a.example' affiliation='outcast'/></affiliations>";
    let seen = own(&mut scene, "set", &owner(list));
    assert!(events(&seen)[0].contains("subscription='none'"), "{seen:?}");
    refused(&ask(&mut scene, EVE, "get", &items), "auth", "forbidden", "");
}

#[test]
fn discovery_shows_what_one_may_see() {
    let mut scene = furnished();
    let ask_disco = |scene: &mut Scene, from: &str, which: &str, node: &str| {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#{which}'{node}/>");
        let seen = match from {
            "" => own(scene, "get", &query),
            from => ask(scene, from, "get", &query),
        };
        answer(&seen).to_owned()
    };
    let nodes = |line: &str| {
        let names: Vec<String> =
            line.split(" node='").skip(1).map(|r| r.split('\'').next().unwrap().into()).collect();
        names.join(" ")
    };
    let all = nodes(&ask_disco(&mut scene, "", "items", ""));
    assert_eq!(all, "authorize bare bell closed fleeting open presence roster small whitelist");
    assert_eq!(
        nodes(&ask_disco(&mut scene, BOB, "items", "")),
        "bare bell closed fleeting open presence small"
    );
    assert_eq!(nodes(&ask_disco(&mut scene, EVE, "items", "")), "closed open");
    let seen = ask_disco(&mut scene, EVE, "items", " node='open'");
    assert!(seen.contains("<item jid='alice@example.org' name='1'/>"), "{seen}");
    let seen = ask_disco(&mut scene, EVE, "info", " node='open'");
    assert!(
        seen.contains("<identity category='pubsub' type='leaf'/>") && seen.contains("pubsub#meta-data"),
        "{seen}"
    );
    let seen = ask_disco(&mut scene, EVE, "info", " node='whitelist'");
    assert!(seen.contains("closed-node"), "{seen}");
}

/// F-25.
#[test]
fn there_is_an_end_to_it() {
    let mut scene = stage();
    for n in 0..crate::limits::NODES_MAX {
        scene.account.slots.of::<crate::node::Nodes>();
        let seen = own(&mut scene, "set", &pubsub(&format!("<create node='{n}'/>")));
        assert!(answer(&seen).contains("result"), "{seen:?}");
    }
    refused(
        &own(&mut scene, "set", &pubsub("<create node='x'/>")),
        "wait",
        "resource-constraint",
        "max-nodes-exceeded",
    );
    refused(
        &own(&mut scene, "set", &publish("x", "1", "<a/>")),
        "wait",
        "resource-constraint",
        "max-nodes-exceeded",
    );
    configure(&mut scene, "0", &[("max_items", "100000")]);
    for n in 0..300 {
        own(&mut scene, "set", &publish("0", &n.to_string(), "<a xmlns='urn:a'/>"));
    }
    let seen = own(&mut scene, "get", &pubsub("<items node='0'/>"));
    assert_eq!(answer(&seen).matches("<item id=").count(), 256);
    assert!(answer(&seen).contains("<item id='299'>") && !answer(&seen).contains("<item id='43'>"));
}

/// RFC 6120 section 13.11: an account that has nothing for a stranger answers like one that is not there.
#[test]
fn strangers_learn_nothing_of_an_account_that_is_closed_to_them() {
    let mut scene = stage();
    for access in ["presence", "roster", "whitelist"] {
        own(&mut scene, "set", &with_options(access, "<a xmlns='urn:a'/>", &[("access_model", access)]));
    }
    let requests = [
        pubsub("<items node='presence'/>"),
        pubsub("<items node='whitelist'/>"),
        pubsub("<items node='nowhere'/>"),
        pubsub("<subscribe node='presence' jid='eve@a.example'/>"),
        pubsub("<publish node='presence'/>"),
        pubsub("<affiliations/>"),
        pubsub("<subscriptions/>"),
        pubsub("<create/>"),
        pubsub("<nonsense/>"),
        pubsub(""),
        owner("<configure node='presence'/>"),
        owner("<default/>"),
    ];
    for payload in &requests {
        for ty in ["get", "set"] {
            let seen = ask(&mut scene, EVE, ty, payload);
            assert!(answer(&seen).contains(&error("cancel", "service-unavailable")), "{seen:?}");
        }
    }
    // Who is on a list is told what is wrong.
    let list = "<affiliations node='whitelist'><affiliation jid='eve@a.example' affiliation='member'/></affiliations>";
    own(&mut scene, "set", &owner(list));
    assert!(answer(&ask(&mut scene, EVE, "get", &requests[1])).contains("<item id='1'>"));
    refused(
        &ask(&mut scene, EVE, "get", &requests[0]),
        "auth",
        "not-authorized",
        "presence-subscription-required",
    );
}

/// RFC 6120 section 8.3: whatever is asked by whomever, there is one answer, and nothing panics.
#[test]
fn every_request_is_answered_once() {
    let mut scene = furnished();
    let names = [
        "affiliations",
        "collection",
        "configure",
        "create",
        "default",
        "delete",
        "items",
        "options",
        "publish",
        "purge",
        "retract",
        "subscribe",
        "subscriptions",
        "unsubscribe",
        "x",
    ];
    let inners = [
        "",
        "text",
        "<item/>",
        "<item id='1'/>",
        "<item id='1'><a/></item>",
        "<associate node='open'/>",
        "<x xmlns='jabber:x:data' type='submit'/>",
        "<x xmlns='jabber:x:data' type='submit'><field/></x>",
        "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#max_items'/></x>",
        "<affiliation jid='bob@a.example' affiliation='owner'/>",
        "<subscription jid='bob@a.example' subscription='none'/>",
    ];
    let attrs = [
        "",
        " node='open'",
        " node='whitelist' jid='eve@a.example'",
        " node='&#x1F600;' jid='alice@example.org/x'",
    ];
    for ns in ["http://jabber.org/protocol/pubsub", "http://jabber.org/protocol/pubsub#owner"] {
        for (name, inner) in names.iter().flat_map(|name| inners.iter().map(move |inner| (name, inner))) {
            for attr in attrs {
                let payload = format!("<pubsub xmlns='{ns}'><{name}{attr}>{inner}</{name}>{inner}</pubsub>");
                for ty in ["get", "set"] {
                    answer(&ask(&mut scene, EVE, ty, &payload));
                    answer(&own(&mut scene, ty, &payload));
                }
            }
        }
    }
}

/// What is stored is what is in memory: after a restart everything is as it was.
#[test]
fn a_restart_changes_nothing() {
    let mut scene = furnished();
    own(
        &mut scene,
        "set",
        &owner(
            "<affiliations node='small'><affiliation jid='m@a.example' affiliation='member'/></affiliations>",
        ),
    );
    ask(&mut scene, BOB, "set", &pubsub("<subscribe node='presence' jid='bob@a.example/x'/>"));
    let look = |scene: &mut Scene| {
        let mut seen = Vec::new();
        for node in ["open", "presence", "roster", "authorize", "whitelist", "bell", "small"] {
            for request in ["configure", "affiliations", "subscriptions"] {
                seen.push(
                    answer(&own(scene, "get", &owner(&format!("<{request} node='{node}'/>")))).to_owned(),
                );
            }
        }
        seen.push(answer(&ask(scene, EVE, "get", &pubsub("<subscriptions/>"))).to_owned());
        seen
    };
    let before = look(&mut scene);
    scene.reload();
    scene.open("phone");
    assert_eq!(look(&mut scene), before);
    assert!(before.iter().any(|line| line.contains("bob@a.example/x")), "{before:?}");
}

/// XEP-0060 section 12.2: who is let in gets the last item.
#[test]
fn who_is_let_in_gets_the_last_item() {
    let tunes = hash_of(TUNES_QUERY);
    let mut scene = stage();
    scene.contact("carl@a.example", Active, kernel::Direction::Pending);
    tune(&mut scene, "a");
    let id = question(&presence(&mut scene, "carl@a.example/x", &tunes), "carl@a.example/x");
    assert!(events(&reply(&mut scene, "carl@a.example/x", &id, TUNES_QUERY)).is_empty(), "not yet");
    let seen = scene.send("phone", "<presence to='carl@a.example' type='subscribed'/>");
    assert!(events(&seen).len() == 1 && events(&seen)[0].contains("to='carl@a.example/x'"), "{seen:?}");
}

/// E-20: many resources, hashes and strangers take no more room than there is.
#[test]
fn nobody_fills_the_memory() {
    let mut scene = stage();
    let questions = |seen: Vec<String>| seen.iter().filter(|line| line.contains("disco#info")).count();
    let asked: usize = (0..100)
        .map(|n| questions(presence(&mut scene, &format!("bob@a.example/{n}"), &format!("h{n}"))))
        .sum();
    assert_eq!(asked, crate::limits::PEERS_EACH_MAX);
    let strangers: usize = (0..100)
        .map(|n| questions(presence(&mut scene, &format!("eve{n}@a.example/x"), &format!("s{n}"))))
        .sum();
    assert_eq!(strangers, crate::limits::STRANGERS_MAX);
    // What rooms send to a resource is no wish of anybody's.
    let caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:c' ver='abc'/>";
    let room =
        format!("<presence from='room@muc.example/nick' to='alice@example.org/phone'>{caps}</presence>");
    assert_eq!(questions(scene.get(&room)), 0);
    // The old format is asked for, and kept nowhere.
    scene.contact("dora@a.example", Active, Active);
    let old = caps.replace(" hash='sha-1'", "");
    let seen =
        scene.get(&format!("<presence from='dora@a.example/x' to='alice@example.org'>{old}</presence>"));
    let id = question(&seen, "dora@a.example/x");
    let seen = reply(&mut scene, "dora@a.example/x", &id, TUNES_QUERY);
    assert!(!seen.iter().any(|line| line.starts_with("put caps")), "{seen:?}");
    assert_eq!(events(&tune(&mut scene, "a")).len(), 1);
}
