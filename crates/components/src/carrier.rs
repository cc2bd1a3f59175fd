//! One connection of a component: carries bytes between its socket and its machine, and what comes of them to the engine.
//!
//! XEP-0114 1.6, XEP-0198 1.6.3 (what is acknowledged is stored)
//!
//! Not here: what is said (s2s), who may have a domain (`shared.rs`), what outputs mean (`outputs.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use mailbox::{Ledger, Share};
use net::{Duplex, Moved, Outbox, Phase};
use s2s::{Answer, End, Ended, Stream, Unsendable};
use stanza::{Condition, Stanza, StreamCondition, StreamError, ns};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::limits;
use crate::seats::{Command, Waiting};
use crate::settings::Component;
use crate::shared::{Open, Shared, until};

/// Bytes read at once.
const READ: usize = 16 * 1024;

/// In place of the number of a stanza: it is ours alone, and nobody waits for its fate.
pub(crate) const OWN: u64 = u64::MAX;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// `None`: a socket of this machine's files.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) tls: bool,
}

pub(crate) struct Carrier {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: Stream,
    pub(crate) id: u64,
    pub(crate) origin: Origin,
    pub(crate) to: mpsc::UnboundedSender<Command>,
    wire: Box<dyn Duplex>,
    commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) share: Share,
    pub(crate) ledger: Arc<Ledger>,
    /// What has left and is not acknowledged.
    pub(crate) in_flight: BTreeMap<u64, Waiting>,
    /// What was written to a component that acknowledges nothing, and when that will count.
    pub(crate) unconfirmed: VecDeque<(Instant, u64)>,
    pub(crate) questions: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Who it is, once it is known.
    pub(crate) component: Option<Component>,
    /// It has its domain, and was told of its rights.
    pub(crate) there: bool,
    pub(crate) ended: Option<Box<Ended>>,
    /// Who wants to know whether it lives.
    pings: Vec<oneshot::Sender<()>>,
    out: Outbox,
    _open: Open,
}

pub(crate) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

impl Carrier {
    pub(crate) fn new(
        shared: Arc<Shared>,
        open: Open,
        stream: Stream,
        wire: Box<dyn Duplex>,
        origin: Origin,
    ) -> Carrier {
        let (to, commands) = mpsc::unbounded_channel();
        Carrier {
            stream,
            id: shared.number(),
            origin,
            to,
            wire,
            commands,
            share: shared.mailbox.share(),
            ledger: Arc::default(),
            in_flight: BTreeMap::new(),
            unconfirmed: VecDeque::new(),
            questions: FuturesUnordered::new(),
            component: None,
            there: false,
            ended: None,
            pings: Vec::new(),
            out: Outbox::new(limits::WRITE),
            _open: open,
            shared,
        }
    }

    /// Carries until the stream has ended.
    pub(crate) async fn run(mut self) {
        let mut phase = self.shared.phase.clone();
        let mut told = false;
        let mut buffer = vec![0; READ];
        loop {
            self.outputs().await;
            if self.ended.is_some() {
                break;
            }
            self.out.fill(|bytes| self.stream.take_bytes(bytes));
            let confirm = self.unconfirmed.front().map(|(at, _)| *at);
            let machine = self.stream.poll_timeout().map(Instant::from_std);
            let due = [machine, self.out.due(), confirm].into_iter().flatten().min();
            let timeout = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let most = if self.there { limits::UNSENT_BYTES_MAX } else { limits::UNPROVEN_BYTES_MAX };
            let reads = self.stream.wants_input() && self.out.waiting() < most;
            let ledger = self.ledger.clone();
            tokio::select! {
                moved = self.out.exchange(&mut self.wire, &mut buffer, reads) => {
                    self.moved(moved, &buffer);
                }
                Some(command) = self.commands.recv() => self.command(command),
                Some(answer) = self.questions.next(), if !self.questions.is_empty() => {
                    self.stream.handle_answer(now(), answer);
                }
                () = ledger.changed() => self.stored(),
                () = timeout => {
                    self.confirm(Instant::now()).await;
                    self.timeout();
                }
                () = until(&mut phase, Phase::Closing), if !told => {
                    told = true;
                    self.stream.close(now(), None);
                }
            }
        }
        self.finish().await;
    }

    fn moved(&mut self, moved: io::Result<Moved>, buffer: &[u8]) {
        match moved {
            Ok(Moved::Read(n)) => {
                self.pings.drain(..).for_each(|ping| _ = ping.send(()));
                self.stream.handle_input(now(), &buffer[..n]);
            }
            Ok(Moved::Written) => self.stream.handle_written(now()),
            Ok(Moved::End) | Err(_) => self.stream.handle_eof(now()),
        }
    }

    /// What was written a while ago, to a component that is still there, has been delivered.
    async fn confirm(&mut self, now: Instant) {
        while let Some((at, number)) = self.unconfirmed.front().copied()
            && at <= now
        {
            self.unconfirmed.pop_front();
            if self.in_flight.remove(&number).is_some() {
                self.shared.delivered(number).await;
            }
        }
    }

    fn timeout(&mut self) {
        match self.out.is_stuck(Instant::now()) {
            true => {
                self.out.clear();
                self.stream.handle_eof(now());
            }
            false => self.stream.handle_timeout(now()),
        }
    }

    fn stored(&mut self) {
        match self.ledger.take() {
            Some(0) => {}
            Some(stanzas) => self.stream.handle_stored(now(), stanzas),
            // It must come again, and so must not be acknowledged.
            None => {
                self.ledger = Arc::default();
                let error = StreamError::new(StreamCondition::ResourceConstraint, "storage is not available");
                self.stream.close(now(), Some(error));
            }
        }
    }

    fn command(&mut self, command: Command) {
        let end = |condition, text| Some(StreamError::new(condition, text));
        match command {
            Command::More => {} // it is looked for after every event
            Command::Ping(alive) => {
                self.pings.push(alive);
                self.ping();
            }
            Command::Replaced => self.stream.close(
                now(),
                end(StreamCondition::Conflict, "it was silent, and another connection has its domain now"),
            ),
            Command::Close => {
                self.stream.close(now(), end(StreamCondition::NotAuthorized, "not wanted any more"))
            }
        }
    }

    /// Asks for a sign of life (XEP-0199): whatever the component answers, even an error, is one.
    fn ping(&mut self) {
        let Some(component) = &self.component else { return };
        let from = component.rights.domains.first().and_then(|domain| address::Jid::parse(domain).ok());
        let mut w = xml::Writer::new(ns::CLIENT);
        w.open("ping", ns::PING).close();
        let mut ping = Stanza::new(stanza::Kind::Iq(stanza::IqType::Get)).id("are-you-there");
        ping = ping.from(from.as_ref().unwrap_or(&component.domain)).to(&component.domain);
        self.say(ping.with_inner(w.finish()));
    }

    /// Something that nobody waits for. If there is no room it is not said.
    pub(crate) fn say(&mut self, stanza: Stanza) {
        let _ = self.stream.send(now(), OWN, &Arc::new(stanza));
    }

    /// Gives the stream as much as it takes.
    pub(crate) async fn send_waiting(&mut self) {
        let component = self.component.as_ref().filter(|_| self.there);
        let Some(domain) = component.map(|component| component.domain.clone()) else { return };
        while let Some(waiting) = self.shared.next(domain.as_str(), self.id) {
            let number = waiting.away.number;
            match self.stream.send(now(), number, &waiting.away.stanza) {
                Ok(()) => _ = self.in_flight.insert(number, waiting),
                Err(Unsendable::Full | Unsendable::NotReady) => {
                    self.shared.keep(domain.as_str(), waiting);
                    return;
                }
                Err(Unsendable::TooLarge(_)) => {
                    self.shared.fail_with(&waiting.away, Condition::PolicyViolation.into()).await;
                }
            }
        }
    }

    async fn write_all(&mut self) -> bool {
        self.out.fill(|bytes| self.stream.take_bytes(bytes));
        self.out.write_all(&mut self.wire).await
    }

    async fn finish(mut self) {
        let (why, heard) = self.ended.take().map_or((End::Broken, false), |ended| (ended.why, ended.heard));
        if why == End::Clean {
            // Who has closed its half too has read to the end; of others only time tells.
            let since = if heard { limits::CONFIRM } else { std::time::Duration::ZERO };
            self.confirm(Instant::now() + since).await;
        }
        if let Some(component) = self.component.take() {
            let back = std::mem::take(&mut self.in_flight).into_values().collect();
            let held = self.shared.seats().of(component.domain.as_str()).leave(self.id);
            self.shared.again(component.domain.as_str(), back);
            if self.there {
                self.shared.counters.connected.less();
            }
            if held && self.there {
                tracing::info!(component = component.domain.as_str(), "a component is gone: {why:?}");
                self.shared.list(&component).await;
            }
        }
        let goodbye = async {
            if self.write_all().await {
                let _ = self.wire.shutdown().await;
            }
        };
        let _ = tokio::time::timeout(limits::CLOSE, goodbye).await;
    }
}
