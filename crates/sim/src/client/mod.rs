//! A client: what it knows of its session and of the world.
//!
//! XEP-0198 (its half of it), XEP-0313 (catching up).
//!
//! Not here: time and the network (world).

mod archive;
mod hear;
mod login;
mod say;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use history::{History, Key, What};
use xml::{Framing, Limits, Parser};

use crate::plan::{AccountPlan, DevicePlan, Plan};
use crate::rng::Rng;
pub(crate) use archive::Reading;
pub(crate) use say::Wish;

/// Where its connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection.
    Off,
    /// Has opened its stream.
    Greeting,
    /// Has sent its password.
    LoggingIn,
    /// Has asked for its session, or a resource, after the login.
    Binding,
    /// Stanzas flow.
    On,
}

/// Stream management, the client's half.
#[derive(Debug)]
pub(crate) struct Sm {
    /// The server's answer has come: what it sends counts.
    on: bool,
    id: Option<String>,
    /// Stanzas handled, modulo 2^32.
    h: u32,
    acked: u32,
    unacked: VecDeque<(Option<Key>, String)>,
}

/// See the file's header.
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) account: String,
    pub(crate) device: DevicePlan,
    /// The version of the password that it knows.
    pub(crate) password: u64,
    pub(crate) others: Vec<String>,
    page: u64,
    crashes: bool,
    /// Who wants no archive, to judge what must be where.
    pub(crate) nevers: BTreeSet<String>,
    /// Of these, who has a device in the end that takes messages.
    pub(crate) reachable: BTreeSet<String>,
    pub(crate) rng: Rng,
    pub(crate) link: Option<u64>,
    pub(crate) phase: Phase,
    parser: Parser,
    /// Bytes for its connection.
    pub(crate) out: Vec<u8>,
    /// The stream is over: it wants to leave its connection.
    pub(crate) leaving: bool,
    pub(crate) jid: String,
    pub(crate) session: Option<u64>,
    sessions: u64,
    sm: Option<Sm>,
    counter: u64,
    asked: u64,
    /// What it asked in this session.
    asks: BTreeSet<String>,
    /// Requests to other devices. If one answers and does not acknowledge, the server answers too: who asked takes the
    /// first answer.
    asked_peers: BTreeSet<String>,
    answered_peers: BTreeSet<String>,
    /// The last entry of its archive that it knows to be the last without a hole before it.
    cursor: Option<String>,
    pub(crate) reading: Option<Reading>,
    /// What comes live in this session follows the cursor.
    follows: bool,
    pub(crate) sees: BTreeSet<String>,
    pub(crate) available: bool,
    /// Changes of blocks that wait for their answer: id, peer, on.
    blocking: BTreeMap<String, (String, bool)>,
    pub(crate) roster: BTreeMap<String, String>,
    pub(crate) blocked: BTreeSet<String>,
    pub(crate) flaws: Vec<String>,
}

impl Client {
    pub(crate) fn new(
        number: usize,
        account: &AccountPlan,
        device: DevicePlan,
        others: Vec<String>,
        plan: &Plan,
        rng: Rng,
    ) -> Client {
        let able = |device: &DevicePlan| device.priority >= 0 && device.there_at_last;
        let reachable = plan.accounts.iter().filter(|account| {
            // Without stream management nobody knows what a broken connection has swallowed.
            account.never
                && account.devices.iter().any(able)
                && account.devices.iter().all(|device| device.sm)
        });
        let nevers = plan.accounts.iter().filter(|account| account.never).map(|account| account.bare.clone());
        Client {
            number,
            account: account.bare.clone(),
            device,
            password: 0,
            others,
            page: plan.page,
            crashes: plan.crashes(),
            nevers: nevers.collect(),
            reachable: reachable.map(|account| account.bare.clone()).collect(),
            rng,
            link: None,
            phase: Phase::Off,
            parser: Parser::new(Framing::Stream, Limits::CLIENT),
            out: Vec::new(),
            leaving: false,
            jid: String::new(),
            session: None,
            sessions: 0,
            sm: None,
            counter: 0,
            asked: 0,
            asks: BTreeSet::new(),
            asked_peers: BTreeSet::new(),
            answered_peers: BTreeSet::new(),
            cursor: None,
            reading: None,
            follows: false,
            sees: BTreeSet::new(),
            available: false,
            blocking: BTreeMap::new(),
            roster: BTreeMap::new(),
            blocked: BTreeSet::new(),
            flaws: Vec::new(),
        }
    }

    /// Writes a stanza; it counts if stanzas are counted.
    fn stanza(&mut self, key: Option<Key>, xml: String) {
        self.out.extend(xml.as_bytes());
        if let Some(sm) = &mut self.sm {
            sm.unacked.push_back((key, xml));
        }
    }

    /// Sends a request; its answer is awaited.
    fn request(&mut self, history: &mut History, ty: &str, to: &str, inner: &str) -> String {
        self.asked += 1;
        let id = format!("q{}", self.asked);
        if let Some(session) = self.session {
            history.push(What::Ask { session, id: id.clone() });
        }
        self.asks.insert(id.clone());
        let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
        self.stanza(None, format!("<iq type='{ty}' id='{id}'{to}>{inner}</iq>"));
        id
    }

    /// The server has handled `h` stanzas.
    fn acknowledged(&mut self, history: &mut History, h: u32) {
        let Some(sm) = &mut self.sm else { return };
        let step = h.wrapping_sub(sm.acked) as usize;
        if step > sm.unacked.len() {
            let text = format!("{}: h={h}, {} + {} were sent", self.jid, sm.acked, sm.unacked.len());
            return self.flaws.push(text);
        }
        sm.acked = h;
        let keys: Vec<Key> = sm.unacked.drain(..step).filter_map(|(key, _)| key).collect();
        if !keys.is_empty() {
            history.push(What::Ack { device: self.jid.clone(), keys });
        }
    }

    /// The session will not come back.
    pub(crate) fn session_over(&mut self, history: &mut History) {
        if let Some(session) = self.session.take() {
            history.push(What::Over { session });
        }
        self.sm = None;
        self.available = false;
        self.follows = false;
        self.reading = None;
        self.sees.clear();
        self.blocking.clear();
        self.asks.clear();
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&mut self, history: &mut History) {
        self.phase = Phase::Off;
        self.link = None;
        self.leaving = false;
        self.out.clear();
        if self.sm.as_ref().is_none_or(|sm| sm.id.is_none()) {
            self.session_over(history);
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.phase == Phase::On
    }

    /// Whether the server has acknowledged all that it must.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.sm.as_ref().is_none_or(|sm| sm.unacked.is_empty())
    }

    /// Does what is left to do when everything is well.
    pub(crate) fn mend(&mut self, history: &mut History) {
        if self.reading.as_ref().is_some_and(|reading| reading.refused) {
            let last = self.reading.as_ref().filter(|reading| reading.last);
            match last.map(Reading::direction) {
                Some(direction) => self.walk(history, direction, None, true),
                None => self.catch_up(history),
            }
        }
    }

    /// Reads the rest of its archive, and asks what the judgement needs to know.
    pub(crate) fn settle(&mut self, history: &mut History) {
        if !self.is_on() {
            return;
        }
        if self.device.catches_up {
            self.catch_up(history);
        }
        // Whom it sees is judged: what was held back must come.
        self.out.extend(b"<active xmlns='urn:xmpp:csi:0'/>");
        self.request(history, "get", "", "<query xmlns='jabber:iq:roster'/>");
        self.request(history, "get", "", "<blocklist xmlns='urn:xmpp:blocking'/>");
        self.ask_ack();
    }

    /// Asks how far the server is.
    pub(crate) fn ask_ack(&mut self) {
        if self.sm.as_ref().is_some_and(|sm| sm.on) {
            self.out.extend(b"<r xmlns='urn:xmpp:sm:3'/>");
        }
    }
}
