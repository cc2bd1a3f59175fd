//! Group I, first part: WebSocket and BOSH.
//!
//! RFC 6455, RFC 7395, XEP-0124, XEP-0206.
//!
//! Not here: HTTP itself and files (`http.rs`).

use std::time::Duration;

use crate::Outcome;
use crate::client::{Client, Offer, PATIENCE, Socket, Transport, frame};
use crate::row::{At, On, Row, Say};
use crate::stage::Stage;
use crate::verdict::dies;

const WS: On = On::Only(Transport::WebSocket);
const BOSH: On = On::Only(Transport::Bosh);
const NS: &str = "xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = sockets();
    rows.extend(bodies());
    rows
}

/// A connection to the port for HTTPS.
pub(super) fn https(stage: &Stage<'_>) -> Outcome<Socket> {
    let mut socket = Socket::connect(stage.from, stage.server.target.https)?;
    socket.secure(&Offer { alpn: vec![b"http/1.1"], ..Offer::of(&stage.server.target.domain) })?;
    Ok(socket)
}

/// Sends a request as it is; gives everything up to the end. It should ask for an end itself.
pub(super) fn http(stage: &Stage<'_>, request: impl AsRef<[u8]>) -> Outcome<String> {
    let mut socket = https(stage)?;
    socket.write(request.as_ref());
    Ok(String::from_utf8_lossy(&socket.rest(PATIENCE)?).into_owned())
}

/// The status of an answer must be one of these. What is cut without an answer has none.
pub(super) fn status(answer: &str, wanted: &[u16]) -> Outcome {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    if wanted.contains(&status) { Ok(()) } else { Err(format!("not {wanted:?} but {:.300}", answer)) }
}

fn upgrade(stage: &Stage<'_>, headers: &str) -> Outcome<String> {
    http(
        stage,
        format!(
            "GET /xmpp-websocket HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            stage.server.target.domain
        ),
    )
}

const XMPP: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n";

/// Frames after the upgrade; the end must have this code.
fn ends(row: Row, frames: Vec<u8>, code: &'static str) -> Row {
    row.script(WS, move |stage| {
        let mut client = stage.connect()?;
        client.socket()?.write(&frames);
        client.rest(PATIENCE)?;
        match client.end.as_deref() {
            Some(end) if end == code => Ok(()),
            other => Err(format!("not {code} but {other:?}")),
        }
    })
}

fn sockets() -> Vec<Row> {
    let mut rows = upgrades();
    rows.extend(frames());
    rows.push(elements());
    rows.push(
        Row::new("I-09", "a stanza before <open/>; more after <close/>", "no answer but the end")
            .script(WS, early)
            .script(WS, late),
    );
    rows.push(
        Row::new("I-10", "compression is offered (permessage-deflate)", "not agreed on")
            .script(WS, compression),
    );
    rows
}

fn upgrades() -> Vec<Row> {
    let refused = |row: Row, headers: String, wanted: &'static [u16]| {
        row.script(WS, move |stage| status(&upgrade(stage, &headers)?, wanted))
    };
    let close = "Connection: close\r\n";
    let mut upgrades = Row::new(
        "I-01",
        "an upgrade without or with another subprotocol, of another version, with 64 KiB of headers",
        "400, 426, 431",
    );
    upgrades = refused(upgrades, format!("Sec-WebSocket-Version: 13\r\n{close}"), &[400, 426]);
    upgrades = refused(
        upgrades,
        format!("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n{close}"),
        &[400, 426],
    );
    upgrades = refused(
        upgrades,
        format!("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Protocol: xmpp\r\n{close}"),
        &[426],
    );
    upgrades = refused(upgrades, format!("{XMPP}X: {}\r\n", "y".repeat(65_536)), &[431]);
    let mut origins = Row::new("I-02", "an upgrade from a page of another origin, and of none", "403");
    for origin in ["https://evil.example", "null", "https://a.example.evil.example"] {
        origins = refused(origins, format!("{XMPP}Origin: {origin}\r\n{close}"), &[403]);
    }
    vec![upgrades, origins]
}

fn frames() -> Vec<Row> {
    let long = [&[0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4][..], &[0; 64]].concat();
    let over = ends(
        Row::new(
            "I-03",
            "a frame that says it has 2^40 bytes; one over the limit before the login; the same in pieces",
            "1009, at once",
        ),
        long,
        "1009",
    );
    let over = ends(over, frame(0x81, &[b'a'; 10_001]), "1009");
    let over = ends(over, [frame(0x01, &[b'a'; 9_000]), frame(0x80, &[b'a'; 9_000])].concat(), "1009");
    let rules = Row::new(
        "I-04",
        "unknown opcodes, reserved bits, a ping in pieces, one of 126 bytes, a continuation of nothing",
        "1002",
    );
    let rules = [0x83, 0x87, 0x8b, 0x8f, 0xc1, 0xa1, 0x91, 0x09, 0x80]
        .into_iter()
        .fold(rules, |row, first| ends(row, frame(first, b"x"), "1002"));
    let rules = ends(rules, frame(0x89, &[0; 126]), "1002");
    let empty = [frame(0x01, b""), (0..10_000).flat_map(|_| frame(0x00, b"")).collect()].concat();
    let floods =
        ends(Row::new("I-05", "10,000 empty pieces of a message; a flood of pings", "1008"), empty, "1008");
    let floods = ends(floods, (0..200).flat_map(|_| frame(0x89, b"x")).collect(), "1008");
    let mut bare = frame(0x81, b"");
    bare[1] &= 0x7f;
    let masks = ends(Row::new("I-06", "a frame without a mask", "1002"), bare[..2].to_vec(), "1002");
    let bytes = ends(
        Row::new(
            "I-07",
            "a binary frame; a character that is broken off, and one cut by pieces that is wrong",
            "1003; 1007",
        ),
        frame(0x82, b"<open/>"),
        "1003",
    );
    let bytes = ends(bytes, frame(0x81, b"\xe2\x82"), "1007");
    let bytes = ends(bytes, [frame(0x01, b"\xe2"), frame(0x80, b"\x28\xa1")].concat(), "1007");
    vec![over, rules, floods, masks, bytes]
}

fn elements() -> Row {
    let opening = |text: &str| {
        vec![Say::Open("to='a.example' version='1.0'".into()), Say::Raw(text.as_bytes().to_vec())]
    };
    [
        "<a xmlns='jabber:client'/><b xmlns='jabber:client'/>",
        "<message xmlns='jabber:client'>",
        "<?xml version='1.0'?><message xmlns='jabber:client'/>",
    ]
    .into_iter()
    .fold(
        Row::new(
            "I-08",
            "two elements, half an element, a stream's header, a declaration in a frame",
            "SE not-well-formed, bad-format",
        ),
        |row, text| {
            row.says(WS, At::Start, opening(text), dies(&["not-well-formed", "bad-format", "restricted-xml"]))
        },
    )
}

fn compression(stage: &Stage<'_>) -> Outcome {
    let mut socket = https(stage)?;
    socket.write(format!("GET /xmpp-websocket HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{XMPP}Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n").as_bytes());
    let mut seen = String::new();
    while !seen.contains("\r\n\r\n") {
        match socket.read(PATIENCE) {
            crate::client::Read::Bytes(bytes) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            _ => return Err(format!("no answer: {seen}")),
        }
    }
    let right = seen.contains(" 101 ") && !seen.to_ascii_lowercase().contains("sec-websocket-extensions");
    if right { Ok(()) } else { Err(seen) }
}

fn early(stage: &Stage<'_>) -> Outcome {
    let mut client = stage.connect()?;
    client.say("<message xmlns='jabber:client' to='a.example' id='early'><body>b</body></message>")?;
    let seen = client.rest(PATIENCE)?;
    if seen.contains("id='early'") { Err(seen) } else { Ok(()) }
}

fn late(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.borrow_user()?;
    let (mut client, _) = stage.bound(&user.name)?;
    client.close()?;
    client.say("<iq xmlns='jabber:client' type='get' id='late'><ping xmlns='urn:xmpp:ping'/></iq>")?;
    let seen = client.rest(PATIENCE)?;
    if seen.contains("id='late'") { Err(seen) } else { Ok(()) }
}

/// One request of BOSH as it is; its body.
fn post(stage: &Stage<'_>, body: &str) -> Outcome<String> {
    let answer = http(
        stage,
        format!(
            "POST /http-bind HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nContent-Type: text/xml\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )?;
    status(&answer, &[200])?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn session(stage: &Stage<'_>, rid: u64, wishes: &str) -> Outcome<(String, String)> {
    let body = format!("<body {NS} rid='{rid}' to='a.example' ver='1.11' xmpp:version='1.0' {wishes}/>");
    let made = post(stage, &body)?;
    let sid = made.split_once(" sid='").and_then(|(_, rest)| rest.split('\'').next());
    Ok((sid.ok_or_else(|| format!("no session: {made}"))?.to_owned(), made.clone()))
}

fn not_found(answer: &str) -> Outcome {
    let right = answer.contains("type='terminate'") && answer.contains("item-not-found");
    if right { Ok(()) } else { Err(answer.to_owned()) }
}

fn bodies() -> Vec<Row> {
    vec![
        Row::new("I-11", "a session that is not there", "the end, item-not-found")
            .script(BOSH, |stage| not_found(&post(stage, &format!("<body {NS} rid='5' sid='nobody'/>"))?))
            .script(BOSH, |stage| not_found(&post(stage, &format!("<body {NS} rid='5' sid=''/>"))?)),
        Row::new("I-12", "a request number far too small, and one far too large", "the same: item-not-found")
            .script(BOSH, |stage| {
                for rid in [1, 100_000] {
                    let (sid, _) = session(stage, 5_000, "wait='1' hold='1'")?;
                    not_found(&post(stage, &format!("<body {NS} rid='{rid}' sid='{sid}'/>"))?)?;
                }
                Ok(())
            }),
        Row::new(
            "I-13",
            "a request again, as if its answer was lost",
            "the same answer, and nothing happens twice",
        )
        .script(BOSH, again),
        Row::new(
            "I-14",
            "request numbers at the end of what they may be, and beyond",
            "accepted; bad-request",
        )
        .script(BOSH, |stage| {
            session(stage, (1 << 53) - 2, "wait='1' hold='1'")?;
            for rid in ["9007199254740993", "18446744073709551617", "-1", "x", ""] {
                let answer =
                    post(stage, &format!("<body {NS} rid='{rid}' to='a.example' xmpp:version='1.0'/>"))?;
                if answer.contains(" sid=") || !answer.contains("bad-request") {
                    return Err(format!("{rid}: {answer}"));
                }
            }
            Ok(())
        }),
        Row::new(
            "I-15",
            "`wait` and `hold` without measure, `route` to another host",
            "cut down to 60 and 1; ignored",
        )
        .script(BOSH, |stage| {
            let (_, made) = session(
                stage,
                1,
                "wait='1000000000' hold='1000' requests='1000' route='xmpp:127.0.0.1:22' from='x@b.example'",
            )?;
            let right =
                made.contains("wait='60'") && made.contains("hold='1'") && made.contains("requests='2'");
            if right { Ok(()) } else { Err(made) }
        }),
        Row::new("I-16", "empty requests without a pause", "policy-violation").script(BOSH, |stage| {
            let (sid, _) = session(stage, 1, "wait='0' hold='0'")?;
            for rid in 2..5 {
                let answer = post(stage, &format!("<body {NS} rid='{rid}' sid='{sid}'/>"))?;
                if answer.contains("policy-violation") {
                    return Ok(());
                }
            }
            Err("three empty requests at once".into())
        }),
        Row::new("I-17", "a restart of the stream for another domain after the login", "SE, the end")
            .script(BOSH, elsewhere),
        Row::new("I-19", "64 ids of sessions", "all different, of 128 bits at least")
            .budget(200, 2_048)
            .script(BOSH, sids),
    ]
}

fn elsewhere(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.borrow_user()?;
    let mut client: Client = stage.connect()?;
    client.log_in(&user.name)?;
    client.bosh()?.say("to='b.example' xmpp:restart='true'", b"")?;
    client.say(crate::login::bind("x"))?;
    let seen = client.rest(PATIENCE)?;
    if seen.contains("@b.example/") { Err(seen) } else { Ok(()) }
}

fn sids(stage: &Stage<'_>) -> Outcome {
    let mut all = std::collections::HashSet::new();
    for _ in 0..64 {
        let (sid, _) = session(stage, 1, "wait='1' hold='1'")?;
        // Six bits in a character at most.
        if sid.len() < 22 || !all.insert(sid.clone()) {
            return Err(sid);
        }
    }
    Ok(())
}

fn again(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let (mut other, _) = stage.online(&user)?;
    let sender = stage.server.user()?;
    let mut client = stage.connect()?;
    client.log_in_and_bind(&sender, "")?;
    let bosh = client.bosh()?;
    let sid = bosh.sid.clone().ok_or("no session")?;
    bosh.rid += 1;
    let rid = bosh.rid;
    let body = format!(
        "<body {NS} rid='{rid}' sid='{sid}'><message xmlns='jabber:client' to='{user}@a.example' type='chat' id='once'>\
         <body>once</body></message></body>"
    );
    for _ in 0..2 {
        // The one that is held may be answered by the next one.
        bosh.post(body.as_bytes(), usize::MAX)?;
    }
    std::thread::sleep(Duration::from_millis(1));
    other.until("<body>once</body>")?;
    let rest = other.probe("after")?;
    if rest.contains("once") { Err(format!("twice: {rest}")) } else { Ok(()) }
}
