//! The task of one connection: carries bytes between socket and stream, and words between stream and engine.
//!
//! One turn reads once, hands over what the engine sent, and writes all of it with one system call. While the socket
//! takes no more, nothing is read, and nothing is taken from the engine: the backlog shows there.
//!
//! Not here: what any byte means (stream), accepting sockets (`accept.rs`), BOSH, which has no connection (`bosh/`).

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mailbox::{Sent, Share};
use model::link::Down;
use stream::{Output, Stream};
use tokio::time::Sleep;

use crate::alarm;
use crate::authority::Answering;
use crate::framing::Framing;
use crate::link::Line;
use crate::shared::{Opened, Presence, Shared, Trial};
use crate::tls::{Purpose, secure};
use crate::wire::{self, Read, Wire};

/// Bytes written in one turn, besides the stanza that passes this mark.
const BATCH: usize = 64 * 1024;
/// How long a peer may go on sending after we have closed.
const DRAIN: Duration = Duration::from_secs(1);

/// A connection with its stream.
pub(crate) struct Carrier {
    shared: Arc<Shared>,
    peer: IpAddr,
    wire: Wire,
    framing: Framing,
    stream: Stream,
    line: Arc<Line>,
    mailbox: Share,
    /// Taken from the line and not yet handed to the stream.
    words: std::vec::IntoIter<Down>,
    question: Option<Answering>,
    trial: Trial,
    /// When the connection counts as broken because the peer does not read, and what was written then.
    stuck: Option<(Instant, u64)>,
    socket: Socket,
    /// The stream is over: what is left is written until then.
    closed: Option<Instant>,
    _presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    /// Both directions work.
    Open,
    /// The peer sends no more.
    Ended,
    /// Neither works. The stream may still have to wait for a word of the engine.
    Lost,
}

impl Carrier {
    pub(crate) fn new(
        shared: Arc<Shared>,
        peer: IpAddr,
        wire: Wire,
        framing: Framing,
        opened: Opened,
    ) -> Carrier {
        let Opened { stream, line, mailbox, presence } = opened;
        let words = Vec::new().into_iter();
        Carrier {
            shared,
            peer,
            wire,
            framing,
            stream,
            line,
            mailbox,
            words,
            question: None,
            trial: Trial::default(),
            stuck: None,
            socket: Socket::Open,
            closed: None,
            _presence: presence,
        }
    }

    /// The handshake was done before there was a stream.
    pub(crate) fn handle_tls(&mut self, tls: stream::Tls) {
        self.stream.handle_tls(Instant::now(), tls);
    }

    /// Carries until the connection is closed. By reference: a future that owns what it is called on holds it twice.
    pub(crate) async fn run(&mut self) {
        let mut sleep = pin!(tokio::time::sleep(self.shared.limits.now().write));
        loop {
            self.act().await;
            if self.is_done() {
                break;
            }
            poll_fn(|cx| self.poll_turn(cx, sleep.as_mut())).await;
        }
        if self.socket != Socket::Lost {
            let until = Instant::now() + DRAIN;
            poll_fn(|cx| self.poll_farewell(cx, sleep.as_mut(), until)).await;
        }
    }

    fn is_done(&self) -> bool {
        let written = self.socket == Socket::Lost || !self.wire.pending();
        self.closed.is_some_and(|until| written || until <= Instant::now())
    }

    /// Does what the stream wants done.
    async fn act(&mut self) {
        while let Some(output) = self.stream.poll_output() {
            match output {
                Output::Up(up) => {
                    let told = match self.mailbox.try_send(up) {
                        Sent::Done => true,
                        Sent::Gone => false,
                        // Boxed: this seldom happens, and the room for it would be kept by every connection.
                        Sent::Full(up) => Box::pin(self.mailbox.send(up)).await,
                    };
                    if !told {
                        (self.socket, self.closed) = (Socket::Lost, Some(Instant::now())); // the process ends
                    }
                }
                Output::Ask(ask) => self.question = Some(self.shared.ask(ask, self.peer, &self.trial)),
                Output::Note(what) => self.shared.note(&what, self.peer, &self.trial),
                Output::Authenticated(account) => self.shared.authenticated(&account, self.peer, &self.trial),
                Output::StartTls => Box::pin(self.start_tls()).await,
                Output::Closed => self.close(),
            }
        }
        self.fill();
    }

    /// No more input; what is left is written.
    fn close(&mut self) {
        self.fill();
        self.closed = Some(Instant::now() + self.shared.config.stream.now().timeouts.close);
        if self.socket != Socket::Lost {
            self.framing.close(&mut self.wire);
            self.wire.say_goodbye();
        }
    }

    /// The connection is lost.
    fn broken(&mut self) {
        if self.socket != Socket::Lost {
            self.socket = Socket::Lost;
            self.stream.handle_eof(Instant::now());
        }
    }

    /// Moves what the stream wants to write into the wire.
    fn fill(&mut self) {
        if self.socket == Socket::Lost || !self.stream.has_bytes() {
            return;
        }
        let (stream, wire, framing) = (&mut self.stream, &mut self.wire, &mut self.framing);
        let pushed = wire::with_gather(|out| {
            framing.gather(stream, out);
            wire.push(out)
        });
        if pushed.is_err() {
            self.broken();
        }
    }

    /// RFC 6120 section 5.4.3.
    async fn start_tls(&mut self) {
        self.fill();
        let limit = self.shared.limits.now().handshake;
        let flushed = tokio::time::timeout(limit, poll_fn(|cx| self.wire.poll_flush(cx))).await;
        if !matches!(flushed, Ok(Ok(()))) {
            return self.broken();
        }
        match secure(&self.shared, &mut self.wire, Purpose::Client, self.peer).await {
            Some(tls) => self.stream.handle_tls(Instant::now(), tls),
            None => self.broken(),
        }
    }

    /// Waits until something can be done, and does as much as can be done at once.
    fn poll_turn(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<()> {
        let now = Instant::now();
        if self.poll_write(cx, now).is_err() {
            self.broken();
            return Poll::Ready(());
        }
        if self.is_done() {
            return Poll::Ready(());
        }
        let mut progress = false;
        if let Some(question) = &mut self.question
            && let Poll::Ready(answer) = question.as_mut().poll(cx)
        {
            self.question = None;
            self.stream.handle_answer(now, answer);
            progress = true;
        }
        if self.socket == Socket::Lost || !self.wire.pending() {
            progress |= self.line.poll_words(cx, &mut self.words, BATCH, &mut self.stream, now);
            progress |= self.poll_input(cx, now);
        }
        if progress { Poll::Ready(()) } else { self.poll_alarm(cx, sleep, now) }
    }

    /// Writes what waits, and watches that the peer takes it.
    fn poll_write(&mut self, cx: &mut Context<'_>, now: Instant) -> std::io::Result<()> {
        if self.socket == Socket::Lost || !self.wire.pending() {
            return Ok(());
        }
        if self.wire.poll_flush(cx)?.is_ready() {
            self.stuck = None;
            self.line.set_unwritten(0);
            return Ok(());
        }
        let written = self.wire.written();
        if self.stuck.is_none_or(|(_, then)| then != written) {
            self.stuck = Some((now + self.shared.limits.now().write, written));
        }
        self.line.set_unwritten(self.wire.unwritten());
        Ok(())
    }

    /// Reads once, if the stream wants input.
    fn poll_input(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.socket != Socket::Open || self.closed.is_some() || !self.stream.wants_input() {
            return false;
        }
        let (stream, framing) = (&mut self.stream, &mut self.framing);
        let mut sink = |bytes: &[u8]| framing.input(stream, now, bytes);
        match self.wire.poll_read(cx, &mut sink) {
            Poll::Pending => return false,
            Poll::Ready(Ok(Read::Some)) if !framing.ended() => {}
            Poll::Ready(Ok(_)) => {
                self.socket = Socket::Ended;
                self.stream.handle_eof(now);
            }
            Poll::Ready(Err(_)) => self.broken(),
        }
        if let Some((name, code)) = self.framing.take_fault() {
            self.shared.misbehaved(name, &code, self.peer, now);
        }
        let replies = self.framing.replies();
        if self.socket != Socket::Lost && self.wire.push(&replies).is_err() {
            self.broken();
        }
        true
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>, now: Instant) -> Poll<()> {
        let stuck = self.stuck.map(|(until, _)| until).filter(|_| self.socket != Socket::Lost);
        let of_stream = if self.closed.is_some() { None } else { self.stream.poll_timeout() };
        let due = alarm::earlier(alarm::earlier(stuck, self.closed), of_stream);
        std::task::ready!(alarm::poll(sleep, cx, due));
        if stuck.is_some_and(|until| until <= now) {
            self.shared.counters().stuck.one();
            self.broken();
        } else if self.closed.is_none() {
            self.stream.handle_timeout(now);
        }
        Poll::Ready(())
    }

    /// Closes our direction, and waits a moment for the peer to close its own.
    fn poll_farewell(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>, until: Instant) -> Poll<()> {
        if self.wire.pending() || !matches!(self.wire.poll_shutdown(cx), Poll::Ready(Ok(()))) {
            return Poll::Ready(()); // the last words do not get through
        }
        // Only the time is its bound.
        let mut left = u64::MAX;
        if self.wire.poll_drain(cx, &mut left).is_ready() {
            return Poll::Ready(());
        }
        alarm::poll(sleep, cx, Some(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_small() {
        fn of<'a, F: Future + 'a>(_: impl Fn(&'a mut Carrier) -> F) -> usize {
            size_of::<F>()
        }
        let (carrier, running) = (size_of::<Carrier>(), of(Carrier::run));
        assert!(carrier + running <= 1800, "{carrier} and {running} bytes");
    }
}
