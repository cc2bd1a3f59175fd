//! The body of the fuzz target: a whole stream of any kind under random bytes, cuts, answers and times.
//!
//! Not here: the target itself (fuzz/), invariants of the XML parser alone (crate `xml`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::{Bare, Jid};
use stanza::{MessageType, Stanza};

use crate::{
    Accept, Answer, Ask, Certificate, Connect, Domains, Output, Pair, PeerTls, Policy, Proof, Purpose,
    Resumption, Secret, Settings, Stream, Trust, Verdict, Verification,
};

#[derive(Debug)]
struct Fuzzy {
    strict: bool,
}

impl Domains for Fuzzy {
    fn serves(&self, domain: &str) -> bool {
        matches!(domain, "ours.example" | "muc.ours.example")
    }

    fn policy(&self, _: &str, _: Option<&str>) -> Policy {
        Policy { allowed: true, require_tls: self.strict, require_certificate: self.strict }
    }
}

struct World {
    stream: Stream,
    now: Instant,
    component: bool,
    closed: usize,
    /// Whom the stream says that the peer has proven to be.
    proven: BTreeSet<String>,
    ready: BTreeSet<Pair>,
    /// Tokens of stanzas and of verifications that were taken and have not come back.
    stanzas: BTreeSet<u64>,
    verifications: BTreeSet<u64>,
    token: u64,
    /// Handed over and not stored.
    unstored: usize,
    /// Questions that are answered late.
    late: Vec<Answer>,
    kind: bool,
    kept: Option<Box<Resumption>>,
    log: Vec<String>,
}

/// The first byte chooses the kind of stream and the world; then each byte is a command that may take bytes of its own.
///
/// # Panics
/// If an invariant does not hold: one end and nothing after it; every stanza from somebody who is proven; every token
/// comes back once; timeouts move.
pub fn fuzz_s2s(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let mut world = World::new(first);
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
    assert_eq!(world.closed, 1, "a stream ends once");
    let kept = world.kept.take().map(|kept| kept.into_unacked()).unwrap_or_default();
    kept.iter().for_each(|token| world.back(*token));
    assert!(world.stanzas.is_empty(), "every stanza comes back");
    assert!(world.verifications.is_empty(), "every verification is answered");
}

impl World {
    fn new(first: u8) -> World {
        let mut settings = Settings::new(Arc::new(Fuzzy { strict: first & 4 != 0 }));
        settings.dialback = Some(Secret::new(*b"secret"));
        settings.bidi = first & 8 != 0;
        settings.unstored_max = 4;
        settings.unacked_max = 8;
        let (settings, now) = (Arc::new(settings), Instant::now());
        let (seed, direct_tls) = ([7; 32], first & 16 != 0);
        let connect = |purpose| Connect { pair: own(), purpose, direct_tls, resume: None, seed };
        let stream = match first & 3 {
            0 => Stream::outgoing(settings, connect(Purpose::Stanzas), now),
            1 => Stream::incoming(settings, Accept { direct_tls, seed }, now),
            2 => Stream::component(settings, Accept { direct_tls, seed }, now),
            _ => Stream::outgoing(settings, connect(Purpose::Verify), now),
        };
        let mut world = World {
            stream,
            now,
            component: first & 3 == 2,
            closed: 0,
            proven: BTreeSet::new(),
            ready: BTreeSet::new(),
            stanzas: BTreeSet::new(),
            verifications: BTreeSet::new(),
            token: 0,
            unstored: 0,
            late: Vec::new(),
            kind: first & 32 != 0,
            kept: None,
            log: Vec::new(),
        };
        if direct_tls {
            world.stream.handle_tls(now, tls());
        }
        world.serve();
        world
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
                if let Some(answer) = self.late.pop() {
                    self.stream.handle_answer(now, answer);
                }
            }
            5 => self.send(command >> 3),
            6 => {
                let stored = usize::from(command >> 3).min(self.unstored);
                self.unstored -= stored;
                self.stream.handle_stored(now, stored);
            }
            _ => self.command(command >> 3),
        }
    }

    fn command(&mut self, command: u8) {
        let now = self.now;
        match command {
            0 => self.stream.close(now, None),
            1 => self.stream.detach(now),
            2 => self.stream.handle_eof(now),
            3..=8 => self.verify(),
            9 => self.stream.handle_tls(now, tls()),
            10 => self.stream.handle_answer(now, Answer::Attached(true)),
            11 => self.stream.handle_answer(now, Answer::Resumable(None)),
            12..=16 => {
                let locals = ["ours.example", "muc.ours.example"];
                let local = domain(locals[usize::from(command & 1)]);
                let remote = domain(if command < 14 { "them.example" } else { "muc.them.example" });
                self.stream.add_pair(now, Pair { local, remote }, Some(Trust::Pkix));
            }
            _ => {}
        }
    }

    fn verify(&mut self) {
        if self.closed > 0 {
            return;
        }
        self.token += 1;
        self.verifications.insert(self.token);
        let verification =
            Verification { pair: own(), stream: "1".to_owned(), key: "k".to_owned(), dial: true };
        self.stream.verify(self.now, self.token, verification);
    }

    fn send(&mut self, which: u8) {
        let pair = match which & 1 {
            0 => own(),
            _ => Pair { local: domain("muc.ours.example"), remote: domain("them.example") },
        };
        let stanza = Stanza::message(MessageType::Chat).from(pair.local.jid()).to(pair.remote.jid());
        self.token += 1;
        if self.stream.send(self.now, self.token, &Arc::new(stanza)).is_ok() {
            assert!(self.component || self.ready.contains(&pair), "sent and not ready");
            assert_eq!(self.closed, 0);
            self.stanzas.insert(self.token);
        }
    }

    fn back(&mut self, token: u64) {
        assert!(self.stanzas.remove(&token), "a token that was not open");
    }

    fn serve(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.stream.poll_output() {
                assert_eq!(self.closed, 0, "something after the end");
                quiet = false;
                self.take(output);
            }
            let mut bytes = Vec::new();
            self.stream.take_bytes(&mut bytes);
            assert!(std::str::from_utf8(&bytes).is_ok());
            self.stream.handle_written(self.now);
            if quiet && bytes.is_empty() {
                break;
            }
        }
        assert!(!self.stream.has_bytes());
        assert!(self.closed == 0 || (!self.stream.wants_input() && self.stream.poll_timeout().is_none()));
    }

    fn take(&mut self, output: Output) {
        let now = self.now;
        match output {
            Output::StartTls => self.stream.handle_tls(now, tls()),
            Output::Ask(ask) => self.answer(ask),
            Output::Ready(pair) => {
                self.ready.insert(pair);
            }
            Output::Authenticated(pair, _) => {
                self.proven.insert(pair.remote.to_string());
            }
            Output::Stanza(stanza) => self.hear(&stanza),
            Output::Unusable(_) => self.unstored += 1,
            Output::Acked(token) | Output::Written(token) => self.back(token),
            Output::NotResumed(tokens) => tokens.into_iter().for_each(|token| self.back(token)),
            Output::Verified(token, _) => assert!(self.verifications.remove(&token), "answered twice"),
            Output::Closed(ended) => {
                self.closed += 1;
                self.log.push(format!("{:?}", ended.why));
                ended.unacked.into_iter().for_each(|token| self.back(token));
                self.kept = ended.resumption;
            }
            Output::Refused(..) | Output::Resumed | Output::Note(_) => {}
        }
    }

    /// INV-7 of the security bar.
    fn hear(&mut self, stanza: &Stanza) {
        self.unstored += 1;
        self.log.push(format!("{stanza:?}"));
        let domain = |jid: &Option<Jid>| jid.as_ref().map(|jid| jid.domain().to_owned());
        let (Some(from), Some(to)) = (domain(&stanza.from), domain(&stanza.to)) else {
            panic!("a stanza without addresses");
        };
        assert!(self.proven.contains(&from), "a forged sender");
        assert!(self.component || to.ends_with("ours.example"), "not for us");
        assert!(stanza.payload.tree().is_ok());
    }

    fn answer(&mut self, ask: Ask) {
        let answer = match ask {
            Ask::Certificate(pair) => Answer::Certificate(pair.remote, self.kind.then_some(Trust::Pkix)),
            Ask::Verify(number, _) => {
                let verdict = if self.kind { Verdict::Valid(Proof::Dialback) } else { Verdict::Invalid };
                return self.late.push(Answer::Verified(number, verdict));
            }
            Ask::Secret(_) => Answer::Secret(self.kind.then(|| Secret::new(*b"secret"))),
            Ask::Attach(_) => Answer::Attached(self.kind),
            Ask::Resume(..) => return self.late.push(Answer::Resumable(None)),
        };
        self.stream.handle_answer(self.now, answer);
    }
}

fn domain(text: &'static str) -> Bare {
    // Constants of this file, all of them domains.
    Bare::parse(text).unwrap_or_else(|_| unreachable!())
}

fn own() -> Pair {
    Pair { local: domain("ours.example"), remote: domain("them.example") }
}

fn tls() -> PeerTls {
    PeerTls { about: String::new(), certificate: Certificate::Presented }
}

#[cfg(test)]
mod tests {
    use super::{World, fuzz_s2s};
    use proptest::prelude::*;

    const ANSWER: &str = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
        xmlns:db='jabber:server:dialback' from='them.example' to='ours.example' id='i' version='1.0'>";

    fn pieces() -> Vec<String> {
        let features = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
            <bidi xmlns='urn:xmpp:features:bidi'/><sm xmlns='urn:xmpp:sm:3'/><dialback \
            xmlns='urn:xmpp:features:dialback'><errors/></dialback><mechanisms \
            xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>";
        let mut pieces = vec![
            ANSWER.to_owned(),
            ANSWER.replace(" id='i'", ""),
            features.to_owned(),
            features.replace("EXTERNAL", "OTHER"),
            ANSWER
                .replace("jabber:server'", "jabber:component:accept'")
                .replace("ours.example", "them.example"),
        ];
        for text in [
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
            "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "<bidi xmlns='urn:xmpp:bidi'/>",
            "<db:result from='them.example' to='ours.example' type='valid'/>",
            "<db:result from='them.example' to='muc.ours.example' type='valid'/>",
            "<db:result from='them.example' to='ours.example' type='error'/>",
            "<db:result from='them.example' to='ours.example'>key</db:result>",
            "<db:result from='muc.them.example' to='ours.example'>key</db:result>",
            "<db:verify from='them.example' to='ours.example' id='1'>key</db:verify>",
            "<db:verify from='them.example' to='ours.example' id='1' type='valid'/>",
            "<message from='a@them.example' to='b@ours.example'/>",
            "<message from='a@muc.them.example' to='b@muc.ours.example'/>",
            "<iq from='a@them.example' to='b@ours.example' type='get'/>",
            "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
            "<enabled xmlns='urn:xmpp:sm:3' resume='true' id='x'/>",
            "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
            "<failed xmlns='urn:xmpp:sm:3'/>",
            "<r xmlns='urn:xmpp:sm:3'/>",
            "<a xmlns='urn:xmpp:sm:3' h='0'/>",
            "<a xmlns='urn:xmpp:sm:3' h='1'/>",
            "<a xmlns='urn:xmpp:sm:3' h='2'/>",
            "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            "</stream:stream>",
        ] {
            pieces.push(text.to_owned());
        }
        pieces
    }

    fn say(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes().chunks(248);
        bytes
            .flat_map(|chunk| {
                let mut padded = chunk.to_vec();
                padded.resize(chunk.len().div_ceil(8) * 8, b' ');
                std::iter::once((padded.len() as u8 / 8) << 3).chain(padded).collect::<Vec<u8>>()
            })
            .collect()
    }

    fn script() -> impl Strategy<Value = Vec<u8>> {
        let mut choices: Vec<BoxedStrategy<Vec<u8>>> =
            pieces().into_iter().map(|piece| Just(say(&piece)).boxed()).collect();
        // Late answers, stanzas of ours, stored ones.
        for command in [4, 4, 5, 5, 13, 14, 14, 31, 103, 119] {
            choices.push(Just(vec![command]).boxed());
        }
        choices.push(any::<Vec<u8>>().boxed());
        choices.push(any::<u8>().prop_map(|byte| vec![byte | 3]).boxed());
        let parts = prop::collection::vec(proptest::strategy::Union::new(choices), 0..32);
        (any::<u8>(), prefix(), parts).prop_map(|(first, prefix, parts)| {
            let mut data = vec![first];
            data.extend(prefix);
            data.extend(parts.concat());
            data
        })
    }

    /// Beginnings that lead far in, else random pieces seldom would.
    fn prefix() -> impl Strategy<Value = Vec<u8>> {
        let pieces = pieces();
        let far = |names: &[usize]| names.iter().flat_map(|at| say(&pieces[*at])).collect::<Vec<u8>>();
        prop_oneof![
            Just(Vec::new()),
            // Incoming: header, STARTTLS, header, bidi, EXTERNAL, header.
            Just(far(&[1, 5, 1, 10, 7, 1])),
            Just(far(&[1, 5, 1, 7, 1, 21])),
            // Outgoing: header, features, proceed, header, features, success, header, features, enabled.
            Just(far(&[0, 2, 6, 0, 2, 8, 0, 2, 22])),
            Just(far(&[0, 3, 6, 0, 3, 11])),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn holds_its_invariants(data in script()) {
            fuzz_s2s(&data);
        }
    }

    #[test]
    fn the_beginnings_lead_far_in() {
        // The strategy above would be worth nothing if its pieces did not lead anywhere.
        let pieces = pieces();
        for (first, names) in [
            (1 | 4 | 32, &[1, 5, 1, 7, 1][..]),
            (1 | 4 | 8 | 32, &[1, 5, 1, 10, 7, 1]),
            (4 | 8 | 32, &[0, 2, 6, 0, 2, 8, 0, 2, 22]),
            (0, &[0, 3, 6, 0, 3, 11]),
        ] {
            let mut world = World::new(first);
            for at in names {
                world.obey(0, pieces[*at].as_bytes());
                world.serve();
            }
            assert_eq!(world.closed, 0, "{first} {:?}", world.log);
            assert!(!world.proven.is_empty() || !world.ready.is_empty(), "{first}");
        }
    }
}
