//! The streams' side: putting words in.
//!
//! Not here: the order in which they are taken out (`inbox.rs`).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use model::link::Up;

use crate::{SHARE_BYTES_MAX, SHARE_WORDS_MAX, WORDS_MAX};

/// What a word that is neither a stanza nor a request for a session counts for, in bytes.
const SMALL: usize = 64;

/// The way in.
pub struct Mailbox(Arc<Shared>);

/// One stream's part of it.
pub struct Share {
    mailbox: Mailbox,
    own: Arc<Own>,
}

/// What became of a word.
pub enum Sent {
    /// It waits to be read.
    Done,
    /// The stream has its share waiting; the word comes back. See [`Share::send`].
    Full(Up),
    /// Nobody reads any more.
    Gone,
}

/// A word that waits.
pub(crate) struct Item {
    pub(crate) up: Up,
    pub(crate) bytes: usize,
    own: Arc<Own>,
}

/// What is counted of one stream.
#[derive(Default)]
struct Own {
    words: AtomicUsize,
    bytes: AtomicUsize,
    /// The first round that has no word of it.
    next: AtomicU64,
    waits: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// What all have in common.
#[derive(Default)]
pub(crate) struct Shared {
    rounds: Mutex<Rounds>,
    total: AtomicUsize,
    /// How many ways in there are.
    ways: AtomicUsize,
    gone: AtomicBool,
}

/// The words that wait, by round.
#[derive(Default)]
pub(crate) struct Rounds {
    /// The number of the first one.
    pub(crate) first: u64,
    /// Not more than [`SHARE_WORDS_MAX`]: a stream's rounds follow one upon the other.
    pub(crate) rounds: VecDeque<VecDeque<Item>>,
    /// Empty ones, to be used again.
    pub(crate) spare: Vec<VecDeque<Item>>,
    /// Who waits for words.
    pub(crate) reader: Option<Waker>,
}

impl Shared {
    pub(crate) fn rounds(&self) -> MutexGuard<'_, Rounds> {
        locked(&self.rounds)
    }

    pub(crate) fn is_left(&self) -> bool {
        self.ways.load(SeqCst) == 0
    }

    pub(crate) fn leave(&self) {
        self.gone.store(true, SeqCst);
    }

    /// Takes the word out of its item; its stream may go on.
    pub(crate) fn taken(&self, item: Item) -> Up {
        self.total.fetch_sub(1, SeqCst);
        let own = &item.own;
        own.bytes.fetch_sub(item.bytes, SeqCst);
        let words = own.words.fetch_sub(1, SeqCst) - 1;
        // Not after each word: to be woken costs more than a word does.
        if own.waits.load(SeqCst) && (words == 0 || (words <= SHARE_WORDS_MAX / 2 && self.has_room(own))) {
            own.wake();
        }
        item.up
    }

    fn has_room(&self, own: &Own) -> bool {
        let words = own.words.load(SeqCst);
        let share = words < SHARE_WORDS_MAX && own.bytes.load(SeqCst) < SHARE_BYTES_MAX;
        words == 0 || (share && self.total.load(SeqCst) < WORDS_MAX) || self.gone.load(SeqCst)
    }
}

/// A panic while one of these locks is held cannot leave half a change: each is one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Own {
    fn wake(&self) {
        self.waits.store(false, SeqCst);
        if let Some(waker) = locked(&self.waker).take() {
            waker.wake();
        }
    }
}

impl Item {
    /// Nobody will take it: whoever waits behind it shall hear that.
    pub(crate) fn abandon(self) {
        self.own.wake();
    }
}

impl Mailbox {
    pub(crate) fn new() -> Mailbox {
        let shared = Shared { ways: AtomicUsize::new(1), ..Shared::default() };
        Mailbox(Arc::new(shared))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// A share for one more stream.
    pub fn share(&self) -> Share {
        Share { mailbox: self.clone(), own: Arc::default() }
    }
}

impl Clone for Mailbox {
    fn clone(&self) -> Mailbox {
        self.0.ways.fetch_add(1, SeqCst);
        Mailbox(self.0.clone())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if self.0.ways.fetch_sub(1, SeqCst) == 1 {
            // The last one: whoever waits for words shall see that none will come.
            let reader = self.0.rounds().reader.take();
            reader.into_iter().for_each(Waker::wake);
        }
    }
}

impl Share {
    /// Puts a word in, if there is room for it.
    pub fn try_send(&self, up: Up) -> Sent {
        let (shared, own) = (&self.mailbox.0, &self.own);
        if !shared.has_room(own) {
            return Sent::Full(up);
        }
        let bytes = weight(&up);
        own.words.fetch_add(1, SeqCst);
        own.bytes.fetch_add(bytes, SeqCst);
        shared.total.fetch_add(1, SeqCst);
        let item = Item { up, bytes, own: own.clone() };
        let mut rounds = shared.rounds();
        if shared.gone.load(SeqCst) {
            return Sent::Gone;
        }
        let round = rounds.first.max(own.next.load(SeqCst));
        own.next.store(round + 1, SeqCst);
        let at = (round - rounds.first) as usize;
        while rounds.rounds.len() <= at {
            let spare = rounds.spare.pop().unwrap_or_default();
            rounds.rounds.push_back(spare);
        }
        rounds.rounds[at].push_back(item);
        let reader = rounds.reader.take();
        drop(rounds);
        reader.into_iter().for_each(Waker::wake);
        Sent::Done
    }

    /// Puts a word in; waits for room. `false`: nobody reads any more.
    pub async fn send(&self, up: Up) -> bool {
        let mut up = Some(up);
        poll_fn(|cx| {
            std::task::ready!(self.poll_room(cx));
            match up.take().map(|up| self.try_send(up)) {
                Some(Sent::Full(back)) => {
                    up = Some(back);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Some(Sent::Gone) => Poll::Ready(false),
                Some(Sent::Done) | None => Poll::Ready(true),
            }
        })
        .await
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.mailbox.0.has_room(&self.own) {
            return Poll::Ready(());
        }
        *locked(&self.own.waker) = Some(cx.waker().clone());
        self.own.waits.store(true, SeqCst);
        // Looked at again: what was taken before that store has woken nobody.
        if self.mailbox.0.has_room(&self.own) {
            self.own.waits.store(false, SeqCst);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Roughly the bytes that a word holds.
fn weight(up: &Up) -> usize {
    match up {
        Up::Stanza(_, stanza) | Up::Refused(_, Some(stanza)) => stanza.size(),
        Up::Arrived(arrived) => arrived.stanza.size(),
        _ => SMALL,
    }
}
