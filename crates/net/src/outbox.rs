//! Bytes that wait to be written to a peer, while the same task reads from it, and patience with a peer that takes none.
//!
//! RFC 6120 section 4.6 (silence)
//!
//! Not here: streams of clients (`wire.rs`), and how much may wait for whom (whoever puts it in).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

/// What is written is forgotten once it is more than this, and more than half of all; the room that an empty one keeps.
const KEPT: usize = 16 * 1024;

/// What a socket did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// So many bytes were read.
    Read(usize),
    /// All that waited is written.
    Written,
    /// The peer will send no more.
    End,
}

/// See the file's header.
#[derive(Debug)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// How many of them are written.
    at: usize,
    patience: Duration,
    /// When the peer must have taken something, if anything waits.
    until: Option<Instant>,
    /// How much it had taken when that was decided.
    until_at: usize,
}

impl Outbox {
    /// An empty one. `patience`: how long a peer may take nothing.
    pub fn new(patience: Duration) -> Outbox {
        Outbox { bytes: Vec::new(), at: 0, patience, until: None, until_at: 0 }
    }

    /// Lets `fill` add bytes at the end.
    pub fn fill(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.at > KEPT && self.at < self.bytes.len() && self.at > self.bytes.len() / 2 {
            self.look(Instant::now());
            self.bytes.drain(..self.at);
            (self.at, self.until_at) = (0, 0);
        }
        fill(&mut self.bytes);
        if self.until.is_none() && !self.bytes.is_empty() {
            (self.until, self.until_at) = (Some(Instant::now() + self.patience), self.at);
        }
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// When to ask [`Outbox::is_stuck`]; `None`: nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.until
    }

    /// Whether the peer has taken nothing for too long. Who takes a little at a time is slow, not gone.
    pub fn is_stuck(&mut self, now: Instant) -> bool {
        self.look(now);
        self.until.is_some_and(|until| until <= now)
    }

    /// Patience begins anew with each byte that was taken.
    fn look(&mut self, now: Instant) {
        if self.at != self.until_at {
            (self.until, self.until_at) = (self.until.map(|_| now + self.patience), self.at);
        }
    }

    /// Nothing waits any more.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        (self.at, self.until, self.until_at) = (0, None, 0);
    }

    /// Writes what waits and, if `reads`, reads into `buffer`, whichever is possible: neither waits for the other, or two
    /// that only write would wait for ever. What is written when the future is dropped stays written.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn exchange(
        &mut self,
        wire: &mut (impl AsyncRead + AsyncWrite + Unpin),
        buffer: &mut [u8],
        reads: bool,
    ) -> io::Result<Moved> {
        std::future::poll_fn(|cx| {
            if !self.bytes.is_empty() && self.poll_write(cx, wire)?.is_ready() {
                self.clear();
                return Poll::Ready(Ok(Moved::Written));
            }
            if !reads {
                return Poll::Pending;
            }
            let mut into = ReadBuf::new(buffer);
            match Pin::new(&mut *wire).poll_read(cx, &mut into) {
                Poll::Ready(Ok(())) if into.filled().is_empty() => Poll::Ready(Ok(Moved::End)),
                Poll::Ready(Ok(())) => Poll::Ready(Ok(Moved::Read(into.filled().len()))),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Writes as much as goes; ready when all is written.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Poll<()>> {
        while self.at < self.bytes.len() {
            match Pin::new(&mut *wire).poll_write(cx, &self.bytes[self.at..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => self.at += n,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        match Pin::new(&mut *wire).poll_flush(cx) {
            Poll::Ready(Ok(())) if self.at == self.bytes.len() => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(Poll::Pending),
        }
    }

    /// Writes all that waits, within the patience for one write; nothing waits afterwards. `false`: it could not be.
    pub async fn write_all(&mut self, wire: &mut (impl AsyncWrite + Unpin)) -> bool {
        let writing = async {
            wire.write_all(&self.bytes[self.at..]).await?;
            wire.flush().await
        };
        let written = matches!(tokio::time::timeout(self.patience, writing).await, Ok(Ok(())));
        self.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Lets a writer write for a moment.
    async fn push(outbox: &mut Outbox, wire: &mut tokio::io::DuplexStream) {
        let writing = outbox.exchange(wire, &mut [], false);
        assert!(tokio::time::timeout(Duration::from_secs(1), writing).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_little_is_slow_and_who_takes_nothing_is_stuck() {
        use tokio::io::AsyncReadExt;
        let (mut ours, mut theirs) = tokio::io::duplex(1_000);
        let mut outbox = Outbox::new(PATIENCE);
        assert!(outbox.due().is_none() && !outbox.is_stuck(Instant::now()));
        outbox.fill(|bytes| bytes.extend([7; 60_000]));
        let mut read = 0;
        for _ in 0..50 {
            push(&mut outbox, &mut ours).await;
            tokio::time::advance(PATIENCE - Duration::from_secs(2)).await;
            assert!(!outbox.is_stuck(Instant::now()), "{read} bytes were read");
            read += theirs.read(&mut [0; 1_000]).await.unwrap();
            outbox.fill(|_| ());
        }
        assert_eq!((read, outbox.waiting()), (50_000, 10_000));
        assert!(outbox.bytes.len() < 60_000, "what is written is forgotten");
        push(&mut outbox, &mut ours).await;
        assert!(!outbox.is_stuck(Instant::now()));
        tokio::time::advance(PATIENCE).await;
        assert!(outbox.is_stuck(Instant::now()));
        outbox.clear();
        assert!(!outbox.is_stuck(Instant::now()) && outbox.waiting() == 0);
    }

    #[tokio::test]
    async fn reading_does_not_wait_for_writing() {
        use tokio::io::AsyncReadExt;
        let (mut ours, mut theirs) = tokio::io::duplex(10);
        let mut outbox = Outbox::new(PATIENCE);
        outbox.fill(|bytes| bytes.extend([7; 15]));
        theirs.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(outbox.exchange(&mut ours, &mut buffer, true).await.unwrap(), Moved::Read(5));
        assert_eq!(outbox.waiting(), 5);
        theirs.read_exact(&mut [0; 10]).await.unwrap();
        assert_eq!(outbox.exchange(&mut ours, &mut buffer, true).await.unwrap(), Moved::Written);
        drop(theirs);
        assert_eq!(outbox.exchange(&mut ours, &mut buffer, true).await.unwrap(), Moved::End);
    }
}
