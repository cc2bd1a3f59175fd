//! One connection, with or without TLS: bytes in, bytes out, few system calls.
//!
//! Reads go through one large buffer per thread, so an idle connection holds no buffer of its own. Everything queued
//! since the last poll leaves in one write. All polls may be cancelled without losing a byte.
//! Not here: where stanzas end (`scan.rs`), what they mean (`session.rs`).

use crate::Outcome;
use rustls::Connection;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, BufRead, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read from the socket at a time.
const READ_AT_ONCE: usize = 64 * 1024;
/// Buffers larger than this are given back once they are empty.
const KEEP: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AT_ONCE].into_boxed_slice());
}

/// A connection.
pub struct Wire {
    tcp: TcpStream,
    tls: Option<Box<Connection>>,
    input: Vec<u8>,
    taken: usize,
    queued: Vec<u8>,
    leaving: Vec<u8>,
    left: usize,
    /// The other side has said goodbye.
    ended: bool,
}

impl Wire {
    /// A connection over an open socket, not yet encrypted.
    pub fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            tls: None,
            input: vec![],
            taken: 0,
            queued: vec![],
            leaving: vec![],
            left: 0,
            ended: false,
        })
    }

    /// Turns TLS on and does the handshake.
    ///
    /// # Errors
    /// Of the socket or of TLS.
    pub async fn secure(&mut self, connection: impl Into<Connection>) -> Outcome<()> {
        let mut tls = Box::new(connection.into());
        tls.set_buffer_limit(None);
        self.tls = Some(tls);
        loop {
            self.flush().await?;
            if !self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Says what was agreed: protocol version, cipher suite, key exchange.
    pub fn agreed(&self) -> String {
        let Some(tls) = &self.tls else { return "no TLS".to_owned() };
        let group = tls.negotiated_key_exchange_group().map(|group| group.name());
        format!(
            "{:?} {:?} {:?}",
            tls.protocol_version().unwrap_or(rustls::ProtocolVersion::Unknown(0)),
            tls.negotiated_cipher_suite().map(|suite| suite.suite()),
            group
        )
    }

    /// The server's certificate (DER), if there is TLS.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.tls.as_ref()?.peer_certificates()?.first().map(AsRef::as_ref)
    }

    /// Bytes received and not yet taken.
    pub fn received(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// Takes `count` bytes off the front of [`Self::received`].
    pub fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken < self.input.len() {
            return;
        }
        self.taken = 0;
        if self.input.capacity() > KEEP {
            self.input = Vec::new();
        } else {
            self.input.clear();
        }
    }

    /// Where bytes to send are appended; they leave with the next poll.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.queued
    }

    /// Sends what is queued. Ready when all of it is with the kernel.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.encrypt()?;
        while self.left < self.leaving.len() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.leaving[self.left..]))?;
            self.left += sent;
        }
        self.left = 0;
        if self.leaving.capacity() > KEEP {
            self.leaving = Vec::new();
        } else {
            self.leaving.clear();
        }
        Poll::Ready(Ok(()))
    }

    fn encrypt(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            self.leaving.append(&mut self.queued);
            return Ok(());
        };
        if !self.queued.is_empty() {
            tls.writer().write_all(&self.queued)?;
            self.queued.clear();
            if self.queued.capacity() > KEEP {
                self.queued = Vec::new();
            }
        }
        while tls.wants_write() {
            tls.write_tls(&mut self.leaving)?;
        }
        Ok(())
    }

    /// Sends what is queued as far as possible, then waits for bytes. Ready with how many came.
    ///
    /// # Errors
    /// The end of the connection is `UnexpectedEof`.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer))?;
                let data = buffer.filled();
                if data.is_empty() {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                if self.taken > KEEP {
                    self.input.drain(..std::mem::take(&mut self.taken));
                }
                let before = self.input.len();
                let handshaking = self.decrypt(data)?;
                let came = self.input.len() - before;
                if came > 0 || handshaking {
                    return Poll::Ready(Ok(came));
                }
                if self.ended {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        })
    }

    /// Returns whether bytes moved a handshake on.
    fn decrypt(&mut self, mut data: &[u8]) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            self.input.extend_from_slice(data);
            return Ok(false);
        };
        let handshaking = tls.is_handshaking();
        while !data.is_empty() {
            tls.read_tls(&mut data)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            if state.plaintext_bytes_to_read() > 0 {
                self.input.reserve(state.plaintext_bytes_to_read());
            }
            let mut reader = tls.reader();
            loop {
                let chunk = match reader.fill_buf() {
                    Ok(chunk) => chunk,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                if chunk.is_empty() {
                    // What came with the goodbye is still to be read.
                    self.ended = true;
                    break;
                }
                self.input.extend_from_slice(chunk);
                let count = chunk.len();
                reader.consume(count);
            }
        }
        Ok(handshaking)
    }

    /// [`Self::poll_fill`] as a future.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// [`Self::poll_flush`] as a future.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Takes at most `count` bytes off the socket and forgets them: for a client that reads slowly. The connection is of
    /// no other use afterwards.
    ///
    /// # Errors
    /// The end of the connection.
    pub fn trickle(&self, count: usize) -> io::Result<()> {
        match self.tcp.try_read(&mut vec![0; count]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Says goodbye in TLS, if there is TLS.
    pub async fn close(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush().await
    }
}
