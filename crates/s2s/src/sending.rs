//! Stanzas on their way to the peer: which have arrived, which may be sent again.
//!
//! XEP-0198 version 1.6.3 section 4; XEP-0478 version 0.2.0 (the peer's limit).
//!
//! Where the peer has no stream management, a stanza counts as arrived when it is written to the socket: nothing better
//! can be known. A peer that is gone is then noticed by TCP alone.
//!
//! Not here: the elements of stream management (`manage.rs`), what waits before a stream is ready (federation).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use stanza::Stanza;

use crate::Unsendable;
use crate::io::Io;

/// Whether XEP-0198 is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Managed {
    #[default]
    Off,
    /// We have asked to enable it; what is sent since then counts.
    Asked,
    /// We have asked to resume; nothing is sent until the answer.
    Resuming,
    On,
}

/// A stanza that the peer has not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) token: u64,
    pub(crate) stanza: Arc<Stanza>,
    pub(crate) bytes: usize,
}

/// The outgoing direction.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    pub(crate) managed: Managed,
    /// In the order of sending.
    pub(crate) queue: VecDeque<Sent>,
    pub(crate) queue_bytes: usize,
    /// How many at the front were sent before counting began.
    uncounted: usize,
    /// How many at the front the shell has taken, and has written.
    taken: usize,
    written: usize,
    /// The peer's count of those that it has handled.
    pub(crate) acked: u32,
    /// The most bytes that the peer takes in one element.
    pub(crate) bytes_max: Option<u32>,
    /// Since when an `<r/>` is to be written with the next bytes.
    request: Option<Instant>,
}

impl Sending {
    /// Counting begins (XEP-0198 section 4).
    pub(crate) fn manage(&mut self, managed: Managed) {
        self.managed = managed;
        self.uncounted = self.queue.len();
        self.acked = 0;
    }

    /// The peer does not count after all.
    pub(crate) fn unmanage(&mut self) -> Vec<u64> {
        self.managed = Managed::Off;
        self.uncounted = self.queue.len();
        self.pop_written()
    }

    /// The count goes on where that of another stream stopped; its stanzas come first.
    pub(crate) fn resume(&mut self, queue: VecDeque<Sent>, acked: u32) {
        let queue_bytes = queue.iter().map(|sent| sent.bytes).sum();
        let (managed, bytes_max) = (Managed::On, self.bytes_max);
        *self = Sending { managed, bytes_max, queue, queue_bytes, acked, ..Sending::default() };
    }

    /// How many the peer has not acknowledged and could.
    pub(crate) fn unacked(&self) -> usize {
        self.queue.len() - self.uncounted
    }

    /// The peer has handled `h`: the tokens of what that covers. `None` if it claims more than was sent.
    pub(crate) fn acknowledge(&mut self, h: u32) -> Option<Vec<u64>> {
        let news = h.wrapping_sub(self.acked) as usize;
        if news > self.unacked() {
            return None;
        }
        self.acked = h;
        // What was sent before came before.
        let covered = if news == 0 { 0 } else { self.uncounted + news };
        Some((0..covered).filter_map(|_| self.pop()).collect())
    }

    fn pop(&mut self) -> Option<u64> {
        let sent = self.queue.pop_front()?;
        self.queue_bytes = self.queue_bytes.saturating_sub(sent.bytes);
        self.uncounted = self.uncounted.saturating_sub(1);
        self.taken = self.taken.saturating_sub(1);
        self.written = self.written.saturating_sub(1);
        Some(sent.token)
    }

    pub(crate) fn push(&mut self, sent: Sent) {
        self.queue_bytes += sent.bytes;
        self.queue.push_back(sent);
        if self.managed == Managed::Off {
            self.uncounted = self.queue.len();
        }
    }

    fn pop_written(&mut self) -> Vec<u64> {
        let count = self.uncounted.min(self.written);
        (0..count).filter_map(|_| self.pop()).collect()
    }

    /// The shell takes all bytes.
    pub(crate) fn take(&mut self) {
        self.taken = self.queue.len();
    }

    /// The shell has written all that it took: the tokens that need no other acknowledgement.
    pub(crate) fn write(&mut self) -> Vec<u64> {
        self.written = self.taken;
        self.pop_written()
    }

    /// All tokens; nothing is known of what becomes of them.
    pub(crate) fn forget(&mut self) -> Vec<u64> {
        (self.queue_bytes, self.uncounted, self.taken, self.written) = (0, 0, 0, 0);
        self.queue.drain(..).map(|sent| sent.token).collect()
    }

    /// Whether there is no more room.
    pub(crate) fn is_full(&self, stanzas: usize, bytes: usize) -> bool {
        self.queue.len() >= stanzas || self.queue_bytes >= bytes
    }

    /// A request for an acknowledgement is due with the next bytes.
    pub(crate) fn request(&mut self, now: Instant) {
        self.request.get_or_insert(now);
    }

    /// Since when it is due; forgets it.
    pub(crate) fn take_request(&mut self) -> Option<Instant> {
        self.request.take()
    }
}

impl Io {
    /// Whether stanzas may flow from us now, whatever their pair.
    pub(crate) fn may_send(&self) -> bool {
        self.wire.is_open() && !self.over && self.sending.managed != Managed::Resuming
    }

    /// Writes a stanza and remembers it until it has arrived.
    pub(crate) fn send(&mut self, now: Instant, token: u64, stanza: &Arc<Stanza>) -> Result<(), Unsendable> {
        let (stanzas, bytes) = (self.settings.unacked_max, self.settings.unacked_bytes_max);
        if self.sending.is_full(stanzas, bytes) {
            return Err(Unsendable::Full);
        }
        let bytes = self.wire.stanza(stanza, self.sending.bytes_max).map_err(Unsendable::TooLarge)?;
        self.sending.push(Sent { token, stanza: stanza.clone(), bytes });
        self.sending.request(now);
        self.clock.used = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanza::MessageType;

    fn sending(managed: Managed, tokens: core::ops::Range<u64>) -> Sending {
        let mut sending = Sending { managed, ..Sending::default() };
        for token in tokens {
            let stanza = Arc::new(Stanza::message(MessageType::Chat));
            sending.push(Sent { token, stanza, bytes: 10 });
        }
        sending
    }

    #[test]
    fn counts_wrap() {
        let mut sending = sending(Managed::On, 0..5);
        sending.acked = u32::MAX - 1;
        assert_eq!(sending.acknowledge(u32::MAX - 1), Some(vec![]));
        assert_eq!(sending.acknowledge(1), Some(vec![0, 1, 2]));
        assert_eq!((sending.queue.len(), sending.queue_bytes), (2, 20));
        assert_eq!(sending.acknowledge(4), None, "one more than was sent");
        assert_eq!(sending.acknowledge(0), None, "less than before");
        assert_eq!(sending.acknowledge(3), Some(vec![3, 4]));
    }

    #[test]
    fn without_management_written_is_all_that_can_be_known() {
        let mut sending = sending(Managed::Off, 0..2);
        assert_eq!(sending.write(), Vec::<u64>::new(), "nothing was taken yet");
        sending.take();
        sending.push(Sent { token: 2, stanza: Arc::new(Stanza::message(MessageType::Chat)), bytes: 10 });
        assert_eq!(sending.write(), [0, 1]);
        sending.take();
        assert_eq!(sending.write(), [2]);
    }

    #[test]
    fn what_was_sent_before_counting_began_is_not_counted() {
        let mut sending = sending(Managed::Off, 0..2);
        sending.manage(Managed::Asked);
        sending.push(Sent { token: 2, stanza: Arc::new(Stanza::message(MessageType::Chat)), bytes: 10 });
        sending.take();
        assert_eq!(sending.acknowledge(2), None);
        assert_eq!(sending.acknowledge(1), Some(vec![0, 1, 2]), "who has the third has the others");
        sending.push(Sent { token: 3, stanza: Arc::new(Stanza::message(MessageType::Chat)), bytes: 10 });
        sending.take();
        assert_eq!(sending.write(), Vec::<u64>::new());
        assert_eq!(sending.unmanage(), [3]);
    }
}
