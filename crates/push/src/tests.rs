//! Plays of the push service: what clients ask, what is published, what comes back.
//!
//! Not here: HTTP and encryption (crate `webpush`).

use std::collections::VecDeque;
use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Effect, Effects, Now, Service, Spot, Turn};
use model::push::{Outcome, PushFound, PushQuery};
use model::query::{Found, Query};
use model::storage::Batch;
use stanza::Stanza;
use store::memory::Memory;
use store::{Store, block_on};

use crate::{Pushes, gone, limits};

const OWN: &str = "alice@a.example";
const HOST: &str = "a.example";
const SERVICE: &str = "push.a.example";

struct Stage {
    service: Pushes,
    store: Memory,
    asked: Vec<PushQuery>,
    found: PushFound,
    turns: u64,
}

impl Stage {
    fn new() -> Stage {
        let count = std::sync::atomic::AtomicU8::new(0);
        let random =
            move |bytes: &mut [u8]| bytes.fill(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let service = Pushes::new(Jid::parse(SERVICE).unwrap(), Jid::parse(HOST).unwrap(), Arc::new(random));
        Stage { service, store: Memory::new(), asked: Vec::new(), found: PushFound::Done, turns: 0 }
    }

    fn send(&mut self, xml: &str) -> Vec<String> {
        let stanza = Stanza::from_stored(xml.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {xml}"));
        self.bring(stanza)
    }

    fn bring(&mut self, stanza: Stanza) -> Vec<String> {
        let mut spot = Spot::new(Bare::parse(SERVICE).unwrap());
        let (mut lines, mut asked) = (Vec::new(), VecDeque::new());
        let mut fx = Effects::default();
        self.service.arrive(&mut turn(&mut self.turns, &mut spot, &mut fx), stanza);
        loop {
            for effect in fx.take() {
                match effect {
                    Effect::Route(stanza) => lines.push(format!("{stanza:?}")),
                    Effect::Write(write) => {
                        lines.push(format!("{write:?}"));
                        block_on(self.store.commit(Batch::from(write))).unwrap();
                    }
                    Effect::AskSpot(_, query, resume) => asked.push_back((query, resume)),
                    other => panic!("{other:?}"),
                }
            }
            let Some((query, resume)) = asked.pop_front() else { return lines };
            let found = match query {
                Query::Read(read) => Found::Loaded(block_on(self.store.read(read)).unwrap()),
                Query::Push(PushQuery::Key) => Found::Push(PushFound::Key("BKey".into())),
                Query::Push(query) => {
                    self.asked.push(query);
                    Found::Push(self.found.clone())
                }
                other => panic!("{other:?}"),
            };
            resume(&mut turn(&mut self.turns, &mut spot, &mut fx), Ok(found));
        }
    }

    fn iq(&mut self, from: &str, ty: &str, payload: &str) -> String {
        let mut seen = self.send(&format!(
            "<iq xmlns='jabber:client' from='{from}' to='{SERVICE}' id='i' type='{ty}'>{payload}</iq>"
        ));
        seen.retain(|line| line.starts_with("<iq "));
        assert_eq!(seen.len(), 1, "{payload}");
        seen.remove(0)
    }

    fn command(&mut self, from: &str, node: &str, fields: &[(&str, &str)]) -> String {
        let field =
            |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
        let command =
            format!("<command xmlns='http://jabber.org/protocol/commands' node='{node}'>{form}</command>");
        self.iq(from, "set", &command)
    }

    fn register(&mut self, endpoint: &str) -> String {
        let (key, auth) = keys();
        let fields = [("endpoint", endpoint), ("p256dh", &key[..]), ("auth", &auth[..])];
        let seen = self.command(&format!("{OWN}/web"), "register-web-push", &fields);
        let (_, node) = seen.split_once("<field var='node' type='text-single'><value>").expect(&seen);
        node.split('<').next().unwrap().to_owned()
    }

    fn publish(&mut self, from: &str, node: &str, notification: &str) -> String {
        let payload = format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'><item>{notification}</item>\
             </publish></pubsub>"
        );
        self.iq(from, "set", &payload)
    }
}

fn turn<'a>(turns: &mut u64, spot: &'a mut Spot, fx: &'a mut Effects) -> Turn<'a, Spot> {
    *turns += 1;
    Turn::new(Now { unix_ms: 1_000 * *turns }, *turns, spot, None, fx)
}

fn keys() -> (String, String) {
    ("A".repeat(87 - 1) + "A", "AAAAAAAAAAAAAAAAAAAAAA".into())
}

fn summary(fields: &str) -> String {
    format!(
        "<notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
         <value>urn:xmpp:push:summary</value></field>{fields}</x></notification>"
    )
}

const COUNT: &str = "<field var='message-count'><value>3</value></field>";
const BODY: &str = "<field var='last-message-body'><value>New message</value></field>";

#[test]
fn a_browser_registers_and_is_told() {
    let mut stage = Stage::new();
    let ask =
        "<command xmlns='http://jabber.org/protocol/commands' node='register-web-push' action='execute'/>";
    let seen = stage.iq(&format!("{OWN}/web"), "set", ask);
    assert!(seen.contains("<value>BKey</value>") && seen.contains("status='executing'"), "{seen}");
    let node = stage.register("https://web.example/push/1");
    assert!(
        matches!(&stage.asked[..], [PushQuery::Check(to)] if to.endpoint == "https://web.example/push/1")
    );
    assert_eq!(stage.register("https://web.example/push/1"), node, "the same browser");
    let seen = stage.publish(OWN, &node, &summary(&format!("{COUNT}{BODY}")));
    assert!(seen.contains("type='result'"), "{seen}");
    let Some(PushQuery::Send(sent)) = stage.asked.pop() else { panic!("{:?}", stage.asked) };
    assert_eq!(sent.text, br#"{"last-message-body":"New message","message-count":"3"}"#);
    assert!(sent.urgent && sent.account.as_str() == OWN && sent.node == node);
    for (found, condition) in [
        (PushFound::Full, "resource-constraint"),
        (PushFound::Refused("no"), "item-not-found"),
        (PushFound::Off, "service-unavailable"),
    ] {
        stage.found = found;
        let seen = stage.publish(OWN, &node, &summary(COUNT));
        assert!(seen.contains(&format!("<{condition} ")), "{seen}");
    }
    let list = "<command xmlns='http://jabber.org/protocol/commands' node='list-web-push'/>";
    let seen = stage.iq(&format!("{OWN}/web"), "set", list);
    assert!(seen.contains(&format!("<value>{node} web.example</value>")), "{seen}");
    assert!(
        stage.command(&format!("{OWN}/web"), "unregister-web-push", &[("node", &node)]).contains("completed")
    );
    assert!(stage.publish(OWN, &node, &summary(COUNT)).contains("<item-not-found "));
}

#[test]
fn an_endpoint_that_is_gone_ends_the_node() {
    let mut stage = Stage::new();
    let node = stage.register("https://web.example/push/1");
    let (service, account) = (Jid::parse(SERVICE).unwrap(), Bare::parse(OWN).unwrap());
    let forged = gone(&service, &account, &node).from(&Jid::parse("eve@a.example/x").unwrap());
    let seen = stage.bring(forged);
    assert!(seen.len() == 1 && seen[0].contains("<service-unavailable "), "{seen:?}");
    assert!(stage.publish(OWN, &node, &summary(COUNT)).contains("type='result'"));
    let seen = stage.bring(gone(&service, &account, &node));
    assert_eq!(seen.len(), 2);
    let told = format!(
        "<message from='{SERVICE}' to='{OWN}'><pubsub xmlns='http://jabber.org/protocol/pubsub' \
        node='{node}'><affiliation jid='{OWN}' affiliation='none'/></pubsub></message>"
    );
    assert_eq!(seen[1], told);
    assert!(stage.publish(OWN, &node, &summary(COUNT)).contains("<item-not-found "));
}

#[test]
fn too_many_browsers_push_out_the_oldest() {
    let mut stage = Stage::new();
    let nodes: Vec<String> = (0..=limits::SUBSCRIPTIONS_MAX)
        .map(|n| stage.register(&format!("https://web.example/{n}")))
        .collect();
    assert!(stage.publish(OWN, &nodes[0], &summary(COUNT)).contains("<item-not-found "));
    assert!(stage.publish(OWN, &nodes[1], &summary(COUNT)).contains("type='result'"));
}

#[test]
fn unified_push_has_ways_in() {
    let mut stage = Stage::new();
    let hash = "A".repeat(43) + "=";
    let client = format!("{OWN}/phone");
    let register = |a: &str, i: &str| {
        format!(
            "<register xmlns='http://gultsch.de/xmpp/drafts/unified-push' application='{a}' instance='{i}'/>"
        )
    };
    stage.found = PushFound::Way("https://a.example/push/t&1".into());
    let seen = stage.iq(&client, "set", &register(&hash, &hash));
    assert!(
        seen.contains("endpoint='https://a.example/push/t&amp;1'")
            && seen.contains("expiration='1970-01-02T"),
        "{seen}"
    );
    let Some(PushQuery::Open { client: whose, .. }) = stage.asked.pop() else { panic!() };
    assert_eq!(whose.as_str(), client);
    for (from, application, condition) in [
        (&client[..], "AAAA", "bad-request"),
        (&client[..], "%", "bad-request"),
        (OWN, &hash[..], "forbidden"),
        ("eve@b.example/x", &hash[..], "forbidden"),
    ] {
        let seen = stage.iq(from, "set", &register(application, &hash));
        assert!(seen.contains(&format!("<{condition} ")), "{from}: {seen}");
    }
    let refusal = |condition: &str| {
        format!("<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")
    };
    for (ty, inner, want) in [
        ("result", String::new(), Outcome::Taken),
        ("error", refusal("item-not-found"), Outcome::Gone),
        ("error", refusal("feature-not-implemented"), Outcome::Gone),
        ("error", refusal("service-unavailable"), Outcome::Later),
        ("error", String::new(), Outcome::Later),
    ] {
        let answer = format!(
            "<iq xmlns='jabber:client' from='{client}' to='{SERVICE}' id='7' type='{ty}'>{inner}</iq>"
        );
        assert!(stage.send(&answer).is_empty());
        let asked = stage.asked.pop();
        assert!(
            matches!(asked, Some(PushQuery::Answered { id, outcome, .. }) if id == "7" && outcome == want),
            "{ty}"
        );
    }
}

/// Whatever is sent to the service: a standard error, and nothing goes out.
#[test]
fn bad_input() {
    let mut stage = Stage::new();
    let node = stage.register("https://web.example/push/1");
    stage.asked.clear();
    let web = format!("{OWN}/web");
    let pubsub = |inner: &str| format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{inner}</pubsub>");
    let good = summary(COUNT);
    let publish = |node: &str, inner: &str| pubsub(&format!("<publish node='{node}'>{inner}</publish>"));
    let long = "n".repeat(70_000);
    for (from, ty, payload, condition) in [
        (OWN, "set", pubsub(""), "feature-not-implemented"),
        (OWN, "set", pubsub("<subscribe node='a'/>"), "feature-not-implemented"),
        (OWN, "get", pubsub("<items node='a'/>"), "feature-not-implemented"),
        (OWN, "set", publish("", &format!("<item>{good}</item>")), "item-not-found"),
        (OWN, "set", publish(&long, &format!("<item>{good}</item>")), "item-not-found"),
        (OWN, "set", publish("unknown", &format!("<item>{good}</item>")), "item-not-found"),
        (OWN, "set", publish(&node, ""), "bad-request"),
        (OWN, "set", publish(&node, "<item/>"), "bad-request"),
        (OWN, "set", publish(&node, "<item><x xmlns='urn:x'/></item>"), "bad-request"),
        (&web, "set", publish(&node, &format!("<item>{good}</item>")), "forbidden"),
        ("bob@a.example", "set", publish(&node, &format!("<item>{good}</item>")), "item-not-found"),
        ("alice@b.example", "set", publish(&node, &format!("<item>{good}</item>")), "forbidden"),
        ("b.example", "set", publish(&node, &format!("<item>{good}</item>")), "forbidden"),
        (OWN, "get", "<query xmlns='urn:unknown'/>".into(), "service-unavailable"),
        (
            OWN,
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>".into(),
            "item-not-found",
        ),
        (
            &web,
            "set",
            "<command xmlns='http://jabber.org/protocol/commands' node='x'/>".into(),
            "item-not-found",
        ),
        (&web, "set", "<command xmlns='http://jabber.org/protocol/commands'/>".into(), "item-not-found"),
        (
            &web,
            "set",
            "<command xmlns='http://jabber.org/protocol/commands' node='list-web-push' action='prev'/>"
                .into(),
            "bad-request",
        ),
    ] {
        let seen = stage.iq(from, ty, &payload);
        assert!(seen.contains(&format!("<{condition} ")), "{from} {payload:.200}: {seen}");
    }
    let (key, auth) = keys();
    for fields in [
        &[][..],
        &[("endpoint", "https://x.example/")],
        &[("endpoint", "https://x.example/"), ("p256dh", "AAAA"), ("auth", &auth)],
        &[("endpoint", "https://x.example/"), ("p256dh", &key), ("auth", "AAAA")],
        &[("endpoint", "https://x.example/"), ("p256dh", "?"), ("auth", &auth)],
        &[("endpoint", &long), ("p256dh", &key), ("auth", &auth)],
        &[("FORM_TYPE", "urn:x"), ("endpoint", "https://x.example/"), ("p256dh", &key), ("auth", &auth)],
    ] {
        let seen = stage.command(&web, "register-web-push", fields);
        assert!(seen.contains("<bad-request "), "{seen}");
    }
    assert!(stage.asked.is_empty(), "{:?}", stage.asked);
    stage.found = PushFound::Refused("the endpoint is not public");
    let fields = [("endpoint", "https://10.0.0.1/"), ("p256dh", &key[..]), ("auth", &auth[..])];
    assert!(stage.command(&web, "register-web-push", &fields).contains("the endpoint is not public"));

    // What is too long is left out, from the longest; odd forms say little.
    stage.found = PushFound::Done;
    let body = format!("{COUNT}<field var='last-message-body'><value>{long}</value></field>");
    let repeated = format!("{COUNT}{COUNT}");
    let strange = format!("{COUNT}<field var='{long}'><value>a</value></field>");
    for (fields, text) in
        [(body, r#"{"message-count":"3"}"#), (repeated, "{}"), (strange, "{}"), (String::new(), "{}")]
    {
        let seen = stage.publish(OWN, &node, &summary(&fields));
        assert!(seen.contains("type='result'"), "{seen}");
        let Some(PushQuery::Send(sent)) = stage.asked.pop() else { panic!() };
        assert_eq!(String::from_utf8(sent.text).unwrap(), text);
    }
}

/// One message may wake the devices of many accounts, and each asks.
#[test]
fn more_devices_are_woken_at_once_than_a_room_may_ask() {
    assert!(Stage::new().service.asks_max() >= 10 * kernel::limits::ASKS_SPOT_MAX);
}
