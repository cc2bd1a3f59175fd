//! A connection: two directions of bytes that come late and in pieces, until it breaks.
//!
//! Not here: who reads them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::link::Down;

/// One direction. Bytes keep their order; each piece takes its time.
#[derive(Default)]
pub(crate) struct Lane {
    pieces: VecDeque<(u64, Vec<u8>)>,
    last_due: u64,
    /// Nothing gets in any more.
    pub(crate) closed: bool,
}

impl Lane {
    /// Takes bytes that will arrive at `due` or after what was sent before. When that is.
    pub(crate) fn send(&mut self, due: u64, bytes: Vec<u8>) -> u64 {
        self.last_due = self.last_due.max(due);
        if !self.closed {
            self.pieces.push_back((self.last_due, bytes));
        }
        self.last_due
    }

    /// What has arrived by now.
    pub(crate) fn take(&mut self, now: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while self.pieces.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, bytes)) = self.pieces.pop_front() {
                all.extend(bytes);
            }
        }
        all
    }

    /// When the last piece arrives.
    pub(crate) fn last_due(&self) -> u64 {
        self.last_due
    }

    /// What is on the way is lost.
    pub(crate) fn cut(&mut self) {
        self.pieces.clear();
        self.closed = true;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pieces.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// A connection of a client.
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) up: Lane,
    pub(crate) down: Lane,
    /// The client has given it up.
    pub(crate) left: bool,
    /// Until then the server's end, though it reads, does not look at what the engine says: it is busy writing to nobody.
    pub(crate) deaf_until: u64,
}

/// The engine's way to a stream.
#[derive(Default)]
pub(crate) struct Pipe(Mutex<(VecDeque<Down>, usize)>);

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Down>, usize)> {
        // Nobody panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Option<Down> {
        self.lock().0.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().0.is_empty()
    }

    /// What waits in the network behind it.
    pub(crate) fn set_behind(&self, bytes: usize) {
        self.lock().1 = bytes;
    }
}

impl model::link::Link for Pipe {
    fn send(&self, down: Down) {
        self.lock().0.push_back(down);
    }

    fn backlog(&self) -> usize {
        let inner = self.lock();
        let stanza = |down: &Down| match down {
            Down::Stanza(stanza) => stanza.size(),
            _ => 0,
        };
        inner.1 + inner.0.iter().map(stanza).sum::<usize>()
    }
}
