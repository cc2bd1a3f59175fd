//! One stream with another server: carries bytes between its socket and its machine, and what comes of them to others.
//!
//! RFC 6120 section 4, XEP-0198 1.6.3 (what is acknowledged is stored), XEP-0288 1.0.1
//!
//! Not here: what is said (s2s), who wants it (`lane.rs`), what outputs mean (`outputs.rs`).

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use address::Bare;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use mailbox::{Ledger, Share};
use net::{Moved, Outbox};
use rustls::pki_types::CertificateDer;
use s2s::{Answer, End, Ended, Pair, Refusal, Stream, Unsendable, Verdict, Verification};
use stanza::{StreamCondition, StreamError};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::attempt::Seen;
use crate::certificate::Doubt;
use crate::counters::Failure;
use crate::courier::{Command, Courier, InFlight, Kept, Waiting, Word};
use crate::dial::now;
use crate::limits;
use crate::probe::Probe;
use crate::shared::{Open, Shared, closing, pair_of};
use crate::shown::Shown;
use crate::standing::StreamStanding;
use crate::wire::Wire;

/// Bytes read at once.
const READ: usize = 16 * 1024;

/// Who opened a stream.
pub(crate) enum Side {
    /// We did.
    Out { pair: Pair, direct_tls: bool },
    /// The other server did.
    In { direct_tls: bool },
}

/// How a stream ended.
pub(crate) struct Finish {
    pub(crate) why: End,
    /// Why the pair that it was opened for was refused, if it was.
    pub(crate) refusal: Option<Refusal>,
    /// Whether it ever took stanzas.
    pub(crate) was_up: bool,
    /// What it showed of the peer.
    pub(crate) seen: Seen,
}

/// An answer, and what of a broken stream comes with it.
pub(crate) type Answered = (Answer, Option<(InFlight, Arc<Ledger>)>);

pub(crate) struct Carrier {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: Stream,
    pub(crate) wire: Wire,
    pub(crate) side: Side,
    pub(crate) me: Courier,
    commands: mpsc::UnboundedReceiver<Command>,
    /// The peer's certificates.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Why they prove nothing.
    pub(crate) doubt: Option<Doubt>,
    /// What the handshake brought: version and cipher, or why it failed.
    pub(crate) tls: Option<Result<String, String>>,
    /// Where the peer is.
    address: Option<SocketAddr>,
    since: Instant,
    /// It only looks whether it comes up, and takes nothing.
    pub(crate) trial: bool,
    pub(crate) share: Share,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) in_flight: InFlight,
    /// What the stream would not take yet.
    pub(crate) pending: VecDeque<Waiting>,
    pub(crate) questions: FuturesUnordered<BoxFuture<'static, Answered>>,
    pub(crate) verifications: HashMap<u64, oneshot::Sender<Verdict>>,
    last_verification: u64,
    /// Pairs for which it takes stanzas.
    pub(crate) ready: Vec<Pair>,
    /// Pairs that others have proven on it, and the domains for which it was counted.
    pub(crate) proven: (Vec<Pair>, Vec<Bare>),
    pub(crate) refusal: Option<Refusal>,
    pub(crate) ended: Option<Box<Ended>>,
    pub(crate) was_up: bool,
    /// What was written to a peer that acknowledges nothing.
    pub(crate) probe: Probe,
    out: Outbox,
    _open: Open,
}

impl Carrier {
    /// `None`: there are too many already.
    pub(crate) fn new(shared: Arc<Shared>, stream: Stream, wire: Wire, side: Side) -> Option<Carrier> {
        let open = shared.open(matches!(side, Side::In { .. }))?;
        let (to, commands) = mpsc::unbounded_channel();
        Some(Carrier {
            doubt: None,
            tls: None,
            address: wire.peer(),
            since: Instant::now(),
            trial: false,
            stream,
            wire,
            side,
            me: Courier { id: shared.number(), to },
            commands,
            chain: Vec::new(),
            share: shared.mailbox.share(),
            ledger: Arc::default(),
            in_flight: InFlight::new(),
            pending: VecDeque::new(),
            questions: FuturesUnordered::new(),
            verifications: HashMap::new(),
            last_verification: 0,
            ready: Vec::new(),
            proven: Default::default(),
            refusal: None,
            ended: None,
            was_up: false,
            probe: Probe::default(),
            out: Outbox::new(limits::WRITE),
            _open: open,
            shared,
        })
    }

    /// A way to it.
    pub(crate) fn courier(&self) -> Courier {
        self.me.clone()
    }

    /// It goes on where another broke: what that one had in flight is its own.
    pub(crate) fn inherit(&mut self, in_flight: InFlight, ledger: Arc<Ledger>) {
        self.in_flight.extend(in_flight);
        self.ledger = ledger;
    }

    /// Carries until the stream has ended.
    pub(crate) async fn run(mut self) -> Finish {
        let mut phase = self.shared.phase.clone();
        let mut told = false;
        let direct = matches!(self.side, Side::Out { direct_tls: true, .. } | Side::In { direct_tls: true });
        if direct && !self.secure().await {
            self.stream.handle_eof(now());
        }
        let mut buffer = vec![0; READ];
        loop {
            self.outputs().await;
            if self.ended.is_some() {
                break;
            }
            self.out.fill(|bytes| self.stream.take_bytes(bytes));
            let machine = self.stream.poll_timeout().map(Instant::from_std);
            let due = [machine, self.out.due(), self.probe.due()].into_iter().flatten().min();
            let timeout = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let reads = self.stream.wants_input() && self.has_room();
            let ledger = self.ledger.clone();
            tokio::select! {
                moved = self.out.exchange(&mut self.wire, &mut buffer, reads) => {
                    self.moved(moved, &buffer);
                }
                Some(command) = self.commands.recv() => self.command(command).await,
                Some((answer, left)) = self.questions.next(), if !self.questions.is_empty() => {
                    left.into_iter().for_each(|(in_flight, ledger)| self.inherit(in_flight, ledger));
                    self.stream.handle_answer(now(), answer);
                }
                () = ledger.changed() => self.stored(),
                () = timeout => {
                    let aged = self.probe.aged(Instant::now());
                    self.confirm(aged).await;
                    self.timeout();
                }
                () = closing(&mut phase), if !told => {
                    told = true;
                    self.stream.close(now(), None);
                }
            }
        }
        self.finish().await
    }

    /// Who does not read our answers is not listened to: they would wait here without end.
    fn has_room(&self) -> bool {
        let known = self.was_up || !self.proven.0.is_empty();
        let most = if known { limits::UNSENT_BYTES_MAX } else { limits::UNPROVEN_BYTES_MAX };
        self.out.waiting() < most
    }

    fn moved(&mut self, moved: io::Result<Moved>, buffer: &[u8]) {
        match moved {
            Ok(Moved::Read(n)) => self.stream.handle_input(now(), &buffer[..n]),
            Ok(Moved::Written) => self.stream.handle_written(now()),
            Ok(Moved::End) | Err(_) => self.stream.handle_eof(now()),
        }
    }

    /// These have been delivered.
    pub(crate) async fn confirm(&mut self, numbers: Vec<u64>) {
        for number in numbers {
            if self.in_flight.remove(&number).is_some() {
                self.shared.delivered(number).await;
            }
        }
    }

    fn timeout(&mut self) {
        let at = Instant::now();
        match self.out.is_stuck(at) || self.probe.is_lost(at) {
            true => {
                self.out.clear();
                self.wire = Wire::Gone;
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

    async fn command(&mut self, command: Command) {
        match command {
            Command::Send(waiting) => {
                self.pending.push_back(waiting);
                self.send_pending().await;
            }
            Command::Verify(verification, answer) => self.verify(verification, answer),
            Command::Answered(id) => self.probe.answered(id),
            Command::Tell(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.told());
            }
            Command::Detach => self.stream.detach(now()),
            Command::Close(why) => {
                let error = StreamError::new(why, "not wanted any more");
                self.stream.close(now(), Some(error));
            }
        }
    }

    fn verify(&mut self, verification: Verification, answer: oneshot::Sender<Verdict>) {
        self.last_verification += 1;
        self.verifications.insert(self.last_verification, answer);
        self.stream.verify(now(), self.last_verification, verification);
    }

    /// Gives the stream as much as it takes.
    pub(crate) async fn send_pending(&mut self) {
        while let Some(waiting) = self.pending.pop_front() {
            let number = waiting.away.number;
            match self.stream.send(now(), number, &waiting.away.stanza) {
                Ok(()) => {
                    self.in_flight.insert(number, waiting);
                }
                Err(Unsendable::Full) => return self.pending.push_front(waiting),
                Err(Unsendable::TooLarge(_)) => self.shared.fail(&waiting.away, Failure::TooLarge).await,
                Err(Unsendable::NotReady) => {
                    // Its lane must not send it here at once again.
                    if let Some(pair) = pair_of(&waiting.away.stanza) {
                        self.shared.tell(&pair, Word::Down { id: self.me.id, broken: false, kept: None });
                    }
                    self.shared.again([waiting]).await;
                }
            }
        }
    }

    /// Shakes hands. `false`: the connection is lost.
    pub(crate) async fn secure(&mut self) -> bool {
        let store = self.shared.tls.clone();
        let outcome = match &self.side {
            Side::Out { pair, direct_tls } => {
                let (local, remote) = (pair.local.as_str(), pair.remote.as_str());
                self.wire.connect_tls(&store, local, remote, *direct_tls).await
            }
            Side::In { .. } => self.wire.accept_tls(&store).await,
        };
        match outcome {
            Ok(secured) => {
                self.chain = secured.chain;
                self.tls = Some(Ok(secured.about.clone()));
                let certificate = self.judged();
                let tls = s2s::PeerTls { about: secured.about, certificate };
                self.stream.handle_tls(now(), tls);
                true
            }
            Err(error) => {
                if let Some(left_out) = self.shared.log.handshake.write(now()) {
                    tracing::info!(left_out, "TLS handshake with another server failed: {error}");
                }
                self.tls = Some(Err(error.to_string()));
                self.wire = Wire::Gone;
                false
            }
        }
    }

    /// What is known of the peer.
    fn seen(&self) -> Seen {
        Seen {
            tls: self.tls.clone(),
            certificate: self.chain.first().and_then(|leaf| Shown::read(leaf)),
            doubt: self.doubt,
            external: self.stream.is_external(),
        }
    }

    /// How it stands, for operators.
    fn told(&self) -> StreamStanding {
        StreamStanding {
            incoming: matches!(self.side, Side::In { .. }),
            direct_tls: matches!(
                self.side,
                Side::In { direct_tls: true } | Side::Out { direct_tls: true, .. }
            ),
            address: self.address,
            age: self.since.elapsed(),
            both_ways: matches!(self.side, Side::In { .. }) && !self.ready.is_empty(),
            unacknowledged: self.in_flight.len() + self.pending.len(),
            seen: self.seen(),
        }
    }

    /// What is to be written before a handshake, and after the end.
    pub(crate) async fn write_all(&mut self) -> bool {
        self.out.fill(|bytes| self.stream.take_bytes(bytes));
        self.out.write_all(&mut self.wire).await
    }

    async fn finish(mut self) -> Finish {
        let ended = self.ended.take();
        let (why, heard, resumption) = match ended {
            Some(ended) => (ended.why, ended.heard, ended.resumption),
            None => (End::Broken, false, None),
        };
        tracing::debug!(incoming = matches!(self.side, Side::In { .. }), "stream ended: {why:?}");
        let seen = self.seen();
        if why == End::Clean {
            // Who has closed its half too has read to the end; of others only time tells.
            let read = if heard { self.probe.all() } else { self.probe.aged(Instant::now()) };
            self.confirm(read).await;
        }
        self.shared.forget(self.probe.question());
        self.shared.exit(self.me.id, &self.proven.0, &self.proven.1);
        // Who still sends here hears that nobody is there, and keeps it.
        self.commands.close();
        let mut back = std::mem::take(&mut self.pending);
        while let Some(command) = self.commands.recv().await {
            if let Command::Send(waiting) = command {
                back.push_back(waiting);
            }
        }
        let in_flight = std::mem::take(&mut self.in_flight);
        let (kept, in_flight) = match resumption {
            Some(resumption) => {
                (Some(Kept { resumption, in_flight, ledger: self.ledger.clone() }), InFlight::new())
            }
            None => (None, in_flight),
        };
        self.shared.again(in_flight.into_values().chain(back)).await;
        let broken = why != End::Clean && self.was_up;
        let mut for_lane = None;
        match (kept, &self.side) {
            (Some(kept), Side::Out { .. }) => for_lane = Some(Box::new(kept)),
            (Some(kept), Side::In { .. }) => self.shared.keep(kept).await,
            (None, _) => {}
        }
        for pair in std::mem::take(&mut self.ready) {
            let word = Word::Down { id: self.me.id, broken, kept: for_lane.take() };
            self.shared.tell(&pair, word);
        }
        if let Some(kept) = for_lane {
            self.shared.again(kept.in_flight.into_values()).await;
        }
        let goodbye = async {
            if self.write_all().await {
                let _ = self.wire.shutdown().await;
            }
        };
        let _ = tokio::time::timeout(limits::CLOSE, goodbye).await;
        Finish { why, refusal: self.refusal, was_up: self.was_up, seen }
    }
}
