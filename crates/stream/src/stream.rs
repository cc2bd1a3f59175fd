//! The machine itself: what a shell calls.
//!
//! Not here: what each state does with an element (a file each).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use model::link::{Down, Link, StreamId, Transport};

use crate::{Answer, Frame, Open, Output, Settings, Tls};

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

/// One client stream. Call a `handle_*`, then `poll_output` until it is empty, then write what `take_*` gives.
pub struct Stream {}

impl Stream {
    /// A stream on which nothing was said yet. Over TLS from the start, call [`Stream::handle_tls`] next.
    pub fn new(settings: Arc<Settings>, connection: Connection, now: Instant) -> Stream {
        unimplemented!()
    }

    /// Bytes came. TCP and direct TLS: any piece. WebSocket: one whole message. BOSH: one child element of a body.
    /// Call it only while [`Stream::wants_input`]; what comes earlier waits, within bounds.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {}

    /// BOSH: the client opens the stream, or restarts it.
    pub fn handle_open(&mut self, now: Instant, open: Open) {}

    /// A TLS handshake is done: after [`Output::StartTls`], or before the first byte.
    pub fn handle_tls(&mut self, now: Instant, tls: Tls) {}

    /// Answers [`Output::Ask`].
    pub fn handle_answer(&mut self, now: Instant, answer: Answer) {}

    /// The engine says something. After [`Output::Closed`] it is ignored.
    pub fn handle_down(&mut self, now: Instant, down: Down) {}

    /// The time of [`Stream::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {}

    /// The peer will send no more: TCP end of file or failure, WebSocket closed, BOSH session timed out.
    pub fn handle_eof(&mut self, now: Instant) {}

    /// BOSH: `<body type='terminate'/>`: the client closes its stream properly.
    pub fn handle_close(&mut self, now: Instant) {}

    /// The next thing to do, in order. `None`: nothing until the next `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to call [`Stream::handle_timeout`]; may move with every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether the shell shall read. False while a question is open, while the client is too fast, and at the end.
    pub fn wants_input(&self) -> bool {
        true
    }

    /// TCP and direct TLS: moves everything that is to be written to the end of `out`.
    pub fn take_bytes(&mut self, out: &mut Vec<u8>) {}

    /// WebSocket and BOSH: the next frame to send.
    pub fn take_frame(&mut self) -> Option<Frame> {
        None
    }

    /// Whether [`Stream::take_bytes`] or [`Stream::take_frame`] would give something.
    pub fn has_bytes(&self) -> bool {
        false
    }

    /// The client's full address, once bound.
    pub fn jid(&self) -> Option<&address::Jid> {
        None
    }
}
