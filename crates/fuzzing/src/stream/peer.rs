//! A stream with a client, an account store and an engine that do as the words say.
//!
//! Not here: what is right (spec.rs).

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::stream::{
    Answer, Ask, Connection, Domains, Frame, Open, Output, Rate, Settings, Stream, Timeouts, Tls,
};
use address::Jid;
use model::link::{Bound, Down, Enabled, Link, ResumeRefused, Resumed, SessionId, StreamId, Transport, Up};
use sasl::{Channel, Mechanism, TlsVersion};
use stanza::{Condition, MessageType, Stanza, StreamCondition};
use xml::{Event, Framing, Limits, Parser, Tree};

use super::spec::{Said, Spec};
use super::words::{OPENS, Word};

/// Longer than anybody may take to authenticate, shorter than what is suspicious later.
const WAIT: Duration = Duration::from_secs(40);
/// Longer than a failed login is held back.
const FAILURE: Duration = Duration::from_secs(5);
const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'";

#[derive(Debug)]
struct Served;

impl Domains for Served {
    fn serves(&self, domain: &str) -> bool {
        matches!(domain, "example.org" | "other.example")
    }
}

struct Nowhere;

impl Link for Nowhere {
    fn send(&self, _down: Down) {}

    fn backlog(&self) -> usize {
        0
    }
}

pub(super) struct Peer {
    stream: Stream,
    transport: Transport,
    now: Instant,
    parser: Parser,
    /// What the engine says when it is asked.
    yes: bool,
    began: usize,
    ended: usize,
    stanzas: usize,
    over: usize,
    /// Logins that the store has allowed.
    logins: usize,
}

impl Peer {
    pub(super) fn new(transport: Transport) -> Peer {
        let settings = Settings {
            domains: Arc::new(Served),
            mechanisms: Mechanism::ALL.to_vec(),
            starttls: true,
            plain_on_loopback: false,
            stream_management: true,
            timeouts: Timeouts::default(),
            limits_before_auth: Limits::BEFORE_AUTH,
            limits: Limits::CLIENT,
            rate: Rate::CLIENT,
            auth_failures_max: 5,
        };
        let (now, peer) = (Instant::now(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let connection =
            Connection { id: StreamId(1), transport, peer, link: Arc::new(Nowhere), seed: [7; 32] };
        let mut stream = Stream::new(Arc::new(settings), connection, now);
        if transport != Transport::Tcp {
            stream.handle_tls(now, tls());
        }
        let parser = Parser::new(Framing::Stream, Limits::SERVER);
        Peer { stream, transport, now, parser, yes: true, began: 0, ended: 0, stanzas: 0, over: 0, logins: 0 }
    }

    /// Does what the word says, and gives what the stream says to it.
    pub(super) fn hear(&mut self, word: Word) -> Said {
        let now = self.now;
        self.yes = match word {
            Word::Auth2(_, _, yes) | Word::BindIq(_, yes) | Word::Resume(_, yes) | Word::Enable(yes) => yes,
            _ => self.yes,
        };
        match word {
            Word::Open(how) => self.open(OPENS[how]),
            Word::Close => self.close(),
            Word::Vanish => self.stream.handle_eof(now),
            Word::Whitespace => self.stream.handle_input(now, b" "),
            Word::EngineStanza => {
                let message = Stanza::message(MessageType::Chat);
                self.stream.handle_down(now, Down::Stanza(Arc::new(message)));
            }
            Word::EngineAsks => self.stream.handle_down(now, Down::AckRequest),
            Word::EngineCloses(error) => {
                let error = error.then(|| StreamCondition::Conflict.into());
                self.stream.handle_down(now, Down::Close(error));
            }
            Word::Wait => self.pass(WAIT),
            word => {
                if let Some(text) = word.element() {
                    self.stream.handle_input(now, text.as_bytes());
                }
            }
        }
        let mut said = self.serve();
        if !matches!(word, Word::Wait) && self.waits_with_a_failure() {
            self.pass(FAILURE);
            said.extend(self.serve());
        }
        said
    }

    /// A failed login is answered a little later.
    fn waits_with_a_failure(&self) -> bool {
        self.over == 0 && !self.stream.wants_input() && self.stream.poll_timeout().is_some()
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let soon = self.now + FAILURE;
        while let Some(at) = self.stream.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.stream.handle_timeout(self.now);
            // Only until the failure is told, lest the time to authenticate run out unseen.
            if time == FAILURE && (self.stream.wants_input() || self.now >= soon) {
                return;
            }
        }
        if time == WAIT {
            self.now = end;
        }
    }

    fn open(&mut self, attributes: &str) {
        let now = self.now;
        match self.transport {
            Transport::Tcp | Transport::DirectTls => {
                self.stream.handle_input(now, format!("{HEADER} {attributes}>").as_bytes());
            }
            Transport::WebSocket => {
                let open = format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' {attributes}/>");
                self.stream.handle_input(now, open.as_bytes());
            }
            Transport::Bosh => {
                let attr = |name: &str| {
                    let (_, rest) = attributes.split_once(&format!("{name}='"))?;
                    Some(rest.split('\'').next().unwrap_or_default().to_owned())
                };
                let open = Open { to: attr("to"), from: attr("from"), version: attr("version"), lang: None };
                self.stream.handle_open(now, open);
            }
        }
    }

    fn close(&mut self) {
        let now = self.now;
        match self.transport {
            Transport::Tcp | Transport::DirectTls => self.stream.handle_input(now, b"</stream:stream>"),
            Transport::WebSocket => {
                self.stream.handle_input(now, b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
            }
            Transport::Bosh => self.stream.handle_close(now),
        }
    }

    fn serve(&mut self) -> Said {
        while let Some(output) = self.stream.poll_output() {
            assert_eq!(self.over, 0, "something after the end");
            let now = self.now;
            match output {
                Output::StartTls => self.stream.handle_tls(now, tls()),
                Output::Ask(ask) => {
                    let answer = self.answer(ask);
                    self.stream.handle_answer(now, answer);
                }
                Output::Up(up) => self.up(up),
                Output::Closed => self.over += 1,
                Output::Note(_) | Output::Authenticated(_) => {}
            }
        }
        self.said()
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Keys { account, hash } => {
                Answer::Keys(sasl::Decoy::new(&[1; 32]).keys(account.as_str(), hash, None))
            }
            Ask::Password { account, password } => {
                Answer::Password(account.local() == Some("juliet") && password.expose() == "secret")
            }
            Ask::Tokens { .. } => Answer::Tokens(Vec::new()),
            Ask::Login(login) => {
                assert_eq!(login.account.local(), Some("juliet"), "logged in as somebody else");
                self.logins += 1;
                Answer::Login(None)
            }
            Ask::Missing { hashes, .. } => Answer::Missing { hashes, iterations: 4_096 },
            Ask::Upgrade { account, .. } => {
                assert_eq!(account.local(), Some("juliet"), "keys of somebody else");
                Answer::Upgraded
            }
            Ask::Register(_) => panic!("registration is closed"),
        }
    }

    fn up(&mut self, up: Up) {
        let (now, session) = (self.now, SessionId(1));
        let jid = |account: &Jid| {
            Jid::from_parts(account.local(), account.domain(), Some("balcony"))
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let enabled = Enabled { id: Some("after".to_owned()), max: 60 };
        let down = match up {
            Up::Bind(bind) if self.yes => {
                self.begin();
                let enabled = bind.enable.map(|_| enabled);
                Down::Bound(Ok(Box::new(Bound { session, jid: jid(&bind.account), enabled, archive: None })))
            }
            Up::Bind(_) => Down::Bound(Err(Condition::ResourceConstraint.into())),
            Up::Resume(resume) if self.yes => {
                self.begin();
                let (jid, id) = (jid(&resume.account), resume.id);
                Down::Resumed(Ok(Box::new(Resumed { session, jid, id, h: 3 })))
            }
            Up::Resume(_) => Down::Resumed(Err(ResumeRefused { h: None })),
            Up::Enable(..) if self.yes => Down::Enabled(Ok(enabled)),
            Up::Enable(..) => Down::Enabled(Err(Condition::InternalServerError.into())),
            Up::AckRequest(_) => Down::Ack(0),
            Up::Stanza(_, stanza) => {
                assert!(stanza.from.is_some_and(|from| from.resource() == Some("balcony")), "whose?");
                self.stanzas += 1;
                return;
            }
            Up::Closed(..) => {
                self.ended += 1;
                return;
            }
            Up::Refused(..) | Up::Ack(..) | Up::ClientState(..) | Up::Arrived(_) => return,
        };
        self.stream.handle_down(now, down);
    }

    fn begin(&mut self) {
        assert!(self.logins > 0, "a session without a login");
        self.began += 1;
        assert_eq!(self.began - self.ended, 1, "two sessions on one stream");
    }

    /// All that the stream has said since the last call.
    fn said(&mut self) -> Said {
        let mut said = Said::new();
        let mut bytes = Vec::new();
        self.stream.take_bytes(&mut bytes);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // A new header begins a new document.
            let end = rest[1..].windows(5).position(|w| w == b"<?xml").map_or(rest.len(), |at| at + 1);
            let (document, later) = rest.split_at(end);
            if document.starts_with(b"<?xml") {
                self.parser = Parser::new(Framing::Stream, Limits::SERVER);
            }
            self.parser.push(document);
            self.read(&mut said);
            rest = later;
        }
        while let Some(frame) = self.stream.take_frame() {
            match frame {
                Frame::Opened(_) => said.push("open".to_owned()),
                Frame::Terminate { .. } => said.push("close".to_owned()),
                Frame::Element(element) => {
                    self.parser = Parser::new(Framing::Documents("jabber:client"), Limits::SERVER);
                    self.parser.push(&element);
                    self.read(&mut said);
                    assert!(self.parser.is_idle(), "{}", element.escape_ascii());
                }
            }
        }
        said
    }

    fn read(&mut self, said: &mut Said) {
        loop {
            match self.parser.next() {
                Ok(None) => return,
                Ok(Some(Event::Header(_))) => said.push("open".to_owned()),
                Ok(Some(Event::Close)) => said.push("close".to_owned()),
                Ok(Some(Event::Whitespace)) => {}
                Ok(Some(Event::Element(element))) => {
                    let tree = Tree::parse(element.bytes(), element.content_ns())
                        .unwrap_or_else(|error| panic!("{error}"));
                    said.extend(tree.root().map(shorten));
                }
                Err(error) => panic!("we say what is no XML: {error}"),
            }
        }
    }

    /// What the specification counts, counted.
    pub(super) fn check(&self, spec: &Spec, log: &[String]) {
        let ours = (self.began, self.ended, self.stanzas);
        assert_eq!(ours, (spec.began, spec.ended, spec.stanzas), "sessions and stanzas\n{}", log.join("\n"));
        assert_eq!(self.over == 1, spec.is_over(), "the end\n{}", log.join("\n"));
    }

    pub(super) fn check_end(&self, spec: &Spec) {
        assert!(spec.is_over() && self.over == 1);
        assert_eq!(self.began, self.ended, "every session is told of its end");
        assert!(
            !self.stream.wants_input() && self.stream.poll_timeout().is_none() && !self.stream.has_bytes()
        );
    }
}

/// An element in a few words.
fn shorten(el: xml::El<'_>) -> String {
    let mut names: Vec<&str> = el.children().map(|child| child.name()).collect();
    match el.name() {
        "open" => "open".to_owned(),
        "close" => "close".to_owned(),
        "features" => {
            names.sort_unstable();
            format!("features {}", names.join(" "))
        }
        "error" | "failure" | "failed" => {
            format!("{} {}", el.name(), names.first().unwrap_or(&""))
        }
        "success" => {
            let enabled = el.children().any(|child| child.children().any(|inner| inner.name() == "enabled"));
            let how = names.iter().find(|name| matches!(**name, "bound" | "resumed" | "failed"));
            match (how, enabled) {
                (Some(how), true) => format!("success {how}+enabled"),
                (Some(how), false) => format!("success {how}"),
                (None, _) => "success".to_owned(),
            }
        }
        "iq" => {
            let ty = el.attr("type").unwrap_or_default().into_owned();
            let error = el.children().find(|child| child.name() == "error");
            match error.and_then(|error| error.children().next()) {
                Some(condition) => format!("iq {ty} {}", condition.name()),
                None => format!("iq {ty}"),
            }
        }
        name => name.to_owned(),
    }
}

fn tls() -> Tls {
    let channel = Channel::tls(TlsVersion::Tls13, Some([3; 32]), Some(vec![4; 32]));
    Tls { about: String::new(), channel, server_name: None, early_data: false }
}
