//! Our socket in the form in which hyper reads and writes.
//!
//! Not here: TLS and system calls (`wire.rs`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::heads::Heads;
use super::{LINGER, LINGER_BYTES};
use crate::wire::Wire;

/// Bytes that may wait to be written before the writer waits.
const WAITING: usize = 64 * 1024;

/// A socket for hyper, and for whoever else wants it in this form. Fails if the peer takes nothing for too long.
pub(crate) struct Socket {
    wire: Wire,
    limit: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
    written: u64,
    said_goodbye: bool,
    /// For HTTP: watches what comes in.
    heads: Option<Heads>,
    /// For HTTP, while it is closed: until when it waits for the peer, and how many bytes it still throws away.
    linger: Option<(Pin<Box<Sleep>>, u64)>,
}

impl Socket {
    pub(crate) fn new(wire: Wire, limit: Duration) -> Socket {
        Socket { wire, limit, stuck: None, written: 0, said_goodbye: false, heads: None, linger: None }
    }

    /// Its requests are watched, and it is closed in a way that does not take the last answer from the peer.
    pub(crate) fn for_http(self, heads: Heads) -> Socket {
        Socket { heads: Some(heads), ..self }
    }

    /// The socket itself, after an upgrade.
    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.wire.poll_flush(cx);
        if flushed.is_ready() || self.wire.written() != self.written {
            self.written = self.wire.written();
            self.stuck = None;
        }
        if flushed.is_ready() {
            return flushed;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Socket { wire, heads, .. } = &mut *self;
        let mut sink = |bytes: &[u8]| {
            let taken = bytes.len().min(buf.remaining());
            buf.put_slice(&bytes[..taken]);
            if let Some(heads) = heads {
                heads.feed(&bytes[..taken]);
            }
            taken
        };
        // The end shows as nothing read, which is just what hyper expects.
        wire.poll_read(cx, &mut sink).map_ok(|_| ())
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.wire.unwritten() + bytes.len() > WAITING && self.wire.pending() {
            ready!(self.poll_out(cx))?;
        }
        self.wire.push(bytes)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.said_goodbye {
            self.said_goodbye = true;
            self.wire.say_goodbye();
        }
        if self.linger.is_none() {
            ready!(self.poll_out(cx))?;
            ready!(self.wire.poll_shutdown(cx))?;
            if self.heads.is_none() {
                return Poll::Ready(Ok(()));
            }
        }
        let Socket { wire, linger, .. } = &mut *self;
        let (over, left) = linger.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), LINGER_BYTES));
        match over.as_mut().poll(cx).is_ready() || wire.poll_drain(cx, left).is_ready() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}
