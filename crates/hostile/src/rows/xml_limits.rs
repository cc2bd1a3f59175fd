//! Group A, second part: more than there may be, and what is odd but right.
//!
//! RFC 6120 section 13.12, XEP-0205, XEP-0478.
//!
//! Not here: what is no XML (`xml.rs`).

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Client, Transport, shown};
use crate::row::{At, On, Row, Say};
use crate::stage::Stage;
use crate::verdict::{Verdict, lives, too_much};

/// Bytes of a stanza, before and after the login.
const EARLY: usize = 10_000;
const LATE: usize = 262_144;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = shapes();
    rows.extend(quantities());
    rows.extend(sizes());
    rows.extend(sameness());
    rows
}

fn nested(depth: usize) -> String {
    format!(
        "<message xmlns='jabber:client'>{}{}</message>",
        "<a>".repeat(depth - 1),
        "</a>".repeat(depth - 1)
    )
}

fn with_attributes(count: usize) -> String {
    let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
    format!("<message xmlns='jabber:client'><x{attributes}/></message>")
}

fn with_declarations(count: usize) -> String {
    let declarations: String = (0..count).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect();
    format!("<message xmlns='jabber:client'><x{declarations}/></message>")
}

fn with_children(count: usize) -> String {
    format!("<message xmlns='jabber:client'>{}</message>", "<a/>".repeat(count))
}

/// A message of exactly that many bytes, filled with `filling`.
fn message_of(bytes: usize, filling: &str) -> String {
    let (start, end) = ("<message xmlns='jabber:client'><body>", "</body></message>");
    let room = bytes - start.len() - end.len();
    let (whole, rest) = (room / filling.len(), room % filling.len());
    format!("{start}{}{}{end}", filling.repeat(whole), "a".repeat(rest))
}

/// `<auth/>` of exactly that many bytes.
fn auth_of(bytes: usize) -> String {
    let (start, end) = ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>", "</auth>");
    format!("{start}{}{end}", "A".repeat(bytes - start.len() - end.len()))
}

fn shapes() -> Vec<Row> {
    let within: String =
        (0..8_000).map(|n| format!("<a xmlns:p{n}='urn:{n}'>")).collect::<String>() + &"</a>".repeat(8_000);
    vec![
        Row::new(
            "A-26",
            "elements within elements: 64, 65, 10,000, 87,000",
            "64 pass; SE policy-violation at 65, at once",
        )
        .budget(20, 2 * 1024)
        .say(At::Active, nested(64), lives(""))
        .say(At::Active, nested(65), too_much())
        .say(At::Offered, nested(9), too_much())
        .say_on(On::Streams, At::Active, "<a>".repeat(10_000), too_much())
        .say_on(On::Streams, At::Active, "<a>".repeat(87_000), too_much())
        .say_on(On::Frames, At::Active, nested(37_000), too_much()),
        Row::new(
            "A-27",
            "attributes of one element: 64, 65, 16,000",
            "64 pass; SE policy-violation at 65, in linear time",
        )
        .say(At::Active, with_attributes(64), lives(""))
        .say(At::Active, with_attributes(65), too_much())
        .say(At::Offered, with_attributes(65), too_much())
        .say(At::Active, with_attributes(16_000), too_much())
        .say_on(On::Streams, At::Active, with_attributes(80_000), too_much()),
        Row::new(
            "A-28",
            "declarations of namespaces: 16, 17, 16,000 on one element, 8,000 nested",
            "16 pass; SE policy-violation at 17",
        )
        .say(At::Active, with_declarations(16), lives(""))
        .say(At::Active, with_declarations(17), too_much())
        .say(At::Offered, with_declarations(17), too_much())
        .say(At::Active, with_declarations(10_000), too_much())
        .say(At::Active, format!("<message xmlns='jabber:client'>{within}</message>"), too_much()),
    ]
}

fn quantities() -> Vec<Row> {
    vec![
        Row::new(
            "A-29",
            "elements in one stanza: 8,192, 8,193; before the login 33",
            "8,192 pass; SE policy-violation at 8,193",
        )
        .budget(30, 2 * 1024)
        .say(At::Active, with_children(8_192), lives(""))
        .say(At::Active, with_children(8_193), too_much())
        .say(At::Offered, with_children(33), too_much()),
        Row::new("A-30", "a name of 9 KiB, a value of 256 KiB, a namespace of 2 KiB", "SE policy-violation")
            .say(
                At::Active,
                format!("<message xmlns='jabber:client'><{}/></message>", "a".repeat(9_000)),
                too_much(),
            )
            .say(
                At::Active,
                format!("<message xmlns='jabber:client'><a b='{}'/></message>", "a".repeat(200_000)),
                too_much(),
            )
            .say(
                At::Active,
                format!("<message xmlns='jabber:client'><a {}=''/></message>", "a".repeat(300)),
                too_much(),
            )
            .say(
                At::Active,
                format!("<message xmlns='jabber:client'><a xmlns='urn:{}'/></message>", "a".repeat(2_000)),
                too_much(),
            )
            .say(
                At::Offered,
                format!("<message xmlns='jabber:client'><{}/></message>", "a".repeat(9_000)),
                too_much(),
            ),
        Row::new(
            "A-36",
            "names made to collide: 8,000 elements and 500 attributes with like beginnings",
            "accepted, in linear time",
        )
        .budget(30, 4 * 1024)
        .say(At::Active, collisions(), lives("")),
    ]
}

/// Names that differ in few bits, as a flood against a weak hash would have them.
fn collisions() -> String {
    let elements: String = (0..8_000).map(|n| format!("<Aa{:04}/>", n)).collect();
    let attributes: String = (0..60).map(|n| format!(" AaBB{n:04}='' ")).collect();
    format!("<message xmlns='jabber:client'><x{attributes}/>{elements}</message>")
}

fn sizes() -> Vec<Row> {
    let response = |bytes: usize| {
        format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>", "A".repeat(bytes))
    };
    let bind = |bytes: usize| {
        format!(
            "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><x>{}</x></iq>",
            "A".repeat(bytes)
        )
    };
    vec![
        Row::new("A-33", "one byte over the limit: before, during and after the login, while binding, with stream management", "SE policy-violation")
            .logs("misbehaviour")
            .budget(30, 4 * 1024)
            .say(At::Offered, auth_of(EARLY + 1), too_much())
            .say(At::Exchange, response(EARLY), too_much())
            .say(At::Unbound, bind(LATE), too_much())
            .say(At::Active, message_of(LATE + 1, "a"), too_much())
            .say(At::Managed, message_of(LATE + 1, "a"), too_much())
            .say(At::Managed, format!("<a xmlns='urn:xmpp:sm:3' h='0'>{}</a>", "a".repeat(LATE)), too_much()),
        Row::new("A-34", "exactly the limit: 10,000 bytes before the login, 262,144 after", "accepted")
            .budget(30, 4 * 1024)
            .say(At::Offered, auth_of(EARLY), Verdict::Fails("invalid-mechanism"))
            .say(At::Active, message_of(LATE, "a"), lives(""))
            .say(At::Managed, message_of(LATE, "a"), lives("")),
        Row::new("A-35", "bytes are counted as they were sent: characters of two to four bytes, references", "the limit is exact")
            .budget(30, 4 * 1024)
            .say(At::Active, message_of(LATE, "ä"), lives(""))
            .say(At::Active, message_of(LATE + 1, "ä"), too_much())
            .say(At::Active, message_of(LATE, "😀"), lives(""))
            .say(At::Active, message_of(LATE + 1, "😀"), too_much())
            .say(At::Active, message_of(LATE, "&amp;"), lives(""))
            .say(At::Active, message_of(LATE + 1, "&amp;"), too_much()),
        Row::new("A-31", "a text of 256 KiB in packets of one byte", "accepted, in linear time")
            .whole()
            .budget(400, 4 * 1024)
            .says(On::All, At::Active, vec![Say::Pieces(message_of(LATE, "a").into_bytes(), 1)], lives("")),
        Row::new("A-32", "connections that drip one byte a second, before the login", "SE connection-timeout after the time to log in")
            .hasty()
            .budget(60, 1024)
            .script(On::All, drips),
    ]
}

/// A few connections here: that each costs little is measured by the crate `net`.
fn drips(stage: &Stage<'_>) -> Outcome {
    let start = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(stage.connect()?);
    }
    let header = b"<?xml version='1.0'?>      <stream:stream to='a.example'";
    for byte in header.iter().take(20) {
        for client in clients.iter_mut().filter(|client| client.end.is_none()) {
            match client.transport {
                Transport::WebSocket | Transport::Bosh => client.say(b" ")?,
                _ => client.say([*byte])?,
            }
            client.more(Instant::now() + Duration::from_millis(20))?;
        }
        if clients.iter().all(|client| client.end.is_some()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for client in &mut clients {
        client
            .rest(Duration::from_secs(10))
            .map_err(|fault| format!("it lives after {:?}: {fault}", start.elapsed()))?;
    }
    Ok(())
}

/// Pairs of texts that must be read alike.
const SAME: [(&str, &str); 6] = [
    ("<![CDATA[<b>&amp;</b>]]>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"),
    ("a<![CDATA[]]]]><![CDATA[>]]>b", "a]]&gt;b"),
    ("<![CDATA[]]>", ""),
    ("&#x41;&#66;&quot;&apos;", "AB\"'"),
    ("a\r\nb\rc", "a\nb\nc"),
    ("&#13;&#x85;&#x2028;", "&#13;\u{85}\u{2028}"),
];

fn sameness() -> Vec<Row> {
    vec![
        Row::new(
            "A-40",
            "CDATA around markup, CDATA that is split, line ends",
            "the same text as if it were escaped",
        )
        .budget(60, 1024)
        .script(On::All, |stage| {
            SAME.iter().try_for_each(|(one, other)| match (echo(stage, one)?, echo(stage, other)?) {
                (one, other) if one == other => Ok(()),
                (one, other) => Err(format!("{one:?} is not {other:?}")),
            })
        }),
        Row::new(
            "A-41",
            "namespaces with a line feed and with every byte that could be taken for a separator",
            "two different names stay different",
        )
        .script(On::All, separators),
        Row::new(
            "A-42",
            "bad and good input cut into packets of one, two and seven bytes",
            "the same verdict",
        )
        .script(On::All, |stage| cut(stage, 1))
        .script(On::All, |stage| cut(stage, 2))
        .script(On::All, |stage| cut(stage, 7)),
        Row::new(
            "A-44",
            "texts, values and ids with quotes, markup, tab, line feed, U+2028, ]]&gt;",
            "they come back as they were; one stanza stays one stanza",
        )
        .script(On::All, round_trip),
    ]
}

/// What a message with this body comes back as, sent to oneself: its body, as it stands.
fn echo(stage: &Stage<'_>, body: &str) -> Outcome<String> {
    // One to whom nobody has sent anything that would come first.
    let user = stage.server.user()?;
    let (mut client, jid) = stage.online(&user)?;
    echo_of(&mut client, &jid, body)
}

fn echo_of(client: &mut Client, jid: &str, body: &str) -> Outcome<String> {
    client.say(format!(
        "<message xmlns='jabber:client' to='{jid}' id='echo' type='chat'><body>{body}</body></message>"
    ))?;
    let came = client.until("</message>")?;
    let body = came.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>"));
    match body {
        Some((body, _)) => Ok(body.to_owned()),
        None if came.contains("<body/>") => Ok(String::new()),
        None => Err(format!("no body in {}", shown(&came))),
    }
}

fn separators(stage: &Stage<'_>) -> Outcome {
    // One to whom nobody has sent anything that would come first.
    let user = stage.server.user()?;
    let (mut client, jid) = stage.online(&user)?;
    for separator in ["&#10;", "\n", " ", "&#9;", "|", "^", "\u{1f}", "\u{c}", ":", "}", "{"] {
        if separator.chars().any(|c| c < ' ' && c != '\n') {
            continue; // no character of XML; that is A-12
        }
        let (one, other) = (format!("<d xmlns='b{separator}c'/>"), "<d:c xmlns:d='b'/>");
        client.say(format!(
            "<message xmlns='jabber:client' to='{jid}' id='s'><x xmlns='urn:x'>{one}{other}</x></message>"
        ))?;
        let came = client.until("</message>")?;
        if !(came.contains("<c xmlns='b'/>") && came.contains("<d xmlns='b") && came.contains("c'/>")) {
            return Err(format!("{separator:?}: {}", shown(&came)));
        }
    }
    Ok(())
}

/// What is good and what is bad stays so however it is cut.
fn cut(stage: &Stage<'_>, size: usize) -> Outcome {
    let good = "<message xmlns='jabber:client' id='ä'><body>ö&amp;<![CDATA[<€]]>😀</body><x xmlns='urn:x' a='&lt;'/></message>";
    let bad: [(&[u8], &[&str]); 5] = [
        (
            b"<message xmlns='jabber:client'><body>&foo;</body></message>",
            &["restricted-xml", "not-well-formed"],
        ),
        (b"<message xmlns='jabber:client'><a></b></message>", &["not-well-formed"]),
        (b"<message xmlns='jabber:client'><!-- a --></message>", &["restricted-xml"]),
        (
            b"<message xmlns='jabber:client'><body>\xe2\x82</body></message>",
            &["unsupported-encoding", "not-well-formed"],
        ),
        (b"<message xmlns='jabber:client'><body>]]></body></message>", &["not-well-formed"]),
    ];
    let user = stage.server.borrow_user()?;
    let (mut client, _) = stage.bound(&user.name)?;
    client.say_in_pieces(good.as_bytes(), size)?;
    lives("").check(&mut client, At::Active)?;
    for (say, stream) in bad {
        let (mut client, _) = stage.bound(&user.name)?;
        client.say_in_pieces(say, size)?;
        Verdict::Dies { stream, websocket: &["1007"], bosh: &["bad-request"] }
            .check(&mut client, At::Active)?;
    }
    Ok(())
}

/// To oneself, in error replies, as carbons and out of the archive.
fn round_trip(stage: &Stage<'_>) -> Outcome {
    let odd = "&apos;&quot;&lt;&gt;&amp;]]&gt;\u{2028}\u{85}&#9;&#10;&#13;&lt;/body&gt;&lt;iq type=&apos;set&apos;/&gt;";
    let plain = "'\"<>&]]>\u{2028}\u{85}\t\n\r</body><iq type='set'/>";
    let user = stage.server.user()?;
    let (mut client, jid) = stage.online(&user)?;
    let came = echo_of(&mut client, &jid, odd)?;
    if unescape(&came) != plain {
        return Err(format!("{came:?} came back"));
    }
    // An id that comes back in an error.
    client.say(format!(
        "<iq xmlns='jabber:client' type='get' id='{odd}' to='a.example'><x xmlns='urn:{odd}'/></iq>"
    ))?;
    let came = client.until("</iq>")?;
    let (_, id) = came.split_once(" id='").ok_or("no id")?;
    if unescape(id.split('\'').next().unwrap_or_default()) != plain {
        return Err(format!("the id came back as {came:?}"));
    }
    client.say("<iq xmlns='jabber:client' type='set' id='m'><query xmlns='urn:xmpp:mam:2'/></iq>")?;
    let came = client.until("<fin")?;
    let stored =
        came.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>")).ok_or("no archive")?;
    if unescape(stored.0) != plain {
        return Err(format!("the archive has {came:?}"));
    }
    client.until("</iq>")?;
    client.probe("still").map(drop)
}

fn unescape(text: &str) -> String {
    let mut out =
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'").replace("&quot;", "\"");
    for (reference, c) in
        [("&#9;", "\t"), ("&#10;", "\n"), ("&#13;", "\r"), ("&#x9;", "\t"), ("&#xA;", "\n"), ("&#xD;", "\r")]
    {
        out = out.replace(reference, c);
    }
    out.replace("&amp;", "&")
}
