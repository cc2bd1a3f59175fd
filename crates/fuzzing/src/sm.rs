//! Target 7, `sm`: a client with stream management (XEP-0198) and the engine, over a link that loses and breaks.
//!
//! Oracles: what the server has acknowledged has arrived, and in the end everything has (nothing lost); each message
//! arrives once in a session that goes on, and again in another session only under the same archive id (nothing twice);
//! messages of one sender arrive in their order; no count is beyond what was sent. Counters begin near where they wrap.
//!
//! Not here: the syntax of the elements (stream.rs), failing disks (the scenes).

use std::collections::{BTreeMap, VecDeque};

use address::{Bare, Jid};
use scenes::{Act, Heard, Pace, Pure, Wish, World};

use crate::source::Source;

const JULIET: &str = "juliet@example.org";
const ROMEO: &str = "romeo@example.org";
/// Messages in each direction, so that one page of the archive holds all.
const MESSAGES_MAX: u32 = 40;
const STEPS_MAX: usize = 120;
/// The number of Romeo's client; Juliet's connections count from 1.
const ROMEO_CLIENT: usize = 0;

/// What Juliet's client has sent and the server has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Message(u32),
    Other,
}

struct Pair {
    world: Pure,
    /// Juliet's connection.
    client: usize,
    /// What she sends arrives.
    up: bool,
    /// She hears what is sent to her.
    hears: bool,
    /// The server has ended the connection.
    closed: bool,
    /// The name of the session that can be resumed.
    previous: Option<String>,
    /// How many stanzas she has handled; where her own sent ones were acknowledged up to.
    handled: u32,
    acknowledged: u32,
    unacked: VecDeque<Sent>,
    /// Whether counting is on.
    counting: bool,
    start: u32,
    next: [u32; 2],
    /// Romeo's: how often each of her messages came; in the order of the first time.
    arrived: BTreeMap<u32, usize>,
    order: Vec<u32>,
    /// Those that may come twice: resent without knowing how far the server had come.
    unsure: Vec<u32>,
    /// Hers: which archive id each of his messages came under, in this session and before.
    session: Vec<u32>,
    received: BTreeMap<u32, String>,
    received_order: Vec<u32>,
    late_order: Vec<u32>,
    archive: Option<Vec<u32>>,
    log: Vec<String>,
}

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn sm(data: &[u8]) {
    let mut source = Source::new(data);
    let first = source.byte();
    let pace = if first & 1 == 0 { Pace::Single } else { Pace::Batched };
    let near = u32::from(first >> 4);
    let start = match first >> 1 & 3 {
        0 => 0_u32.wrapping_sub(near),
        1 => (1 << 31_u32) - near,
        2 => near,
        _ => source.word(),
    };
    let mut pair = Pair::new(pace, start);
    for _ in 0..STEPS_MAX {
        if source.is_empty() {
            break;
        }
        pair.step(&mut source);
    }
    pair.heal();
    pair.judge();
}

impl Pair {
    fn new(pace: Pace, start: u32) -> Pair {
        let mut world = Pure::new(pace);
        for account in [JULIET, ROMEO] {
            world.act(Act::Account(bare(account))).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut pair = Pair {
            world,
            client: 0,
            up: false,
            hears: false,
            closed: false,
            previous: None,
            handled: 0,
            acknowledged: 0,
            unacked: VecDeque::new(),
            counting: false,
            start,
            next: [0; 2],
            arrived: BTreeMap::new(),
            order: Vec::new(),
            unsure: Vec::new(),
            session: Vec::new(),
            received: BTreeMap::new(),
            received_order: Vec::new(),
            late_order: Vec::new(),
            archive: None,
            log: Vec::new(),
        };
        pair.act(Act::Connect(ROMEO_CLIENT, jid(ROMEO, "garden"), Wish::default()));
        pair.act(Act::Send(ROMEO_CLIENT, "<presence/>".to_owned()));
        pair.connect();
        pair
    }

    fn act(&mut self, act: Act) -> bool {
        self.log.push(format!("{act:?}"));
        self.world.act(act).is_ok()
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(14) {
            0..=2 => self.say(),
            3..=5 => self.hear_of_romeo(),
            6 => {
                let client = self.client;
                if self.counting {
                    self.up(Act::AskAck(client));
                }
            }
            7 => self.acknowledge(),
            8 => self.look(),
            9 => self.lose(source.below(3)),
            10 => {
                self.look();
                let client = self.client;
                (self.up, self.hears) = (false, false);
                self.act(Act::Break(client));
            }
            11 => self.reconnect(),
            12 => {
                let ms = [10, 1_000, 31_000, 70_000, 400_000, 700_000][source.below(6)];
                // A disk that hangs for long ends sessions with an error: another story.
                if ms > 1_000 {
                    self.stall(false);
                }
                self.act(Act::Pass(ms));
                self.look();
            }
            _ => self.stall(source.byte() & 1 == 0),
        }
    }

    fn stall(&mut self, stalls: bool) {
        self.act(if stalls { Act::StorageStalls } else { Act::StorageResumes });
    }

    /// Something of Juliet's towards the server; it is lost if her link is.
    fn up(&mut self, act: Act) {
        if self.up && !self.closed {
            self.act(act);
        }
    }

    fn say(&mut self) {
        if self.next[0] < MESSAGES_MAX && self.counting {
            let key = self.next[0];
            self.next[0] += 1;
            self.unacked.push_back(Sent::Message(key));
            self.write(Sent::Message(key));
        }
    }

    fn write(&mut self, sent: Sent) {
        let text = match sent {
            Sent::Message(key) => {
                format!("<message type='chat' id='j{key}' to='{ROMEO}'><body>{key}</body></message>")
            }
            Sent::Other => "<presence/>".to_owned(),
        };
        let client = self.client;
        self.up(Act::Send(client, text));
    }

    fn hear_of_romeo(&mut self) {
        if self.next[1] < MESSAGES_MAX {
            let key = self.next[1];
            self.next[1] += 1;
            let text = format!("<message type='chat' id='r{key}' to='{JULIET}'><body>{key}</body></message>");
            assert!(self.act(Act::Send(ROMEO_CLIENT, text)), "Romeo stays");
        }
    }

    fn acknowledge(&mut self) {
        self.look();
        if self.counting {
            let (client, h) = (self.client, self.handled);
            self.up(Act::Ack(client, h));
        }
    }

    /// The link dies in one direction or both, and nobody notices.
    fn lose(&mut self, how: usize) {
        self.look();
        if how != 0 {
            self.up = false;
        }
        if how != 1 && self.hears {
            let client = self.client;
            self.act(Act::GoDeaf(client));
            self.hears = false;
        }
    }

    fn connect(&mut self) {
        self.client += 1;
        (self.up, self.hears, self.closed, self.counting) = (true, true, false, false);
        self.previous = None;
        self.session.clear();
        let client = self.client;
        self.act(Act::Connect(client, jid(JULIET, "balcony"), Wish::default()));
        self.look();
        self.act(Act::Enable(client, Wish { sm: true, ..Wish::default() }));
        self.look();
        if self.closed || self.previous.is_none() {
            return;
        }
        self.world.count_from(self.start);
        (self.handled, self.acknowledged, self.counting) = (self.start, self.start, true);
        let again: Vec<Sent> = std::mem::take(&mut self.unacked).into();
        self.unacked.push_back(Sent::Other);
        self.write(Sent::Other);
        for sent in again.into_iter().filter(|sent| *sent != Sent::Other) {
            self.unacked.push_back(sent);
            self.write(sent);
        }
        self.look();
    }

    /// A new connection: resumes the session if there is one, else begins another.
    fn reconnect(&mut self) {
        self.look();
        let Some(id) = self.previous.clone() else { return self.connect() };
        self.client += 1;
        (self.up, self.hears, self.closed) = (true, true, false);
        let resume = Act::Resume { client: self.client, account: bare(JULIET), id, h: self.handled };
        self.act(resume);
        self.counting = false;
        self.look();
        if !self.counting && !self.closed {
            // Refused, or not answered while storage stalls: then she gives up on it.
            self.unsure.extend(self.unacked.iter().filter_map(|sent| match sent {
                Sent::Message(key) if self.previous.is_some() => Some(*key),
                _ => None,
            }));
            let client = self.client;
            self.act(Act::Break(client));
            self.connect();
        }
    }

    /// Takes in what has come.
    fn look(&mut self) {
        self.look_at_romeo();
        for heard in self.world.hear(self.client) {
            self.log.push(format!("    {heard:?}"));
            self.take(heard);
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Enabled(id) => self.previous = id,
            Heard::Stanza(text) => {
                self.handled = self.handled.wrapping_add(1);
                self.receive(&text);
            }
            Heard::Ack(h) => self.settle(h),
            Heard::Resumed(h) => {
                self.counting = true;
                self.settle(h);
                for sent in self.unacked.clone() {
                    self.write(sent);
                }
            }
            Heard::NotResumed(h) => {
                self.previous = None;
                match h {
                    Some(h) => self.settle(h),
                    None => {
                        let unsure = self.unacked.iter().filter_map(|sent| match sent {
                            Sent::Message(key) => Some(*key),
                            Sent::Other => None,
                        });
                        self.unsure.extend(unsure);
                    }
                }
            }
            Heard::Closed(_) => self.closed = true,
            Heard::NotBound(_) | Heard::NotEnabled(_) => self.closed = true,
            Heard::Bound(_) | Heard::AckRequest => {}
        }
    }

    fn settle(&mut self, h: u32) {
        let step = h.wrapping_sub(self.acknowledged) as usize;
        assert!(
            step <= self.unacked.len(),
            "acknowledged {h}, beyond what was sent: {}",
            self.log.join("\n")
        );
        self.acknowledged = h;
        for sent in self.unacked.drain(..step).collect::<Vec<_>>() {
            if let Sent::Message(key) = sent {
                // Romeo is there all the time: an acknowledgement means that it is with him or on its way.
                self.look_at_romeo();
                let log = || self.log.join("\n");
                assert!(self.arrived.contains_key(&key), "{key} acknowledged, not there: {}", log());
            }
        }
    }

    fn look_at_romeo(&mut self) {
        let heard = self.world.hear(ROMEO_CLIENT);
        assert!(self.world.log().is_empty(), "{:?}: {}", self.world.log(), self.log.join("\n"));
        for heard in heard {
            self.log.push(format!("    Romeo: {heard:?}"));
            if let Heard::Stanza(text) = heard
                && let Some(key) = key_of(&text, JULIET)
            {
                let times = self.arrived.entry(key).or_default();
                *times += 1;
                if *times == 1 {
                    self.order.push(key);
                }
            }
        }
    }

    fn receive(&mut self, text: &str) {
        if text.contains("<fin ") && !text.contains("complete='true'") {
            // What was sent again without need fills more than the page.
            self.archive = None;
        }
        if text.contains("urn:xmpp:mam:2") && text.contains("<result ") {
            if let (Some(archive), Some(key)) = (&mut self.archive, key_of(text, ROMEO)) {
                archive.push(key);
            }
            return;
        }
        let Some(key) = key_of(text, ROMEO) else { return };
        assert!(!self.session.contains(&key), "{key} twice in one session: {}", self.log.join("\n"));
        self.session.push(key);
        let id = between(text, "<stanza-id xmlns='urn:xmpp:sid:0'", "/>").unwrap_or_default().to_owned();
        assert!(!id.is_empty(), "no archive id: {text}");
        match self.received.get(&key) {
            Some(known) => assert_eq!(*known, id, "again under another id: {}", self.log.join("\n")),
            None => {
                self.received.insert(key, id);
                // What waited comes after what is said while it is read from disk, and says so by its delay.
                let late = text.contains("<delay ");
                if late { &mut self.late_order } else { &mut self.received_order }.push(key);
            }
        }
    }

    /// The world becomes good: everything must come right.
    fn heal(&mut self) {
        self.stall(false);
        self.look();
        for _ in 0..3 {
            if self.up && self.hears && !self.closed && self.counting {
                break;
            }
            self.reconnect();
        }
        assert!(self.counting && !self.closed, "she cannot get in: {}", self.log.join("\n"));
        self.act(Act::Pass(10));
        self.look();
        let client = self.client;
        self.act(Act::AskAck(client));
        self.look();
        self.archive = Some(Vec::new());
        let query = "<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'>\
                     <set xmlns='http://jabber.org/protocol/rsm'><max>100</max></set></query></iq>";
        self.act(Act::Send(client, query.to_owned()));
        self.look();
    }

    fn judge(&self) {
        let log = || self.log.join("\n");
        assert!(self.unacked.is_empty(), "{:?} not acknowledged: {}", self.unacked, log());
        for key in 0..self.next[0] {
            let times = self.arrived.get(&key).copied().unwrap_or(0);
            assert!(times > 0, "{key} lost: {}", log());
            assert!(times == 1 || self.unsure.contains(&key), "{key} arrived {times} times: {}", log());
        }
        assert!(self.order.is_sorted(), "{:?} out of order: {}", self.order, log());
        for key in 0..self.next[1] {
            assert!(self.received.contains_key(&key), "{key} never reached her: {}", log());
        }
        assert!(self.received_order.is_sorted(), "{:?} out of order: {}", self.received_order, log());
        assert!(self.late_order.is_sorted(), "{:?} waited, out of order: {}", self.late_order, log());
        let Some(archive) = &self.archive else { return };
        for key in 0..self.next[1] {
            let count = archive.iter().filter(|known| **known == key).count();
            assert_eq!(count, 1, "{key} is {count} times in the archive: {}", log());
        }
        assert!(archive.is_sorted(), "{archive:?}: {}", log());
    }
}

fn bare(text: &str) -> Bare {
    Bare::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn jid(account: &str, resource: &str) -> Jid {
    bare(account).with_resource(resource).unwrap_or_else(|error| panic!("{error}"))
}

/// The number in the body of a message from that account.
fn key_of(text: &str, from: &str) -> Option<u32> {
    text.contains(&format!("from='{from}/")).then(|| between(text, "<body>", "</body>")?.parse().ok())?
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}
