//! Our parser against others: both are asked for the flat form of a stream's first-level elements.
//!
//! Where both accept, the trees are equal; what we accept, the others accept; where only we refuse, the reason is on a
//! list. `rxml` is asked here, `expat` and `libxml2` by the fuzz target (fuzz/).
//!
//! Not here: the inputs (xml_grammar.rs, the fuzzer).

use rxml::Parse as _;

use xml::fuzzing::check_element;
use xml::{El, Error, Event, Fault, Framing, Limits, Node, Parser, Tree};

/// A root for generated elements.
pub const HEADER: &[u8] = b"<?xml version='1.0'?><s:s xmlns='jabber:client' xmlns:s='urn:s' xmlns:d='urn:d'>";

/// A flat tree: start tags with sorted attributes, runs of text, ends.
pub type Flat = Vec<String>;

/// What another parser makes of a stream.
#[derive(Debug, Default)]
pub struct Theirs {
    /// The first-level elements that it read whole.
    pub elements: Vec<Flat>,
    /// Whether it refused something.
    pub refused: bool,
}

/// Another parser, and what is known about it.
pub struct Oracle {
    /// Its name.
    pub name: &'static str,
    /// Reads a stream as far as it goes.
    pub read: fn(&[u8]) -> Theirs,
    /// Whether this input touches a known mistake of its.
    pub misreads: fn(&[u8]) -> bool,
    /// Whether this error of ours is one that it rightly does not make.
    pub is_laxer: fn(Error, &[u8]) -> bool,
}

/// The crate `rxml`.
pub const RXML: Oracle = Oracle {
    name: "rxml",
    read: rxml_reads,
    misreads: |input| {
        has_cr_that_rxml_misreads(input)
            || has_name_that_rxml_misreads(input)
            // XML 1.0 section 2.8 allows white space before the root; rxml does not.
            || input.first().is_some_and(u8::is_ascii_whitespace)
    },
    is_laxer: is_stricter_than_rxml,
};

/// Adds text to what has been read, joined to text before it.
pub fn push_text(flat: &mut Flat, text: &str) {
    match flat.last_mut() {
        Some(last) if last.starts_with('"') => last.push_str(text),
        _ if text.is_empty() => {}
        _ => flat.push(format!("\"{text}")),
    }
}

/// A start tag; attributes are (namespace, name, value).
pub fn tag(ns: &str, name: &str, attrs: impl Iterator<Item = (String, String, String)>) -> String {
    let mut attrs: Vec<_> = attrs.collect();
    attrs.sort();
    format!("<{{{ns}}}{name} {attrs:?}")
}

fn rxml_reads(mut input: &[u8]) -> Theirs {
    let mut parser = rxml::Parser::new();
    let (mut elements, mut flat, mut depth) = (Vec::new(), Flat::new(), 0);
    loop {
        match parser.parse(&mut input, false) {
            Ok(Some(rxml::Event::StartElement(_, (ns, name), attrs))) => {
                let attrs = attrs.iter().map(|((ns, name), value)| {
                    (ns.as_str().to_owned(), name.as_str().to_owned(), value.clone())
                });
                depth += 1;
                if depth > 1 {
                    flat.push(tag(ns.as_str(), name.as_str(), attrs));
                }
            }
            Ok(Some(rxml::Event::EndElement(_))) => {
                depth -= 1;
                flat.push("/".to_owned());
                if depth == 1 {
                    elements.push(std::mem::take(&mut flat));
                }
            }
            Ok(Some(rxml::Event::Text(_, text))) if depth > 1 => push_text(&mut flat, &text),
            Ok(Some(_)) => {}
            Ok(None) | Err(rxml::error::EndOrError::NeedMoreData) => {
                return Theirs { elements, refused: false };
            }
            Err(rxml::error::EndOrError::Error(_)) => return Theirs { elements, refused: true },
        }
    }
}

/// The flat form of an element.
pub fn flatten(root: El<'_>) -> Flat {
    let mut flat = Flat::new();
    let mut todo = vec![Some(Node::El(root))];
    while let Some(next) = todo.pop() {
        match next {
            None => flat.push("/".to_owned()),
            Some(Node::Text(text)) => push_text(&mut flat, &text),
            Some(Node::El(el)) => {
                let attrs = el.attrs().map(|(ns, name, value)| (ns.into(), name.into(), value.into_owned()));
                flat.push(tag(el.ns(), el.name(), attrs));
                todo.push(None);
                let nodes: Vec<_> = el.nodes().map(Some).collect();
                todo.extend(nodes.into_iter().rev());
            }
        }
    }
    flat
}

#[derive(Debug)]
struct Ours {
    elements: Vec<Flat>,
    error: Option<Error>,
    /// Something has arrived that no verdict has been given on.
    pending: bool,
    /// The root has ended; what follows is ignored.
    closed: bool,
}

fn ours(input: &[u8]) -> Ours {
    let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
    parser.push(input);
    let (mut elements, mut closed) = (Vec::new(), false);
    let error = loop {
        match parser.next() {
            Ok(Some(Event::Element(element))) => {
                check_element(element.bytes(), element.content_ns());
                if let Ok(tree) = Tree::parse(element.bytes(), element.content_ns()) {
                    elements.extend(tree.root().map(flatten));
                }
            }
            Ok(Some(event)) => closed |= matches!(event, Event::Close),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    Ours { elements, error, pending: !parser.unread().is_empty(), closed }
}

/// The classes of input that we refuse and `rxml` does not.
fn is_stricter_than_rxml(error: Error, input: &[u8]) -> bool {
    match error {
        // XMPP allows nothing but white space there; rxml leaves that to its caller.
        Error::TextBetweenElements | Error::LimitPassed(_) => true,
        // CDATA beside the first-level elements, which rxml takes for text.
        Error::NotWellFormed(Fault::Markup) => input.windows(9).any(|w| w == b"<![CDATA["),
        // The namespace of `xml` is refused on elements.
        Error::NotWellFormed(Fault::ReservedPrefix) => input.windows(5).any(|w| w == b"<xml:"),
        // rxml 0.14 accepts two default namespaces on one element.
        Error::NotWellFormed(Fault::DuplicateAttribute) => {
            input[HEADER.len().min(input.len())..].windows(6).any(|w| w == b"xmlns=")
        }
        _ => false,
    }
}

/// rxml 0.14 drops or refuses a carriage return in an attribute value that no line feed follows, where XML
/// 1.0 sections 2.11 and 3.3.3 make it a space, and keeps one that follows `]` in CDATA; our tables have both.
/// Sound streams have carriage returns where rxml reads them well.
fn has_cr_that_rxml_misreads(input: &[u8]) -> bool {
    let misread = |at: usize| at > 0 && input[at - 1] == b']' || input.get(at + 1) != Some(&b'\n');
    every(b'\r', input).any(misread)
}

/// rxml_validation 0.12 leaves U+FDF0 to U+FFFD out of its tables of names, so they count only outside tags.
fn has_name_that_rxml_misreads(input: &[u8]) -> bool {
    let high = |at: &usize| matches!(input.get(at + 1), Some(0xB7..=0xBF));
    let in_tag = |at: usize| input[..at].iter().rev().find(|b| matches!(b, b'<' | b'>')) == Some(&b'<');
    every(0xEF, input).filter(high).any(in_tag)
}

/// Whether a name may have characters that are no ASCII. The fifth edition of XML 1.0 allows more of them than the fourth
/// did, by which many parsers still go.
pub fn has_wide_name(input: &[u8]) -> bool {
    let (mut in_tag, mut quote) = (false, None);
    for byte in input {
        match (in_tag, quote, byte) {
            (false, _, b'<') => in_tag = true,
            (true, None, b'>') => in_tag = false,
            (true, None, b'\'' | b'"') => quote = Some(*byte),
            (true, None, 0x80..) => return true,
            (true, Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    false
}

fn every(wanted: u8, input: &[u8]) -> impl Iterator<Item = usize> + '_ {
    input.iter().enumerate().filter(move |(_, byte)| **byte == wanted).map(|(at, _)| at)
}

/// Holds our reading of a stream against another parser's.
///
/// # Panics
/// Where the two differ without an excuse.
pub fn compare(input: &[u8], oracle: &Oracle) {
    if (oracle.misreads)(input) {
        return;
    }
    let (shown, name) = (input.escape_ascii(), oracle.name);
    let ours = ours(input);
    let Theirs { elements: theirs, refused } = (oracle.read)(input);
    let common = ours.elements.len().min(theirs.len());
    assert_eq!(ours.elements[..common], theirs[..common], "trees differ from {name}: {shown}");
    assert!(ours.elements.len() <= theirs.len(), "we accept what {name} refuses: {shown}");
    match ours.error {
        None => {
            assert_eq!(ours.elements.len(), theirs.len(), "we have not told an element, {name} has: {shown}");
            assert!(!refused || ours.pending || ours.closed, "we accept what {name} refuses: {shown}");
        }
        Some(error) => {
            let later = theirs.len() > ours.elements.len();
            assert!(!later || (oracle.is_laxer)(error, input), "{error}, but {name} goes on: {shown}");
        }
    }
}
