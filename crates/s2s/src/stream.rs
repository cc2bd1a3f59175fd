//! The machine itself: what a shell calls.
//!
//! RFC 6120 section 4.4 (closing), 4.9 (errors).
//!
//! Not here: how input becomes elements (`input.rs`), time (`times.rs`), what each state does (a file each).

use std::sync::Arc;
use std::time::Instant;

use address::Jid;
use stanza::{Stanza, StreamError};

use crate::io::{Fail, Io, Role, State};
use crate::resumption::Resumption;
use crate::sending::Managed;
use crate::{
    Answer, End, Ended, Output, Pair, PeerTls, Purpose, Refusal, Settings, Trust, Unsendable, Verification,
    component, dialback, incoming, manage, outgoing,
};

/// A connection that we opened.
#[derive(Debug)]
pub struct Connect {
    /// For whom we connect, to whom.
    pub pair: Pair,
    /// What for.
    pub purpose: Purpose,
    /// Whether TLS comes first (XEP-0368): then `Stream::handle_tls` is called before anything else.
    pub direct_tls: bool,
    /// The stream of the same pair that broke, if it shall be resumed (XEP-0198 section 5).
    pub resume: Option<Box<Resumption>>,
    /// Fresh random bytes.
    pub seed: [u8; 32],
}

/// A connection that came in.
#[derive(Clone, Copy, Debug)]
pub struct Accept {
    /// Whether TLS comes first (XEP-0368): then `Stream::handle_tls` is called before anything else.
    pub direct_tls: bool,
    /// Fresh random bytes: stream identifiers are derived from them.
    pub seed: [u8; 32],
}

/// One stream with a server or a component. Call a `handle_*` or one of the commands, then [`Stream::poll_output`]
/// until it is empty, then write what [`Stream::take_bytes`] gives and call [`Stream::handle_written`], then wait for
/// [`Stream::poll_timeout`] or input.
pub struct Stream {
    pub(crate) io: Io,
    pub(crate) state: State,
    /// TLS comes before the first byte, and has not come yet.
    direct_tls: bool,
}

impl Stream {
    /// A stream to another server. Without direct TLS the header is written at once.
    pub fn outgoing(settings: Arc<Settings>, connect: Connect, now: Instant) -> Stream {
        let Connect { pair, purpose, direct_tls, resume, seed } = connect;
        let mut io = Io::new(settings, Role::Outgoing(purpose), seed, now);
        io.book.main = Some(pair);
        io.resume = resume;
        let state = if direct_tls { State::Greeting } else { outgoing::greet(&mut io) };
        Stream { io, state, direct_tls }
    }

    /// A stream from another server, on which nothing was said yet.
    pub fn incoming(settings: Arc<Settings>, accept: Accept, now: Instant) -> Stream {
        let io = Io::new(settings, Role::Incoming, accept.seed, now);
        Stream { io, state: State::Opening, direct_tls: accept.direct_tls }
    }

    /// A stream from a component (XEP-0114, `jabber:component:accept`). TLS, if any, is done by the shell before, and
    /// need not be told: `direct_tls` is not looked at.
    pub fn component(settings: Arc<Settings>, accept: Accept, now: Instant) -> Stream {
        let io = Io::new(settings, Role::Component, accept.seed, now);
        Stream { io, state: State::Opening, direct_tls: false }
    }

    /// Whether the handshake that comes first has not come yet.
    pub(crate) fn awaits_tls(&self) -> bool {
        self.direct_tls && self.io.tls.is_none()
    }

    /// A TLS handshake is done: after [`Output::StartTls`], or before the first byte.
    pub fn handle_tls(&mut self, now: Instant, tls: PeerTls) {
        if self.state != State::Handshake && !self.awaits_tls() {
            return;
        }
        match self.io.role {
            Role::Outgoing(_) => self.step(|io, _| outgoing::handle_tls(io, tls)),
            Role::Incoming | Role::Component => self.state = incoming::handle_tls(&mut self.io, tls),
        }
        self.pump(now);
    }

    /// Answers [`Output::Ask`]. An answer that nobody waits for any more is ignored.
    pub fn handle_answer(&mut self, now: Instant, answer: Answer) {
        match (self.state, answer) {
            (State::Certificate, Answer::Certificate(remote, trust)) => self.step(|io, _| match io.role {
                Role::Outgoing(_) => outgoing::handle_certificate(io, &remote, trust),
                _ => incoming::handle_certificate(io, &remote, trust),
            }),
            (State::Open, Answer::Verified(number, verdict)) => {
                self.step(|io, _| dialback::handle_verdict(io, now, number, verdict));
            }
            (State::Secret, Answer::Secret(secret)) => {
                self.step(|io, _| component::handle_secret(io, secret))
            }
            (State::Attaching, Answer::Attached(free)) => {
                self.step(|io, _| component::handle_attached(io, now, free));
            }
            (State::Resuming { h }, Answer::Resumable(kept)) => {
                self.step(|io, _| manage::handle_resumable(io, now, kept, h));
            }
            _ => {}
        }
        self.pump(now);
    }

    /// The peer will send no more: TCP end of file or failure. Keep polling until [`Output::Closed`].
    pub fn handle_eof(&mut self, _now: Instant) {
        self.io.wire.close();
        self.end(self.io.why.clone().unwrap_or(End::Broken));
    }

    /// All that [`Stream::take_bytes`] gave is written to the socket.
    pub fn handle_written(&mut self, _now: Instant) {
        if !self.io.over {
            for token in self.io.sending.write() {
                self.io.out(Output::Written(token));
            }
        }
    }

    /// So many more of [`Output::Stanza`] and [`Output::Unusable`], in their order, are on stable storage or need none:
    /// the peer may forget them.
    pub fn handle_stored(&mut self, now: Instant, stanzas: usize) {
        self.io.store(stanzas);
        self.pump(now);
    }

    /// Sends a stanza of a pair that is [`Output::Ready`]: from the domain of its `from` to that of its `to`. `token` is
    /// the shell's name for it, and comes back by [`Output::Acked`], [`Output::Written`],
    /// [`Output::NotResumed`] or
    /// [`Ended::unacked`](crate::Ended::unacked), exactly once, except that a resumption carries it along.
    ///
    /// # Errors
    /// The stanza was not taken, see [`Unsendable`].
    pub fn send(&mut self, now: Instant, token: u64, stanza: &Arc<Stanza>) -> Result<(), Unsendable> {
        let domains = stanza.from.as_ref().map(Jid::domain).zip(stanza.to.as_ref().map(Jid::domain));
        let ready = domains.is_some_and(|(local, remote)| self.is_ready(local, remote));
        if !ready {
            return Err(Unsendable::NotReady);
        }
        self.io.send(now, token, stanza)
    }

    /// Wants to use this stream for another pair, too (XEP-0220 section 2.6, multiplexing); call it after the first
    /// [`Output::Ready`]. Outgoing, or incoming with XEP-0288. `certificate`: whether the peer's certificate proves
    /// `pair.remote`, if it is not the stream's own; where a certificate is not required, the caller must know that DNS
    /// names the same host and port for both remote domains. Answered by [`Output::Ready`] or [`Output::Refused`], perhaps at
    /// once, unless the pair is ready or asked for already. If the peer does not support several remote domains on one
    /// stream, the answer is a refusal with [`Refusal::NothingOffered`].
    pub fn add_pair(&mut self, now: Instant, pair: Pair, certificate: Option<Trust>) {
        match self.state {
            State::Open => self.step(|io, _| dialback::add_pair(io, now, &pair, certificate)),
            State::Closed => {}
            _ => self.io.out(Output::Refused(pair, Refusal::NothingOffered)),
        }
    }

    /// Outgoing: asks the peer, as authoritative server of `verification.pair.remote`, whether it made this key (XEP-0220
    /// section 2.1.2). May be called at once; it is asked when the stream is up. Answered by [`Output::Verified`], always.
    pub fn verify(&mut self, now: Instant, token: u64, verification: Verification) {
        if self.io.over || self.state == State::Closing {
            let verdict = crate::Verdict::Failed(stanza::Condition::RemoteServerTimeout);
            return self.io.out(Output::Verified(token, verdict));
        }
        dialback::verify(&mut self.io, now, token, verification);
        self.pump(now);
    }

    /// Ends the stream: with an error, or in peace; what was sent before is written first.
    pub fn close(&mut self, now: Instant, error: Option<StreamError>) {
        if matches!(self.state, State::Closed | State::Closing) {
            return;
        }
        if let Some(error) = error {
            return self.stop(Fail { error, note: None }.into());
        }
        if !self.io.wire.is_open() || self.state == State::Handshake {
            return self.end(End::Clean);
        }
        if self.io.receiving.managed {
            self.io.put_ack();
        }
        self.io.wire.close();
        dialback::give_up(&mut self.io);
        self.io.why = Some(End::Clean);
        self.io.clock.stop();
        self.io.clock.deadline = Some(now + self.io.settings.timeouts.close);
        self.state = State::Closing;
    }

    /// Ends the stream at once because another connection resumes it; [`Output::Closed`] brings the resumption.
    pub fn detach(&mut self, _now: Instant) {
        self.io.wire.close();
        self.end(End::Broken);
    }

    /// The stream is over: tells the shell, once.
    pub(crate) fn end(&mut self, why: End) {
        if self.io.over {
            return;
        }
        self.state = State::Closed;
        self.io.clock.stop();
        dialback::give_up(&mut self.io);
        let resumption = self.io.resumption(&why);
        let (unacked, heard) = (self.io.sending.forget(), self.io.heard);
        self.io.out(Output::Closed(Box::new(Ended { why, heard, unacked, resumption })));
        self.io.over = true;
    }

    /// The next thing to do, in order. `None`: nothing until the next call.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.io.outputs.pop_front()
    }

    /// Whether the shell shall read. False while a question must be answered first, while the peer is too fast, while too
    /// much waits to be stored, and at the end.
    pub fn wants_input(&self) -> bool {
        self.reads() && self.io.clock.pause.is_none() && !self.awaits_tls()
    }

    /// Moves everything that is to be written to the end of `out`.
    pub fn take_bytes(&mut self, out: &mut Vec<u8>) {
        let io = &mut self.io;
        if let Some(since) = io.sending.take_request()
            && io.sending.managed == Managed::On
            && io.sending.unacked() > 0
            && io.wire.is_open()
        {
            io.put_request(since);
        }
        io.sending.take();
        io.wire.take_bytes(out);
    }

    /// Whether [`Stream::take_bytes`] would give something.
    pub fn has_bytes(&self) -> bool {
        !self.io.wire.is_empty()
    }

    /// Whether stanzas of this pair may be sent now. To a component everything may.
    pub fn is_ready(&self, local: &str, remote: &str) -> bool {
        let proven = match self.io.role {
            Role::Component => !self.io.book.outbound.is_empty(),
            Role::Outgoing(_) | Role::Incoming => self.io.book.sends(local, remote),
        };
        proven && self.io.may_send()
    }

    /// Whether SASL EXTERNAL has succeeded on it, as opposed to dialback.
    pub fn is_external(&self) -> bool {
        self.io.authenticated
    }

    /// The identifier of the stream, given by whoever accepted it: names incoming streams in dialback. Empty before.
    pub fn id(&self) -> &str {
        &self.io.id
    }
}
