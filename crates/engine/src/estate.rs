//! What sessions leave behind that are over, and that each message of it is left once.
//!
//! XEP-0198 1.6.3 section 5, RFC 6121 section 8.5.
//!
//! Not here: where it goes then (kernel, `arrive.rs`).

use std::collections::VecDeque;

use address::Bare;
use model::link::{Down, ResumeRefused, SessionId};
use stanza::Kind;

use crate::device::Device;
use crate::engine::Engine;
use crate::held::{Out, Parcel};
use crate::limits;
use crate::places::Place;
use crate::timers::Due;
use crate::turns::Work;

impl Engine {
    /// What a device that is gone leaves behind: its name, its count, and stanzas.
    pub(crate) fn settle_estate(&mut self, session: SessionId, mut device: Device) {
        self.names.remove(&device.name);
        let h = device.incoming.h();
        if let Some(resuming) = device.resuming.take() {
            resuming.link.send(Down::Resumed(Err(ResumeRefused { h: Some(h) })));
        }
        let mut undelivered = VecDeque::from(device.csi.take());
        undelivered.extend(device.early.take().into_iter().flatten().filter(|parcel| parcel.token.is_none()));
        undelivered.extend(device.waiting.take().into_iter().flat_map(|waiting| waiting.take()));
        if let Some(sm) = device.sm {
            if let Some(id) = &sm.id {
                self.resumable.remove(id);
                self.ended.remember(id.clone(), device.account.clone(), h);
            }
            // What was sent with a token is still where its feature keeps it.
            for unacked in sm.into_unacked().into_iter().rev().filter(|unacked| unacked.token.is_none()) {
                undelivered.push_front(unacked);
            }
        }
        // Only these have another way to go: an account need not be loaded for the rest.
        let worth = |parcel: &Parcel| !matches!(parcel.stanza.kind, Kind::Presence(_));
        for parcel in undelivered.into_iter().filter(worth) {
            self.leave_behind(&device.account, session, parcel);
        }
    }

    /// A session is over that was to get this: it finds another way, unless another session has it or is to get it. That
    /// is decided now, because the account may leave memory before the work is done, and what it knows of shared messages
    /// with it.
    pub(crate) fn leave_behind(&mut self, account: &Bare, session: SessionId, parcel: Parcel) {
        if !self.others_have(account, session, parcel.id) {
            self.work.push_back(Work::Undelivered(account.clone(), session, parcel));
        }
    }

    fn others_have(&mut self, account: &Bare, session: SessionId, id: u64) -> bool {
        match self.accounts.get_mut(account) {
            Some(Place::Ready(place)) => {
                place.account.unshare(id, session) && !zoo::is(zoo::Fault::RerouteToAll)
            }
            _ => false,
        }
    }

    /// The same, when storage may be well again: nobody else has it any more.
    pub(crate) fn leave_later(&mut self, account: Bare, session: SessionId, parcel: Parcel) {
        let bytes = self.left_bytes + parcel.stanza.size();
        let full = self.left.len() >= limits::LEFT_MAX || bytes > limits::LEFT_BYTES_MAX;
        if full {
            let id = parcel.stanza.id.as_deref();
            return tracing::error!(id, "an undelivered stanza cannot be kept and is lost");
        }
        if self.left.is_empty() {
            self.timers.set(self.time.mono_ms + limits::LEFT_AGAIN_MS, Due::Left);
        }
        self.left_bytes = bytes;
        self.left.push((account, session, parcel));
    }

    /// It is time to try again.
    pub(crate) fn try_left(&mut self) {
        self.left_bytes = 0;
        for (account, session, parcel) in std::mem::take(&mut self.left) {
            self.work.push_back(Work::Undelivered(account, session, parcel));
        }
    }

    /// An account is about to leave memory: of what is on its way to its sessions, which are over, each message stays in
    /// the line once. It stays there, and is not taken out, because it must not be kept before it is stored.
    pub(crate) fn thin_out(&mut self, account: &Bare) {
        if zoo::is(zoo::Fault::LeftTwice) {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        let mut batch = std::mem::take(&mut self.batch);
        for held in line.iter_mut().chain([&mut batch]) {
            held.outs.retain(|out| match out {
                Out::Send(session, parcel) if parcel.token.is_none() => {
                    let to = parcel.stanza.to.as_ref().map(|to| to.bare_str());
                    to != Some(account.as_str()) || !self.others_have(account, *session, parcel.id)
                }
                _ => true,
            });
        }
        (self.line, self.batch) = (line, batch);
    }
}
