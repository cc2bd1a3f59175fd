//! The way out: a batch is stored, then what it says leaves, in order.
//!
//! Not here: what is in a batch (turns), what a session does with a stanza (device).

use address::{Bare, Jid};
use model::link::{ClientState, Down, SessionId};
use model::storage::Batch;
use stanza::{Condition, Kind, PresenceType, StanzaError, StreamCondition, StreamError, ns};

use crate::device::{Device, Health, Token};
use crate::engine::{Engine, Output, Ticket};
use crate::held::{Held, Out, Parcel};
use crate::turns::Work;

impl Engine {
    /// Closes the batch and hands its writes to storage.
    pub(crate) fn seal(&mut self) {
        if self.batch.is_empty() {
            self.batch.sessions.clear();
            self.batch.spots.clear();
            self.batch.left.clear();
            self.batch.returned.clear();
            self.batch.gone.clear();
            return;
        }
        let mut held = std::mem::take(&mut self.batch);
        if !held.writes.is_empty() {
            let ticket = self.new_ticket();
            held.waits = Some(ticket);
            let writes = Batch::from(held.take_writes());
            held.bytes = writes.bytes();
            self.unstored += held.bytes;
            self.output(Output::Commit(ticket, writes));
        }
        self.line.push_back(held);
    }

    /// A commit has an outcome.
    pub(crate) fn committed(&mut self, ticket: Ticket, outcome: Result<(), StanzaError>) {
        let Some(held) = self.line.iter_mut().find(|held| held.waits == Some(ticket)) else { return };
        held.waits = None;
        self.unstored -= std::mem::take(&mut held.bytes);
        if outcome.is_err() {
            // Fail loud: nothing of it leaves. What is in memory is ahead of storage, so the sessions that caused it
            // end and their accounts are read again (docs/decisions/006-acknowledgement.md).
            let failed = std::mem::take(held);
            self.commit_failed(failed);
        }
    }

    fn commit_failed(&mut self, failed: Held) {
        let mut accounts = failed.changed;
        // Whose stanzas would be acknowledged with it too: no acknowledgement will come any more.
        let sessions = failed.sessions.iter().copied().chain(failed.tokens.iter().map(|token| token.session));
        accounts.extend(sessions.filter_map(|session| self.account_of(session)));
        for out in failed.outs {
            match out {
                Out::Ask(query, asked) => self.ask_now(*query, asked),
                Out::AskAs(ticket, query) => self.output(Output::Ask(ticket, *query)),
                Out::Reply(asker, _) => self.replied(asker, Err(Condition::ResourceConstraint.into())),
                Out::Close(session, error) => self.close(session, error),
                Out::Enable(session, enable) => self.enable_out(session, enable),
                Out::Bound(session, _) => self.unbind(session),
                // What a feature keeps, and believes on its way: it must read again what it has.
                Out::Hold(session) | Out::Release(session) => accounts.extend(self.account_of(session)),
                Out::Send(session, parcel) if parcel.token.is_some() => {
                    accounts.extend(self.account_of(session));
                }
                Out::Away(neighbour, away) => self.abroad.never_left(neighbour, away),
                // True all the same, because whoever caused this ends; what follows may not reach who was blocked by it.
                Out::Send(session, parcel)
                    if parcel.stanza.kind == Kind::Presence(PresenceType::Unavailable) =>
                {
                    self.send(session, parcel);
                }
                Out::Send(..) => {}
            }
        }
        for account in accounts {
            let error = StreamError::new(StreamCondition::ResourceConstraint, "storage is not available");
            self.drop_account(&account, &error);
        }
        for spot in failed.spots {
            self.drop_spot(&spot);
        }
        for token in failed.tokens {
            self.departures.fail(token);
            if !self.departed_from(token) {
                self.abroad.fail(token);
            }
        }
        self.abroad_again(failed.returned, failed.gone);
        for (account, session, parcel) in failed.left {
            self.leave_later(account, session, parcel);
        }
    }

    fn account_of(&self, session: SessionId) -> Option<Bare> {
        self.devices.get(&session).map(|device| device.account.clone())
    }

    /// Lets go what is stored, in order.
    pub(crate) fn release(&mut self) {
        while self.line.front().is_some_and(|held| held.waits.is_none()) {
            let Some(held) = self.line.pop_front() else { return };
            for out in held.outs {
                self.let_out(out);
            }
            for token in held.tokens {
                self.settle(token);
            }
        }
    }

    fn settle(&mut self, token: Token) {
        let Some(device) = self.devices.get_mut(&token.session) else {
            if !self.departed_from(token) {
                self.abroad.release(token);
            }
            return;
        };
        device.incoming.release(token);
        device.answer();
        if device.resuming.is_some() && device.incoming.is_settled() {
            self.complete_resume(token.session);
        }
    }

    fn let_out(&mut self, out: Out) {
        match out {
            Out::Send(session, parcel) => self.send(session, parcel),
            Out::Away(neighbour, away) => self.abroad.send(neighbour, away),
            Out::Bound(session, bound) => self.bound_out(session, bound),
            Out::Enable(session, enable) => self.enable_out(session, enable),
            Out::Hold(session) => self.hold_messages(session),
            Out::Release(session) => self.release_messages(session),
            Out::Close(session, error) => self.close(session, error),
            Out::Ask(query, asked) => self.ask_now(*query, asked),
            Out::AskAs(ticket, query) => self.output(Output::Ask(ticket, *query)),
            Out::Reply(asker, stanza) => self.replied(asker, Ok(*stanza)),
        }
    }

    fn hold_messages(&mut self, session: SessionId) {
        if zoo::is(zoo::Fault::NewBeforeKept) {
            return;
        }
        if let Some(device) = self.devices.get_mut(&session) {
            device.waiting.get_or_insert_default();
        }
    }

    fn release_messages(&mut self, session: SessionId) {
        let waiting = self.devices.get_mut(&session).and_then(|device| device.waiting.take());
        for parcel in waiting.unwrap_or_default().take() {
            self.send(session, parcel);
        }
    }

    pub(crate) fn send(&mut self, session: SessionId, parcel: Parcel) {
        let alive = |device: &&mut Device| device.attached.is_some() || device.sm.is_some();
        let Some(device) = self.devices.get_mut(&session).filter(alive) else {
            // Its session has just ended, or is about to: the stanza still gets its one fate. Whose it was is in its address.
            if let (Some(to), None) = (parcel.stanza.to.as_ref().map(Jid::bare), parcel.token) {
                self.leave_behind(&to, session, parcel);
            }
            return;
        };
        if zoo::is(zoo::Fault::LostWhileResuming) && device.resuming.is_some() {
            return;
        }
        if let Some(early) = &mut device.early {
            return early.push(parcel);
        }
        if let Some(waiting) = &mut device.waiting
            && parcel.token.is_none()
            && must_wait(&parcel)
        {
            if waiting.push(parcel) {
                return;
            }
            return self.after_delivery(session, Health::Overfull);
        }
        let doubtful = device.attached.is_none() || device.csi.state == ClientState::Inactive;
        let (health, settled) = device.deliver(parcel);
        self.after_delivery(session, health);
        self.mind_pace(session);
        if doubtful {
            self.mind_reading(session);
        }
        if let Some(token) = settled {
            self.work.push_back(Work::Acknowledged(session, vec![token]));
        }
    }

    pub(crate) fn after_delivery(&mut self, session: SessionId, health: Health) {
        match health {
            Health::Good => {}
            Health::Asked => self.expect_ack(session),
            Health::Lagging => self.cut_off(session, "the connection does not read"),
            Health::Overfull => {
                self.cut_off(session, "too much is unacknowledged");
                self.work.push_back(Work::End(session));
            }
        }
    }

    /// Ends a session with a word to its stream.
    pub(crate) fn close(&mut self, session: SessionId, error: Option<StreamError>) {
        if let Some(device) = self.devices.get_mut(&session) {
            device.tell(Down::Close(error));
            device.attached = None;
            self.work.push_back(Work::End(session));
        }
    }
}

/// Messages wait behind those that were kept. What was asked of an archive does not: its iq, which comes last
/// (XEP-0313 section 4.2), does not wait either.
fn must_wait(parcel: &Parcel) -> bool {
    matches!(parcel.stanza.kind, Kind::Message(_)) && !parcel.stanza.payload.has("result", ns::MAM)
}
