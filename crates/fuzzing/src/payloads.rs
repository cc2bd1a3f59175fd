//! Target 3, `payloads`: stanzas and the payloads that the server reads, keeps and writes.
//!
//! Oracles: what is written reads back as it was, and what is stored as well; what the server does not know goes through
//! it unchanged; what an account has set (roster, private XML, vCard, blocked addresses, archive preferences) it gets
//! back; every request, however odd its payload, has exactly one answer, and an error is never answered.
//!
//! Not here: the XML grammar (xml_stream.rs, xml_tree.rs), counters (sm.rs).

use std::collections::BTreeSet;

use address::{Bare, Jid};
use bytes::Bytes;
use scenes::{Act, Heard, Pace, Pure, Wish, World};
use stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza, ns};
use xml::{El, Element, Event, Framing, Limits, Parser, Tree, Writer};

use crate::source::Source;
use crate::xml_flat::flatten;

const JULIET: &str = "juliet@example.org";
const ROMEO: &str = "romeo@example.org";
const ADDRESSES: [&str; 9] = [
    "romeo@example.org",
    "Romeo@Example.ORG/Garden",
    "example.org",
    "nobody@example.org",
    "eve@other.example/x",
    "fish@example.com",
    "\u{fb01}sh@example.com",
    "@",
    "juliet@example.org/balcony",
];

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn payloads(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    match mode % 4 {
        0 => read(rest).iter().for_each(as_stanza),
        1 => made(&mut Source::new(rest)),
        2 => kept(&mut Source::new(rest)),
        _ => asked(rest),
    }
}

/// The first-level elements of a client's stream.
fn read(bytes: &[u8]) -> Vec<Element> {
    let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
    parser.push(b"<s:s xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>");
    parser.push(bytes);
    let mut elements = Vec::new();
    while let Ok(Some(event)) = parser.next() {
        if let Event::Element(element) = event {
            elements.push(element);
        }
    }
    elements
}

fn one(stanza: &Stanza) -> Element {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes, None);
    let mut elements = read(&bytes);
    assert_eq!(elements.len(), 1, "one stanza is one element: {}", bytes.escape_ascii());
    elements.remove(0)
}

/// All that a stanza is.
fn fields(stanza: &Stanza) -> (Kind, [Option<String>; 4], Bytes) {
    let jid = |jid: &Option<Jid>| jid.as_ref().map(ToString::to_string);
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let all = [jid(&stanza.from), jid(&stanza.to), text(&stanza.id), text(&stanza.lang)];
    (stanza.kind, all, stanza.payload.inner().clone())
}

fn as_stanza(element: &Element) {
    if element.ns() != ns::CLIENT || Kind::parse(element.name(), None).is_none() && element.name() != "iq" {
        return;
    }
    match Stanza::from_element(element) {
        Ok(stanza) => round_trips(&stanza),
        Err(unusable) => {
            if let Some(reply) = unusable.reply {
                assert!(reply.kind.is_error() && reply.from.is_none() && reply.to.is_none());
                // A request without an id cannot be answered with one.
                if reply.id.is_some() || !matches!(reply.kind, Kind::Iq(_)) {
                    round_trips(&reply);
                }
                assert!(element.attr("type").is_none_or(|ty| ty != "error"), "an error is answered");
            }
        }
    }
}

fn round_trips(stanza: &Stanza) {
    let stored = Stanza::from_stored(&stanza.to_stored()).unwrap_or_else(|error| panic!("stored: {error}"));
    assert_eq!(fields(&stored), fields(stanza), "stored");
    let Ok(again) = Stanza::from_element(&one(stanza)) else {
        panic!("what is written is no stanza: {:?}", fields(stanza))
    };
    assert_eq!(fields(&again), fields(stanza), "written");
    let names = |stanza: &Stanza| -> Vec<(String, String)> {
        stanza.payload.children().map(|child| (child.name().to_owned(), child.ns().to_owned())).collect()
    };
    assert_eq!(names(&stored), names(stanza));
    assert_eq!(names(&again), names(stanza));
    let more = stanza.payload.with(|w| _ = w.leaf("added", "urn:added", "<&'>"));
    assert_eq!(more.children().len(), stanza.payload.children().len() + 1);
    assert_eq!(more.text_of("added", "urn:added").as_deref(), Some("<&'>"));
    let less = more.without(|child| child.is("added", "urn:added"));
    if !stanza.payload.has("added", "urn:added") {
        assert_eq!(less.inner(), stanza.payload.inner(), "what was added is taken away");
    }
    assert!(less.children().all(|child| child.tree().is_ok()));
    let answer = stanza.error(Condition::BadRequest.into());
    assert_eq!(answer.is_none(), stanza.kind.is_error() || stanza.kind == Kind::Iq(IqType::Result));
    if let Some(answer) = answer {
        assert_eq!((&answer.from, &answer.to, &answer.id), (&stanza.to, &stanza.from, &stanza.id));
        assert!(answer.error(Condition::BadRequest.into()).is_none(), "an error is answered");
        let element = one(&answer);
        assert!(element.child("error", ns::CLIENT).is_some());
    }
}

/// A stanza out of its parts.
fn made(source: &mut Source<'_>) {
    let kinds = [
        Kind::Message(MessageType::Chat),
        Kind::Message(MessageType::Groupchat),
        Kind::Message(MessageType::Normal),
        Kind::Message(MessageType::Headline),
        Kind::Message(MessageType::Error),
        Kind::Presence(PresenceType::Available),
        Kind::Presence(PresenceType::Unavailable),
        Kind::Presence(PresenceType::Subscribe),
    ];
    let kind = kinds[source.below(kinds.len())];
    let mut address = || Jid::parse(source.pick(&ADDRESSES)).ok();
    let (from, to) = (address(), address());
    let mut text = || Some(source.text()).filter(|text| is_xml(text)).map(std::sync::Arc::from);
    let (id, lang) = (text(), text());
    let mut w = Writer::new(ns::CLIENT);
    content(source, &mut w, 0);
    let stanza = Stanza { from, to, id, lang, ..Stanza::new(kind) };
    let stanza = Stanza { payload: stanza::Payload::canonical(w.finish()), ..stanza };
    let stored = Stanza::from_stored(&stanza.to_stored()).unwrap_or_else(|error| panic!("stored: {error}"));
    assert_eq!(fields(&stored), fields(&stanza), "stored");
    let Ok(again) = Stanza::from_element(&one(&stanza)) else {
        panic!("what is written is no stanza: {:?}", fields(&stanza))
    };
    assert_eq!(fields(&again), fields(&stanza), "written");
}

/// Whether XML can carry it; the parser lets nothing else in.
fn is_xml(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
    })
}

/// Elements and texts that mean nothing to the server.
fn content(source: &mut Source<'_>, w: &mut Writer, depth: usize) {
    for _ in 0..source.below(4) {
        let name = source.pick(&["x", "y", "item", "ü", "query"]);
        w.open(name, source.pick(&["urn:x", "urn:y", "urn:z'&<"]));
        if source.byte() & 1 == 1 {
            w.attr("a", source.text()).attr("xml:lang", "de").attr_ns("urn:n", "b", source.text());
        }
        if source.byte() & 1 == 1 {
            w.text(source.text());
        }
        if depth < 4 {
            content(source, w, depth + 1);
        }
        w.close();
    }
}

/// A server with two who are there.
struct Server(Pure);

impl Server {
    fn new() -> Server {
        let mut world = Pure::new(Pace::Single);
        let bare = |text: &str| Bare::parse(text).unwrap_or_else(|error| panic!("{error}"));
        for (client, (account, resource)) in [(JULIET, "balcony"), (ROMEO, "garden")].into_iter().enumerate()
        {
            let jid = bare(account).with_resource(resource).unwrap_or_else(|error| panic!("{error}"));
            let acts = [
                Act::Account(bare(account)),
                Act::Connect(client, jid, Wish::default()),
                Act::Send(client, "<presence/>".to_owned()),
            ];
            // Domains and accounts come before the first client.
            if client == 0 {
                world.act(Act::Account(bare(ROMEO))).unwrap_or_else(|error| panic!("{error}"));
            }
            for act in acts.into_iter().skip(client) {
                world.act(act).unwrap_or_else(|error| panic!("{error}"));
            }
            world.hear(client);
        }
        world.hear(0);
        Server(world)
    }

    /// What a client hears after Juliet has said this.
    fn say(&mut self, text: &str, client: usize) -> Vec<Element> {
        self.0.act(Act::Send(0, text.to_owned())).unwrap_or_else(|error| panic!("{error}: {text}"));
        let heard = self.0.hear(client);
        let stanzas = heard.into_iter().filter_map(|heard| match heard {
            Heard::Stanza(text) => Some(text),
            _ => None,
        });
        stanzas.flat_map(|text| read(text.as_bytes())).collect()
    }

    /// The payload of the result, if it is one.
    fn ask(&mut self, ty: &str, payload: &Bytes) -> Option<Element> {
        let payload = String::from_utf8_lossy(payload);
        let answers = self.say(&format!("<iq type='{ty}' id='q'>{payload}</iq>"), 0);
        let mut answers = answers.into_iter().filter(|el| el.attr("id").is_some_and(|id| id == "q"));
        let (Some(answer), None) = (answers.next(), answers.next()) else { panic!("one answer: {payload}") };
        answer.attr("type").is_some_and(|ty| ty == "result").then_some(answer)
    }
}

/// What an account sets, it gets.
fn kept(source: &mut Source<'_>) {
    let mut server = Server::new();
    match source.below(6) {
        0 => roster(&mut server, source),
        1 => private(&mut server, source),
        2 => vcard(&mut server, source),
        3 => blocked(&mut server, source),
        4 => preferences(&mut server, source),
        _ => message(&mut server, source),
    }
}

fn query(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    write(&mut w);
    w.finish()
}

/// The elements inside the result's payload, flat.
fn inside<T>(result: &Element, read: impl Fn(El<'_>) -> T) -> Vec<T> {
    let Ok(tree) = Tree::parse(result.bytes(), result.content_ns()) else { panic!("no tree") };
    let payload = tree.root().and_then(|root| root.children().next());
    payload.map(|payload| payload.children().map(read).collect()).unwrap_or_default()
}

fn roster(server: &mut Server, source: &mut Source<'_>) {
    let (address, name) = (source.pick(&ADDRESSES), source.text());
    let groups: Vec<String> = (0..source.below(4)).map(|_| source.text()).collect();
    let set = query(|w| {
        w.open("query", ns::ROSTER).open("item", ns::ROSTER).attr("jid", address).attr("name", &name);
        groups.iter().for_each(|group| _ = w.leaf("group", ns::ROSTER, group));
        w.close().close();
    });
    if server.ask("set", &set).is_none() {
        return;
    }
    let Some(result) = server.ask("get", &query(|w| _ = w.open("query", ns::ROSTER).close())) else {
        panic!("no roster")
    };
    let items = inside(&result, |item| {
        let groups: BTreeSet<String> = item.children().map(|group| group.text().into_owned()).collect();
        (item.attr("jid").unwrap_or_default().into_owned(), item.attr("name").map(|n| n.into_owned()), groups)
    });
    let [(jid, kept_name, kept_groups)] = &items[..] else { panic!("{items:?}") };
    let carried = |text: &str| -> String {
        text.chars().map(|c| if is_xml(c.encode_utf8(&mut [0; 4])) { c } else { '\u{FFFD}' }).collect()
    };
    assert_eq!(Some(jid.as_str()), Jid::parse(address).ok().as_ref().map(Jid::as_str));
    assert_eq!(kept_name.clone().unwrap_or_default(), carried(&name));
    assert_eq!(*kept_groups, groups.iter().map(|group| carried(group)).collect::<BTreeSet<_>>());
}

fn private(server: &mut Server, source: &mut Source<'_>) {
    let set = query(|w| {
        w.open("query", ns::PRIVATE).open("drawer", "urn:drawer").attr("a", source.text());
        content(source, w, 0);
        w.close().close();
    });
    if server.ask("set", &set).is_none() {
        return;
    }
    let get = query(|w| _ = w.open("query", ns::PRIVATE).open("drawer", "urn:drawer").close().close());
    let Some(result) = server.ask("get", &get) else { panic!("nothing kept") };
    let Ok(tree) = Tree::parse(&set, ns::CLIENT) else { panic!("our own writing") };
    let sent: Vec<_> = tree.root().into_iter().flat_map(|query| query.children()).map(flatten).collect();
    assert_eq!(inside(&result, flatten), sent);
}

fn vcard(server: &mut Server, source: &mut Source<'_>) {
    let set = query(|w| {
        w.open("vCard", ns::VCARD).leaf("FN", ns::VCARD, source.text());
        content(source, w, 0);
        w.close();
    });
    if server.ask("set", &set).is_none() {
        return;
    }
    let Some(result) = server.ask("get", &query(|w| _ = w.open("vCard", ns::VCARD).close())) else {
        panic!("nothing kept")
    };
    assert_eq!(result.inner_bytes(), &set[..]);
}

fn blocked(server: &mut Server, source: &mut Source<'_>) {
    let addresses: Vec<&str> = (0..source.below(5)).map(|_| source.pick(&ADDRESSES)).collect();
    let set = query(|w| {
        w.open("block", ns::BLOCKING);
        addresses.iter().for_each(|jid| _ = w.open("item", ns::BLOCKING).attr("jid", jid).close());
        w.close();
    });
    if server.ask("set", &set).is_none() {
        return;
    }
    let Some(result) = server.ask("get", &query(|w| _ = w.open("blocklist", ns::BLOCKING).close())) else {
        panic!("no list")
    };
    let list: BTreeSet<String> =
        inside(&result, |item| item.attr("jid").unwrap_or_default().into_owned()).into_iter().collect();
    let wanted = addresses.iter().filter_map(|jid| Jid::parse(jid).ok()).map(|jid| jid.to_string()).collect();
    assert_eq!(list, wanted);
}

fn preferences(server: &mut Server, source: &mut Source<'_>) {
    let rest = source.pick(&["always", "never", "roster", "sometimes"]);
    let lists = ["always", "never"].map(|name| {
        let jids: Vec<&str> = (0..source.below(4)).map(|_| source.pick(&ADDRESSES)).collect();
        (name, jids)
    });
    let set = query(|w| {
        w.open("prefs", ns::MAM).attr("default", rest);
        for (name, jids) in &lists {
            w.open(name, ns::MAM);
            jids.iter().for_each(|jid| _ = w.leaf("jid", ns::MAM, jid));
            w.close();
        }
        w.close();
    });
    if server.ask("set", &set).is_none() {
        return;
    }
    let Some(result) = server.ask("get", &query(|w| _ = w.open("prefs", ns::MAM).close())) else {
        panic!("no preferences")
    };
    let kept = inside(&result, |list| {
        (list.name().to_owned(), list.children().map(|jid| jid.text().into_owned()).collect::<Vec<_>>())
    });
    let prepared = |jids: &[&str]| -> Vec<String> {
        jids.iter().filter_map(|jid| Jid::parse(jid).ok()).map(|jid| jid.to_string()).collect()
    };
    for (name, jids) in &lists {
        let found = kept.iter().find(|(kept, _)| kept == name).map(|(_, jids)| jids.clone());
        assert_eq!(found.unwrap_or_default(), prepared(jids), "{name}");
    }
}

/// What the server does not know goes through it, and into the archive, unchanged.
fn message(server: &mut Server, source: &mut Source<'_>) {
    let unknown = query(|w| {
        w.open("unknown", "urn:unknown").attr("a", source.text()).text(source.text());
        content(source, w, 0);
        w.close();
    });
    let text = String::from_utf8_lossy(&unknown).into_owned();
    let message = format!("<message type='chat' to='{ROMEO}' id='m'><body>b</body>{text}</message>");
    let delivered = server.say(&message, 1);
    let child = |element: &Element| element.child("unknown", "urn:unknown").map(|child| child.raw().to_vec());
    let found: Vec<_> = delivered.iter().filter_map(child).collect();
    assert_eq!(found, [unknown.to_vec()], "delivered");
    let archived = server.say("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>", 0);
    let archived: Vec<String> = archived
        .iter()
        .map(|element| String::from_utf8_lossy(element.bytes()).into_owned())
        .filter(|element| element.contains("<result "))
        .collect();
    let [result] = &archived[..] else { panic!("{archived:?}") };
    assert!(result.contains(&text), "archived: {result}");
}

/// Every request has one answer, whatever is in it.
fn asked(bytes: &[u8]) {
    let mut server = Server::new();
    for element in read(bytes) {
        if element.ns() != ns::CLIENT || !matches!(element.name(), "iq" | "message" | "presence") {
            continue;
        }
        let Ok(mut stanza) = Stanza::from_element(&element) else { continue };
        // To ourselves or to the server: who else answers is not ours to say.
        let at_home = stanza.to.as_ref().is_none_or(|to| to.domain() == "example.org");
        if !at_home || stanza.to.as_ref().is_some_and(|to| to.resource().is_some()) {
            stanza.to = None;
        }
        let request = stanza.kind.is_request() && matches!(stanza.kind, Kind::Iq(_));
        if request {
            stanza.id = Some("fuzz-1".into());
        }
        stanza.from = None;
        let text = String::from_utf8_lossy(one(&stanza).bytes()).into_owned();
        let answers: Vec<Element> = server
            .say(&text, 0)
            .into_iter()
            .filter(|el| el.name() == "iq" && el.attr("id").is_some_and(|id| id == "fuzz-1"))
            .collect();
        assert_eq!(answers.len(), usize::from(request), "{text} {answers:?}");
        for answer in &answers {
            as_stanza(answer);
            assert!(answer.attr("type").is_some_and(|ty| matches!(&*ty, "result" | "error")), "{answer:?}");
        }
        server.0.hear(1);
    }
}
