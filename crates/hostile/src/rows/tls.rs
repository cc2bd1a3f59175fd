//! Group B: before, during and beside the handshake.
//!
//! RFC 6120 section 5, RFC 7590, RFC 9325, RFC 7301, XEP-0368.
//!
//! Not here: making a first message by hand (`tls_hello.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tls_hello::{GOOD, Hello, Reply, shake};
use crate::Outcome;
use crate::client::{Client, Offer, PATIENCE, Read, Socket, Transport, header};
use crate::login::{auth, authenticate, plain};
use crate::row::{At, On, Row};
use crate::server::PASSWORD;
use crate::stage::Stage;
use crate::verdict::{Verdict, dies, lives, stream_error};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = starttls();
    rows.extend(handshakes());
    rows.extend(agreements());
    rows.extend(around());
    rows
}

fn starttls() -> Vec<Row> {
    let required = Verdict::Fails("encryption-required");
    let only = On::Only(Transport::StartTls);
    let policy = || dies(&["policy-violation"]);
    let mut injected = Row::new(
        "B-01",
        "bytes in the clear together with STARTTLS: one byte, a stanza, a login, a header",
        "never processed; SE policy-violation or the end",
    )
    .logs("misbehaviour");
    for after in [
        "<".to_owned(),
        "<message/>".to_owned(),
        auth("PLAIN", &plain("", "juliet", PASSWORD)),
        header("to='a.example' version='1.0'"),
    ] {
        injected = injected.script(only, move |stage| inject(stage, &after));
    }
    vec![
        injected,
        Row::new("B-02", "a login before TLS", "SASL encryption-required")
            .logs("misbehaviour")
            .say(At::Clear, auth("PLAIN", &plain("", "juliet", PASSWORD)), required.clone())
            .say(At::Clear, auth("SCRAM-SHA-256", "biwsbj1hLHI9YmM="), required.clone())
            .say(At::Clear, auth("EXTERNAL", "="), required.clone())
            .say(At::Clear, authenticate("juliet", PASSWORD, ""), required),
        Row::new("B-03", "what is offered before TLS", "only <starttls><required/></starttls>").script(only, |stage| {
            let mut client = Client::plain(&stage.server.target, stage.from)?;
            let seen = client.offered()?;
            let wanted = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
            if seen.ends_with(wanted) { Ok(()) } else { Err(seen) }
        }),
        Row::new("B-06", "compression of the stream", "unsupported-method, and it is not offered")
            .say(At::Offered, "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>", lives("<unsupported-method/>"))
            .script(On::All, |stage| {
                let seen = stage.connect()?.offered()?;
                if seen.contains("compression") { Err(seen) } else { Ok(()) }
            }),
        Row::new("B-14", "STARTTLS inside of TLS", "SE policy-violation").logs("misbehaviour").say(At::Offered, STARTTLS, policy()),
        Row::new("B-15", "STARTTLS after the login", "SE policy-violation")
            .logs("misbehaviour")
            .say(At::Unbound, STARTTLS, policy())
            .say(At::Active, STARTTLS, policy()),
    ]
}

fn inject(stage: &Stage<'_>, after: &str) -> Outcome {
    let mut client = Client::plain(&stage.server.target, stage.from)?;
    client.offered()?;
    client.say(format!("{STARTTLS}{after}"))?;
    let seen = client.rest(PATIENCE)?;
    let refused = stream_error(&seen) == Some("policy-violation") || seen.is_empty();
    match refused && !seen.contains("<success") && !seen.contains("<failure") && !seen.contains("<features") {
        true => Ok(()),
        false => Err(format!("{after}: {seen}")),
    }
}

/// A hello that must fail.
fn refused(hello: Hello) -> impl Fn(&Stage<'_>) -> Outcome + Send + Sync + 'static {
    move |stage| match shake(&mut stage.before_tls()?, &hello.bytes()) {
        Reply::Alert(_) | Reply::End => Ok(()),
        reply => Err(format!("version {:04x}, suites {:04x?}: {reply:?}", hello.version, hello.suites)),
    }
}

fn handshakes() -> Vec<Row> {
    let with = |change: fn(&mut Hello)| {
        let mut hello = Hello::proper();
        change(&mut hello);
        hello
    };
    let all_cbc = vec![
        0x002f, 0x0035, 0x003c, 0x009c, 0x000a, 0x0005, 0x0004, 0xc013, 0xc014, 0xc009, 0xc023, 0x0003,
        0x0008, 0xc012, 0x0000, 0xc018,
    ];
    vec![
        Row::new("B-04", "TLS 1.0 and 1.1, SSL 2 and 3, suites without forward secrecy, with CBC, RC4, 3DES, NULL or anonymous, no extended master secret", "no handshake")
            .script(On::All, |stage| match shake(&mut stage.before_tls()?, &Hello::proper().bytes()) {
                Reply::Hello { version: 0x0303, suite, compression: 0 } if GOOD.contains(&suite) => Ok(()),
                reply => Err(format!("a proper hello: {reply:?}")),
            })
            .script(On::All, refused(with(|hello| hello.version = 0x0302)))
            .script(On::All, refused(with(|hello| hello.version = 0x0301)))
            .script(On::All, refused(with(|hello| hello.version = 0x0300)))
            .script(On::All, refused(with(|hello| hello.extended_master_secret = false)))
            .script(On::All, refused(Hello { suites: all_cbc, ..Hello::proper() }))
            .script(On::All, |stage| {
                let ssl2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00\x40\x07\x00\xc0\x2b\x0b\xcb\x8d\x62\x3d\x8f\x4c\x3f\x0b\x3c\xcd\xf1\x5a\x9d\xdd\xa1";
                match shake(&mut stage.before_tls()?, ssl2) {
                    Reply::Alert(_) | Reply::End => Ok(()),
                    reply => Err(format!("SSL 2: {reply:?}")),
                }
            }),
        Row::new("B-05", "compression in TLS, a handshake within a connection (renegotiation)", "not agreed to; the end")
            .script(On::All, |stage| {
                let hello = Hello { compression: vec![1, 0], ..Hello::proper() };
                match shake(&mut stage.before_tls()?, &hello.bytes()) {
                    Reply::Hello { compression: 0, .. } | Reply::Alert(_) => Ok(()),
                    reply => Err(format!("{reply:?}")),
                }
            })
            .script(On::All, |stage| {
                let hello = Hello { compression: vec![1], ..Hello::proper() };
                match shake(&mut stage.before_tls()?, &hello.bytes()) {
                    Reply::Alert(_) | Reply::End => Ok(()),
                    reply => Err(format!("{reply:?}")),
                }
            })
            .script(On::All, |stage| {
                static OLD: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
                let mut socket = stage.before_tls()?;
                socket.secure(&Offer { versions: &OLD, alpn: vec![stage.alpn()], ..Offer::of("a.example") })?;
                socket.tls = None; // what follows goes past the encryption
                match shake(&mut socket, &Hello::proper().bytes()) {
                    Reply::Hello { .. } => Err("a second handshake was begun".into()),
                    _ => Ok(()),
                }
            }),
    ]
}

fn agreements() -> Vec<Row> {
    vec![
        Row::new(
            "B-07",
            "an unknown name, none, an address, one that is no name",
            "the first certificate, or an alert",
        )
        .script(On::All, |stage| named(stage, "nobody.example", true))
        .script(On::All, |stage| named(stage, "a.example", false))
        .script(On::All, |stage| named(stage, "127.0.0.1", true))
        .script(On::All, |stage| {
            for name in
                [&b""[..], b"\xff\xfe", b"a..example", b"127.0.0.1", &[b'a'; 300], b"a\0b", b"../../etc"]
            {
                let hello = Hello { name: Some(name.to_vec()), ..Hello::proper() };
                match shake(&mut stage.before_tls()?, &hello.bytes()) {
                    Reply::Hello { .. } | Reply::Alert(_) | Reply::End => {}
                    reply => return Err(format!("{name:?}: {reply:?}")),
                }
            }
            Ok(())
        }),
        Row::new(
            "B-08",
            "the wrong application protocol: of the web, of servers, of mail",
            "no_application_protocol; none at all is accepted",
        )
        .script(On::All, |stage| protocol(stage, vec![stage.alpn()], true))
        .script(On::All, |stage| protocol(stage, vec![], true))
        .script(On::All, |stage| protocol(stage, vec![b"xmpp-server"], false))
        .script(On::All, |stage| protocol(stage, vec![b"smtp", b"imap", b"h2"], false))
        .script(On::Only(Transport::Direct), |stage| protocol(stage, vec![b"http/1.1"], false))
        .script(On::Frames, |stage| protocol(stage, vec![b"xmpp-client"], false)),
        Row::new(
            "B-20",
            "each suite of TLS 1.2 by itself",
            "only those with forward secrecy and authenticated encryption are agreed to",
        )
        .whole()
        .budget(300, 1024)
        .script(On::Only(Transport::Direct), |stage| {
            for suite in (0x0001..=0x00ff).chain(0xc001..=0xc0bf).chain(0xcc13..=0xccae) {
                let hello = Hello { suites: vec![suite], ..Hello::proper() };
                let mut socket = Socket::connect(stage.server.address(), stage.server.target.direct)?;
                match shake(&mut socket, &hello.bytes()) {
                    Reply::Hello { suite: agreed, .. } if GOOD.contains(&agreed) && agreed == suite => {}
                    Reply::Alert(_) | Reply::End => {}
                    reply => return Err(format!("{suite:04x}: {reply:?}")),
                }
            }
            Ok(())
        }),
    ]
}

fn named(stage: &Stage<'_>, name: &str, sni: bool) -> Outcome {
    stage.before_tls()?.secure(&Offer { sni, alpn: vec![stage.alpn()], ..Offer::of(name) })
}

fn protocol(stage: &Stage<'_>, alpn: Vec<&'static [u8]>, agreed: bool) -> Outcome {
    let shown = format!("{:?}", alpn.iter().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>());
    let result = stage.before_tls()?.secure(&Offer { alpn, ..Offer::of("a.example") });
    match (result, agreed) {
        (Ok(()), true) => Ok(()),
        (Err(fault), false) if fault.contains("NoApplicationProtocol") => Ok(()),
        (result, _) => Err(format!("{shown}: {result:?}")),
    }
}

fn around() -> Vec<Row> {
    vec![
        Row::new(
            "B-09",
            "handshakes that are begun and not finished",
            "closed after the time for a handshake; little memory",
        )
        .hasty()
        .budget(60, 2 * 1024)
        .script(On::All, |stage| {
            let mut sockets = Vec::new();
            for n in 0..30 {
                let mut socket = stage.before_tls()?;
                let hello = Hello { tls13: n % 2 == 0, ..Hello::proper() }.bytes();
                match n % 3 {
                    0 => {}
                    1 => socket.write(&hello[..20]),
                    _ => socket.write(&hello),
                }
                sockets.push(socket);
            }
            let start = Instant::now();
            for socket in &mut sockets {
                socket.rest(PATIENCE)?;
            }
            match start.elapsed() < Duration::from_secs(8) {
                true => Ok(()),
                false => Err(format!("they were open for {:?}", start.elapsed())),
            }
        }),
        Row::new(
            "B-12",
            "handshakes, one after the other and without a pause",
            "others are served as before",
        )
        .whole()
        .budget(700, 1024)
        .script(On::All, |stage| {
            for _ in 0..500 {
                let mut socket =
                    Client::before_tls(&stage.server.target, stage.transport, stage.server.address())?;
                socket.secure(&Offer { alpn: vec![stage.alpn()], ..Offer::of("a.example") })?;
            }
            Ok(())
        }),
        Row::new(
            "B-13",
            "other protocols on every port: HTTP, SSH, XMPP in the clear, random bytes",
            "an error or the end, soon",
        )
        .script(On::Only(Transport::StartTls), |stage| strangers(stage, stage.server.target.c2s))
        .script(On::Only(Transport::Direct), |stage| strangers(stage, stage.server.target.direct))
        .script(On::Only(Transport::WebSocket), |stage| strangers(stage, stage.server.target.https))
        .script(On::Only(Transport::Bosh), |stage| strangers(stage, stage.server.target.http)),
        Row::new("B-17", "early data (0-RTT)", "not accepted").script(On::All, early_data),
    ]
}

fn strangers(stage: &Stage<'_>, to: std::net::SocketAddr) -> Outcome {
    let random: Vec<u8> = (0u32..600).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let xmpp = header("to='a.example' version='1.0'");
    for say in [
        &b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"[..],
        b"POST /http-bind HTTP/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n\r\n",
        b"EHLO a.example\r\n\r\n\r\n",
        b"* OK IMAP4rev1\r\n\r\n\r\n",
        xmpp.as_bytes(),
        &random,
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let mut socket = Socket::connect(stage.from, to)?;
        socket.write(say);
        let start = Instant::now();
        let text = match socket.read(Duration::from_secs(3)) {
            Read::End => String::new(),
            Read::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Read::Nothing => {
                let said = String::from_utf8_lossy(say);
                return Err(format!("no answer to {said:?} in {:?}", start.elapsed()));
            }
        };
        if text.contains("<mechanism") {
            return Err(format!("a login in the clear: {text}"));
        }
    }
    Ok(())
}

/// Remembers a session and resumes it with early data, if the server lets it.
fn early_data(stage: &Stage<'_>) -> Outcome {
    let mut config =
        Offer { alpn: vec![stage.alpn()], early_data: true, ..Offer::of("a.example") }.config()?;
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    for _ in 0..2 {
        let mut socket = stage.before_tls()?;
        socket.secure_with(config.clone(), "a.example")?;
        if socket.tls.as_ref().is_some_and(|tls| tls.is_early_data_accepted()) {
            return Err("early data was accepted".into());
        }
        // The ticket comes with the first answer.
        let say = match stage.transport.is_framed() {
            true => "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(),
            false => header("to='a.example' version='1.0'"),
        };
        socket.write(say.as_bytes());
        socket.read(Duration::from_secs(5));
    }
    Ok(())
}
