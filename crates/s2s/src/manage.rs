//! Stream management on both ends: enabling, acknowledging, resuming.
//!
//! XEP-0198 version 1.6.3.
//!
//! Not here: the counters (`sending.rs`, `receiving.rs`), what is kept of a broken stream (`resumption.rs`).

use std::time::{Duration, Instant};

use stanza::{Condition, StreamCondition, ns};
use xml::Element;

use crate::io::{Fail, Io, Next, Role, State, unsupported};
use crate::resumption::Resumption;
use crate::sending::Managed;
use crate::{Ask, Misbehaviour, Output, Pair};

/// Longest secret name of a stream that is looked up; ours are far shorter.
const ID_BYTES_MAX: usize = 256;

/// Any element of stream management on an open stream.
pub(crate) fn handle(io: &mut Io, now: Instant, element: &Element) -> Next {
    match (element.name(), io.sending.managed) {
        ("r", Managed::On) => io.handle_request(),
        ("a", Managed::On) => handle_ack(io, now, element)?,
        ("enable", Managed::Off) if !io.is_outgoing() => handle_enable(io, element),
        ("resume", Managed::Off) if io.role == Role::Incoming => return Ok(handle_resume(io, now, element)),
        ("enabled", Managed::Asked) => handle_enabled(io, now, element),
        ("resumed", Managed::Resuming) => handle_resumed(io, now, element)?,
        ("failed", Managed::Asked) => {
            io.clock.asked = None;
            for token in io.sending.unmanage() {
                io.out(Output::Written(token));
            }
        }
        ("failed", Managed::Resuming) => handle_not_resumed(io, now, element)?,
        ("r" | "a", _) => io.note(Misbehaviour::UnexpectedManagement),
        ("enable" | "resume", _) => {
            io.note(Misbehaviour::UnexpectedManagement);
            put_failed(io, Condition::UnexpectedRequest);
        }
        _ => return Err(unsupported().into()),
    }
    Ok(State::Open)
}

fn acked(io: &mut Io, tokens: Vec<u64>) {
    for token in tokens {
        io.out(Output::Acked(token));
    }
}

fn read_h(element: &Element) -> Option<u32> {
    // `parse` would also take a sign.
    element.attr("h").filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

pub(crate) fn handle_ack(io: &mut Io, now: Instant, element: &Element) -> Result<(), Fail> {
    let bad = || Fail::new(StreamCondition::BadFormat, Misbehaviour::UnexpectedManagement);
    let h = read_h(element).ok_or_else(|| bad().text("an acknowledgement without a usable 'h'"))?;
    io.clock.asked = None;
    acknowledge(io, h)?;
    if io.sending.unacked() > 0 && io.wire.is_open() {
        io.put_request(now);
    }
    Ok(())
}

fn acknowledge(io: &mut Io, h: u32) -> Result<(), Fail> {
    let Some(tokens) = io.sending.acknowledge(h) else {
        let sent = io.sending.acked.wrapping_add(io.sending.unacked() as u32);
        let app = format!("<handled-count-too-high xmlns='{}' h='{h}' send-count='{sent}'/>", ns::SM);
        let mut fail = Fail::new(StreamCondition::UndefinedCondition, Misbehaviour::HandledCountTooHigh);
        fail.error.app = Some(app);
        return Err(fail);
    };
    acked(io, tokens);
    Ok(())
}

/// The peer wants us to acknowledge.
fn handle_enable(io: &mut Io, element: &Element) {
    if !io.trusted || !io.settings.stream_management {
        io.note(Misbehaviour::UnexpectedManagement);
        return put_failed(io, Condition::UnexpectedRequest);
    }
    let wish = element.attr("resume").is_some_and(|value| matches!(&*value, "true" | "1"));
    let mut w = io.wire.writer();
    w.open("enabled", ns::SM);
    // The name of the stream is a secret, so it is told to nobody who could be overheard. On a bidirectional stream we
    // would have sent new stanzas before we heard that old ones must go first.
    let possible = io.role == Role::Incoming && io.tls.is_some() && !io.bidi;
    if wish && possible && !io.settings.resume.is_zero() {
        let (id, lifetime) = (io.random.id(), io.settings.resume);
        w.attr("id", &id).attr("resume", "true").attr_of("max", lifetime.as_secs());
        io.session = Some((id, lifetime));
    }
    w.close();
    io.wire.put(&w.finish());
    io.sending.manage(Managed::On);
    io.receiving.manage();
}

/// Asks to go on where a broken stream stopped, or to begin counting; whether stanzas must wait for the answer.
pub(crate) fn begin(io: &mut Io, now: Instant) -> bool {
    let offered = io.offer.managed && io.settings.stream_management;
    match io.resume.take() {
        Some(resume) if offered => {
            let mut w = io.wire.writer();
            w.open("resume", ns::SM).attr("previd", &resume.id).attr_of("h", resume.stored).close();
            io.wire.put(&w.finish());
            io.sending.managed = Managed::Resuming;
            io.clock.asked = Some(now);
            io.resume = Some(resume);
            true
        }
        lost => {
            if let Some(lost) = lost {
                not_resumed(io, lost.into_unacked());
            }
            if offered {
                enable(io, now);
            }
            false
        }
    }
}

fn enable(io: &mut Io, now: Instant) {
    let mut w = io.wire.writer();
    w.open("enable", ns::SM);
    if io.tls.is_some() && !io.settings.resume.is_zero() {
        w.attr("resume", "true").attr_of("max", io.settings.resume.as_secs());
    }
    w.close();
    io.wire.put(&w.finish());
    io.sending.manage(Managed::Asked);
    // What is sent now can only be acknowledged after the answer.
    io.clock.asked = Some(now);
}

fn handle_enabled(io: &mut Io, now: Instant, element: &Element) {
    io.clock.asked = None;
    io.sending.managed = Managed::On;
    io.receiving.manage();
    let resumable = element.attr("resume").is_some_and(|value| matches!(&*value, "true" | "1"));
    let id = element.attr("id").filter(|id| resumable && (1..=ID_BYTES_MAX).contains(&id.len()));
    let max = element.attr("max").and_then(|max| max.parse().ok()).map_or(Duration::MAX, Duration::from_secs);
    if let Some(id) = id.filter(|_| io.tls.is_some()) {
        io.session = Some((id.into_owned(), max.min(io.settings.resume)));
    }
    if io.sending.unacked() > 0 {
        io.put_request(now);
    }
}

/// The peer of an incoming stream wants to go on where another one broke.
fn handle_resume(io: &mut Io, now: Instant, element: &Element) -> State {
    let pair = io.session_pair().filter(|pair| io.book.is_inbound(pair));
    let id = element.attr("previd").filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
    match (pair, id, read_h(element)) {
        (Some(pair), Some(id), Some(h)) if io.settings.stream_management && io.receiving.unstored == 0 => {
            io.ask(Ask::Resume(pair, id.into_owned()));
            io.clock.deadline = Some(now + io.settings.timeouts.dialback);
            State::Resuming { h }
        }
        _ => {
            io.note(Misbehaviour::UnexpectedManagement);
            put_failed(io, Condition::UnexpectedRequest);
            State::Open
        }
    }
}

/// What the shell has kept of that stream.
pub(crate) fn handle_resumable(io: &mut Io, now: Instant, kept: Option<Box<Resumption>>, h: u32) -> Next {
    io.clock.deadline = None;
    let pair = io.session_pair();
    let remote = |pair: &Pair| pair.remote.clone();
    let kept = match kept {
        // Stanzas of both directions must find the same roads as before.
        Some(kept) if Some(remote(&kept.pair)) == pair.as_ref().map(remote) && kept.bidi == io.bidi => *kept,
        other => {
            if let Some(strange) = other {
                io.note(Misbehaviour::UnexpectedManagement);
                not_resumed(io, strange.into_unacked());
            }
            put_failed(io, Condition::ItemNotFound);
            return Ok(State::Open);
        }
    };
    let mut w = io.wire.writer();
    w.open("resumed", ns::SM).attr("previd", &kept.id).attr_of("h", kept.stored).close();
    io.wire.put(&w.finish());
    go_on(io, now, kept, h)?;
    Ok(State::Open)
}

fn handle_resumed(io: &mut Io, now: Instant, element: &Element) -> Result<(), Fail> {
    let bad = || Fail::new(StreamCondition::BadFormat, Misbehaviour::UnexpectedManagement);
    let h = read_h(element).ok_or_else(bad)?;
    let Some(kept) = io.resume.take() else { return Err(bad()) };
    io.clock.asked = None;
    if let Some(pair) = io.book.main.clone() {
        io.sending.managed = Managed::On;
        io.ready(now, pair);
    }
    go_on(io, now, *kept, h)
}

/// The old stream's state becomes this one's; what had not arrived is sent again.
fn go_on(io: &mut Io, now: Instant, kept: Resumption, h: u32) -> Result<(), Fail> {
    io.session = Some((kept.id, kept.lifetime));
    io.sending.resume(kept.queue, kept.acked);
    io.receiving.go_on(kept.stored);
    acknowledge(io, h)?;
    for (pair, proof) in kept.inbound {
        // The operator may have changed his mind.
        if !io.book.is_inbound(&pair) && io.suffices(pair.local.as_str(), pair.remote.as_str(), proof) {
            io.admit(now, pair, proof);
        }
    }
    for pair in kept.outbound {
        if io.policy(&pair).allowed {
            io.ready(now, pair);
        }
    }
    io.out(Output::Resumed);
    let again: Vec<_> = io.sending.queue.iter().map(|sent| sent.stanza.clone()).collect();
    for stanza in &again {
        // It was within the limit when it was sent first.
        let _ = io.wire.stanza(stanza, None);
    }
    if !again.is_empty() {
        io.sending.request(now);
    }
    Ok(())
}

/// The old stream is lost; what the peer knows of it is still worth something.
fn handle_not_resumed(io: &mut Io, now: Instant, element: &Element) -> Result<(), Fail> {
    io.sending.managed = Managed::Off;
    if let Some(kept) = io.resume.take() {
        let h = read_h(element).unwrap_or(kept.acked);
        io.sending.resume(kept.queue, kept.acked);
        acknowledge(io, h)?;
        let lost = io.sending.forget();
        not_resumed(io, lost);
    }
    enable(io, now);
    if let Some(pair) = io.book.main.clone() {
        io.ready(now, pair);
    }
    Ok(())
}

fn not_resumed(io: &mut Io, tokens: Vec<u64>) {
    if !tokens.is_empty() {
        io.out(Output::NotResumed(tokens));
    }
}

fn put_failed(io: &mut Io, condition: Condition) {
    let mut w = io.wire.writer();
    w.open("failed", ns::SM).open(condition.name(), ns::STANZAS).close().close();
    io.wire.put(&w.finish());
}

impl Io {
    /// `<r/>` from the peer: answered when all that came before is stored.
    fn handle_request(&mut self) {
        self.receiving.due = Some(self.receiving.passed());
        self.put_due_ack();
    }

    /// So many more stanzas are stored.
    pub(crate) fn store(&mut self, stanzas: usize) {
        self.receiving.store(stanzas);
        self.put_due_ack();
    }

    fn put_due_ack(&mut self) {
        let receiving = &self.receiving;
        // The difference, because counts wrap.
        let reached = |due: u32| receiving.stored.wrapping_sub(due) < u32::MAX / 2;
        if receiving.due.is_some_and(reached) && self.wire.is_open() {
            self.receiving.due = None;
            self.put_ack();
        }
    }

    /// `<a/>`.
    pub(crate) fn put_ack(&mut self) {
        let mut w = self.wire.writer();
        w.open("a", ns::SM).attr_of("h", self.receiving.stored).close();
        self.wire.put(&w.finish());
    }

    /// `<r/>`, unless one is under way.
    pub(crate) fn put_request(&mut self, now: Instant) {
        if self.clock.asked.is_none() {
            self.clock.asked = Some(now);
            self.wire.put_empty("r", ns::SM);
        }
    }
}
