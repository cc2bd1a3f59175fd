//! Group A, first part: what is no XML, or more XML than XMPP allows.
//!
//! RFC 6120 section 11, XML 1.0, Namespaces in XML 1.0.
//!
//! Not here: sizes (`xml_limits.rs`), streams (`xml_stream.rs`).

use std::net::TcpListener;
use std::time::Duration;

use crate::Outcome;
use crate::client::header;
use crate::row::{At, On, Row};
use crate::stage::Stage;
use crate::verdict::{Verdict, bad_bytes, bad_xml, dies};

const RESTRICTED: &[&str] = &["restricted-xml"];
const MALFORMED: &[&str] = &["not-well-formed"];
const EITHER: &[&str] = &["restricted-xml", "not-well-formed"];
const ENCODING: &[&str] = &["unsupported-encoding", "not-well-formed"];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = restricted();
    rows.extend(entities());
    rows.extend(malformed());
    rows.extend(bytes());
    rows.extend(names());
    rows
}

/// A message with this inside.
fn message(inside: &str) -> String {
    format!("<message xmlns='jabber:client'>{inside}</message>")
}

fn here(before: &str) -> String {
    format!("{before}{}", header("to='a.example' version='1.0'"))
}

fn restricted() -> Vec<Row> {
    vec![
        Row::new(
            "A-01",
            "a DOCTYPE before or inside of the stream, or inside of a stanza",
            "SE restricted-xml",
        )
        .logs("misbehaviour")
        .say_on(On::Streams, At::Start, here("<!DOCTYPE stream>"), dies(RESTRICTED))
        .say_on(
            On::Streams,
            At::Start,
            here("<?xml version='1.0'?><!DOCTYPE stream SYSTEM 'a.dtd'>"),
            dies(RESTRICTED),
        )
        .both("<!DOCTYPE message>", bad_xml(RESTRICTED))
        .both(message("<!DOCTYPE a>"), bad_xml(RESTRICTED)),
        Row::new("A-04", "a processing instruction, between and inside of stanzas", "SE restricted-xml")
            .logs("misbehaviour")
            .both_on(On::Streams, "<?php echo?>", dies(RESTRICTED))
            .both_on(On::Frames, "<?php echo?>", bad_xml(&["bad-format", "restricted-xml"]))
            .both(message("<?x y?>"), bad_xml(RESTRICTED))
            .both(message("<a><?xml-stylesheet href='a'?></a>"), bad_xml(RESTRICTED)),
        Row::new(
            "A-05",
            "a comment, between and inside of stanzas, also an unfinished one",
            "SE restricted-xml",
        )
        .logs("misbehaviour")
        .both("<!-- hello -->", bad_xml(RESTRICTED))
        .both(message("<body>a<!-- b -->c</body>"), bad_xml(RESTRICTED))
        .both_on(On::Streams, "<!--", bad_xml(RESTRICTED))
        .say_on(On::Streams, At::Start, here("<!-- hello -->"), dies(RESTRICTED)),
        Row::new("A-13", "XML 1.1, standalone='no'", "SE restricted-xml")
            .logs("misbehaviour")
            .say_on(On::Streams, At::Start, here("<?xml version='1.1'?>"), dies(RESTRICTED))
            .say_on(On::Streams, At::Start, here("<?xml version='1.0' standalone='no'?>"), dies(RESTRICTED)),
        Row::new(
            "A-14",
            "an XML declaration amid the stream or inside of a frame",
            "SE not-well-formed, bad-format",
        )
        .logs("misbehaviour")
        .both_on(On::Streams, format!("<?xml version='1.0'?>{}", message("")), dies(EITHER))
        .both_on(On::Frames, format!("<?xml version='1.0'?>{}", message("")), bad_xml(&["bad-format"]))
        .both(message("<?xml version='1.0'?>"), bad_xml(EITHER)),
    ]
}

fn entities() -> Vec<Row> {
    let mut laughs = String::from("<!DOCTYPE x [<!ENTITY l0 'hahahahahaha'>");
    for n in 1..10 {
        laughs += &format!("<!ENTITY l{n} '{}'>", format!("&l{};", n - 1).repeat(10));
    }
    laughs += "]>";
    vec![
        Row::new("A-02", "a billion laughs: ten levels of internal entities", "SE restricted-xml, no memory")
            .logs("misbehaviour")
            .budget(10, 256)
            .say_on(On::Streams, At::Start, here(&laughs), dies(RESTRICTED))
            .both(format!("{laughs}{}", message("<body>&l9;</body>")), bad_xml(RESTRICTED)),
        Row::new("A-03", "external entities: file, http, parameter", "SE restricted-xml, nothing is fetched")
            .logs("misbehaviour")
            .script(On::All, |stage| fetches_nothing(stage, "<!ENTITY x SYSTEM 'http://127.0.0.1:{port}/x'>"))
            .script(On::All, |stage| {
                fetches_nothing(stage, "<!ENTITY % x SYSTEM 'http://127.0.0.1:{port}/x'> %x;")
            })
            .both(
                "<!DOCTYPE m [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><message><body>&x;</body></message>",
                bad_xml(RESTRICTED),
            ),
        Row::new(
            "A-06",
            "undefined entities in text and values, &amp; without an end",
            "SE restricted-xml, not-well-formed",
        )
        .logs("misbehaviour")
        .both(message("<body>&foo;</body>"), bad_xml(EITHER))
        .both(message("<a b='&foo;'/>"), bad_xml(EITHER))
        .both(message("<body>&nbsp;</body>"), bad_xml(EITHER))
        .both(message("<body>a & b</body>"), bad_xml(EITHER))
        .both(message("<body>&amp</body>"), bad_xml(EITHER))
        .both(message("<body>&AMP;</body>"), bad_xml(EITHER)),
    ]
}

/// An entity that names an address of ours, to which nobody may come.
fn fetches_nothing(stage: &Stage<'_>, entity: &str) -> Outcome {
    let trap = TcpListener::bind("127.0.0.1:0").map_err(crate::words)?;
    let port = trap.local_addr().map_err(crate::words)?.port();
    let entity = entity.replace("{port}", &port.to_string());
    let mut client = stage.offered()?;
    client.say(format!("<!DOCTYPE m [{entity}]><message><body>&x;</body></message>"))?;
    bad_xml(RESTRICTED).check(&mut client, At::Offered)?;
    trap.set_nonblocking(true).map_err(crate::words)?;
    // Whoever fetches would have done it before it answered; a little more for one that does it aside.
    std::thread::sleep(Duration::from_millis(50));
    match trap.accept() {
        Ok(_) => Err("the entity was fetched".into()),
        Err(_) => Ok(()),
    }
}

fn malformed() -> Vec<Row> {
    vec![
        Row::new(
            "A-07",
            "end tags that do not match, are missing, are too many; two elements in one frame",
            "SE not-well-formed, bad-format",
        )
        .logs("misbehaviour")
        .both(message("<a></b>"), bad_xml(MALFORMED))
        .both(message("<a><b></a></b>"), bad_xml(MALFORMED))
        .say_on(On::Streams, At::Active, "<message></message></message>", dies(MALFORMED))
        .both_on(
            On::Frames,
            "<message xmlns='jabber:client'/></message>",
            bad_xml(&["not-well-formed", "bad-format"]),
        )
        .both_on(
            On::Frames,
            "</body><body xmlns='http://jabber.org/protocol/httpbind'>",
            bad_xml(&["not-well-formed", "bad-format"]),
        )
        .both(message("<a"), bad_xml(MALFORMED))
        .both_on(On::Frames, "<message xmlns='jabber:client'>", bad_xml(&["bad-format"]))
        .both(message("<A></a>"), bad_xml(MALFORMED)),
        Row::new("A-12", "references to characters that are none, controls, U+FFFE", "SE not-well-formed")
            .logs("misbehaviour")
            .both(message("<body>&#0;</body>"), bad_xml(MALFORMED))
            .both(message("<body>&#xD800;</body>"), bad_xml(MALFORMED))
            .both(message("<body>&#xFFFE;</body>"), bad_xml(MALFORMED))
            .both(message("<body>&#x110000;</body>"), bad_xml(MALFORMED))
            .both(message("<body>&#99999999999999999999;</body>"), bad_xml(MALFORMED))
            .both(message("<body>&#x;</body>"), bad_xml(MALFORMED))
            .both(message("<body>&#-1;</body>"), bad_xml(MALFORMED))
            .both(message("<a b='&#8;'/>"), bad_xml(MALFORMED))
            .both(message("<body>\u{1}</body>"), bad_xml(MALFORMED))
            .both(message("<body>a\0b</body>"), bad_xml(MALFORMED))
            .both(message("<a b='\u{1b}'/>"), bad_xml(MALFORMED))
            .both(message("<body>\u{fffe}</body>"), bad_xml(MALFORMED)),
        Row::new("A-15", "text between stanzas", "SE bad-format, not-well-formed")
            .logs("misbehaviour")
            .both_on(On::Streams, format!("hello{}", message("")), dies(&["bad-format", "not-well-formed"]))
            .both_on(On::Frames, format!("hello{}", message("")), bad_xml(&["bad-format", "not-well-formed"]))
            .say(At::Active, format!("{}&#32;", message("")), bad_xml(&["bad-format", "not-well-formed"]))
            .both("<![CDATA[a]]>", bad_xml(&["bad-format", "not-well-formed", "restricted-xml"])),
        Row::new("A-37", "an attribute twice, also by two prefixes of one namespace", "SE not-well-formed")
            .logs("misbehaviour")
            .both(message("<a b='1' b='2'/>"), bad_xml(MALFORMED))
            .both(message("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>"), bad_xml(MALFORMED))
            .both(message("<a xmlns='urn:a' xmlns='urn:b'/>"), bad_xml(MALFORMED))
            .both("<message to='a@a.example' to='b@a.example'/>", bad_xml(MALFORMED)),
        Row::new(
            "A-39",
            "&lt; in a value, ]]> in text, no space between attributes, names with two colons",
            "SE not-well-formed",
        )
        .logs("misbehaviour")
        .both(message("<a b='<'/>"), bad_xml(MALFORMED))
        .both(message("<body>a]]>b</body>"), bad_xml(MALFORMED))
        .both(message("<a b='1'c='2'/>"), bad_xml(MALFORMED))
        .both(message("<a:b:c xmlns:a='urn:x'/>"), bad_xml(MALFORMED))
        .both(message("<a b=1/>"), bad_xml(MALFORMED))
        .both(message("<a b/>"), bad_xml(MALFORMED))
        .both(message("< a/>"), bad_xml(MALFORMED))
        .both(message("<a / >"), bad_xml(MALFORMED))
        .both(message("<1a/>"), bad_xml(MALFORMED))
        .both(message("<a b=\"1'/>"), bad_xml(MALFORMED)),
    ]
}

/// Bytes around `bad`: in text, in a value, in a name, between stanzas.
fn spoilt(row: Row, bad: &[u8], verdict: &Verdict) -> Row {
    let around = |before: &str, after: &str| [before.as_bytes(), bad, after.as_bytes()].concat();
    row.both(around("<message xmlns='jabber:client'><body>a", "b</body></message>"), verdict.clone())
        .both(around("<message xmlns='jabber:client' id='a", "'/>"), verdict.clone())
        .both(around("<message xmlns='jabber:client'><b", "/></message>"), verdict.clone())
        .both(around("<b", " xmlns='urn:x'/>"), verdict.clone())
}

fn bytes() -> Vec<Row> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let rows = Row::new(
        "A-08",
        "another encoding in the declaration, UTF-16, a byte order mark",
        "SE unsupported-encoding, not-well-formed",
    )
    .logs("misbehaviour")
    .say_on(On::Streams, At::Start, here("<?xml version='1.0' encoding='ISO-8859-1'?>"), dies(ENCODING))
    .say_on(On::Streams, At::Start, here("<?xml version='1.0' encoding='UTF-16'?>"), dies(ENCODING))
    .say_on(On::Streams, At::Start, here("<?xml version='1.0' encoding='UTF-7'?>"), dies(ENCODING))
    .say_on(On::Streams, At::Start, utf16(&format!("\u{feff}{}", here(""))), dies(ENCODING))
    .say_on(On::Streams, At::Start, utf16(&here("")), dies(ENCODING))
    .both(
        "\u{feff}<message xmlns='jabber:client'/>",
        bad_xml(&["not-well-formed", "bad-format", "unsupported-encoding"]),
    )
    .say_on(
        On::Frames,
        At::Active,
        utf16(&message("")),
        bad_bytes(&["unsupported-encoding", "not-well-formed", "bad-format"]),
    );
    let verdict = bad_bytes(ENCODING);
    let mut invalid = Row::new(
        "A-09",
        "bytes that are no UTF-8, in text, values and names",
        "SE unsupported-encoding, not-well-formed",
    )
    .logs("");
    for bad in [&b"\xff"[..], b"\x80", b"\xc3("] {
        invalid = spoilt(invalid, bad, &verdict);
    }
    let mut overlong = Row::new(
        "A-10",
        "overlong forms, surrogates, beyond U+10FFFF",
        "SE unsupported-encoding, not-well-formed",
    )
    .logs("");
    for bad in
        [&b"\xc0\xbc"[..], b"\xe0\x80\xbc", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80"]
    {
        overlong = spoilt(overlong, bad, &verdict);
    }
    let mut cut = Row::new(
        "A-11",
        "the beginning of a character directly before markup",
        "SE; nothing after it is taken for markup",
    )
    .logs("");
    for say in [
        &b"<message xmlns='jabber:client'><body>\xe2\x82</body></message>"[..],
        b"<message xmlns='jabber:client' id='a\xe2'/>",
        b"<message xmlns='jabber:client' id=\"a\xf0\x9f\"/>",
        b"<message xmlns='jabber:client'\xe2></message>",
        b"<message xmlns='jabber:client'><a\xe2><body>hello</body></a></message>",
    ] {
        cut = cut.both(say, verdict.clone());
    }
    vec![rows, invalid, overlong, cut]
}

fn names() -> Vec<Row> {
    vec![
        Row::new(
            "A-38",
            "prefixes that are not declared, xml and xmlns declared anew, an empty declaration",
            "SE not-well-formed",
        )
        .logs("misbehaviour")
        .both("<p:message/>", bad_xml(MALFORMED))
        .both(message("<a p:b='1'/>"), bad_xml(MALFORMED))
        .both(message("<a xmlns:xml='urn:x'/>"), bad_xml(MALFORMED))
        .both(message("<a xmlns:xmlns='urn:x'/>"), bad_xml(MALFORMED))
        .both(message("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>"), bad_xml(MALFORMED))
        .both(message("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>"), bad_xml(MALFORMED))
        .both(message("<a xmlns:p=''/>"), bad_xml(MALFORMED))
        .both(message("<xmlns:a/>"), bad_xml(MALFORMED))
        .both(message("<a:/>"), bad_xml(MALFORMED))
        .both(message("<:a/>"), bad_xml(MALFORMED)),
    ]
}
