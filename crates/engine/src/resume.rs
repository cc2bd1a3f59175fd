//! Streams that break and sessions that go on; sessions that end.
//!
//! XEP-0198 1.6.3 section 5.
//!
//! Not here: counting (`sm.rs`, `device.rs`).

use std::collections::{HashMap, VecDeque};

use address::Bare;
use model::link::{Down, End, Resume, ResumeRefused, Resumed, SessionId, StreamId};
use stanza::{StreamCondition, StreamError};

use crate::device::Attached;
use crate::engine::Engine;
use crate::held::Out;
use crate::limits;
use crate::places::Place;
use crate::timers::Due;
use crate::turns::Work;

/// How far sessions had come that are over: whose, and how many stanzas were handled.
#[derive(Default)]
pub(crate) struct Ended {
    by_id: HashMap<String, (Bare, u32)>,
    order: VecDeque<String>,
}

impl Ended {
    pub(crate) fn remember(&mut self, id: String, account: Bare, h: u32) {
        if self.order.len() >= limits::ENDED_REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.by_id.insert(id, (account, h));
    }

    fn h(&self, id: &str, account: &Bare) -> Option<u32> {
        self.by_id.get(id).filter(|(owner, _)| owner == account).map(|(_, h)| *h)
    }
}

impl Engine {
    /// A stream wants to take a session over.
    pub(crate) fn resume(&mut self, resume: Resume) {
        let found = self.resumable.get(&resume.id).copied();
        let device =
            found.and_then(|id| self.devices.get_mut(&id)).filter(|device| device.account == resume.account);
        let (Some(session), Some(device)) = (found, device) else {
            // The same answer for an unknown id and somebody else's (D-11).
            let h = self.ended.h(&resume.id, &resume.account);
            return resume.link.send(Down::Resumed(Err(ResumeRefused { h })));
        };
        let Some(sm) = &mut device.sm else { return };
        let Ok(tokens) = sm.acknowledge(resume.h) else {
            return resume.link.send(Down::Resumed(Err(ResumeRefused { h: None })));
        };
        sm.asked = false;
        device.epoch += 1;
        let conflict = || Down::Close(Some(StreamError::new(StreamCondition::Conflict, "resumed elsewhere")));
        device.tell(conflict());
        device.attached = None;
        if let Some(other) = device.resuming.replace(Attached { stream: resume.stream, link: resume.link }) {
            other.link.send(conflict());
        }
        device.about = resume.about;
        let settled = device.incoming.is_settled();
        if !tokens.is_empty() {
            self.work.push_back(Work::Acknowledged(session, tokens));
        }
        if settled || zoo::is(zoo::Fault::CountBeforeCommit) {
            self.complete_resume(session);
        }
    }

    /// All that the old stream brought is stored: the new one may know how much that was, and go on.
    pub(crate) fn complete_resume(&mut self, session: SessionId) {
        let name = self.new_session();
        let Some(device) = self.devices.get_mut(&session) else { return };
        let (Some(attached), Some(sm)) = (device.resuming.take(), &device.sm) else { return };
        self.names.remove(&device.name);
        self.names.insert(name, session);
        device.name = name;
        let resumed = Resumed {
            session: name,
            jid: device.jid.clone(),
            id: sm.id.clone().unwrap_or_default(),
            h: device.incoming.told(),
        };
        attached.link.send(Down::Resumed(Ok(Box::new(resumed))));
        for unacked in sm.unacked().chain(sm.unacked().filter(|_| zoo::is(zoo::Fault::FlushTwice))) {
            attached.link.send(Down::Stanza(unacked.stanza.clone()));
        }
        device.attached = Some(attached);
        let health = device.ask();
        let (account, about) = (device.account.clone(), device.about.clone());
        if let Some(Place::Ready(place)) = self.accounts.get_mut(&account)
            && let Some(known) = place.account.session_mut(session)
        {
            known.about = about;
        }
        self.after_delivery(session, health);
        self.mind_pace(session);
        self.reads_again(session);
    }

    /// A stream has ended.
    pub(crate) fn stream_closed(&mut self, session: SessionId, stream: StreamId, end: End) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        if device.resuming.as_ref().is_some_and(|attached| attached.stream == stream) {
            device.resuming = None;
        } else if device.attached.as_ref().is_some_and(|attached| attached.stream == stream) {
            device.attached = None;
        } else {
            return; // An old stream of a session that goes on elsewhere, or that was cut off.
        }
        match end {
            End::Clean => self.work.push_back(Work::End(session)),
            End::Broken => self.detach(session),
        }
    }

    /// The session's connection is dead: it waits to be resumed, or ends.
    fn detach(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        device.attached = None;
        device.epoch += 1;
        match &mut device.sm {
            Some(sm) if sm.id.is_some() && !self.stopping => {
                sm.asked = false;
                if zoo::is(zoo::Fault::DropOnDetach) {
                    sm.forget();
                }
                let until = self.time.mono_ms + u64::from(sm.max) * 1_000;
                self.timers.set(until, Due::Resume(session, device.epoch));
                self.tell_unread(session);
            }
            _ => self.work.push_back(Work::End(session)),
        }
    }

    /// Ends a connection that does no good any more, not the session.
    pub(crate) fn cut_off(&mut self, session: SessionId, why: &'static str) {
        if let Some(device) = self.devices.get(&session) {
            device.tell(Down::Close(Some(StreamError::new(StreamCondition::ConnectionTimeout, why))));
            self.detach(session);
        }
    }

    /// Time has passed.
    pub(crate) fn timeout(&mut self) {
        while let Some(due) = self.timers.pop(self.time.mono_ms) {
            let current = |id, epoch| self.devices.get(&id).is_some_and(|device| device.epoch == epoch);
            match due {
                Due::Resume(session, epoch) if current(session, epoch) => {
                    self.work.push_back(Work::End(session))
                }
                Due::Ack(session) => self.look_for_ack(session),
                Due::Slow(session) => self.look_again(session),
                Due::Unread(session) => self.look_whether_read(session),
                Due::Wake(spot, wish) => self.wake_spot(&spot, wish),
                Due::WakeHost(domain, wish) => self.wake_host(&domain, wish),
                Due::WakeAccount(account, at_ms) => self.wake_account(&account, at_ms),
                Due::Left => self.try_left(),
                Due::Spool => self.clear_spool(),
                Due::Returned => self.try_returned(),
                Due::Commission(id) => self.commission_is_late(&id),
                Due::Request(id) => self.request_is_late(&id),
                _ => {}
            }
        }
    }

    /// The client was just asked to acknowledge.
    pub(crate) fn expect_ack(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let due = self.time.mono_ms + limits::ACK_MS_MAX;
        device.ack_due = Some(due);
        if !device.ack_timer {
            device.ack_timer = true;
            self.timers.set(due, Due::Ack(session));
        }
    }

    /// The timer is of some `<r/>`, not necessarily of the last.
    fn look_for_ack(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        device.ack_timer = false;
        if device.attached.is_none() || !device.sm.as_ref().is_some_and(|sm| sm.asked) {
            return;
        }
        match device.ack_due {
            Some(due) if due <= self.time.mono_ms => self.cut_off(session, "no acknowledgement came"),
            Some(due) => {
                device.ack_timer = true;
                self.timers.set(due, Due::Ack(session));
            }
            None => self.expect_ack(session),
        }
    }

    /// A connection on which much waits is given some time.
    pub(crate) fn mind_pace(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        if !device.slow && device.backlog() > limits::SLOW_BYTES {
            device.slow = true;
            self.timers.set(self.time.mono_ms + limits::SLOW_MS_MAX, Due::Slow(session));
        }
    }

    fn look_again(&mut self, session: SessionId) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        device.slow = false;
        if device.backlog() > limits::SLOW_BYTES {
            self.cut_off(session, "the connection does not read");
        }
    }

    /// A session is over: its account hears of it, and what its client never got finds another way.
    pub(crate) fn end_session(&mut self, session: SessionId) {
        let Some(device) = self.devices.remove(&session) else { return };
        device.tell(Down::Close(None));
        let account = device.account.clone();
        self.own_turn(&account, Some(session), |kernel, turn| kernel.close(turn, session));
        self.settle_estate(session, device);
        self.rest(&account);
    }

    /// Ends all sessions of an account but one.
    pub(crate) fn end_sessions(&mut self, account: &Bare, except: Option<SessionId>, error: StreamError) {
        let Some(Place::Ready(place)) = self.accounts.get(account) else { return };
        let sessions: Vec<SessionId> = place.account.sessions.iter().map(|session| session.id).collect();
        for session in sessions.into_iter().filter(|session| Some(*session) != except) {
            self.batch.outs.push(Out::Close(session, Some(error.clone())));
        }
    }

    /// The server stops: everybody is told, detached sessions end.
    pub(crate) fn shutdown(&mut self) {
        self.stopping = true;
        let mut sessions: Vec<SessionId> = self.devices.keys().copied().collect();
        // What is in a hash map has no order of its own, and the same inputs shall have the same outputs.
        sessions.sort_unstable();
        for session in sessions {
            let error = StreamError::new(StreamCondition::SystemShutdown, "the server is stopping");
            self.batch.outs.push(Out::Close(session, Some(error)));
        }
        self.clear_spool();
    }
}
