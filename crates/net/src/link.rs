//! The engine's way to one stream: an unbounded queue that wakes the connection's task.
//!
//! The queue needs no bound of its own: the engine looks at [`Link::backlog`] and detaches sessions that lag.
//!
//! Not here: what is done with the words (stream), writing them (`carrier.rs`, `bosh/`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use std::vec::IntoIter;

use model::link::{Down, Link};
use stream::Stream;

/// The queue of one stream, shared by engine and connection task.
#[derive(Default)]
pub(crate) struct Line {
    queue: Mutex<Queue>,
    queued: AtomicUsize,
    unwritten: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    words: Vec<Down>,
    waker: Option<Waker>,
    gone: bool,
}

impl Line {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock is held cannot leave the queue half changed: pushes and swaps are single steps.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was sent since the last time.
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Vec<Down>> {
        let mut queue = self.queue();
        if !queue.words.is_empty() {
            return Poll::Ready(std::mem::take(&mut queue.words));
        }
        match &mut queue.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => queue.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Hands what the engine sent to the stream, until that is about `most` bytes; the rest stays in `words`. Whether
    /// there was anything.
    pub(crate) fn poll_words(
        &self,
        cx: &mut Context<'_>,
        words: &mut IntoIter<Down>,
        most: usize,
        stream: &mut Stream,
        now: Instant,
    ) -> bool {
        if words.len() == 0 {
            match self.poll_take(cx) {
                Poll::Ready(taken) => *words = taken.into_iter(),
                Poll::Pending => return false,
            }
        }
        let mut bytes = 0;
        while bytes < most
            && let Some(word) = words.next()
        {
            bytes += weight(&word);
            self.handed(&word);
            stream.handle_down(now, word);
        }
        if words.len() == 0 {
            *words = Vec::new().into_iter(); // an idle connection keeps no memory for it
        }
        true
    }

    /// A word was taken from what [`Line::poll_take`] gave and handed to the stream.
    fn handed(&self, down: &Down) {
        self.queued.fetch_sub(weight(down), Ordering::Relaxed);
    }

    /// How many bytes wait for the socket now.
    pub(crate) fn set_unwritten(&self, bytes: usize) {
        self.unwritten.store(bytes, Ordering::Relaxed);
    }

    /// The connection is gone: what is queued and what still comes vanishes.
    pub(crate) fn hang_up(&self) {
        let mut queue = self.queue();
        queue.gone = true;
        let words = std::mem::take(&mut queue.words);
        queue.waker = None;
        drop(queue);
        drop(words);
        self.queued.store(0, Ordering::Relaxed);
        self.set_unwritten(0);
    }
}

impl Link for Line {
    fn send(&self, down: Down) {
        let weight = weight(&down);
        let mut queue = self.queue();
        if queue.gone {
            return;
        }
        self.queued.fetch_add(weight, Ordering::Relaxed);
        queue.words.push(down);
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn backlog(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.unwritten.load(Ordering::Relaxed)
    }
}

/// Roughly the bytes that a word takes on the wire.
fn weight(down: &Down) -> usize {
    match down {
        Down::Stanza(stanza) => stanza.size(),
        _ => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_out_in_order_and_the_backlog_follows() {
        let (line, mut cx) = (Line::default(), Context::from_waker(Waker::noop()));
        assert!(line.poll_take(&mut cx).is_pending());
        line.send(Down::Ack(1));
        line.send(Down::AckRequest);
        assert_eq!(line.backlog(), 128);
        let Poll::Ready(words) = line.poll_take(&mut cx) else { panic!("nothing came") };
        assert!(matches!(words[..], [Down::Ack(1), Down::AckRequest]));
        assert_eq!(line.backlog(), 128, "taken is not yet handed over");
        words.iter().for_each(|word| line.handed(word));
        line.set_unwritten(7);
        assert_eq!(line.backlog(), 7);
    }

    #[test]
    fn nothing_piles_up_behind_a_connection_that_is_gone() {
        let line = Line::default();
        line.send(Down::AckRequest);
        line.hang_up();
        line.send(Down::AckRequest);
        assert_eq!(line.backlog(), 0);
        assert!(line.poll_take(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}
