//! The machine itself: what a shell calls.
//!
//! RFC 6120 section 4.4 (closing), 4.9 (errors).
//!
//! Not here: how input becomes elements (input.rs), what each state does with one (a file each).

use std::sync::Arc;
use std::time::{Duration, Instant};

use stanza::{Stanza, StreamError};

use crate::{Answer, Misbehaviour, Output, Pair, PeerTls, Purpose, Settings, Trust, Unsendable, Verification};

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
pub struct Stream {}

/// What is left of a broken stream that may be resumed by another connection (XEP-0198 section 5). Holds the stanzas
/// that were sent and not acknowledged, which pairs were proven, and the counters.
#[derive(Debug)]
pub struct Resumption {}

impl Resumption {
    /// The secret name of the stream: what [`Ask::Resume`](crate::Ask::Resume) will ask for.
    pub fn id(&self) -> &str {
        ""
    }

    /// The pair by which the stream was opened.
    pub fn pair(&self) -> &Pair {
        unimplemented!()
    }

    /// How long after the break it is worth keeping.
    pub fn lifetime(&self) -> Duration {
        Duration::ZERO
    }

    /// So many more stanzas that the stream had handed over are stored.
    pub fn handle_stored(&mut self, _stanzas: usize) {}

    /// Stanzas that were handed over and are not yet stored. Resume when there are none, or they come twice.
    pub fn unstored(&self) -> usize {
        0
    }

    /// Tokens of the stanzas that are not acknowledged, in order: the resumption is given up.
    pub fn into_unacked(self) -> Vec<u64> {
        Vec::new()
    }
}

#[expect(clippy::needless_pass_by_ref_mut, unused_variables, reason = "to come")]
impl Stream {
    /// A stream to another server. Without direct TLS the header is written at once.
    pub fn outgoing(settings: Arc<Settings>, connect: Connect, now: Instant) -> Stream {
        Stream {}
    }

    /// A stream from another server, on which nothing was said yet.
    pub fn incoming(settings: Arc<Settings>, accept: Accept, now: Instant) -> Stream {
        Stream {}
    }

    /// A stream from a component (XEP-0114, `jabber:component:accept`). TLS, if any, is done by the shell before.
    pub fn component(settings: Arc<Settings>, accept: Accept, now: Instant) -> Stream {
        Stream {}
    }

    /// A TLS handshake is done: after [`Output::StartTls`], or before the first byte.
    pub fn handle_tls(&mut self, now: Instant, tls: PeerTls) {}

    /// Answers [`Output::Ask`]. An answer that nobody waits for any more is ignored.
    pub fn handle_answer(&mut self, now: Instant, answer: Answer) {}

    /// Bytes came. Call it only while [`Stream::wants_input`]; what comes earlier waits, within bounds.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {}

    /// The time of [`Stream::poll_timeout`] has come. Too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {}

    /// The peer will send no more: TCP end of file or failure. Keep polling until [`Output::Closed`].
    pub fn handle_eof(&mut self, now: Instant) {}

    /// All that [`Stream::take_bytes`] gave is written to the socket.
    pub fn handle_written(&mut self, now: Instant) {}

    /// So many more of [`Output::Stanza`] and [`Output::Unusable`], in their order, are on stable storage or need none:
    /// the peer may forget them.
    pub fn handle_stored(&mut self, now: Instant, stanzas: usize) {}

    /// Sends a stanza of a pair that is [`Output::Ready`]: from the domain of its `from` to that of its `to`. `token` is
    /// the shell's name for it, and comes back by [`Output::Acked`], [`Output::NotResumed`] or
    /// [`Ended::unacked`](crate::Ended::unacked), exactly once, except that a resumption carries it along.
    ///
    /// # Errors
    /// The stanza was not taken, see [`Unsendable`].
    pub fn send(&mut self, now: Instant, token: u64, stanza: &Arc<Stanza>) -> Result<(), Unsendable> {
        Err(Unsendable::NotReady)
    }

    /// Wants to use this stream for another pair, too (XEP-0220 section 2.6, multiplexing). Outgoing, or incoming with
    /// XEP-0288. `certificate`: whether the peer's certificate proves `pair.remote`, if it is not the stream's own.
    /// Answered by [`Output::Ready`] or [`Output::Refused`], perhaps at once. If the peer does not support several
    /// remote domains on one stream, the answer is a refusal with [`Refusal::NothingOffered`](crate::Refusal).
    pub fn add_pair(&mut self, now: Instant, pair: Pair, certificate: Option<Trust>) {}

    /// Outgoing: asks the peer, as authoritative server of `verification.pair.remote`, whether it made this key (XEP-0220
    /// section 2.1.2). May be called at once; it is asked when the stream is up. Answered by [`Output::Verified`], always.
    pub fn verify(&mut self, now: Instant, token: u64, verification: Verification) {}

    /// Ends the stream: with an error, or in peace; what was sent before is written first.
    pub fn close(&mut self, now: Instant, error: Option<StreamError>) {}

    /// Ends the stream at once because another connection resumes it; [`Output::Closed`] brings the resumption.
    pub fn detach(&mut self, now: Instant) {}

    /// The next thing to do, in order. `None`: nothing until the next call.
    pub fn poll_output(&mut self) -> Option<Output> {
        Some(Output::Note(Misbehaviour::Silent))
    }

    /// When to call [`Stream::handle_timeout`]; may move with every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether the shell shall read. False while a question must be answered first, while the peer is too fast, while too
    /// much waits to be stored, and at the end.
    pub fn wants_input(&self) -> bool {
        false
    }

    /// Moves everything that is to be written to the end of `out`.
    pub fn take_bytes(&mut self, out: &mut Vec<u8>) {}

    /// Whether [`Stream::take_bytes`] would give something.
    pub fn has_bytes(&self) -> bool {
        false
    }

    /// Whether stanzas of this pair may be sent now.
    pub fn is_ready(&self, local: &str, remote: &str) -> bool {
        false
    }

    /// The identifier of the stream, given by whoever accepted it: names incoming streams in dialback. Empty before.
    pub fn id(&self) -> &str {
        ""
    }
}
