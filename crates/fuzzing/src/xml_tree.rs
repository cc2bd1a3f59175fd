//! Target 2, `xml_tree`: parse, tree, serialise, parse.
//!
//! Oracles: what the writer writes from any texts is one element, in canonical form, and reads back as what was written;
//! one stanza stays one when it is read, wrapped, moved to another namespace and sent on; any bytes as a tree give an
//! error or a tree that can be written again.
//!
//! Not here: the stream's grammar (xml_stream.rs).

use xml::fuzzing::{canonicalise, check_element, rewrite};
use xml::{Event, Framing, Limits, Parser, Tree, Writer, escape_attr, escape_text, rebase, unescape};

use crate::source::Source;
use crate::xml_flat::{Flat, flatten, push_text, tag};

const NAMES: [&str; 8] = ["a", "body", "message", "x", "ü", "a-1.", "_", "stanza-id"];
const SPACES: [&str; 6] = ["jabber:client", "urn:x", "", "jabber:server", "u&'<v", "urn:xmpp:forward:0"];
const DEPTH_MAX: usize = 40;

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn xml_tree(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    match mode % 3 {
        0 => any_bytes(rest),
        1 => written(&mut Source::new(rest)),
        _ => sent_on(mode, rest),
    }
}

/// What a text is once it was written: characters that XML 1.0 cannot carry are replaced.
fn carried(text: &str) -> String {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    text.chars().map(|c| if legal(c) { c } else { '\u{FFFD}' }).collect()
}

fn any_bytes(bytes: &[u8]) {
    for parent in ["", "jabber:client"] {
        let Ok(tree) = Tree::parse(bytes, parent) else { continue };
        let again = rewrite(&tree, parent);
        let Ok(second) = Tree::parse(&again, parent) else {
            panic!("a tree that was read cannot be written: {}", bytes.escape_ascii())
        };
        let flat = |tree: &Tree<'_>| tree.roots().map(flatten).collect::<Vec<_>>();
        assert_eq!(flat(&tree), flat(&second), "{}", bytes.escape_ascii());
        assert_eq!(rewrite(&second, parent), again, "writing is a fixed point");
    }
    let text = String::from_utf8_lossy(bytes);
    let mut escaped = Vec::new();
    escape_text(&mut escaped, &text);
    assert_eq!(unescape(&String::from_utf8_lossy(&escaped)), carried(&text));
    escaped.clear();
    escape_attr(&mut escaped, &text);
    assert_eq!(unescape(&String::from_utf8_lossy(&escaped)), carried(&text));
    assert!(!escaped.iter().any(|b| matches!(b, b'<' | b'>' | b'\'')));
}

/// Writes what the input says, and keeps in mind what that must be read as.
fn written(source: &mut Source<'_>) {
    let parent = source.pick(&SPACES);
    let mut w = Writer::new(parent);
    let mut flat = Flat::new();
    w.open("root", "urn:root");
    flat.push(tag("urn:root", "root", std::iter::empty()));
    let mut depth = 1;
    while !source.is_empty() {
        match source.below(4) {
            0 | 1 if depth < DEPTH_MAX => {
                open(source, &mut w, &mut flat);
                depth += 1;
            }
            2 => {
                let text = source.text();
                w.text(&text);
                push_text(&mut flat, &carried(&text));
            }
            _ if depth > 1 => {
                w.close();
                flat.push("/".to_owned());
                depth -= 1;
            }
            _ => {}
        }
    }
    assert_eq!(w.depth(), depth);
    for _ in 0..depth {
        w.close();
        flat.push("/".to_owned());
    }
    let bytes = w.finish();
    let shown = bytes.escape_ascii().to_string();
    let element = canonicalise(&bytes, parent).unwrap_or_else(|error| panic!("we write {error}: {shown}"));
    assert_eq!(element.bytes(), &bytes, "what we write is canonical");
    check_element(&bytes, parent);
    let tree = Tree::parse(&bytes, parent).unwrap_or_else(|error| panic!("we write {error}: {shown}"));
    assert_eq!(tree.root().map(flatten), Some(flat), "{shown}");
    moved(&bytes, parent, source.pick(&SPACES));
}

fn open(source: &mut Source<'_>, w: &mut Writer, flat: &mut Flat) {
    let (name, ns) = (source.pick(&NAMES), source.pick(&SPACES));
    w.open(name, ns);
    let mut attrs: Vec<(String, String, String)> = Vec::new();
    for _ in 0..source.below(4) {
        let (name, value) = (source.pick(&NAMES), source.text());
        let ns = source.pick(&["", "urn:y", xml::XML_NS]);
        if attrs.iter().any(|(known_ns, known, _)| known_ns == ns && known == name) {
            continue;
        }
        if ns.is_empty() {
            w.attr(name, &value);
        } else {
            w.attr_ns(ns, name, &value);
        }
        attrs.push((ns.to_owned(), name.to_owned(), carried(&value)));
    }
    flat.push(tag(ns, name, attrs.into_iter()));
}

/// The same element under a parent of another namespace is the same element.
fn moved(bytes: &[u8], from: &str, to: &str) {
    let there = rebase(bytes, from, to);
    let flat = |bytes: &[u8], ns: &str| {
        Tree::parse(bytes, ns).ok().map(|tree| tree.roots().map(flatten).collect::<Vec<_>>())
    };
    assert_eq!(flat(&there, to), flat(bytes, from), "{}", bytes.escape_ascii());
    assert_eq!(&*rebase(&there, to, from), bytes, "there and back: {}", bytes.escape_ascii());
}

/// What a client sends is read, wrapped as an archive or a carbon would, and read by the next.
fn sent_on(mode: u8, bytes: &[u8]) {
    let (header, ns): (&[u8], _) = match mode & 0x80 {
        0 => (b"<s:s xmlns='jabber:client' xmlns:s='urn:s' xmlns:d='urn:d'>", "jabber:client"),
        _ => (b"<s:s xmlns='jabber:server' xmlns:s='urn:s' xmlns:d='urn:d'>", "jabber:server"),
    };
    let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
    parser.push(header);
    parser.push(bytes);
    while let Ok(Some(event)) = parser.next() {
        let Event::Element(element) = event else { continue };
        let mut w = Writer::new("jabber:client");
        w.open("message", "jabber:client").open("forwarded", "urn:xmpp:forward:0");
        w.raw_from(element.bytes(), ns).close();
        w.leaf("last", "urn:x", "<'\">&").close();
        let wrapped = w.finish();
        check_element(&wrapped, "jabber:client");
        let Ok(tree) = Tree::parse(&wrapped, "jabber:client") else { panic!("{}", wrapped.escape_ascii()) };
        let message = tree.root().filter(|el| el.children().count() == 2);
        let forwarded = message.and_then(|el| el.children().next()).filter(|el| el.children().count() == 1);
        let inner = forwarded.and_then(|el| el.children().next()).map(flatten);
        let sent = Tree::parse(element.bytes(), ns).ok().and_then(|tree| tree.root().map(flatten));
        assert_eq!(inner, sent, "one stanza stays one: {}", element.bytes().escape_ascii());
        for other in SPACES {
            moved(element.bytes(), ns, other);
        }
    }
}
