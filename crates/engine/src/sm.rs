//! Stream management: what was sent and not yet acknowledged.
//!
//! XEP-0198 1.6.3 sections 4 and 5.
//!
//! Not here: the nonzas' syntax (stream), taking a session over (`resume.rs`).

use std::collections::VecDeque;

use crate::held::Parcel;

/// For how many stanzas an empty queue keeps room.
const ROOM_KEPT: usize = 16;

/// The outgoing half of stream management for one session.
#[derive(Debug)]
pub(crate) struct Sm {
    /// The secret that resumes the session, if that was agreed.
    pub(crate) id: Option<String>,
    /// How long it may be resumed, in seconds.
    pub(crate) max: u32,
    /// How many stanzas the client has acknowledged, modulo 2^32.
    acked: u32,
    queue: VecDeque<Parcel>,
    /// How many bytes are in it.
    bytes: usize,
    /// An `<r/>` is on its way.
    pub(crate) asked: bool,
}

/// The client acknowledges what was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooHigh {
    /// How many were sent.
    pub(crate) sent: u32,
}

impl Sm {
    pub(crate) fn new(id: Option<String>, max: u32) -> Sm {
        let acked = zoo::limit(zoo::Limit::FirstCount, 0) as u32;
        Sm { id, max, acked, queue: VecDeque::new(), bytes: 0, asked: false }
    }

    pub(crate) fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.stanza.size();
        self.queue.push_back(parcel);
    }

    /// The client has handled `h` stanzas: gives back the tokens of those that are settled by it. A value from the
    /// past changes nothing: xmpp.js 0.14 sends one after it has enabled stream management.
    pub(crate) fn acknowledge(&mut self, h: u32) -> Result<Vec<u64>, TooHigh> {
        // Modulo 2^32 (section 4): what lies more than half a circle ahead lies behind.
        let step = h.wrapping_sub(self.acked);
        if step > u32::MAX / 2 || (zoo::is(zoo::Fault::CountWraps) && h < self.acked) {
            return Ok(Vec::new());
        }
        let step = step as usize;
        if step > self.queue.len() {
            return Err(TooHigh { sent: self.acked.wrapping_add(self.queue.len() as u32) });
        }
        self.acked = h;
        let settled = self.queue.drain(..step);
        let tokens = settled
            .inspect(|unacked| self.bytes -= unacked.stanza.size())
            .filter_map(|unacked| unacked.token)
            .collect();
        // The presence of a whole roster once made it large; most of the time a session has nothing to wait for.
        if self.queue.is_empty() && self.queue.capacity() > ROOM_KEPT {
            self.queue = VecDeque::new();
        }
        Ok(tokens)
    }

    /// Takes all that was sent for acknowledged. Only a fault of the zoo does.
    pub(crate) fn forget(&mut self) {
        let _ = self.acknowledge(self.acked.wrapping_add(self.queue.len() as u32));
    }

    /// For fuzzing: as if so many had passed.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn count_from(&mut self, h: u32) {
        self.acked = h.wrapping_sub(self.queue.len() as u32);
    }

    pub(crate) fn unacked(&self) -> impl DoubleEndedIterator<Item = &Parcel> {
        self.queue.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn into_unacked(self) -> VecDeque<Parcel> {
        self.queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanza::{MessageType, Stanza};

    #[test]
    fn counts_over_the_edge() {
        let mut sm = Sm::new(None, 0);
        sm.acked = u32::MAX - 1;
        for token in 0..4 {
            let stanza = Stanza::message(MessageType::Chat).into();
            sm.push(Parcel { stanza, token: Some(token), id: 0 });
        }
        assert_eq!(sm.acknowledge(u32::MAX), Ok(vec![0]));
        assert_eq!(sm.acknowledge(u32::MAX), Ok(vec![]));
        assert_eq!(sm.acknowledge(1), Ok(vec![1, 2]));
        assert_eq!(sm.acknowledge(3), Err(TooHigh { sent: 2 }));
        for past in [0, u32::MAX] {
            assert_eq!(sm.acknowledge(past), Ok(vec![]), "{past}");
        }
        assert_eq!(sm.len(), 1);
    }
}
