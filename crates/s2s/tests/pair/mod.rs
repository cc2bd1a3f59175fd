//! Streams in virtual time: one alone whose peer is written by hand, or two back to back.
//!
//! Not here: the cases.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

pub mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use address::{Bare, Jid};
use s2s::{
    Accept, Answer, Ask, Certificate, Connect, Domains, Output, Pair, PeerTls, Policy, Purpose, Resumption,
    Secret, Settings, Stream, Trust, Verdict, Verification,
};
use stanza::{MessageType, Stanza};

/// Who is who in the tests. `local` are the domains of one server.
#[derive(Debug)]
pub struct World {
    pub local: Vec<&'static str>,
}

impl Domains for World {
    fn serves(&self, domain: &str) -> bool {
        self.local.contains(&domain)
    }

    /// The names say what the operator wants of them.
    fn policy(&self, local: &str, remote: Option<&str>) -> Policy {
        let remote = remote.unwrap_or_default();
        Policy {
            allowed: !remote.contains("blocked"),
            require_tls: !remote.contains("plain"),
            require_certificate: local == "muc.ours.example"
                || !remote.contains("lax") && !remote.contains("plain"),
        }
    }
}

pub fn settings(local: &[&'static str], secret: &str) -> Settings {
    let domains = Arc::new(World { local: local.to_vec() });
    Settings { dialback: Some(Secret::new(secret.as_bytes())), ..Settings::new(domains) }
}

/// The server that is tested where one end is written by hand.
pub fn ours() -> Settings {
    settings(&["ours.example", "muc.ours.example"], "our secret")
}

pub fn domain(text: &str) -> Bare {
    Bare::parse(text).unwrap()
}

pub fn pair(local: &str, remote: &str) -> Pair {
    Pair::new(domain(local), domain(remote))
}

pub fn message(from: &str, to: &str, body: &str) -> Arc<Stanza> {
    let jid = |text| Jid::parse(text).unwrap();
    let inner = format!("<body>{body}</body>").into_bytes().into();
    Arc::new(Stanza::message(MessageType::Chat).from(&jid(from)).to(&jid(to)).with_inner(inner))
}

/// One end with its shell. What comes out is written down as text; questions are answered at once.
pub struct Side {
    pub stream: Stream,
    pub log: Vec<String>,
    pub sent: String,
    pub resumption: Option<Box<Resumption>>,
    pub open_asks: Vec<Ask>,
    pub wants_tls: bool,
    /// What the peer's certificate is valid for; `None`: it shows none.
    pub certificate: Option<Vec<&'static str>>,
    /// What the shell finds out about keys; `None`: it is left open.
    pub verdict: Option<Verdict>,
    /// Whether what comes up is stored at once.
    pub stores: bool,
    pub secret: Option<&'static str>,
    pub free: bool,
    pub kept: Option<Box<Resumption>>,
    /// What the peer says next, for tables.
    pub pending: String,
    pub now: Instant,
}

impl Side {
    fn new(stream: Stream, now: Instant) -> Side {
        Side {
            stream,
            log: Vec::new(),
            sent: String::new(),
            resumption: None,
            open_asks: Vec::new(),
            wants_tls: false,
            certificate: None,
            verdict: None,
            stores: true,
            secret: Some("component secret"),
            free: true,
            kept: None,
            pending: String::new(),
            now,
        }
    }

    pub fn outgoing(settings: Settings, pair: Pair, purpose: Purpose) -> Side {
        Side::resuming(settings, pair, purpose, None)
    }

    pub fn resuming(
        settings: Settings,
        pair: Pair,
        purpose: Purpose,
        resume: Option<Box<Resumption>>,
    ) -> Side {
        let now = Instant::now();
        let connect = Connect { pair, purpose, direct_tls: false, resume, seed: [1; 32] };
        Side::new(Stream::outgoing(Arc::new(settings), connect, now), now)
    }

    pub fn incoming(settings: Settings) -> Side {
        let now = Instant::now();
        let accept = Accept { direct_tls: false, seed: [2; 32] };
        Side::new(Stream::incoming(Arc::new(settings), accept, now), now)
    }

    pub fn component(settings: Settings) -> Side {
        let now = Instant::now();
        let accept = Accept { direct_tls: false, seed: [3; 32] };
        Side::new(Stream::component(Arc::new(settings), accept, now), now)
    }

    /// The same with a peer whose certificate is valid for these.
    pub fn with_certificate(mut self, domains: &[&'static str]) -> Side {
        self.certificate = Some(domains.to_vec());
        self
    }

    pub fn tls(&self) -> PeerTls {
        let certificate = match self.certificate {
            Some(_) => Certificate::Presented,
            None => Certificate::None,
        };
        PeerTls { about: "test".to_owned(), certificate }
    }

    /// Input, and all that follows from it.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.stream.handle_input(self.now, bytes);
        self.serve();
    }

    pub fn hear_tls(&mut self) {
        let tls = self.tls();
        self.wants_tls = false;
        self.stream.handle_tls(self.now, tls);
        self.serve();
    }

    /// Time passes, in the steps that the stream asks for.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        while let Some(at) = self.stream.poll_timeout().filter(|at| *at <= until) {
            steps += 1;
            assert!(steps < 1000, "a timeout that does not move: {:?}", self.log);
            self.now = self.now.max(at);
            self.stream.handle_timeout(self.now);
            self.serve();
        }
        self.now = until;
    }

    /// Does what the shell does, and puts what is written into `sent`.
    pub fn serve(&mut self) {
        loop {
            while let Some(output) = self.stream.poll_output() {
                self.obey(output);
            }
            let mut bytes = Vec::new();
            self.stream.take_bytes(&mut bytes);
            self.stream.handle_written(self.now);
            if bytes.is_empty() {
                match self.stream.poll_output() {
                    Some(output) => self.obey(output),
                    None => break,
                }
            }
            self.sent.push_str(&String::from_utf8(bytes).unwrap());
        }
    }

    fn obey(&mut self, output: Output) {
        assert!(!self.is_closed(), "something after the end: {:?}", self.log);
        let entry = match output {
            Output::StartTls => {
                self.wants_tls = true;
                "starttls".to_owned()
            }
            Output::Ask(ask) => return self.answer(ask),
            Output::Ready(pair) => format!("ready {}>{}", pair.local, pair.remote),
            Output::Refused(pair, why) => format!("refused {}>{} {why:?}", pair.local, pair.remote),
            Output::Authenticated(pair, proof) => {
                format!("authenticated {}<{} {proof:?}", pair.local, pair.remote)
            }
            Output::Stanza(stanza) => {
                self.store();
                format!("stanza {stanza:?}")
            }
            Output::Unusable(reply) => {
                self.store();
                format!("unusable {reply:?}")
            }
            Output::Acked(token) => format!("acked {token}"),
            Output::Written(token) => format!("written {token}"),
            Output::Verified(token, verdict) => format!("verified {token} {verdict:?}"),
            Output::Resumed => "resumed".to_owned(),
            Output::NotResumed(tokens) => format!("not resumed {tokens:?}"),
            Output::Note(note) => format!("note {note:?}"),
            Output::Closed(ended) => {
                let kept = if ended.resumption.is_some() { " resumable" } else { "" };
                self.resumption = ended.resumption;
                format!("closed {:?} {:?}{kept}", ended.why, ended.unacked)
            }
        };
        self.log.push(entry);
    }

    fn store(&mut self) {
        if self.stores {
            self.stream.handle_stored(self.now, 1);
        }
    }

    fn answer(&mut self, ask: Ask) {
        let known =
            |domain: &Bare| self.certificate.as_ref().is_some_and(|names| names.contains(&domain.as_str()));
        let answer = match &ask {
            Ask::Certificate(pair) => {
                Answer::Certificate(pair.remote.clone(), known(&pair.remote).then_some(Trust::Pkix))
            }
            Ask::Verify(number, verification) => {
                self.log.push(format!("verify {} dial={}", verification.pair.remote, verification.dial));
                let by_certificate = known(&verification.pair.remote);
                let valid = Verdict::Valid(s2s::Proof::Certificate(Trust::Pkix));
                match if by_certificate { Some(valid) } else { self.verdict } {
                    Some(verdict) => Answer::Verified(*number, verdict),
                    None => return self.open_asks.push(ask),
                }
            }
            Ask::Secret(domain) if domain.as_str().contains("unknown") => Answer::Secret(None),
            Ask::Secret(_) => Answer::Secret(self.secret.map(|secret| Secret::new(secret.as_bytes()))),
            Ask::Attach(_) => Answer::Attached(self.free),
            Ask::Resume(_, id) => {
                let found = self.kept.take_if(|kept| kept.id() == id);
                Answer::Resumable(found)
            }
        };
        self.stream.handle_answer(self.now, answer);
    }

    pub fn is_closed(&self) -> bool {
        self.log.last().is_some_and(|entry| entry.starts_with("closed"))
    }

    pub fn has(&self, entry: &str) -> bool {
        self.log.iter().any(|known| known.contains(entry))
    }

    /// What was written since the last call.
    pub fn take_sent(&mut self) -> String {
        std::mem::take(&mut self.sent)
    }

    pub fn send(&mut self, token: u64, stanza: &Arc<Stanza>) -> Result<(), s2s::Unsendable> {
        let result = self.stream.send(self.now, token, stanza);
        self.serve();
        result
    }
}

/// Two streams back to back: `a` has connected to `b`.
pub struct Duo {
    pub a: Side,
    pub b: Side,
    /// Bytes in each piece that arrives.
    pub piece: usize,
    /// All that was ever sent, for tests that look for something.
    pub seen: String,
}

impl Duo {
    pub fn new(a: Side, b: Side) -> Duo {
        let mut duo = Duo { a, b, piece: usize::MAX, seen: String::new() };
        duo.b.now = duo.a.now;
        duo
    }

    /// Until nothing moves any more.
    pub fn run(&mut self) {
        self.a.serve();
        self.b.serve();
        for _ in 0..1000 {
            let (from_a, from_b) = (self.a.take_sent(), self.b.take_sent());
            let quiet = from_a.is_empty() && from_b.is_empty();
            self.seen.push_str(&from_a);
            self.seen.push_str(&from_b);
            let piece = self.piece.max(1);
            from_a.as_bytes().chunks(piece.min(from_a.len().max(1))).for_each(|bytes| self.b.hear(bytes));
            from_b.as_bytes().chunks(piece.min(from_b.len().max(1))).for_each(|bytes| self.a.hear(bytes));
            if self.a.wants_tls && self.b.wants_tls {
                self.b.hear_tls();
                self.a.hear_tls();
            } else if quiet {
                return;
            }
        }
        panic!("never quiet: {:?} {:?}", self.a.log, self.b.log);
    }

    pub fn wait(&mut self, time: Duration) {
        let until = self.a.now + time;
        loop {
            self.run();
            let next = [&self.a, &self.b].into_iter().filter_map(|side| side.stream.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            let step = next.saturating_duration_since(self.a.now);
            self.a.wait(step);
            self.b.wait(step);
        }
        let rest = until - self.a.now;
        self.a.wait(rest);
        self.b.wait(rest);
        self.run();
    }

    /// The connection breaks.
    pub fn cut(&mut self) {
        for side in [&mut self.a, &mut self.b] {
            side.take_sent();
            side.stream.handle_eof(side.now);
            side.serve();
            side.take_sent();
        }
    }
}

/// A whole verification by another pair of streams: what the authoritative server says.
pub fn dial(asker: Settings, authority: Settings, verification: Verification) -> Verdict {
    let a = Side::outgoing(asker, verification.pair.clone(), Purpose::Verify).with_certificate(&[]);
    let mut duo = Duo::new(a, Side::incoming(authority).with_certificate(&[]));
    let now = duo.a.now;
    duo.a.stream.verify(now, 7, verification);
    duo.run();
    let found = duo.a.log.iter().find_map(|entry| entry.strip_prefix("verified 7 "));
    match found {
        Some("Valid(Dialback)") => Verdict::Valid(s2s::Proof::Dialback),
        Some("Invalid") => Verdict::Invalid,
        other => panic!("no verdict: {other:?} {:?} {:?}", duo.a.log, duo.b.log),
    }
}
