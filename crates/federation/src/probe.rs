//! Whether a peer that acknowledges nothing has what was written to it. It is asked for something on the same stream: what
//! it says to that, it says after having read all that came before.
//!
//! XEP-0199 2.0.1 (a ping from server to server), RFC 6120 section 10.1 (stanzas are processed in order)
//!
//! Not here: streams with acknowledgements (s2s), writing and asking (`carrier.rs`), finding who asked (`shared.rs`).

use std::collections::VecDeque;
use std::sync::Arc;

use s2s::Pair;
use stanza::{IqType, Kind, Stanza, ns};
use tokio::time::Instant;
use xml::Writer;

use crate::limits;

/// What ids of questions begin with.
const PREFIX: &str = "there-";

/// What was written on one stream, and what is asked about it.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    written: VecDeque<Written>,
    /// How many have been taken out of `written`.
    gone: u64,
    asked: Option<Asked>,
    /// Whether the peer has ever answered.
    answers: bool,
    /// It does not answer such questions: time must do.
    mute: bool,
}

#[derive(Debug)]
struct Written {
    number: u64,
    /// It is worth a question, and that is not answered.
    precious: bool,
    /// When it counts as delivered without an answer, where none is waited for.
    at: Instant,
}

#[derive(Debug)]
struct Asked {
    id: u64,
    /// What was written before, in the count of `gone`.
    before: u64,
    until: Instant,
}

impl Probe {
    /// This was written just now.
    pub(crate) fn written(&mut self, number: u64, precious: bool, now: Instant) {
        self.written.push_back(Written { number, precious, at: now + limits::CONFIRM });
    }

    /// There is so much that the oldest of it cannot wait for its time.
    pub(crate) fn is_crowded(&self) -> bool {
        self.written.len() > limits::UNCONFIRMED_MAX
    }

    /// What to ask about: the last that was written, if something is open and no answer is waited for.
    pub(crate) fn open(&self) -> Option<u64> {
        let waits = self.mute || self.asked.is_some() || !self.written.iter().any(|one| one.precious);
        self.written.back().filter(|_| !waits).map(|last| last.number)
    }

    /// A question was sent.
    pub(crate) fn asked(&mut self, id: u64, now: Instant) {
        let before = self.gone + self.written.len() as u64;
        self.asked = Some(Asked { id, before, until: now + limits::ANSWER });
    }

    /// The question that is open.
    pub(crate) fn question(&self) -> Option<u64> {
        self.asked.as_ref().map(|asked| asked.id)
    }

    /// The peer has answered that question: what was written before has arrived. It still counts as delivered only when
    /// its time has come: a peer that dies may not have stored it yet.
    pub(crate) fn answered(&mut self, id: u64) {
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return };
        self.answers = true;
        let count = usize::try_from(asked.before.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        self.written.iter_mut().take(count).for_each(|one| one.precious = false);
    }

    /// The next moment at which something is to be done.
    pub(crate) fn due(&self) -> Option<Instant> {
        let answer = self.asked.as_ref().map(|asked| asked.until);
        let first = self.written.front().filter(|one| self.mute || !one.precious).map(|one| one.at);
        answer.into_iter().chain(first).min()
    }

    /// These count as delivered for their time: what nobody misses, what the peer has read, and all to one that never
    /// answers.
    pub(crate) fn aged(&mut self, now: Instant) -> Vec<u64> {
        if !self.answers && self.asked.take_if(|asked| asked.until <= now).is_some() {
            self.mute = true;
        }
        let crowd = self.written.len().saturating_sub(limits::UNCONFIRMED_MAX);
        let old =
            |(at, one): &(usize, &Written)| (one.at <= now || *at < crowd) && (self.mute || !one.precious);
        let count = self.written.iter().enumerate().take_while(old).count();
        self.take(count)
    }

    /// A peer that has answered before does so no longer: it is gone, and the stream with it.
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        self.answers && self.asked.as_ref().is_some_and(|asked| asked.until <= now)
    }

    /// The peer has read to the end: all has arrived.
    pub(crate) fn all(&mut self) -> Vec<u64> {
        self.take(self.written.len())
    }

    fn take(&mut self, count: usize) -> Vec<u64> {
        self.gone += count as u64;
        self.written.drain(..count).map(|one| one.number).collect()
    }
}

/// The question with that number.
pub(crate) fn question(id: u64, pair: &Pair) -> Arc<Stanza> {
    let mut inner = Writer::new(ns::CLIENT);
    inner.open("ping", ns::PING).close();
    let stanza = Stanza::new(Kind::Iq(IqType::Get)).id(&format!("{PREFIX}{id}"));
    Arc::new(stanza.from(pair.local.jid()).to(pair.remote.jid()).with_inner(inner.finish()))
}

/// Which question a stanza answers, if it may be an answer, whatever it says.
pub(crate) fn answer(stanza: &Stanza) -> Option<u64> {
    let may_be = matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error));
    let bare = |jid: &Option<address::Jid>| jid.as_ref().is_some_and(address::Jid::is_domain);
    let id = stanza.id.as_deref().filter(|_| may_be && bare(&stanza.from) && bare(&stanza.to))?;
    id.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(precious: &[bool]) -> (Probe, Instant) {
        let (mut probe, now) = (Probe::default(), Instant::now());
        for (number, precious) in precious.iter().enumerate() {
            probe.written(number as u64, *precious, now);
        }
        (probe, now)
    }

    #[test]
    fn an_answer_stands_for_what_was_written_before_the_question() {
        let (mut probe, now) = probe(&[false, true]);
        assert_eq!(probe.open(), Some(1));
        probe.asked(7, now);
        assert_eq!(probe.open(), None, "one question at a time");
        probe.written(2, true, now);
        assert_eq!(probe.aged(now + limits::CONFIRM), [0], "nobody asks for that");
        probe.answered(8);
        assert_eq!(probe.open(), None, "that was no answer to it");
        probe.answered(7);
        assert_eq!(probe.open(), Some(2), "what came later is asked about");
        assert_eq!(probe.due(), Some(now + limits::CONFIRM));
        assert_eq!(probe.aged(now + limits::CONFIRM), [1]);
        assert_eq!(probe.due(), None);
        assert_eq!(probe.all(), [2]);
    }

    #[test]
    fn who_never_answers_is_believed_by_time_and_who_falls_silent_is_lost() {
        for answers in [false, true] {
            let (mut probe, now) = probe(&[true]);
            if answers {
                probe.asked(1, now);
                probe.answered(1);
                probe.written(1, true, now);
            }
            probe.asked(2, now);
            let late = now + limits::ANSWER;
            assert_eq!(probe.is_lost(late), answers);
            assert_eq!(probe.aged(late), [0]);
            assert_eq!(probe.all().is_empty(), !answers);
            assert_eq!(probe.mute, !answers);
        }
    }

    /// A fast peer gets more than fits into the time of waiting, and what is precious still waits for an answer.
    #[test]
    fn what_comes_fast_does_not_wait_for_its_time() {
        let (mut probe, now) = probe(&vec![false; limits::UNCONFIRMED_MAX + 2]);
        assert!(probe.is_crowded());
        assert_eq!(probe.aged(now), [0, 1]);
        assert!(!probe.is_crowded() && probe.aged(now).is_empty());
        probe.written.front_mut().unwrap().precious = true;
        (0..10).for_each(|more| probe.written(1_000 + more, false, now));
        assert!(probe.aged(now).is_empty(), "nobody has answered");
        probe.asked(1, now);
        probe.answered(1);
        assert_eq!(probe.aged(now).len(), 10);
    }

    #[test]
    fn only_servers_answer() {
        let jid = |text| address::Jid::parse(text).unwrap();
        let pair = Pair { local: jid("a.example").bare(), remote: jid("b.example").bare() };
        let asked = question(42, &pair);
        assert_eq!(answer(&asked), None);
        let reply = asked.result(Default::default());
        assert_eq!(answer(&reply), Some(42));
        assert_eq!(answer(&reply.clone().from(&jid("x@b.example"))), None);
        assert_eq!(answer(&reply.id("other-42")), None);
    }
}
