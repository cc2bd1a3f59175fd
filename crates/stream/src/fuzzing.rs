//! The body of the fuzz target: a whole stream under random bytes, cuts, answers and times.
//!
//! Not here: the target itself (fuzz/), invariants of the XML parser alone (crate `xml`).

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::Jid;
use model::link::{Bound, Down, Enabled, Link, ResumeRefused, SessionId, StreamId, Transport, Up};
use sasl::{Channel, Mechanism};

use crate::{Answer, Ask, Connection, Domains, Open, Output, Rate, Settings, Stream, Timeouts, Tls};

#[derive(Debug)]
struct Anything;

impl Domains for Anything {
    fn serves(&self, _domain: &str) -> bool {
        true
    }

    fn registers(&self, _domain: &str) -> bool {
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

struct World {
    stream: Stream,
    now: Instant,
    framed: bool,
    closed: usize,
    bound: usize,
    ended: usize,
    /// What the engine has been asked, when it does not answer at once.
    late: Option<Down>,
    /// Whether every question is answered by yes.
    kind: bool,
}

/// The first byte chooses transport and world; then each byte is a command that may take bytes of its own.
///
/// # Panics
/// If an invariant does not hold: at most one end, exactly one for each bound session, nothing after the end, output
/// only of the transport's kind, bounded buffers.
pub fn fuzz_stream(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let transport = match first & 3 {
        0 => Transport::Tcp,
        1 => Transport::DirectTls,
        2 => Transport::WebSocket,
        _ => Transport::Bosh,
    };
    let mut world = World::new(transport, first & 4 != 0);
    while let Some((&command, after)) = rest.split_first() {
        let length = after.len().min(usize::from(command >> 3) * 8);
        let (bytes, after) = match command & 7 {
            0..=2 => after.split_at(length),
            _ => (&[][..], after),
        };
        rest = after;
        world.obey(command, bytes);
        world.serve();
    }
    world.stream.handle_eof(world.now);
    world.serve();
    if let Some(down) = world.late.take() {
        world.stream.handle_down(world.now, down);
        world.serve();
    }
    assert_eq!(world.closed, 1, "a stream ends once");
    assert_eq!(world.bound, world.ended, "every session is told of the end");
}

impl World {
    fn new(transport: Transport, kind: bool) -> World {
        let settings = Settings {
            domains: Arc::new(Anything),
            mechanisms: Mechanism::ALL.to_vec(),
            starttls: true,
            plain_on_loopback: false,
            stream_management: true,
            timeouts: Timeouts::default(),
            limits_before_auth: xml::Limits::BEFORE_AUTH,
            limits: xml::Limits::CLIENT,
            rate: Rate::CLIENT,
            auth_failures_max: 5,
        };
        let (now, peer) = (Instant::now(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let connection =
            Connection { id: StreamId(1), transport, peer, link: Arc::new(Nowhere), seed: [7; 32] };
        let mut stream = Stream::new(Arc::new(settings), connection, now);
        let framed = matches!(transport, Transport::WebSocket | Transport::Bosh);
        if transport != Transport::Tcp {
            stream.handle_tls(now, tls());
        }
        World { stream, now, framed, closed: 0, bound: 0, ended: 0, late: None, kind }
    }

    fn obey(&mut self, command: u8, bytes: &[u8]) {
        let now = self.now;
        match command & 7 {
            0..=2 => self.stream.handle_input(now, bytes),
            3 => {
                self.now += Duration::from_millis(1 << (command >> 3).min(20));
                self.stream.handle_timeout(self.now);
            }
            4 => {
                if let Some(down) = self.late.take() {
                    self.stream.handle_down(now, down);
                }
            }
            5 => self.stream.handle_down(now, Down::Ack(u32::from(command))),
            6 => {
                let (to, version) = (Some("example.org".to_owned()), Some("1.0".to_owned()));
                self.stream.handle_open(now, Open { to, version, ..Open::default() });
            }
            _ => match command >> 3 {
                0 => self.stream.handle_close(now),
                1 => self.stream.handle_eof(now),
                2 => self.stream.handle_down(now, Down::Close(None)),
                3 => self.stream.handle_answer(now, Answer::Password(true)),
                _ => {}
            },
        }
    }

    fn serve(&mut self) {
        while let Some(output) = self.stream.poll_output() {
            assert_eq!(self.closed, 0, "something after the end");
            let now = self.now;
            match output {
                Output::StartTls => self.stream.handle_tls(now, tls()),
                Output::Ask(ask) => {
                    let answer = self.answer(ask);
                    self.stream.handle_answer(now, answer);
                }
                Output::Up(up) => self.hear(up),
                Output::Closed => self.closed += 1,
                Output::Note(_) | Output::Authenticated(_) => {}
            }
        }
        let mut bytes = Vec::new();
        self.stream.take_bytes(&mut bytes);
        assert!(bytes.is_empty() || !self.framed, "bytes on a framed transport");
        while self.stream.take_frame().is_some() {
            assert!(self.framed, "frames on a stream");
        }
        assert!(!self.stream.has_bytes());
        assert!(self.closed == 0 || (!self.stream.wants_input() && self.stream.poll_timeout().is_none()));
    }

    fn answer(&self, ask: Ask) -> Answer {
        if !self.kind {
            return Answer::Refused(sasl::Condition::NotAuthorized);
        }
        match ask {
            Ask::Keys { account, hash } => {
                Answer::Keys(sasl::Decoy::new(&[1; 32]).keys(account.as_str(), hash, None))
            }
            Ask::Password { .. } => Answer::Password(true),
            Ask::Tokens { .. } => Answer::Tokens(Vec::new()),
            Ask::Login(_) => Answer::Login(None),
            Ask::Missing { hashes, .. } => Answer::Missing { hashes, iterations: 4_096 },
            Ask::Upgrade { .. } => Answer::Upgraded,
            Ask::Register(registration) => Answer::Registration(Box::new(registration.iq)),
        }
    }

    fn hear(&mut self, up: Up) {
        let session = SessionId(1);
        match up {
            Up::Bind(bind) => {
                let Ok(jid) = Jid::from_parts(bind.account.local(), bind.account.domain(), Some("r")) else {
                    return;
                };
                let enabled = bind.enable.map(|_| Enabled { id: None, max: 0 });
                self.bound += 1;
                self.late = Some(Down::Bound(Ok(Box::new(Bound { session, jid, enabled, archive: None }))));
            }
            Up::Resume(_) => self.late = Some(Down::Resumed(Err(ResumeRefused { h: None }))),
            Up::Stanza(_, stanza) => assert!(stanza.from.is_some_and(|from| !from.is_bare())),
            Up::Enable(..) => {
                self.stream.handle_down(self.now, Down::Enabled(Ok(Enabled { id: None, max: 0 })));
            }
            Up::Closed(..) => self.ended += 1,
            Up::Refused(..) | Up::Ack(..) | Up::AckRequest(_) | Up::ClientState(..) | Up::Arrived(_) => {}
        }
    }
}

fn tls() -> Tls {
    let version = sasl::TlsVersion::Tls13;
    let channel = Channel::tls(version, Some([3; 32]), Some(vec![4; 32]));
    Tls { about: String::new(), channel, server_name: None, early_data: false }
}

#[cfg(test)]
mod tests {
    use super::fuzz_stream;
    use proptest::prelude::*;

    /// Commands that lead far in: a login, a bind, stanzas.
    fn script() -> impl Strategy<Value = Vec<u8>> {
        let say = |text: String| {
            text.into_bytes()
                .chunks(248)
                .flat_map(|chunk| {
                    let mut padded = chunk.to_vec();
                    padded.resize(chunk.len().div_ceil(8) * 8, b' ');
                    std::iter::once((padded.len() as u8 / 8) << 3).chain(padded).collect::<Vec<u8>>()
                })
                .collect::<Vec<u8>>()
        };
        let plain = sasl::encode_base64(b"\0juliet\0secret");
        let pieces = [
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>".to_owned(),
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>".to_owned(),
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned(),
            format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"),
            format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{plain}</initial-response><bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3'/></bind></authenticate>"),
            "<iq xmlns='jabber:client' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>".to_owned(),
            "<enable xmlns='urn:xmpp:sm:3'/>".to_owned(),
            "<r xmlns='urn:xmpp:sm:3'/>".to_owned(),
            "<message xmlns='jabber:client'><body>x</body></message>".to_owned(),
            "</stream:stream>".to_owned(),
        ];
        let mut choices: Vec<BoxedStrategy<Vec<u8>>> =
            pieces.into_iter().map(|piece| Just(say(piece)).boxed()).collect();
        choices.push(Just(vec![4]).boxed());
        choices.push(any::<Vec<u8>>().boxed());
        choices.push(any::<u8>().prop_map(|byte| vec![byte]).boxed());
        let parts = prop::collection::vec(proptest::strategy::Union::new(choices), 0..24);
        (any::<u8>(), parts).prop_map(|(first, parts)| {
            let mut data = vec![first];
            data.extend(parts.concat());
            data
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn holds_its_invariants(data in script()) {
            fuzz_stream(&data);
        }
    }

    #[test]
    fn a_script_reaches_the_active_state() {
        // The strategy above would be worth nothing if its pieces did not lead anywhere.
        let login = sasl::encode_base64(b"\0juliet\0secret");
        let mut data = vec![6]; // WebSocket, a kind world
        for text in [
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>".to_owned(),
            format!(
                "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{login}</initial-response><bind xmlns='urn:xmpp:bind:0'/></authenticate>"
            ),
        ] {
            let padded = text.len().div_ceil(8) * 8;
            data.push((padded as u8 / 8) << 3);
            data.extend(format!("{text:padded$}").into_bytes());
        }
        let mut world = super::World::new(model::link::Transport::WebSocket, true);
        let mut rest = &data[1..];
        while let Some((&command, after)) = rest.split_first() {
            let (bytes, after) = after.split_at(usize::from(command >> 3) * 8);
            world.obey(command, bytes);
            world.serve();
            rest = after;
        }
        assert_eq!(world.bound, 1);
    }
}
