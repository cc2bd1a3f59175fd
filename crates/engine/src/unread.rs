//! What nobody reads: the account is told of it, once for each stanza.
//!
//! XEP-0198 1.6.3 section 5, XEP-0352 1.0.0
//!
//! Not here: who is woken for it (features, push).

use std::sync::Arc;

use model::link::{ClientState, SessionId};
use stanza::{IqType, Kind, Stanza};

use crate::device::Device;
use crate::engine::Engine;
use crate::held::Parcel;
use crate::limits;
use crate::timers::Due;
use crate::turns::Work;

/// What the account was told of.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// The id of the last stanza that was looked at.
    told: u64,
    /// It was told of something since the client last showed that it reads.
    any: bool,
    /// A timer will look whether an inactive client has acknowledged the stanza with this id.
    timer: Option<u64>,
}

impl Engine {
    /// Something was just sent to a session: whether anybody reads it.
    pub(crate) fn mind_reading(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        if device.attached.is_none() {
            return self.tell_unread(session);
        }
        if device.csi.state == ClientState::Inactive && device.unread.timer.is_none() {
            // What is last in the queue was sent last.
            device.unread.timer =
                device.sm.as_ref().and_then(|sm| sm.unacked().next_back()).map(|last| last.id);
            if device.unread.timer.is_some() {
                self.timers.set(self.time.mono_ms + limits::UNREAD_MS, Due::Unread(session));
            }
        }
    }

    /// An inactive client has had time to acknowledge what it was sent.
    pub(crate) fn look_whether_read(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let Some(last) = device.unread.timer.take() else { return };
        let first = device.sm.as_ref().and_then(|sm| sm.unacked().next().map(|first| first.id));
        if device.csi.state == ClientState::Inactive && first.is_some_and(|first| first <= last) {
            return self.tell_unread(session);
        }
        // It has read that; perhaps not what came after it.
        self.mind_reading(session);
    }

    /// Tells the account what of a session's queue nobody has read.
    pub(crate) fn tell_unread(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let Some(sm) = &device.sm else { return };
        let told = device.unread.told;
        // The queue is in the order of ids, but for answers of the stream's own, which have none.
        let new = sm.unacked().rev().take_while(|parcel| parcel.id == 0 || parcel.id > told);
        let new: Vec<&Parcel> = new.collect();
        device.unread.told = new.first().map_or(told, |last| last.id.max(told));
        let matter = new.into_iter().rev().filter(|parcel| may_matter(parcel));
        let stanzas: Vec<Arc<Stanza>> = matter.map(|parcel| parcel.stanza.clone()).collect();
        if !stanzas.is_empty() {
            device.unread.any = true;
            self.work.push_back(Work::Unread(session, stanzas));
        }
    }

    /// A client shows that it reads.
    pub(crate) fn reads_again(&mut self, session: SessionId) {
        let told = |device: &mut Device| std::mem::take(&mut device.unread.any);
        if self.devices.get_mut(&session).is_some_and(told) {
            self.work.push_back(Work::Attentive(session));
        }
    }
}

/// Presence and answers wake nobody.
fn may_matter(parcel: &Parcel) -> bool {
    matches!(parcel.stanza.kind, Kind::Message(_) | Kind::Iq(IqType::Set))
}
