//! The body of the fuzz target `xml_stream`, and what tests share with it.
//!
//! Oracles: no panic; the same events and verdict however the input is cut; what comes out is a fixed point
//! of the parser, is readable as a tree, and can be written again.
//!
//! Not here: the comparison with another parser (crate `fuzzing`) and the fuzzer itself.

use bytes::Bytes;

use crate::{El, Element, Error, Event, Framing, Header, Limits, Node, Parser, Tree, Writer};

/// What a parser told, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The root.
    Header(Header),
    /// A first-level element: all that can be asked of it.
    Element(Bytes, String),
    /// White space, however much at once.
    Whitespace,
    /// The end.
    Close,
}

/// Feeds `input` in pieces of the given lengths, over and over, and collects what the parser tells.
pub fn observe(
    framing: Framing,
    limits: Limits,
    input: &[u8],
    pieces: &[usize],
) -> (Vec<Seen>, Result<(), Error>) {
    let mut parser = Parser::new(framing, limits);
    let mut seen = Vec::new();
    let mut lengths = pieces.iter().copied().cycle();
    let mut rest = input;
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (piece, later) = rest.split_at(length);
        parser.push(piece);
        if let Err(error) = drain(&mut parser, &mut seen) {
            assert_eq!(parser.next().err(), Some(error), "stays failed");
            return (seen, Err(error));
        }
        rest = later;
    }
    (seen, Ok(()))
}

fn drain(parser: &mut Parser, seen: &mut Vec<Seen>) -> Result<(), Error> {
    while let Some(event) = parser.next()? {
        seen.push(match event {
            Event::Header(header) => Seen::Header(header),
            Event::Element(element) => Seen::Element(element.bytes().clone(), describe(&element)),
            Event::Whitespace if seen.last() == Some(&Seen::Whitespace) => continue,
            Event::Whitespace => Seen::Whitespace,
            Event::Close => Seen::Close,
        });
    }
    Ok(())
}

/// All of an element's index as text.
pub fn describe(element: &Element) -> String {
    use std::fmt::Write;
    let mut s = format!("{{{}}}{} in {}", element.ns(), element.name(), element.content_ns());
    for attr in element.attrs() {
        // Writing to a string cannot fail.
        let _ = write!(s, " {{{}}}{}={:?}", attr.ns(), attr.name(), attr.value());
    }
    for child in element.children() {
        let inner = element.inner();
        assert_eq!(&inner[child.range()], child.raw());
        let _ = write!(s, " [{{{}}}{} {:?}]", child.ns(), child.name(), child.range());
    }
    let _ = write!(s, " {} {}", element.source_bytes(), element.has_text());
    s
}

/// Parses canonical bytes once more, below a root whose default namespace is `content_ns`.
pub fn canonicalise(canonical: &[u8], content_ns: &str) -> Result<Element, Error> {
    let mut root = Vec::from(b"<r xmlns='");
    crate::escape_attr(&mut root, content_ns);
    root.extend_from_slice(b"'>");
    let wide = Limits {
        element_bytes: u32::MAX / 4,
        canonical_bytes: u32::MAX / 4,
        attribute_bytes: u32::MAX / 4,
        declarations: 128,
        declarations_in_scope: 1_024,
        namespace_bytes: u16::MAX,
        ..Limits::SERVER
    };
    let mut parser = Parser::new(Framing::Stream, wide);
    parser.push(&root);
    parser.push(canonical);
    parser.next()?;
    match parser.next()? {
        Some(Event::Element(element)) => {
            assert!(parser.is_idle(), "one element stays one");
            Ok(element)
        }
        other => panic!("no element but {other:?}"),
    }
}

/// Writes a tree again, without looking at its bytes. Iterates, as no depth is too much.
pub fn rewrite(tree: &Tree<'_>, parent_ns: &str) -> Bytes {
    enum Todo<'t> {
        Node(Node<'t>),
        Close,
    }
    let mut w = Writer::new(parent_ns);
    let mut todo: Vec<Todo<'_>> = tree.top().nodes().map(Todo::Node).collect();
    todo.reverse();
    while let Some(next) = todo.pop() {
        match next {
            Todo::Close => _ = w.close(),
            Todo::Node(Node::Text(text)) => _ = w.text(text),
            Todo::Node(Node::El(el)) => {
                w.open(el.name(), el.ns());
                el.attrs().for_each(|(ns, name, value)| _ = w.attr_ns(ns, name, value));
                let from = todo.len();
                todo.push(Todo::Close);
                todo.extend(el.nodes().map(Todo::Node));
                todo[from + 1..].reverse();
            }
        }
    }
    w.finish()
}

/// Checks one accepted element against the oracles.
pub fn check_element(bytes: &Bytes, content_ns: &str) {
    let again = match canonicalise(bytes, content_ns) {
        Ok(again) => again,
        Err(error) => panic!("our own form is refused: {error} {bytes:?}"),
    };
    assert_eq!(again.bytes(), bytes, "canonical form is a fixed point");
    let tree = match Tree::parse(bytes, content_ns) {
        Ok(tree) => tree,
        Err(error) => panic!("our own form is no tree: {error} {bytes:?}"),
    };
    let root: Option<El<'_>> = tree.root();
    assert_eq!(root.map(|el| (el.name(), el.ns())), Some((again.name(), again.ns())));
    assert_eq!(root.map(|el| el.inner_raw()), Some(again.inner_bytes()));
    assert_eq!(rewrite(&tree, content_ns), bytes, "writing the tree gives the same bytes");
}

/// One fuzz input, through all framings and both small and large limits.
pub fn fuzz_stream(data: &[u8]) {
    // The first byte chooses how to cut, so that the fuzzer can play with that too.
    let Some((&choice, input)) = data.split_first() else { return };
    let framing = match choice & 3 {
        0 => Framing::Documents("jabber:client"),
        1 => Framing::Wrapper("jabber:client"),
        _ => Framing::Stream,
    };
    let limits = if choice & 4 == 0 { Limits::CLIENT } else { tiny() };
    let (seen, verdict) = observe(framing, limits, input, &[usize::MAX]);
    let odd = 2 + usize::from(choice >> 3);
    for pieces in [&[1][..], &[odd], &[odd, 1, 1]] {
        assert_eq!(observe(framing, limits, input, pieces), (seen.clone(), verdict), "cut in {pieces:?}");
    }
    let mut content_ns = if framing == Framing::Stream { "" } else { "jabber:client" };
    for event in &seen {
        match event {
            Seen::Header(header) if framing == Framing::Stream => content_ns = header.content_ns(),
            Seen::Element(bytes, _) => check_element(bytes, content_ns),
            _ => {}
        }
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(tree) = Tree::parse(input, "p")
    {
        let again = rewrite(&tree, "p");
        assert!(Tree::parse(&again, "p").is_ok(), "{text:?}");
    }
}

/// Limits that short inputs reach.
pub fn tiny() -> Limits {
    Limits {
        header_bytes: 120,
        element_bytes: 100,
        canonical_bytes: 150,
        depth: 3,
        elements: 4,
        attributes: 2,
        attributes_total: 4,
        declarations: 2,
        declarations_in_scope: 4,
        name_bytes: 8,
        namespace_bytes: 24,
        attribute_bytes: 30,
    }
}
