//! What the writer makes is what the parser would make of it.
//!
//! Not here: the random comparison (crate `fuzzing`).

use crate::fuzzing::{canonicalise, check_element};
use crate::{Event, Framing, Limits, Parser, Writer, XML_NS};

#[test]
fn writes_the_canonical_form() {
    let mut w = Writer::new("jabber:client").with_capacity(100);
    w.open("iq", "jabber:client")
        .attr("type", "result")
        .attr_opt("id", Some("'1'"))
        .attr_opt("to", None::<&str>);
    w.open("query", "q&r").attr_of("n", 7).attr("xml:lang", "de");
    w.leaf("a", "q&r", "<1>").leaf("b", "", "").leaf("c", "", String::from("x\r\0"));
    w.open("d", "jabber:client").leaf("e", "q&r", "").close();
    w.close();
    w.open("f", "jabber:client").attr_ns("u", "x", "1").attr_ns("v'", "x", "2").attr_ns("u", "y", "3");
    w.attr_ns(XML_NS, "space", "preserve").attr_ns("", "z", "4").text("").text("t").close();
    assert_eq!((w.depth(), w.is_empty()), (1, false));
    w.raw(b"<g/>").raw_from(b"<h/>", "other").raw_from(b"<i xmlns='jabber:client'/>", "other");
    w.close();
    let bytes = w.finish();
    let expected = "<iq type='result' id='&apos;1&apos;'><query xmlns='q&amp;r' n='7' xml:lang='de'><a>&lt;1&gt;</a>\
        <b xmlns=''/><c xmlns=''>x&#13;\u{FFFD}</c><d xmlns='jabber:client'><e xmlns='q&amp;r'/></d></query>\
        <f xmlns:n1='u' n1:x='1' xmlns:n2='v&apos;' n2:x='2' n1:y='3' xml:space='preserve' z='4'>t</f>\
        <g/><h xmlns='other'/><i/></iq>";
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
    check_element(&bytes, "jabber:client");
}

#[test]
fn forwards_elements_under_their_own_namespace() {
    let mut parser = Parser::new(Framing::Documents("jabber:server"), Limits::SERVER);
    parser.push(b"<message xmlns='jabber:client' to='a'><body/></message><message xmlns='jabber:server'/>");
    let mut w = Writer::new("jabber:client");
    w.open("forwarded", "urn:xmpp:forward:0");
    while let Ok(Some(Event::Element(element))) = parser.next() {
        w.element(&element);
    }
    w.close();
    let bytes = w.finish();
    let expected = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='a'><body/></message>\
        <message xmlns='jabber:server'/></forwarded>";
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
    check_element(&bytes, "jabber:client");
}

#[test]
fn every_character_comes_back() {
    // A-44: no value leaves its place, whatever it contains.
    for c in ('\0'..='\u{3000}')
        .chain(['\u{D7FF}', '\u{E000}', '\u{FEFF}', '\u{FFFD}', '\u{FFFE}', '\u{FFFF}', '😀'])
    {
        let value = format!("]]{c}>");
        let mut w = Writer::new("p");
        w.open("a", "p").attr("b", &value).leaf("c", "p", &value).close();
        let element = canonicalise(&w.finish(), "p").unwrap();
        let tree = crate::Tree::parse(element.bytes(), "p").unwrap();
        let forbidden = (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{FFFE}' | '\u{FFFF}');
        let expected = if forbidden { value.replace(c, "\u{FFFD}") } else { value };
        assert_eq!(element.attr("b").as_deref(), Some(&*expected), "{c:?}");
        assert_eq!(tree.root().unwrap().child_text("c", "p").as_deref(), Some(&*expected), "{c:?}");
        assert_eq!(element.children().count(), 1);
    }
}

#[test]
fn an_element_tells_what_routing_needs() {
    let mut parser = Parser::new(Framing::Documents("jabber:client"), Limits::CLIENT);
    let source =
        b"<message xmlns='jabber:client' to='a&amp;b' xml:lang='en' xmlns:p='u' p:to='c'> <body>x</body>\
        <x xmlns='y&amp;z'/><p:w/></message>";
    parser.push(source);
    let Ok(Some(Event::Element(e))) = parser.next() else { panic!("no element") };
    assert!(e.is("message", "jabber:client") && !e.has_text() && e.source_bytes() == source.len());
    assert_eq!(
        (e.attr("to").as_deref(), e.attr("from"), e.lang().as_deref()),
        (Some("a&b"), None, Some("en"))
    );
    let attrs: Vec<_> = e.attrs().map(|a| (a.ns(), a.name(), a.raw())).collect();
    assert_eq!(attrs, [("", "to", "a&amp;b"), (XML_NS, "lang", "en"), ("u", "to", "c")]);
    let children: Vec<_> = e.children().map(|c| (c.ns(), c.name(), c.raw())).collect();
    let expected: [(&str, &str, &[u8]); 3] = [
        ("jabber:client", "body", b"<body>x</body>"),
        ("y&z", "x", b"<x xmlns='y&amp;z'/>"),
        ("u", "w", b"<w xmlns='u'/>"),
    ];
    assert_eq!(children, expected);
    assert_eq!(e.inner(), " <body>x</body><x xmlns='y&amp;z'/><w xmlns='u'/>");
    assert_eq!(e.child("x", "y&z").map(|c| c.bytes()), Some("<x xmlns='y&amp;z'/>".into()));
    assert_eq!(e.inner_bytes()[e.child("w", "u").unwrap().range()], *b"<w xmlns='u'/>");
}
