//! The task of one session: requests in, in order; responses out, in order; a stream in between.
//!
//! XEP-0124 version 1.11.2 sections 8 (payloads), 10 (inactivity), 14 (request ids).
//!
//! Words of the engine are only taken while a request waits for an answer: what is not taken shows in the backlog.
//!
//! Not here: HTTP (`mod.rs`), what a request leads to (`receive.rs`), numbers (`window.rs`), bodies (`body.rs`).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mailbox::Share;
use model::link::{Down, Transport};
use stream::{Frame, Open, Opened, Output, Stream, Tls};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use super::body::{Answer, Created, Request, Wrapper};
use super::window::{Keys, Window};
use super::{Post, Seat};
use crate::alarm;
use crate::authority::Answering;
use crate::config::BoshLimits;
use crate::link::Line;
use crate::shared::{Presence, Shared, Trial};

/// Requests that a client may have open: one that waits, and one that brings something.
pub(super) const REQUESTS: u64 = 2;
/// Bytes in one response, besides the stanza that passes this mark.
const BATCH: usize = 128 * 1024;

/// A session with its stream.
pub(super) struct Session {
    pub(super) seat: Seat,
    pub(super) peer: IpAddr,
    pub(super) limits: BoshLimits,
    pub(super) posts: mpsc::Receiver<Post>,
    pub(super) authenticated: Arc<AtomicBool>,
    pub(super) window: Window<(Request, oneshot::Sender<Bytes>)>,
    pub(super) keys: Keys,
    /// Requests that were handled and are not answered, in order.
    pub(super) held: VecDeque<Held>,
    /// How many requests may wait, and for how long: as agreed.
    pub(super) hold: usize,
    pub(super) wait: Duration,
    /// When the client counts as gone, unless a request waits.
    pub(super) lifeline: Instant,
    /// How long it may be silent now.
    pub(super) patience: Duration,
    /// When the last request came, and whether it was answered with nothing.
    pub(super) last: Option<Instant>,
    pub(super) last_was_idle: bool,
    /// Handed to the stream when it wants input.
    pub(super) inbox: VecDeque<Item>,
    pub(super) outbox: Outbox,
    pub(super) created: bool,
    /// How the client opened the first stream.
    pub(super) first: Open,
    pub(super) stream: Stream,
    pub(super) line: Arc<Line>,
    mailbox: Share,
    pub(super) words: std::vec::IntoIter<Down>,
    pub(super) question: Option<Answering>,
    trial: Trial,
    /// The stream is over.
    pub(super) closed: bool,
    /// The client is gone, or is treated so; the stream may still have to wait for a word of the engine.
    pub(super) abandoned: bool,
    _presence: Presence,
}

pub(super) struct Held {
    pub(super) rid: u64,
    pub(super) reply: oneshot::Sender<Bytes>,
    pub(super) due: Instant,
}

pub(super) enum Item {
    Open(Open),
    Element(Bytes),
    Close,
}

/// What the next response will say.
#[derive(Default)]
pub(super) struct Outbox {
    opened: Option<Opened>,
    elements: Vec<u8>,
    terminate: Option<bool>,
}

impl Session {
    pub(super) fn new(
        seat: Seat,
        peer: IpAddr,
        tls: Option<Tls>,
        first: &Wrapper,
        posts: mpsc::Receiver<Post>,
        authenticated: Arc<AtomicBool>,
    ) -> Option<Session> {
        let now = Instant::now();
        let limits = seat.shared.http.now().bosh_limits;
        let mut opened = seat.shared.open(Transport::Bosh, peer, now)?;
        if let Some(tls) = tls {
            opened.stream.handle_tls(now, tls);
        }
        Some(Session {
            peer,
            posts,
            authenticated,
            window: Window::new(first.rid, REQUESTS),
            keys: Keys::default(),
            held: VecDeque::new(),
            hold: usize::from(first.hold != Some(0) && first.wait != Some(0)),
            wait: first.wait.map_or(limits.wait, Duration::from_secs).min(limits.wait),
            lifeline: now + limits.inactivity,
            patience: limits.inactivity,
            last: None,
            last_was_idle: false,
            inbox: VecDeque::from([Item::Open(first.open.clone())]),
            outbox: Outbox::default(),
            created: false,
            first: first.open.clone(),
            stream: opened.stream,
            line: opened.line,
            mailbox: opened.mailbox,
            words: Vec::new().into_iter(),
            question: None,
            trial: Trial::default(),
            closed: false,
            abandoned: false,
            limits,
            _presence: opened.presence,
            seat,
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.seat.shared
    }

    /// Runs until the session is over.
    pub(super) async fn run(mut self, first: Post) {
        let mut sleep = pin!(tokio::time::sleep(self.limits.wait));
        self.receive(first);
        loop {
            self.act().await;
            self.respond(Instant::now());
            if self.closed && (self.abandoned || self.outbox.is_empty()) {
                break;
            }
            poll_fn(|cx| self.poll_turn(cx, sleep.as_mut())).await;
        }
        // Whoever still waits learns that it is over.
        for held in self.held.drain(..) {
            let _ = held.reply.send(Answer::default().write(b""));
        }
    }

    /// Does what the stream wants done.
    async fn act(&mut self) {
        loop {
            self.feed();
            let Some(output) = self.stream.poll_output() else { break };
            match output {
                Output::Up(up) => {
                    if !self.mailbox.send(up).await {
                        (self.closed, self.abandoned) = (true, true); // the process ends
                    }
                }
                Output::Ask(ask) => self.question = Some(self.shared().ask(ask, self.peer, &self.trial)),
                Output::Note(what) => self.shared().note(&what, self.peer, &self.trial),
                Output::Authenticated(account) => {
                    self.authenticated.store(true, Ordering::Relaxed);
                    self.shared().authenticated(&account, self.peer, &self.trial);
                }
                Output::StartTls => {} // never offered here
                Output::Closed => self.closed = true,
            }
        }
    }

    /// Hands over what waits, while the stream wants input.
    fn feed(&mut self) {
        let now = Instant::now();
        while self.stream.wants_input()
            && let Some(item) = self.inbox.pop_front()
        {
            match item {
                Item::Open(open) => self.stream.handle_open(now, open),
                Item::Element(bytes) => self.stream.handle_input(now, &bytes),
                Item::Close => self.stream.handle_close(now),
            }
        }
    }

    /// The client has shown itself.
    pub(super) fn alive(&mut self) {
        self.lifeline = Instant::now() + self.patience;
    }

    /// The client is gone, or is to be treated so.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.stream.handle_eof(Instant::now());
        self.posts.close();
    }

    /// Answers what can be answered.
    fn respond(&mut self, now: Instant) {
        if self.abandoned {
            return;
        }
        self.held.retain(|held| held.due > now || !held.reply.is_closed());
        self.collect();
        while let Some(oldest) = self.held.front() {
            let forced = self.held.len() > self.hold || oldest.due <= now;
            if oldest.reply.is_closed() || (!forced && self.outbox.is_empty()) || self.busy() {
                break;
            }
            if let Some(held) = self.held.pop_front() {
                self.answer(held);
            }
            self.collect();
        }
    }

    /// Whether the first response still waits for the stream: it shall have all that the stream says at once.
    fn busy(&self) -> bool {
        !self.created && self.outbox.elements.is_empty() && !self.closed
    }

    fn answer(&mut self, held: Held) {
        let outbox = std::mem::take(&mut self.outbox);
        let created = (!self.created).then(|| Created {
            sid: &self.seat.sid,
            wait: self.wait.as_secs(),
            hold: self.hold as u64,
            requests: REQUESTS,
            inactivity: self.limits.inactivity.as_secs(),
            polling: self.limits.polling.as_secs(),
            pause: self.limits.pause.as_secs(),
        });
        let answer = Answer { created, opened: outbox.opened.as_ref(), terminate: outbox.terminate };
        let body = answer.write(&outbox.elements);
        self.created = true;
        self.last_was_idle = outbox.elements.is_empty();
        self.window.answered(held.rid, body.clone());
        let _ = held.reply.send(body);
        self.lifeline = Instant::now() + self.patience;
    }

    /// Takes what the stream wants to say, as much as one response shall have.
    fn collect(&mut self) {
        while self.outbox.elements.len() < BATCH
            && let Some(frame) = self.stream.take_frame()
        {
            match frame {
                Frame::Opened(opened) => self.outbox.opened = Some(opened),
                Frame::Element(element) => self.outbox.elements.extend_from_slice(&element),
                Frame::Terminate { error } => self.outbox.terminate = Some(error),
            }
        }
        self.line.set_unwritten(self.outbox.elements.len());
    }

    /// Whether a client waits for an answer.
    fn is_heard(&self) -> bool {
        self.held.front().is_some_and(|held| !held.reply.is_closed())
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<()> {
        let now = Instant::now();
        match self.posts.poll_recv(cx) {
            Poll::Ready(Some(post)) => {
                self.alive();
                self.receive(post);
                return Poll::Ready(());
            }
            // The server stops: a client without a request cannot be told, and will not come back here.
            Poll::Ready(None) if !self.is_heard() && !self.abandoned => {
                self.abandon();
                return Poll::Ready(());
            }
            _ => {}
        }
        if let Some(question) = &mut self.question
            && let Poll::Ready(answer) = question.as_mut().poll(cx)
        {
            self.question = None;
            self.stream.handle_answer(now, answer);
            return Poll::Ready(());
        }
        let was_heard = self.is_heard();
        if let Some(oldest) = self.held.front_mut()
            && !oldest.reply.is_closed()
            && oldest.reply.poll_closed(cx).is_ready()
        {
            self.lifeline = now + self.patience; // the connection broke: from now on the client may come back
        }
        if (was_heard || self.abandoned)
            && self.line.poll_words(cx, &mut self.words, BATCH, &mut self.stream, now)
        {
            return Poll::Ready(());
        }
        self.poll_alarm(cx, sleep, now)
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>, now: Instant) -> Poll<()> {
        let heard = self.is_heard();
        let due = self.held.front().filter(|_| heard).map(|held| held.due);
        let lifeline = (!heard && !self.abandoned).then_some(self.lifeline);
        let of_stream = if self.closed { None } else { self.stream.poll_timeout() };
        std::task::ready!(alarm::poll(sleep, cx, alarm::earlier(alarm::earlier(due, lifeline), of_stream)));
        if lifeline.is_some_and(|lifeline| lifeline <= now) {
            self.abandon();
        } else if of_stream.is_some_and(|time| time <= now) {
            self.stream.handle_timeout(now);
        }
        Poll::Ready(())
    }
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.opened.is_none() && self.elements.is_empty() && self.terminate.is_none()
    }
}
