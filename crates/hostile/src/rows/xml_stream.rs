//! Group A, third part: headers, the order of things on a stream, its end.
//!
//! RFC 6120 sections 4.2 to 4.9, RFC 7395, XEP-0206.
//!
//! Not here: the XML inside (`xml.rs`, `xml_limits.rs`).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Client, PATIENCE, Transport, header};
use crate::login::{auth, plain};
use crate::row::{At, On, Row, Say};
use crate::server::PASSWORD;
use crate::stage::Stage;
use crate::verdict::{Verdict, bad_xml, dies, lives};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = headers();
    rows.extend(places());
    rows.extend(order());
    rows.extend(ends());
    rows
}

fn headers() -> Vec<Row> {
    let (host, improper) = (
        dies(&["host-unknown"]),
        Verdict::Dies { stream: &["improper-addressing"], websocket: &[], bosh: &["improper-addressing"] },
    );
    let version = || dies(&["unsupported-version"]);
    let namespace = || dies(&["invalid-namespace", "bad-namespace-prefix"]);
    let stream = |text: &str| format!("<stream:stream to='a.example' version='1.0' {text}>");
    let streams = "xmlns:stream='http://etherx.jabber.org/streams'";
    let long = "a".repeat(9_000);
    vec![
        Row::new("A-17", "a wrong namespace of the stream, or none", "SE invalid-namespace")
            .logs("misbehaviour")
            .say_on(On::Streams, At::Start, stream("xmlns='jabber:client' xmlns:stream='urn:x'"), namespace())
            .say_on(On::Streams, At::Start, "<stream to='a.example' version='1.0' xmlns='jabber:client'>", namespace())
            .say_on(On::Only(Transport::WebSocket), At::Start, "<open xmlns='urn:x' to='a.example' version='1.0'/>", dies(&["bad-format", "invalid-namespace"])),
        Row::new("A-18", "another prefix than stream:, which RFC 6120 allows", "accepted")
            .say_on(On::Streams, At::Start, "<s:stream to='a.example' version='1.0' xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>", lives("")),
        Row::new("A-19", "the namespace of servers, on the stream or on a stanza", "SE invalid-namespace")
            .logs("misbehaviour")
            .say_on(On::Streams, At::Start, stream(&format!("xmlns='jabber:server' {streams}")), namespace())
            .say(At::Active, "<message xmlns='jabber:server' to='a@a.example'/>", namespace())
            .say_on(On::Streams, At::Active, "<message xmlns=''/>", dies(&["invalid-namespace", "unsupported-stanza-type"])),
        Row::new("A-22", "`to` unknown, missing, empty, an IP address, 9 KB, no domain", "SE host-unknown, improper-addressing")
            .open("to='nobody.example' version='1.0'", host.clone())
            .open("to='127.0.0.1' version='1.0'", host.clone())
            .open("to='[::1]' version='1.0'", dies(&["host-unknown", "improper-addressing"]))
            .open("version='1.0'", improper.clone())
            .open("to='' version='1.0'", improper.clone())
            .open("to='a@a.example' version='1.0'", improper.clone())
            .open("to='a.example/x' version='1.0'", improper.clone())
            .open("to='a b' version='1.0'", improper.clone())
            .open("to='xn--a' version='1.0'", dies(&["host-unknown", "improper-addressing"]))
            .open("to='a..example' version='1.0'", dies(&["host-unknown", "improper-addressing"]))
            .open(&format!("to='{long}' version='1.0'"), Verdict::Ends),
        Row::new("A-23", "`version` missing, 0.9, no number, too large a number; 2.0 is accepted", "SE unsupported-version")

            .open("to='a.example'", version())
            .open("to='a.example' version='0.9'", version())
            .open("to='a.example' version='1.0abc'", version())
            .open("to='a.example' version='99999999999999999999.0'", version())
            .open("to='a.example' version='2.0'", lives("")),
        Row::new("A-24", "`xml:lang` of 100 KB; one that is no language", "SE policy-violation; ignored")
            .open(&format!("to='a.example' version='1.0' xml:lang='{}'", "x".repeat(100_000)), Verdict::Ends)
            .open("to='a.example' version='1.0' xml:lang='-/nonsense&amp;&lt;'", lives("")),
        Row::new("A-25", "a header with junk attributes; with more than there may be", "ignored up to the limits")
            .open("to='a.example' version='1.0' a='1' b='2' xmlns:x='urn:x' x:c='3'", lives(""))
            .open(&format!("to='a.example' version='1.0' {}", (0..70).map(|n| format!("a{n}='' ")).collect::<String>()), Verdict::Ends)
            .open(&format!("to='a.example' version='1.0' a='{}'", "x".repeat(20_000)), Verdict::Ends),
    ]
}

fn places() -> Vec<Row> {
    let refused = || dies(&["unsupported-stanza-type", "policy-violation"]);
    let mut early = Row::new(
        "A-21",
        "a stanza before the login: message, presence, jabber:iq:auth, a request for a resource",
        "SE not-authorized",
    )
    .logs("misbehaviour");
    for say in [
        "<message xmlns='jabber:client' to='a@a.example'><body>hello</body></message>",
        "<presence xmlns='jabber:client'/>",
        "<iq xmlns='jabber:client' type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>",
        "<iq xmlns='jabber:client' type='set' id='1'><query xmlns='jabber:iq:auth'><username>a</username><password>b</password><resource>c</resource></query></iq>",
        "<iq xmlns='jabber:client' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    ] {
        early = early
            .say(At::Offered, say, dies(&["not-authorized"]))
            .say(At::Exchange, say, dies(&["not-authorized"]))
            .say(At::Clear, say, dies(&["not-authorized"]));
    }
    // Where a login is offered this is answered (XEP-0077, XEP-0445), so the row is not about it there.
    let register = "<iq xmlns='jabber:client' type='get' id='1'><query xmlns='jabber:iq:register'/></iq>";
    early = early.say(At::Exchange, register, dies(&["not-authorized"])).say(
        At::Clear,
        register,
        dies(&["not-authorized"]),
    );
    vec![
        early,
        Row::new(
            "A-20",
            "an unknown element, one of SASL after the login, of streams",
            "SE unsupported-stanza-type, policy-violation",
        )
        .logs("misbehaviour")
        .say(At::Active, "<junk xmlns='urn:x'/>", refused())
        .say(At::Active, "<junk xmlns='jabber:client'/>", refused())
        .say(At::Active, auth("PLAIN", ""), refused())
        .say(At::Active, "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>", refused())
        .say(At::Active, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", refused())
        .say(At::Active, "<error xmlns='http://etherx.jabber.org/streams'/>", Verdict::Ends)
        .say(At::Active, "<features xmlns='http://etherx.jabber.org/streams'/>", refused())
        .say(At::Active, "<Message xmlns='jabber:client'/>", refused()),
    ]
}

fn order() -> Vec<Row> {
    vec![
        Row::new(
            "A-45",
            "a stanza that is wrong, then one that is right",
            "the first is answered with an error, the second handled, both count",
        )
        .script(On::All, wrong_then_right),
        Row::new(
            "A-48",
            "a second header where none is due; another domain after the login",
            "SE policy-violation; SE not-authorized",
        )
        .say_on(
            On::Streams,
            At::Active,
            "<stream:stream xmlns='jabber:client' to='a.example' version='1.0'/>",
            dies(&["policy-violation"]),
        )
        .says(
            On::Frames,
            At::Active,
            vec![Say::Open("to='a.example' version='1.0'".into())],
            dies(&["policy-violation"]),
        )
        .says(
            On::Frames,
            At::Offered,
            vec![Say::Open("to='a.example' version='1.0'".into())],
            dies(&["policy-violation"]),
        )
        .script(On::All, |stage| restart(stage, "to='b.example' version='1.0'", Some("not-authorized")))
        .script(On::All, |stage| restart(stage, "to='nobody.example' version='1.0'", Some("host-unknown")))
        .script(On::All, |stage| {
            restart(
                stage,
                "to='a.example' from='somebody-else@a.example' version='1.0'",
                Some("invalid-from"),
            )
        })
        .script(On::All, |stage| restart(stage, "to='a.example' version='1.0'", None)),
    ]
}

/// The restart that SASL asks for (RFC 6120 section 6.4.6), with these attributes.
fn restart(stage: &Stage<'_>, attributes: &str, error: Option<&str>) -> Outcome {
    let user = stage.server.borrow_user()?;
    let mut client = stage.offered()?;
    client.say(auth("PLAIN", &plain("", &user.name, PASSWORD)))?;
    client.until("<success")?;
    client.until(">")?;
    client.seen.clear();
    client.open(attributes)?;
    match error {
        None => client.until("</stream:features>").map(drop),
        Some(error) => {
            let seen = client.rest(PATIENCE)?;
            match crate::verdict::stream_error(&seen) == Some(error) {
                true => Ok(()),
                false => Err(format!("not {error} but {seen}")),
            }
        }
    }
}

fn wrong_then_right(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.borrow_user()?;
    let (mut client, jid) = stage.bound(&user.name)?;
    client.say("<enable xmlns='urn:xmpp:sm:3'/>")?;
    client.until("<enabled")?;
    for (wrong, answer) in [
        ("<message xmlns='jabber:client' to='@' id='w'/>", "<jid-malformed"),
        ("<iq xmlns='jabber:client' type='bogus' id='w'/>", "<bad-request"),
        (
            "<iq xmlns='jabber:client' type='get' id='w' to='a@b@c'><ping xmlns='urn:xmpp:ping'/></iq>",
            "<jid-malformed",
        ),
    ] {
        client.say(wrong)?;
        client.until(answer)?;
        client.probe("right")?;
    }
    client.say(format!("<message xmlns='jabber:client' to='{jid}'/>"))?;
    client.say("<r xmlns='urn:xmpp:sm:3'/>")?;
    client.until("<a xmlns='urn:xmpp:sm:3' h='7'").map(drop)
}

fn ends() -> Vec<Row> {
    vec![
        Row::new(
            "A-16",
            "white space ten times a second, before the login",
            "SE connection-timeout after the time to log in",
        )
        .hasty()
        .budget(100, 1024)
        .script(On::All, spaces)
        .script(On::Only(Transport::Bosh), endless_body),
        Row::new("A-46", "stanzas after the end of the stream", "ignored; the connection closes").script(
            On::All,
            |stage| {
                let (user, other) = (stage.server.borrow_user()?, stage.server.borrow_user()?);
                let (mut friend, to) = stage.online(&other.name)?;
                let (mut client, _) = stage.bound(&user.name)?;
                let late = format!("<message xmlns='jabber:client' to='{to}' id='late'/>");
                match client.transport {
                    Transport::Bosh => client.close()?,
                    Transport::WebSocket => {
                        client.close()?;
                        client.say(late)?;
                    }
                    _ => client
                        .say(format!("</stream:stream>{late}{}", header("to='a.example' version='1.0'")))?,
                }
                let seen = client.rest(PATIENCE)?;
                if seen.contains("<stream:error") || seen.contains("<iq") {
                    return Err(format!("after the end came {seen}"));
                }
                match friend.probe("after")?.contains("late") {
                    true => Err("what came after the end was handled".into()),
                    false => Ok(()),
                }
            },
        ),
        Row::new(
            "A-47",
            "the end, or half of it, while answers wait",
            "they are written, then the connection closes within 5 s",
        )
        .budget(50, 4 * 1024)
        .script(On::Streams, |stage| drained(stage, Client::close))
        .script(On::Streams, |stage| {
            drained(stage, |client| {
                client.socket()?.half_close();
                Ok(())
            })
        }),
        Row::new("A-49", "ids of streams", "no two alike, each of 128 bits and more")
            .budget(300, 1024)
            .script(On::Only(Transport::StartTls), stream_ids),
        Row::new(
            "A-50",
            "connections that come and go: without a word, after a handshake, after a failed login",
            "files and memory are given back",
        )
        .budget(100, 2 * 1024)
        .script(On::All, come_and_go),
        Row::new("A-07b", "the end of the stream twice, an end before the beginning", "the end")
            .say_on(On::Streams, At::Active, "</stream:stream></stream:stream>", Verdict::Ends)
            .say_on(On::Streams, At::Start, "</stream:stream>", Verdict::Ends)
            .say_on(On::Streams, At::Offered, "</stream:stream>", Verdict::Ends)
            .say_on(On::Streams, At::Active, "</stream:strea>", bad_xml(&["not-well-formed"])),
    ]
}

fn spaces(stage: &Stage<'_>) -> Outcome {
    let mut client = stage.offered()?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(8) && client.end.is_none() {
        client.say(" ")?;
        client.more(Instant::now() + Duration::from_millis(100))?;
    }
    client.rest(Duration::from_secs(2)).map(drop).map_err(|_| "it was kept alive by white space".into())
}

/// One request of BOSH without an end, as fast as the slowest that is waited for.
fn endless_body(stage: &Stage<'_>) -> Outcome {
    let mut client = stage.offered()?;
    let bosh = client.bosh()?;
    let mut socket = bosh.connection()?;
    let (sid, rid) = (bosh.sid.clone().unwrap_or_default(), bosh.rid + 1);
    socket.write(
        format!(
            "POST /http-bind HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000000\r\n\r\n\
             <body xmlns='http://jabber.org/protocol/httpbind' sid='{sid}' rid='{rid}'>"
        )
        .as_bytes(),
    );
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(8) {
        socket.write(&[b' '; 8 * 1024]);
        match socket.read(Duration::from_millis(100)) {
            crate::client::Read::Nothing => {}
            _ => return Ok(()),
        }
    }
    Err("600 KB of white space were read".into())
}

/// Asks for much, ends as told, and counts what comes.
fn drained(stage: &Stage<'_>, end: impl Fn(&mut Client) -> Outcome) -> Outcome {
    let user = stage.server.borrow_user()?;
    let (mut client, jid) = stage.online(&user.name)?;
    let body = "a".repeat(1_000);
    for n in 0..100 {
        client.say(format!("<message to='{jid}' id='d{n}'><body>{body}</body></message>"))?;
    }
    // The others are on their way when the end comes; what does not get through waits for the next session.
    client.until("id='d0'")?;
    end(&mut client)?;
    client.rest(PATIENCE).map(drop)
}

fn stream_ids(stage: &Stage<'_>) -> Outcome {
    let mut ids = HashSet::new();
    for _ in 0..200 {
        let mut client = Client::plain(&stage.server.target, stage.server.address())?;
        let seen = client.offered()?;
        let id = seen.split_once(" id='").and_then(|(_, rest)| rest.split('\'').next()).unwrap_or_default();
        // 22 characters of base64, or 32 hexadecimal digits.
        if id.len() < 22 || !ids.insert(id.to_owned()) {
            return Err(format!("the id {id:?}"));
        }
    }
    Ok(())
}

fn come_and_go(stage: &Stage<'_>) -> Outcome {
    for n in 0..30 {
        let from = stage.server.address();
        match n % 3 {
            0 => Client::plain(&stage.server.target, from)?.vanish(),
            1 => Client::connect(&stage.server.target, stage.transport, from)?.vanish(),
            _ => {
                let mut client = Client::connect(&stage.server.target, stage.transport, from)?;
                client.offered()?;
                client.say(auth("PLAIN", &plain("", "nobody", "wrong")))?;
                client.vanish();
            }
        }
    }
    Ok(())
}
