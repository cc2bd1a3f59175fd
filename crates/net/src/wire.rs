//! One socket, plain or with TLS, read and written without buffers of its own.
//!
//! An idle connection owns no read buffer: each read borrows the thread's, once the socket is readable. Written bytes
//! become TLS records at once and leave with one system call for all of them.
//!
//! Not here: what the bytes mean (`carrier.rs`, `http/`), the handshake (`tls/handshake.rs`).

use std::cell::Cell;
use std::io::{self, BufRead, IoSlice, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::counters::Counters;
use crate::peers::Permit;

/// Bytes read from a socket at once: enough for two full TLS records.
const READ: usize = 32 * 1024;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static GATHER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer for reading.
fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = SCRATCH.take().unwrap_or_else(|| vec![0; READ].into_boxed_slice());
    let result = use_it(&mut buffer);
    SCRATCH.set(Some(buffer));
    result
}

/// Lends the thread's empty vector for what is to be written.
pub(crate) fn with_gather<T>(use_it: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = GATHER.take();
    let result = use_it(&mut buffer);
    buffer.clear();
    buffer.shrink_to(4 * READ);
    GATHER.set(buffer);
    result
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Something was given to the sink, or the sink wants no more.
    Some,
    /// The peer will send no more: end of file, or TLS `close_notify`.
    End,
}

/// Takes bytes and says how many of them; fewer than given means "no more now".
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> usize + 'a;

/// A connected socket.
pub(crate) struct Wire {
    tcp: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// Read from the socket and not yet processed, because the sink wanted no more.
    held: Vec<u8>,
    /// Plain bytes that are to be written; with TLS they wait within it.
    out: Vec<u8>,
    /// How many of `out` are written.
    out_at: usize,
    /// Bytes put in since everything was last written.
    unwritten: usize,
    /// Bytes written so far: shows whether a slow peer makes progress.
    written: u64,
    counters: Arc<Counters>,
    /// Counts the connection against its address for as long as the socket lives.
    _permit: Permit,
}

impl Wire {
    pub(crate) fn new(tcp: TcpStream, permit: Permit, counters: Arc<Counters>) -> Wire {
        counters.sockets.one();
        Wire {
            tcp,
            tls: None,
            held: Vec::new(),
            out: Vec::new(),
            out_at: 0,
            unwritten: 0,
            written: 0,
            counters,
            _permit: permit,
        }
    }

    /// The handshake is done; what came after it was already given to `tls`.
    pub(crate) fn secure(&mut self, tls: Box<ServerConnection>) {
        debug_assert!(self.tls.is_none() && !self.pending());
        self.tls = Some(tls);
    }

    /// Whether bytes of the peer wait here that a sink did not take.
    pub(crate) fn holds_input(&self) -> bool {
        !self.held.is_empty()
    }

    /// The socket, for the handshake, and whether nothing is left over from before it.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Reads once and gives the plaintext to `sink`. Pending without holding any memory.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, sink: &mut Sink<'_>) -> Poll<io::Result<Read>> {
        if let Some(tls) = &mut self.tls
            && let Some(read) = drain(tls, sink)?
        {
            return Poll::Ready(Ok(read));
        }
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            if let Some(read) = self.absorb(&held, sink)? {
                return Poll::Ready(Ok(read));
            }
        }
        loop {
            let read = with_scratch(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer))?;
                let bytes = buffer.filled();
                if bytes.is_empty() {
                    return Poll::Ready(Ok(Some(Read::End)));
                }
                self.counters.bytes_in.add(bytes.len() as u64);
                Poll::Ready(self.absorb(bytes, sink))
            });
            // Nothing for the sink: a part of a record, or one of TLS' own messages. Look again.
            if let Some(read) = ready!(read)? {
                return Poll::Ready(Ok(read));
            }
        }
    }

    /// Decrypts `bytes` and gives them to `sink`; keeps what the sink does not want yet.
    fn absorb(&mut self, mut bytes: &[u8], sink: &mut Sink<'_>) -> io::Result<Option<Read>> {
        let Some(tls) = &mut self.tls else {
            let taken = sink(bytes);
            self.held.extend_from_slice(&bytes[taken..]);
            return Ok(Some(Read::Some));
        };
        let mut result = None;
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes)? == 0 {
                return Ok(Some(Read::End)); // data after close_notify is ignored (RFC 8446 section 6.1)
            }
            let state = tls
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() {
                continue;
            }
            result = drain(tls, sink)?;
            if result == Some(Read::End) || has_plaintext(tls) {
                self.held.extend_from_slice(bytes);
                break;
            }
        }
        Ok(result)
    }

    /// Puts bytes into the way out. They leave with [`Wire::poll_flush`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.unwritten += bytes.len();
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes),
            None => {
                self.out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Whether something waits to be written.
    pub(crate) fn pending(&self) -> bool {
        !self.out.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Roughly how many bytes wait to be written.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten
    }

    /// How many bytes were ever written to the socket.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes all that waits.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let n = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.out[self.out_at..]))?;
            self.wrote(n)?;
            self.out_at += n;
            if self.out_at == self.out.len() {
                (self.out, self.out_at) = (Vec::new(), 0);
            }
        }
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            let n = match tls.write_tls(&mut Pen { tcp: &mut self.tcp, cx }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                result => result?,
            };
            self.wrote(n)?;
        }
        self.unwritten = 0;
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, n: usize) -> io::Result<()> {
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += n as u64;
        self.counters.bytes_out.add(n as u64);
        Ok(())
    }

    /// Says over TLS that nothing follows. Flush after it.
    pub(crate) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    /// Closes our direction of the socket.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    /// Throws away what the peer still sends, until it closes or nothing is `left` of what it may. Closing a socket with unread bytes in it would reset the
    /// connection and take our last words from the peer.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>, left: &mut u64) -> Poll<()> {
        loop {
            let end = with_scratch(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer));
                *left = left.saturating_sub(buffer.filled().len() as u64);
                Poll::Ready(read.is_err() || buffer.filled().is_empty() || *left == 0)
            });
            if ready!(end) {
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.counters.sockets.less();
    }
}

/// Whether decrypted bytes wait within TLS.
fn has_plaintext(tls: &mut ServerConnection) -> bool {
    tls.reader().into_first_chunk().is_ok_and(|chunk| !chunk.is_empty())
}

/// Gives decrypted bytes to `sink` until there are none or it wants no more. `None`: there were none.
fn drain(tls: &mut ServerConnection, sink: &mut Sink<'_>) -> io::Result<Option<Read>> {
    let mut result = None;
    loop {
        let chunk = match tls.reader().into_first_chunk() {
            Ok([]) => return Ok(Some(Read::End)),
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(result),
            Err(error) => return Err(error),
        };
        let (given, taken) = (chunk.len(), sink(chunk));
        tls.reader().consume(taken);
        result = Some(Read::Some);
        if taken < given {
            return Ok(result);
        }
    }
}

/// Lets rustls write into a tokio socket: pending becomes `WouldBlock`.
pub(crate) struct Pen<'a, 'b> {
    pub(crate) tcp: &'a mut TcpStream,
    pub(crate) cx: &'a mut Context<'b>,
}

fn or_would_block(poll: Poll<io::Result<usize>>) -> io::Result<usize> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Write for Pen<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.tcp).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.tcp).poll_write_vectored(self.cx, pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
