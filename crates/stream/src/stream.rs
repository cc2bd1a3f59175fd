//! The machine itself: what a shell calls.
//!
//! RFC 6120 section 4.4 (closing), 4.9 (errors).
//!
//! Not here: how input becomes elements (input.rs), what each state does with one (a file each).

use core::net::IpAddr;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use address::Jid;
use model::link::{Down, End, Link, StreamId, Transport, Up};
use stanza::{StreamCondition, StreamError, ns};
use xml::{Framing, Limits, Parser};

use crate::clock::Clock;
use crate::input::Held;
use crate::opening::Opening;
use crate::peer::Peer;
use crate::random::Random;
use crate::state::{Fail, Io, State};
use crate::wire::Wire;
use crate::{Answer, Frame, Misbehaviour, Output, Settings, Tls};

/// A new connection.
pub struct Connection {
    /// Names it.
    pub id: StreamId,
    /// How it came in.
    pub transport: Transport,
    /// The peer's address, as far as it can be trusted.
    pub peer: IpAddr,
    /// The engine's way back to the shell that drives this stream.
    pub link: Arc<dyn Link>,
    /// Fresh random bytes: stream identifiers and SASL nonces are derived from them.
    pub seed: [u8; 32],
}

/// One client stream. Call a `handle_*`, then [`Stream::poll_output`] until it is empty, then write what
/// [`Stream::take_bytes`] or [`Stream::take_frame`] gives, then wait for [`Stream::poll_timeout`] or input.
pub struct Stream {
    pub(crate) io: Io,
    pub(crate) state: State,
    /// What waits, where elements come one by one. Almost always nothing, so it is boxed.
    #[expect(clippy::box_collection, reason = "24 bytes less in each of very many streams")]
    pub(crate) held: Option<Box<VecDeque<Held>>>,
}

impl Stream {
    /// A stream on which nothing was said yet. Where TLS comes first, call [`Stream::handle_tls`] before the first byte.
    pub fn new(settings: Arc<Settings>, connection: Connection, now: Instant) -> Stream {
        let Connection { id, transport, peer: ip, link, seed } = connection;
        let framing = match transport {
            Transport::Tcp | Transport::DirectTls => Framing::Stream,
            Transport::WebSocket | Transport::Bosh => Framing::Documents(ns::CLIENT),
        };
        let (random, mut clock) = (Random::new(seed), Clock::new(now));
        clock.deadline = Some(now + settings.timeouts.authenticate);
        let peer = Peer {
            ip,
            link,
            random,
            tls: None,
            domain: None,
            from: None,
            failures: 0,
            token: None,
            login: None,
        };
        let io = Io {
            id,
            parser: Parser::new(framing, settings.limits_before_auth),
            trusted: false,
            wire: Wire::new(transport),
            outputs: VecDeque::new(),
            clock,
            spent: false,
            over: false,
            settings,
        };
        Stream { io, state: State::Opening(Opening { peer: Box::new(peer) }), held: None }
    }

    /// A TLS handshake is done: after [`Output::StartTls`], or before the first byte.
    pub fn handle_tls(&mut self, now: Instant, tls: Tls) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Handshake(state) => self.state = state.handle_tls(&mut self.io, tls),
            State::Opening(mut state) if state.peer.tls.is_none() && !self.io.wire.is_open() => {
                state.peer.tls = Some(tls);
                self.state = State::Opening(state);
            }
            other => self.state = other,
        }
        self.pump(now);
    }

    /// Answers [`Output::Ask`]. An answer that nobody waits for any more is ignored.
    pub fn handle_answer(&mut self, now: Instant, answer: Answer) {
        self.state = match (std::mem::replace(&mut self.state, State::Closed), answer) {
            (State::Authenticating(state), answer) => state.handle_answer(&mut self.io, now, answer),
            (State::Registering(state), Answer::Registration(reply)) => {
                state.handle_answer(&mut self.io, &reply)
            }
            (other, _) => other,
        };
        self.pump(now);
    }

    /// The engine says something.
    pub fn handle_down(&mut self, now: Instant, down: Down) {
        if let State::Active(active) = &mut self.state
            && !matches!(down, Down::Close(_))
        {
            return active.handle_down(&mut self.io, down);
        }
        match (std::mem::replace(&mut self.state, State::Closed), down) {
            (State::Binding(state), Down::Bound(answer)) => {
                self.state = state.handle_bound(&mut self.io, now, answer);
            }
            (State::Binding(state), Down::Resumed(answer)) => {
                self.state = state.handle_resumed(&mut self.io, now, answer);
            }
            (State::Orphan(orphan), Down::Bound(answer)) => {
                self.abandon(answer.ok().map(|bound| bound.session), orphan.end);
            }
            (State::Orphan(orphan), Down::Resumed(answer)) => {
                self.abandon(answer.ok().map(|resumed| resumed.session), orphan.end);
            }
            (state @ (State::Closed | State::Closing | State::Orphan(_)), _) => self.state = state,
            (state, Down::Close(error)) => {
                self.state = state;
                match error {
                    Some(error) => self.fail(Fail { error, note: None }),
                    None => self.close(now),
                }
            }
            (state, _) => self.state = state,
        }
        if let State::Active(_) = self.state {
            self.io.clock.deadline = None;
            // From here on silence counts.
            self.io.clock.heard = now;
        }
        self.pump(now);
    }

    /// The stream is over and the engine, not knowing, has bound or resumed a session for it.
    fn abandon(&mut self, session: Option<model::link::SessionId>, end: End) {
        if let Some(session) = session {
            self.io.out(Output::Up(Up::Closed(session, self.io.id, end)));
        }
        self.io.over = true;
        self.io.out(Output::Closed);
    }

    /// The time of [`Stream::poll_timeout`] has come. Too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let passed = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        self.io.clock.unpause(now);
        if passed(self.io.clock.deadline) {
            return match &self.state {
                State::Closing | State::Handshake(_) => self.end(End::Broken),
                _ => self.fail(Fail::new(StreamCondition::ConnectionTimeout, Misbehaviour::TooSlow)),
            };
        }
        if passed(self.io.clock.wake) {
            self.step(|state, io| match state {
                State::Authenticating(state) => state.handle_wake(io),
                state => Ok(state),
            });
        }
        if passed(self.idle()) {
            if self.io.clock.probed.is_some() {
                return self.fail(Fail::new(StreamCondition::ConnectionTimeout, Misbehaviour::Silent));
            }
            self.io.clock.probed = Some(now);
            if let State::Active(active) = &mut self.state {
                active.probe(&mut self.io);
            }
        }
        self.pump(now);
    }

    /// When silence becomes suspicious, or fatal. A BOSH client is silent by design; its session has a time of its own.
    fn idle(&self) -> Option<Instant> {
        let timeouts = &self.io.settings.timeouts;
        match (&self.state, self.io.transport()) {
            (State::Active(_), transport) if transport != Transport::Bosh => Some(
                self.io.clock.probed.map_or(self.io.clock.heard + timeouts.idle, |at| at + timeouts.answer),
            ),
            _ => None,
        }
    }

    /// The peer will send no more: TCP end of file or failure, WebSocket closed, BOSH session timed out.
    /// What is bound may be resumed. Keep polling until [`Output::Closed`].
    pub fn handle_eof(&mut self, _now: Instant) {
        self.io.wire.close(false);
        self.end(End::Broken);
    }

    /// BOSH `<body type='terminate'/>`: the client closes its stream properly.
    pub fn handle_close(&mut self, _now: Instant) {
        self.peer_closed();
    }

    /// The next thing to do, in order. `None`: nothing until the next `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.io.outputs.pop_front();
        if output.is_none() {
            self.io.outputs = VecDeque::new();
        }
        output
    }

    /// When to call [`Stream::handle_timeout`]; may move with every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.io.clock.next(self.idle())
    }

    /// Whether the shell shall read. False while a question is open, while the client is too fast, and at the end.
    pub fn wants_input(&self) -> bool {
        self.state.reads() && self.io.clock.pause.is_none() && self.held.is_none()
    }

    /// TCP and direct TLS: moves everything that is to be written to the end of `out`.
    pub fn take_bytes(&mut self, out: &mut Vec<u8>) {
        self.io.wire.take_bytes(out);
    }

    /// WebSocket and BOSH: the next frame to send.
    pub fn take_frame(&mut self) -> Option<Frame> {
        self.io.wire.take_frame()
    }

    /// Whether [`Stream::take_bytes`] or [`Stream::take_frame`] would give something.
    pub fn has_bytes(&self) -> bool {
        !self.io.wire.is_empty()
    }

    /// The client's full address, once bound.
    pub fn jid(&self) -> Option<&Jid> {
        match &self.state {
            State::Active(active) => Some(&active.jid),
            _ => None,
        }
    }

    /// The XML limits that hold now: the longest message that a WebSocket may take, the limits of a BOSH body's parser.
    pub fn limits(&self) -> Limits {
        self.io.limits()
    }

    /// Runs one state transition.
    pub(crate) fn step(&mut self, transition: impl FnOnce(State, &mut Io) -> Result<State, Fail>) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        match transition(state, &mut self.io) {
            Ok(next) => self.state = next,
            Err(fail) => self.fail(fail),
        }
    }

    /// Ends the stream with an error. The state has not been consumed, or had no session.
    pub(crate) fn fail(&mut self, fail: Fail) {
        if self.io.over {
            return;
        }
        if let Some(note) = fail.note {
            self.io.note(note);
        }
        match &mut self.state {
            // Nobody would understand it: the peer speaks TLS by now, or wants to hear no more.
            State::Handshake(_) | State::Closing | State::Orphan(_) => return self.end(End::Broken),
            // RFC 6120 section 4.9.1.2: even an error needs a stream around it.
            State::Opening(state) => state.open_for_error(&mut self.io),
            _ => {}
        }
        self.write_end(&fail.error);
        self.end(End::Broken);
    }

    fn write_end(&mut self, error: &StreamError) {
        if self.io.wire.is_open() {
            self.io.wire.error(error);
            self.io.wire.close(true);
        }
    }

    /// Closes in peace; the peer has a while to close its half.
    fn close(&mut self, now: Instant) {
        if !self.io.wire.is_open() {
            return self.end(End::Clean);
        }
        self.io.wire.close(false);
        match std::mem::replace(&mut self.state, State::Closed).into_end(&mut self.io, End::Clean) {
            State::Closed => {
                self.state = State::Closing;
                self.io.clock.wake = None;
                self.io.clock.deadline = Some(now + self.io.settings.timeouts.close);
            }
            orphan => self.state = orphan,
        }
    }

    /// The peer has closed its half properly.
    pub(crate) fn peer_closed(&mut self) {
        self.io.wire.close(false);
        self.end(End::Clean);
    }

    /// The stream is over: tells the engine and the shell, once.
    pub(crate) fn end(&mut self, end: End) {
        if self.io.over {
            return;
        }
        let clock = &mut self.io.clock;
        (clock.deadline, clock.wake, clock.pause) = (None, None, None);
        self.held = None;
        self.state = std::mem::replace(&mut self.state, State::Closed).into_end(&mut self.io, end);
        if matches!(self.state, State::Closed) {
            self.io.over = true;
            self.io.out(Output::Closed);
        }
    }
}
