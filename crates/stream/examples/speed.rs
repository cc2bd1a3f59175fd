//! How many stanzas per second one core carries through a bound stream: `cargo run --release -p stream --example speed`.
//!
//! Not here: TLS, sockets, the engine.
#![allow(clippy::unwrap_used, reason = "a measurement")]

use std::sync::Arc;
use std::time::Instant;

use address::Jid;
use model::link::{Bound, Down, Link, SessionId, StreamId, Transport, Up};
use stanza::{MessageType, Stanza};
use stream::{Answer, Ask, Connection, Domains, Output, Rate, Settings, Stream, Timeouts, Tls};

#[derive(Debug)]
struct Ours;

impl Domains for Ours {
    fn serves(&self, _domain: &str) -> bool {
        true
    }
}

struct Nowhere;

impl Link for Nowhere {
    fn send(&self, _down: Down) {}

    fn backlog(&self) -> usize {
        0
    }
}

const ROUNDS: usize = 2_000;
const STANZAS: usize = 100;

fn settings() -> Settings {
    Settings {
        domains: Arc::new(Ours),
        mechanisms: vec![sasl::Mechanism::Plain],
        starttls: true,
        plain_on_loopback: false,
        stream_management: true,
        timeouts: Timeouts::default(),
        limits_before_auth: xml::Limits::BEFORE_AUTH,
        limits: xml::Limits::CLIENT,
        rate: Rate::UNLIMITED,
        auth_failures_max: 5,
    }
}

/// Serves the stream; gives the number of stanzas that came up.
fn serve(stream: &mut Stream, now: Instant) -> usize {
    let mut stanzas = 0;
    while let Some(output) = stream.poll_output() {
        match output {
            Output::Ask(Ask::Password { .. }) => stream.handle_answer(now, Answer::Password(true)),
            Output::Ask(Ask::Login(_)) => stream.handle_answer(now, Answer::Login(None)),
            Output::Up(Up::Bind(_)) => {
                let jid = Jid::parse("juliet@example.org/balcony").unwrap();
                let bound = Bound { session: SessionId(1), jid, enabled: None, archive: None };
                stream.handle_down(now, Down::Bound(Ok(Box::new(bound))));
            }
            Output::Up(Up::Stanza(..)) => stanzas += 1,
            _ => {}
        }
    }
    stanzas
}

fn bound(transport: Transport, now: Instant) -> Stream {
    let connection = Connection {
        id: StreamId(1),
        transport,
        peer: [192, 0, 2, 1].into(),
        link: Arc::new(Nowhere),
        seed: [1; 32],
    };
    let mut stream = Stream::new(Arc::new(settings()), connection, now);
    let channel = sasl::Channel::proxied();
    stream.handle_tls(now, Tls { about: String::new(), channel, server_name: None, early_data: false });
    let open = match transport {
        Transport::WebSocket => {
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>"
        }
        _ => {
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>"
        }
    };
    let plain = sasl::encode_base64(b"\0juliet\0x");
    let login = format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{plain}</initial-response><bind xmlns='urn:xmpp:bind:0'/></authenticate>"
    );
    for text in [open, &login] {
        stream.handle_input(now, text.as_bytes());
        serve(&mut stream, now);
    }
    stream.take_bytes(&mut Vec::new());
    while stream.take_frame().is_some() {}
    assert!(stream.jid().is_some());
    stream
}

fn main() {
    let now = Instant::now();
    let message = "<message xmlns='jabber:client' to='romeo@example.org' id='a1b2c3d4' type='chat'><body>Wherefore art thou, \
        and why do I have to ask each time?</body><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='a1b2c3d4'/></message>";
    for (name, transport, at_once) in [
        ("tcp, many in a read", Transport::DirectTls, STANZAS),
        ("tcp, one in a read", Transport::DirectTls, 1),
        ("websocket", Transport::WebSocket, 1),
    ] {
        let mut stream = bound(transport, now);
        let input = message.repeat(at_once);
        let start = Instant::now();
        let mut up = 0;
        for _ in 0..ROUNDS * STANZAS / at_once {
            stream.handle_input(now, input.as_bytes());
            up += serve(&mut stream, now);
        }
        report(&format!("in, {name}"), up, up * message.len(), start);
    }
    let mut w = xml::Writer::new("jabber:client");
    w.open("body", "jabber:client").text("Wherefore art thou, and why do I have to ask each time?").close();
    let to = Jid::parse("juliet@example.org/balcony").unwrap();
    let stanza =
        Arc::new(Stanza::message(MessageType::Chat).id("a1b2c3d4").to(&to).from(&to).with_inner(w.finish()));
    for (name, transport) in [("tcp", Transport::DirectTls), ("websocket", Transport::WebSocket)] {
        let mut stream = bound(transport, now);
        let (start, mut bytes, mut out) = (Instant::now(), 0, Vec::new());
        for _ in 0..ROUNDS {
            for _ in 0..STANZAS {
                stream.handle_down(now, Down::Stanza(stanza.clone()));
            }
            out.clear();
            stream.take_bytes(&mut out);
            bytes += out.len();
            while let Some(stream::Frame::Element(element)) = stream.take_frame() {
                bytes += element.len();
            }
        }
        report(&format!("out, {name}"), ROUNDS * STANZAS, bytes, start);
    }
}

fn report(name: &str, stanzas: usize, bytes: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name:24} {:>8.0} ns per stanza, {:>5.0} MB/s",
        seconds * 1e9 / stanzas as f64,
        bytes as f64 / seconds / 1e6
    );
}
