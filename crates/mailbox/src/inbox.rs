//! The engine's side: taking words out, round by round.
//!
//! Not here: how many may wait (`share.rs`).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use model::link::Up;

use crate::SHARE_WORDS_MAX;
use crate::share::{Item, Shared};

/// The room of rounds that were larger is not used again.
const KEPT: usize = 256;

/// Where the words come out.
pub struct Inbox {
    shared: Arc<Shared>,
    /// What is left of the round that is being served.
    round: VecDeque<Item>,
}

impl Inbox {
    pub(crate) fn new(shared: Arc<Shared>) -> Inbox {
        Inbox { shared, round: VecDeque::new() }
    }

    /// Moves words to the end of `into`: up to `max`, and not many more than `bytes` bytes. Waits until there is one.
    /// `false`: none will come any more. If it is given up, no word is lost.
    pub async fn take(&mut self, into: &mut Vec<Up>, max: usize, bytes: usize) -> bool {
        poll_fn(|cx| self.poll_take(cx, into, max, bytes)).await
    }

    /// The same with words that are there.
    pub fn take_now(&mut self, into: &mut Vec<Up>, max: usize, bytes: usize) {
        let (most, mut taken) = (into.len().saturating_add(max), 0);
        while into.len() < most && taken < bytes {
            match self.round.pop_front() {
                Some(item) => {
                    taken += item.bytes;
                    into.push(self.shared.taken(item));
                }
                None if self.next_round() => {}
                None => return,
            }
        }
    }

    /// Whether every way in is closed and nothing is left.
    pub fn is_over(&self) -> bool {
        self.shared.is_left() && self.round.is_empty() && self.shared.rounds().rounds.is_empty()
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Up>,
        max: usize,
        bytes: usize,
    ) -> Poll<bool> {
        let before = into.len();
        self.take_now(into, max, bytes);
        if into.len() > before {
            return Poll::Ready(true);
        }
        let mut rounds = self.shared.rounds();
        if rounds.rounds.is_empty() {
            rounds.reader = Some(cx.waker().clone());
        } else {
            cx.waker().wake_by_ref(); // one came in this moment
        }
        drop(rounds);
        if self.is_over() { Poll::Ready(false) } else { Poll::Pending }
    }

    /// Goes on with the next round. `false`: there is none.
    fn next_round(&mut self) -> bool {
        let mut rounds = self.shared.rounds();
        let Some(next) = rounds.rounds.pop_front() else { return false };
        rounds.first += 1;
        let old = std::mem::replace(&mut self.round, next);
        if old.capacity() <= KEPT && rounds.spare.len() < SHARE_WORDS_MAX {
            rounds.spare.push(old);
        }
        true
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.shared.leave();
        let left = std::mem::take(&mut self.shared.rounds().rounds);
        left.into_iter().flatten().chain(self.round.drain(..)).for_each(Item::abandon);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use model::link::SessionId;
    use stanza::{MessageType, Stanza};

    use super::*;
    use crate::{SHARE_BYTES_MAX, Sent, Share, WORDS_MAX, mailbox};

    /// A word of stream `stream`.
    fn word(stream: u64) -> Up {
        Up::AckRequest(SessionId(stream))
    }

    fn put(share: &Share, up: Up) {
        assert!(matches!(share.try_send(up), Sent::Done));
    }

    fn fill(share: &Share, stream: u64) -> usize {
        (0..).take_while(|_| matches!(share.try_send(word(stream)), Sent::Done)).count()
    }

    fn streams(words: Vec<Up>) -> Vec<u64> {
        let stream = |up| match up {
            Up::AckRequest(session) => session.0,
            _ => panic!("not said here"),
        };
        words.into_iter().map(stream).collect()
    }

    fn now(inbox: &mut Inbox, max: usize) -> Vec<u64> {
        let mut words = Vec::new();
        inbox.take_now(&mut words, max, usize::MAX);
        streams(words)
    }

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Bell>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_deep_backlog_costs_others_one_word_at_a_time() {
        let (mailbox, mut inbox) = mailbox();
        let [flooder, other, third] = [(); 3].map(|()| mailbox.share());
        assert_eq!(fill(&flooder, 1), SHARE_WORDS_MAX);
        assert!(matches!(flooder.try_send(word(1)), Sent::Full(_)));
        put(&other, word(2));
        put(&other, word(2));
        assert_eq!(now(&mut inbox, 3), [1, 2, 1]);
        put(&third, word(3));
        // The round that had begun is finished; then whoever came late is in the first round that follows.
        assert_eq!(now(&mut inbox, 4), [2, 1, 3, 1]);
        assert_eq!(now(&mut inbox, usize::MAX), vec![1; SHARE_WORDS_MAX - 4]);
        assert_eq!(now(&mut inbox, 1), []);
        // A long silence is not saved up.
        fill(&other, 2);
        put(&flooder, word(1));
        assert_eq!(now(&mut inbox, 2), [2, 1]);
    }

    #[test]
    fn a_share_is_bounded_in_bytes_and_all_together_in_words() {
        let (mailbox, mut inbox) = mailbox();
        let large = mailbox.share();
        let stanza = || Stanza::message(MessageType::Chat).with_inner("x".repeat(SHARE_BYTES_MAX).into());
        put(&large, Up::Stanza(SessionId(1), stanza()));
        assert!(matches!(large.try_send(word(1)), Sent::Full(_)));
        inbox.take_now(&mut Vec::new(), 1, usize::MAX);
        // And so is what is taken at once.
        for _ in 0..2 {
            put(&mailbox.share(), Up::Stanza(SessionId(1), stanza()));
        }
        let mut taken = Vec::new();
        inbox.take_now(&mut taken, 9, SHARE_BYTES_MAX);
        assert_eq!(taken.len(), 1);
        inbox.take_now(&mut taken, 9, SHARE_BYTES_MAX);
        let shares: Vec<Share> = (0..2 * WORDS_MAX / SHARE_WORDS_MAX).map(|_| mailbox.share()).collect();
        let sent: usize = shares.iter().map(|share| fill(share, 1)).sum();
        // Everybody may always have one: nobody waits for others to be heard at all.
        assert_eq!(sent, WORDS_MAX + shares.len() / 2);
    }

    #[test]
    fn who_waits_for_room_is_woken_when_there_is_some() {
        let (mailbox, mut inbox) = mailbox();
        let share = mailbox.share();
        fill(&share, 1);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        let mut sending = pin!(share.send(word(1)));
        assert!(sending.as_mut().poll(&mut cx).is_pending());
        now(&mut inbox, SHARE_WORDS_MAX / 2 - 1);
        assert_eq!(bell.0.load(Ordering::Relaxed), 0);
        now(&mut inbox, 1);
        assert_eq!(bell.0.load(Ordering::Relaxed), 1);
        assert_eq!(sending.as_mut().poll(&mut cx), Poll::Ready(true));
        // And when nobody reads any more.
        fill(&share, 1);
        let mut sending = pin!(share.send(word(1)));
        assert!(sending.as_mut().poll(&mut cx).is_pending());
        drop(inbox);
        assert_eq!(bell.0.load(Ordering::Relaxed), 2);
        assert_eq!(sending.as_mut().poll(&mut cx), Poll::Ready(false));
    }

    #[test]
    fn the_reader_is_woken_by_words_and_by_the_end() {
        let (mailbox, mut inbox) = mailbox();
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        let mut words = Vec::new();
        assert!(inbox.poll_take(&mut cx, &mut words, 9, 9).is_pending());
        let share = mailbox.share();
        put(&share, word(1));
        assert_eq!(bell.0.load(Ordering::Relaxed), 1);
        assert_eq!(inbox.poll_take(&mut cx, &mut words, 9, 9), Poll::Ready(true));
        drop(mailbox);
        assert!(inbox.poll_take(&mut cx, &mut words, 9, 9).is_pending() && !inbox.is_over());
        drop(share);
        assert_eq!(bell.0.load(Ordering::Relaxed), 2);
        assert_eq!(inbox.poll_take(&mut cx, &mut words, 9, 9), Poll::Ready(false));
        assert_eq!(streams(words), [1]);
    }
}
