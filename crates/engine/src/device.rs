//! A session's last stairs: what stands between the kernel and the stream.
//!
//! XEP-0198 1.6.3, XEP-0352 1.0.0.
//!
//! Not here: presence, rosters and whatever else RFC 6121 knows of a resource (kernel).

use std::collections::VecDeque;
use std::sync::Arc;

use address::{Bare, Jid};
use model::link::{About, Down, Link, SessionId, StreamId};

use crate::csi::Csi;
use crate::held::Parcel;
use crate::limits;
use crate::sm::Sm;
use crate::unread::Unread;

/// A session as the engine sees it.
pub(crate) struct Device {
    /// What the stream that carries it calls it.
    pub(crate) name: SessionId,
    pub(crate) account: Bare,
    pub(crate) jid: Jid,
    pub(crate) about: Arc<About>,
    /// The stream that carries it now; `None` while it waits to be resumed.
    pub(crate) attached: Option<Attached>,
    /// A stream that wants to carry it, as soon as all that came before is stored.
    pub(crate) resuming: Option<Attached>,
    pub(crate) sm: Option<Sm>,
    pub(crate) csi: Csi,
    pub(crate) incoming: Incoming,
    /// What came before the client knows its address; nothing waits here after that.
    pub(crate) early: Option<Vec<Parcel>>,
    /// Messages that wait for older ones to be sent first; `None` if none have to. Seldom, so it is boxed.
    pub(crate) waiting: Option<Box<Waiting>>,
    /// Its connection was found to be slow, and will be looked at again.
    pub(crate) slow: bool,
    /// Counts attachments, so that timers know whether they still apply.
    pub(crate) epoch: u64,
    /// When the answer to the last `<r/>` must have come, once that is known; in milliseconds.
    pub(crate) ack_due: Option<u64>,
    /// There is a timer that will look at that. One is enough, however often the client is asked.
    pub(crate) ack_timer: bool,
    pub(crate) unread: Unread,
}

/// Messages that wait for older ones.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    parcels: Vec<Parcel>,
    bytes: usize,
}

impl Waiting {
    /// Whether there is still room; it is kept in any case.
    pub(crate) fn push(&mut self, parcel: Parcel) -> bool {
        self.bytes += parcel.stanza.size();
        self.parcels.push(parcel);
        self.parcels.len() <= limits::UNACKED_MAX && self.bytes <= limits::UNACKED_BYTES_MAX
    }

    pub(crate) fn take(self) -> Vec<Parcel> {
        self.parcels
    }
}

/// A stream that carries a session.
#[derive(Clone)]
pub(crate) struct Attached {
    pub(crate) stream: StreamId,
    pub(crate) link: Arc<dyn Link>,
}

/// How a session is doing after something was sent to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// The client was just asked to acknowledge.
    Asked,
    /// Its connection does not read.
    Lagging,
    /// Too much is unacknowledged.
    Overfull,
}

impl Health {
    /// That the client was asked is not forgotten over what was sent next.
    fn after(self, before: Health) -> Health {
        if self == Health::Good { before } else { self }
    }
}

impl Device {
    pub(crate) fn new(
        name: SessionId,
        account: Bare,
        jid: Jid,
        about: Arc<About>,
        attached: Attached,
    ) -> Device {
        Device {
            name,
            account,
            jid,
            about,
            attached: Some(attached),
            resuming: None,
            sm: None,
            csi: Csi::default(),
            incoming: Incoming::default(),
            early: Some(Vec::new()),
            waiting: None,
            slow: false,
            epoch: 0,
            ack_due: None,
            ack_timer: false,
            unread: Unread::default(),
        }
    }

    /// Sends a stanza, or keeps it back as the client state wants. The token comes back at once where nobody will
    /// ever acknowledge.
    pub(crate) fn deliver(&mut self, parcel: Parcel) -> (Health, Option<u64>) {
        let Some(parcel) = self.csi.offer(parcel) else {
            let health = if self.csi.is_full() { self.flush() } else { Health::Good };
            return (health, None);
        };
        let flushed = self.flush();
        if let Health::Lagging | Health::Overfull = flushed {
            // It is queued behind the rest and shares its fate.
            self.transmit(parcel);
            return (flushed, None);
        }
        let settled = if self.sm.is_none() { parcel.token } else { None };
        (self.transmit(parcel).after(flushed), settled)
    }

    /// Sends what waited for the client to become active.
    pub(crate) fn flush(&mut self) -> Health {
        let mut health = Health::Good;
        for parcel in self.csi.take() {
            health = self.transmit(parcel).after(health);
        }
        health
    }

    fn transmit(&mut self, parcel: Parcel) -> Health {
        let stanza = parcel.stanza.clone();
        if let Some(sm) = &mut self.sm {
            sm.push(parcel);
        }
        let Some(attached) = &self.attached else {
            return self.judge_queue();
        };
        attached.link.send(Down::Stanza(stanza));
        if attached.link.backlog() > limits::BACKLOG_BYTES_MAX {
            return Health::Lagging;
        }
        match self.judge_queue() {
            Health::Good => self.ask(),
            worse => worse,
        }
    }

    fn judge_queue(&self) -> Health {
        let most = match self.attached {
            Some(_) => limits::UNACKED_CONNECTED_MAX,
            None => zoo::limit(zoo::Limit::Unacked, limits::UNACKED_MAX as u64) as usize,
        };
        match &self.sm {
            Some(sm) if sm.len() > most || sm.bytes() > limits::UNACKED_BYTES_MAX => Health::Overfull,
            _ => Health::Good,
        }
    }

    /// Asks for an acknowledgement, one at a time.
    pub(crate) fn ask(&mut self) -> Health {
        match (&mut self.sm, &self.attached) {
            (Some(sm), Some(attached)) if !sm.asked && sm.len() > 0 => {
                sm.asked = true;
                self.ack_due = None;
                attached.link.send(Down::AckRequest);
                Health::Asked
            }
            _ => Health::Good,
        }
    }

    /// Answers the client's `<r/>` if everything that it is about is stored.
    pub(crate) fn answer(&mut self) {
        if let (Some(h), Some(attached)) = (self.incoming.due(), &self.attached) {
            attached.link.send(Down::Ack(h));
        }
    }

    /// How many bytes wait to be written to its connection.
    pub(crate) fn backlog(&self) -> usize {
        self.attached.as_ref().map_or(0, |attached| attached.link.backlog())
    }

    /// Says something to the stream, if there is one.
    pub(crate) fn tell(&self, down: Down) {
        if let Some(attached) = &self.attached {
            attached.link.send(down);
        }
    }
}

/// The incoming half of stream management: which stanzas of the client are settled for good.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    counting: bool,
    /// Stanzas settled without a gap.
    done: u64,
    /// For each stanza after those: in how many places it still waits.
    pending: VecDeque<u32>,
    /// The client asked when so many had come, and has not been answered.
    asked_at: Option<u64>,
    /// It asked again when so many had come.
    asked_again: Option<u64>,
}

/// A stanza of a counted session on its way to storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) session: SessionId,
    pub(crate) seq: u64,
}

impl Incoming {
    /// Counts from the next stanza on.
    pub(crate) fn start(&mut self) {
        if !std::mem::replace(&mut self.counting, true) {
            self.done = zoo::limit(zoo::Limit::FirstCount, self.done);
        }
    }

    pub(crate) fn begin(&mut self, session: SessionId) -> Option<Token> {
        self.counting.then(|| {
            self.pending.push_back(1);
            Token { session, seq: self.seen() - 1 }
        })
    }

    fn slot(&mut self, token: Token) -> Option<&mut u32> {
        self.pending.get_mut(token.seq.checked_sub(self.done)? as usize)
    }

    /// The stanza waits in one more place.
    pub(crate) fn hold(&mut self, token: Token) {
        if let Some(count) = self.slot(token) {
            *count += 1;
        }
    }

    /// It waits in one place less.
    pub(crate) fn release(&mut self, token: Token) {
        if let Some(count) = self.slot(token) {
            *count = count.saturating_sub(1);
        }
        while self.pending.front() == Some(&0) {
            self.pending.pop_front();
            self.done += 1;
        }
    }

    fn seen(&self) -> u64 {
        self.done + self.pending.len() as u64
    }

    /// The client wants to know.
    pub(crate) fn asked(&mut self) {
        let seen = self.seen();
        // The first question keeps its place: who asks faster than storage works is answered all the same.
        match self.asked_at {
            None => self.asked_at = Some(seen),
            Some(_) => self.asked_again = Some(seen),
        }
    }

    fn due(&mut self) -> Option<u32> {
        let at = self.asked_at?;
        (self.done >= at).then(|| {
            self.asked_at = self.asked_again.take().filter(|again| *again > self.done);
            self.done as u32
        })
    }

    /// For fuzzing: as if so many had come.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn count_from(&mut self, h: u32) {
        self.done = u64::from(h);
    }

    /// Whether all that came is settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// What a client that resumes is told: [`Incoming::h`].
    pub(crate) fn told(&self) -> u32 {
        if zoo::is(zoo::Fault::CountBeforeCommit) { self.seen() as u32 } else { self.h() }
    }

    /// How many stanzas are settled, modulo 2^32.
    pub(crate) fn h(&self) -> u32 {
        self.done as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledges_only_without_gaps() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.begin(SessionId(1)), None);
        incoming.start();
        let [a, b, c] = [(); 3].map(|()| incoming.begin(SessionId(1)).unwrap());
        incoming.hold(b);
        incoming.asked();
        incoming.release(c);
        incoming.release(b);
        assert_eq!((incoming.h(), incoming.due()), (0, None));
        incoming.release(a);
        assert_eq!((incoming.h(), incoming.due()), (1, None));
        incoming.release(b);
        assert_eq!((incoming.h(), incoming.due(), incoming.is_settled()), (3, Some(3), true));
        incoming.release(b); // too often does no harm
        assert_eq!(incoming.h(), 3);
    }
}
