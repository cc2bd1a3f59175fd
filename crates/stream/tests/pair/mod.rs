//! A stream with a scripted client, an account store and an engine around it, in virtual time.
//!
//! The client's XML and ours are written as over TCP, whatever the transport: `[open]` stands for a header, `[close]`
//! for the end of a stream, `[]` for the end of a frame, and stanzas leave `xmlns='jabber:client'` out.
//!
//! Not here: sockets (crate `net`).
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

pub mod client;
pub mod engine;
pub mod store;
pub mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::link::{StreamId, Transport};
use sasl::{Channel, Mechanism, TlsVersion};
use stream::{Connection, Domains, Frame, Misbehaviour, Open, Output, Rate, Settings, Stream, Timeouts, Tls};

use engine::Engine;
use store::Store;

/// Every way in.
pub const TRANSPORTS: [Transport; 4] =
    [Transport::Tcp, Transport::DirectTls, Transport::WebSocket, Transport::Bosh];

pub const EXPORTER: [u8; 32] = [3; 32];
pub const END_POINT: [u8; 32] = [4; 32];

#[derive(Debug)]
struct Served;

impl Domains for Served {
    fn serves(&self, domain: &str) -> bool {
        matches!(domain, "example.org" | "other.example")
    }

    fn registers(&self, domain: &str) -> bool {
        domain == "other.example"
    }
}

/// As usual, but sessions shall be resumed at a place of their own.
#[derive(Debug)]
struct Elsewhere;

impl Domains for Elsewhere {
    fn serves(&self, domain: &str) -> bool {
        Served.serves(domain)
    }

    fn resume_location(&self, domain: &str) -> Option<Arc<str>> {
        (domain == "example.org").then(|| "[2001:db8::1]:9222".into())
    }
}

/// What a server has that tells where to resume.
pub fn settings_elsewhere() -> Settings {
    Settings { domains: Arc::new(Elsewhere), ..settings() }
}

/// What a server with a certificate and nothing unusual has.
pub fn settings() -> Settings {
    Settings {
        domains: Arc::new(Served),
        mechanisms: Mechanism::ALL.to_vec(),
        starttls: true,
        plain_on_loopback: false,
        stream_management: true,
        timeouts: Timeouts::default(),
        limits_before_auth: xml::Limits::BEFORE_AUTH,
        limits: xml::Limits::CLIENT,
        rate: Rate::CLIENT,
        auth_failures_max: 5,
    }
}

pub fn tls() -> Tls {
    Tls {
        about: "TLSv1.3".into(),
        channel: Channel::tls(TlsVersion::Tls13, Some(EXPORTER), Some(END_POINT.to_vec())),
        server_name: None,
        early_data: false,
    }
}

/// The stream and everything around it.
pub struct Pair {
    pub stream: Stream,
    pub now: Instant,
    pub store: Store,
    pub engine: Engine,
    pub transport: Transport,
    /// What the shell was told of misbehaviour.
    pub notes: Vec<Misbehaviour>,
    /// How often each of these was put out.
    pub start_tls: usize,
    pub closed: usize,
    pub authenticated: Vec<String>,
    /// TCP: give one byte at a time.
    pub byte_by_byte: bool,
    pub ids: Vec<String>,
}

impl Pair {
    pub fn new(transport: Transport) -> Pair {
        Pair::with(transport, settings())
    }

    pub fn with(transport: Transport, settings: Settings) -> Pair {
        Pair::from(transport, settings, "192.0.2.7")
    }

    pub fn from(transport: Transport, settings: Settings, peer: &str) -> Pair {
        let (engine, now) = (Engine::default(), Instant::now());
        let connection = Connection {
            id: StreamId(7),
            transport,
            peer: peer.parse().unwrap(),
            link: engine.link.clone(),
            seed: [9; 32],
        };
        Pair {
            stream: Stream::new(Arc::new(settings), connection, now),
            now,
            store: Store::new(),
            engine,
            transport,
            notes: Vec::new(),
            start_tls: 0,
            closed: 0,
            authenticated: Vec::new(),
            byte_by_byte: false,
            ids: Vec::new(),
        }
    }

    /// A stream inside TLS on which the features were just read.
    pub fn secured(transport: Transport, settings: Settings) -> Pair {
        let mut pair = Pair::with(transport, settings);
        pair.secure();
        pair.open();
        pair
    }

    /// Gets the stream into TLS the way the transport does it.
    pub fn secure(&mut self) {
        if self.transport == Transport::Tcp {
            self.open();
            let proceed = self.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            assert_eq!(proceed, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            assert_eq!(self.start_tls, 1);
        }
        self.tls(tls());
    }

    pub fn tls(&mut self, tls: Tls) {
        self.stream.handle_tls(self.now, tls);
        self.run();
    }

    /// Opens or restarts a stream to our usual domain; gives the features.
    pub fn open(&mut self) -> String {
        self.open_as("to='example.org' version='1.0'")
    }

    /// The same with other attributes.
    pub fn open_as(&mut self, attributes: &str) -> String {
        self.say(&format!("[open {attributes}]"))
    }

    /// The client says something; gives what we say to that.
    pub fn say(&mut self, text: &str) -> String {
        self.tell(text);
        self.heard()
    }

    /// The client says something; the answer stays.
    pub fn tell(&mut self, text: &str) {
        for part in client::split(text) {
            if part == "[]" {
                continue;
            }
            match self.transport {
                Transport::Tcp | Transport::DirectTls => self.bytes(client::tcp(part).as_bytes()),
                Transport::WebSocket => self.bytes(client::web_socket(part).as_bytes()),
                Transport::Bosh => self.bosh(part),
            }
        }
    }

    /// Raw bytes, as the transport would bring them.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let framed = matches!(self.transport, Transport::WebSocket | Transport::Bosh);
        if self.byte_by_byte && !framed {
            for byte in bytes {
                self.stream.handle_input(self.now, &[*byte]);
                self.run();
            }
        } else {
            self.stream.handle_input(self.now, bytes);
            self.run();
        }
    }

    fn bosh(&mut self, part: &str) {
        match client::bosh(part) {
            client::Bosh::Open(open) => self.stream.handle_open(self.now, open),
            client::Bosh::Close => self.stream.handle_close(self.now),
            client::Bosh::Element(text) => self.stream.handle_input(self.now, text.as_bytes()),
        }
        self.run();
    }

    /// Serves everything that the stream wants.
    pub fn run(&mut self) {
        while let Some(output) = self.stream.poll_output() {
            assert_eq!(self.closed, 0, "nothing comes after Closed");
            match output {
                Output::StartTls => self.start_tls += 1,
                Output::Ask(ask) => {
                    if let Some(answer) = self.store.answer(ask) {
                        self.stream.handle_answer(self.now, answer);
                    }
                }
                Output::Up(up) => {
                    for down in self.engine.answer(up) {
                        self.stream.handle_down(self.now, down);
                    }
                }
                Output::Note(note) => self.notes.push(note),
                Output::Authenticated(account) => self.authenticated.push(account.to_string()),
                Output::Closed => self.closed += 1,
            }
        }
    }

    /// What we have said since the last call, as if over TCP.
    pub fn heard(&mut self) -> String {
        let text = if matches!(self.transport, Transport::WebSocket | Transport::Bosh) {
            let mut text = String::new();
            while let Some(frame) = self.stream.take_frame() {
                text.push_str(&self.frame(frame));
            }
            text
        } else {
            let mut out = Vec::new();
            self.stream.take_bytes(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert!(!self.stream.has_bytes());
        self.normal(&text)
    }

    fn frame(&mut self, frame: Frame) -> String {
        match frame {
            Frame::Opened(opened) => {
                self.ids.push(opened.id);
                "[open]".to_owned()
            }
            Frame::Terminate { .. } => "[close]".to_owned(),
            Frame::Element(element) => {
                let text = String::from_utf8(element).unwrap();
                if self.transport == Transport::WebSocket {
                    assert!(text.starts_with('<') && text.contains("xmlns"), "{text}");
                }
                text
            }
        }
    }

    fn normal(&mut self, text: &str) -> String {
        let mut text = text
            .replace("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "[close]")
            .replace("</stream:stream>", "[close]")
            .replace(" xmlns:stream='http://etherx.jabber.org/streams'", "")
            .replace(" xmlns='jabber:client'", "")
            .replace("<?xml version='1.0'?>", "");
        for start in ["<stream:stream ", "<open "] {
            while let Some(at) = text.find(start) {
                let end = at + text[at..].find('>').unwrap() + 1;
                let id = text[at..].split("id='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
                self.ids.push(id);
                text.replace_range(at..end, "[open]");
            }
        }
        text
    }

    /// Time passes, with every time limit met at its moment.
    pub fn pass(&mut self, duration: Duration) -> String {
        let end = self.now + duration;
        while let Some(at) = self.stream.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.stream.handle_timeout(self.now);
            self.run();
        }
        self.now = end;
        self.heard()
    }

    pub fn eof(&mut self) {
        self.stream.handle_eof(self.now);
        self.run();
    }

    /// What the engine heard since the last call, a line each.
    pub fn ups(&mut self) -> Vec<String> {
        std::mem::take(&mut self.engine.heard)
    }

    /// A stream that is bound as `juliet@example.org/balcony`, by the old way.
    pub fn bound(transport: Transport) -> Pair {
        Pair::bound_with(transport, settings())
    }

    pub fn bound_with(transport: Transport, settings: Settings) -> Pair {
        let mut pair = Pair::secured(transport, settings);
        pair.log_in();
        let result = pair.say(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>",
        );
        assert_eq!(
            result,
            "<iq id='b' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>juliet@example.org/balcony</jid></bind></iq>"
        );
        assert_eq!(pair.ups().len(), 1);
        pair
    }

    /// SASL1 PLAIN and the restart.
    pub fn log_in(&mut self) {
        let auth = client::plain("", "juliet", store::PASSWORD);
        let success = self
            .say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>"));
        assert_eq!(success, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        let features = self.open();
        assert!(features.starts_with("[open]<stream:features><bind "), "{features}");
    }
}

impl Pair {
    /// For BOSH: the attributes as the session creation brings them.
    pub fn open_of(attributes: &str) -> Open {
        let value = |name: &str| {
            let text = attributes.split(&format!("{name}='")).nth(1)?;
            Some(text.split('\'').next()?.to_owned())
        };
        Open { to: value("to"), from: value("from"), version: value("version"), lang: value("lang") }
    }
}
