//! What happens when a time has come, or nothing has happened for long.
//!
//! RFC 6120 section 4.6 (silence), XEP-0198 section 4, XEP-0205.
//!
//! Not here: the times themselves (`clock.rs`).

use std::time::{Duration, Instant};

use stanza::StreamCondition;

use crate::io::{Fail, Role, State};
use crate::sending::Managed;
use crate::{End, Misbehaviour, Purpose, Stream, dialback, manage};

/// How long a stream that was opened for verifications stays after the last answer.
const VERIFY_LINGER: Duration = Duration::from_secs(10);

impl Stream {
    /// The time of [`Stream::poll_timeout`] has come. Too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.io.over {
            return;
        }
        let passed = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        self.io.clock.unpause(now);
        if passed(self.deadline()) {
            return self.be_late(now);
        }
        if self.state == State::Open && passed(self.io.book.next()) {
            self.step(|io, _| dialback::expire(io, now));
        }
        if passed(self.silence()) {
            let fail = Fail::new(StreamCondition::ConnectionTimeout, Misbehaviour::Silent);
            return self.stop(fail.into());
        }
        if passed(self.keepalive()) {
            self.poke(now);
        }
        if passed(self.idle()) {
            self.close(now, None);
        }
        self.pump(now);
    }

    fn be_late(&mut self, now: Instant) {
        match self.state {
            State::Closing => self.end(self.io.why.clone().unwrap_or(End::Clean)),
            State::Handshake => self.end(End::TooSlow),
            State::Resuming { h } => {
                self.step(|io, _| manage::handle_resumable(io, now, None, h));
                self.pump(now);
            }
            _ => self.stop(Fail::new(StreamCondition::ConnectionTimeout, Misbehaviour::TooSlow).into()),
        }
    }

    /// A sign of life: one that must be answered if the peer knows how.
    fn poke(&mut self, now: Instant) {
        self.io.clock.poked = now;
        match self.io.sending.managed {
            Managed::On => self.io.put_request(now),
            _ => self.io.wire.put(b" "),
        }
    }

    /// When to call [`Stream::handle_timeout`]; may move with every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.io.over {
            return None;
        }
        let book = if self.state == State::Open { self.io.book.next() } else { None };
        let times =
            [self.deadline(), self.io.clock.pause, book, self.silence(), self.keepalive(), self.idle()];
        times.into_iter().flatten().min()
    }

    /// When the negotiation must be over. A dialback that is under way may take a little longer, once.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.io.clock.deadline?;
        match self.state == State::Open && self.io.book.is_proving() {
            true => Some(deadline + self.io.settings.timeouts.dialback),
            false => Some(deadline),
        }
    }

    /// When an answer that was asked for is missing.
    fn silence(&self) -> Option<Instant> {
        let asked = self.io.clock.asked.filter(|_| self.state == State::Open)?;
        Some(asked + self.io.settings.timeouts.answer)
    }

    /// When silence becomes suspicious.
    fn keepalive(&self) -> Option<Instant> {
        let clock = &self.io.clock;
        let waits = self.state == State::Open && self.io.trusted && clock.asked.is_none();
        waits.then(|| clock.heard.max(clock.poked) + self.io.settings.timeouts.keepalive)
    }

    /// When the stream is no longer worth having. Components stay.
    fn idle(&self) -> Option<Instant> {
        let io = &self.io;
        let (verifies, limit) = match io.role {
            Role::Component => return None,
            Role::Outgoing(Purpose::Verify) => (true, VERIFY_LINGER.min(io.settings.timeouts.idle)),
            Role::Outgoing(Purpose::Stanzas) | Role::Incoming => (false, io.settings.timeouts.idle),
        };
        let unused = self.state == State::Open
            && (io.trusted || verifies)
            && io.book.is_idle()
            && io.sending.queue.is_empty()
            && io.receiving.unstored == 0;
        unused.then(|| io.clock.used + limit)
    }
}
