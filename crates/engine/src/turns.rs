//! Running turns: work is taken one piece at a time, its effects become more work or leave with the batch.
//!
//! Not here: single kinds of input (bind, resume, operator).

use std::sync::Arc;

use address::Bare;
use kernel::{Account, Effect, Effects, Host, Kernel, Turn};
use model::link::{ClientState, Down, SessionId};
use model::query::{AccountFound, AccountQuery, Found};
use stanza::{Condition, Stanza, StanzaError, StreamCondition, StreamError, ns};

use crate::contained::contained;
use crate::device::{Device, Health, Token};
use crate::engine::{Asked, Engine, Output, Ticket};
use crate::held::{Held, Out, Parcel};
use crate::limits;
use crate::places::{Place, Waiting};

/// A piece of work.
pub(crate) enum Work {
    /// A session's stanza climbs its own account's stairs.
    Leave(SessionId, Stanza, Option<Token>),
    /// A stanza goes to wherever its `to` says. The number is the id of the input that caused it.
    Route(Stanza, u64, Option<Token>),
    /// A stanza whose session ended before it was acknowledged.
    Undelivered(Bare, SessionId, Parcel),
    /// A client has something for sure.
    Acknowledged(SessionId, Vec<u64>),
    /// A session is over.
    End(SessionId),
    /// A question that is not asked because too many are.
    TooMuchAsked(Asked),
}

/// Where the effects of a turn come from.
#[derive(Clone, Copy)]
struct Origin {
    session: Option<SessionId>,
    id: u64,
    token: Option<Token>,
}

impl Engine {
    /// A client sent a stanza (or something that counts as one).
    pub(crate) fn stanza_from(&mut self, session: SessionId, stanza: Option<Stanza>) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let token = device.incoming.begin(session);
        self.batch.sessions.push(session);
        match stanza {
            Some(stanza) => self.work.push_back(Work::Leave(session, stanza, token)),
            None => self.batch.tokens.extend(token),
        }
    }

    pub(crate) fn refused(&mut self, session: SessionId, reply: Option<Stanza>) {
        self.stanza_from(session, None);
        if let Some(reply) = reply {
            let parcel = Parcel { stanza: reply.into(), token: None, id: 0 };
            self.batch.outs.push(Out::Send(session, parcel));
        }
    }

    pub(crate) fn client_acknowledges(&mut self, session: SessionId, h: u32) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let Some(sm) = &mut device.sm else { return };
        let before = sm.len();
        match sm.acknowledge(h) {
            Ok(tokens) => {
                sm.asked = false;
                // Who has handled nothing since is not asked again at once: that would go to and fro for ever.
                let health = if sm.len() < before { device.ask() } else { Health::Good };
                self.after_delivery(session, health);
                if !tokens.is_empty() {
                    self.work.push_back(Work::Acknowledged(session, tokens));
                }
            }
            Err(too_high) => {
                let error = handled_count_too_high(h, too_high.sent);
                self.batch.outs.push(Out::Close(session, Some(error)));
            }
        }
    }

    pub(crate) fn client_asks(&mut self, session: SessionId) {
        if let Some(device) = self.devices.get_mut(&session) {
            device.incoming.asked();
            device.answer();
        }
    }

    pub(crate) fn client_state(&mut self, session: SessionId, state: ClientState) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        device.csi.state = state;
        if state == ClientState::Active {
            let health = device.flush();
            self.after_delivery(session, health);
        }
    }

    pub(crate) fn inject(&mut self, stanza: Stanza) {
        let id = self.ids.next(self.time.now.unix_ms);
        self.work.push_back(Work::Route(stanza, id, None));
    }

    /// Works until nothing is left to do.
    pub(crate) fn work_off(&mut self) {
        let mut routed = 0;
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Leave(session, stanza, token) => {
                    let Some(device) = self.devices.get(&session) else { continue };
                    let account = device.account.clone();
                    let origin =
                        Origin { session: Some(session), id: self.ids.next(self.time.now.unix_ms), token };
                    self.turn(&account, origin, |kernel, turn| kernel.leave(turn, stanza));
                    self.batch.tokens.extend(token);
                }
                Work::Route(stanza, id, token) => {
                    routed += 1;
                    if routed > limits::ROUTES_PER_INPUT_MAX {
                        tracing::error!("one batch caused too many stanzas; one is dropped");
                        self.batch.tokens.extend(token);
                        continue;
                    }
                    self.route(stanza, id, token);
                }
                Work::Undelivered(account, session, parcel) => {
                    self.with_account(&account, Waiting::Undelivered(session, parcel));
                }
                Work::Acknowledged(session, tokens) => {
                    let Some(device) = self.devices.get(&session) else { continue };
                    let (account, origin) = (device.account.clone(), self.own_origin(Some(session)));
                    self.turn(&account, origin, |kernel, turn| kernel.acknowledged(turn, session, tokens));
                }
                Work::End(session) => self.end_session(session),
                Work::TooMuchAsked(asked) => self.too_much_asked(asked),
            }
        }
    }

    /// One turn with a stanza that a device of an account in memory never got.
    pub(crate) fn undelivered(&mut self, account: &Bare, session: SessionId, parcel: Parcel) {
        let stanza = Arc::unwrap_or_clone(parcel.stanza);
        self.own_turn(account, None, |kernel, turn| kernel.undelivered(turn, stanza, session, parcel.id));
    }

    fn own_origin(&mut self, session: Option<SessionId>) -> Origin {
        Origin { session, id: self.ids.next(self.time.now.unix_ms), token: None }
    }

    /// One turn of an account that is in memory, outside of a stanza's way.
    pub(crate) fn own_turn(
        &mut self,
        account: &Bare,
        session: Option<SessionId>,
        act: impl FnOnce(&Kernel, &mut Turn<'_, Account>),
    ) {
        let origin = self.own_origin(session);
        self.turn(account, origin, act);
    }

    /// One turn with a stanza that arrives for an account in memory.
    pub(crate) fn arrive(&mut self, account: &Bare, stanza: Stanza, id: u64, token: Option<Token>) {
        let origin = Origin { session: None, id, token };
        let mut head = Some(Stanza { payload: Default::default(), ..stanza.clone() });
        self.turn(account, origin, |kernel, turn| {
            kernel.arrive(turn, stanza);
            head = None;
        });
        // The turn failed: its sender hears of it.
        if let Some(reply) = head.and_then(|head| head.error(Condition::InternalServerError.into())) {
            self.work.push_back(Work::Route(reply, id, None));
        }
        self.batch.tokens.extend(token);
    }

    fn turn(&mut self, account: &Bare, origin: Origin, act: impl FnOnce(&Kernel, &mut Turn<'_, Account>)) {
        let Some(Place::Ready(place)) = self.accounts.get_mut(account) else { return };
        // A stanza that was overtaken, by what another session never got for example, cannot go into logs under the id
        // that it was given when it came in.
        let overtaken = origin.id < place.latest;
        let id = if overtaken { self.ids.next(self.time.now.unix_ms) } else { origin.id };
        let origin = Origin { id, ..origin };
        place.latest = id;
        let mut effects = Effects::default();
        let mut turn = Turn::new(self.time.now, origin.id, &mut place.account, origin.session, &mut effects);
        if contained(|| act(&self.kernel, &mut turn)).is_none() {
            // Nothing of the turn happens. What is in memory may be half changed: it is read again.
            return self.drop_account(account, &StreamCondition::InternalServerError.into());
        }
        if !place.account.exists {
            effects.drop_writes();
        }
        self.absorb(effects, origin);
    }

    /// Lets the contacts of a session see it go, and nothing else: what the account itself would do is not to happen,
    /// since it is about to be read again.
    pub(crate) fn farewell(&mut self, account: &Bare, session: SessionId) {
        let Some(Place::Ready(place)) = self.accounts.get_mut(account) else { return };
        let mut effects = Effects::default();
        let id = self.ids.next(self.time.now.unix_ms);
        let mut turn = Turn::new(self.time.now, id, &mut place.account, Some(session), &mut effects);
        // A turn of this account may just have failed; so may this one.
        if contained(|| self.kernel.close(&mut turn, session)).is_none() {
            return;
        }
        for effect in effects.take() {
            if let Effect::Route(stanza) = effect {
                self.work.push_back(Work::Route(stanza, id, None));
            }
        }
    }

    /// One turn of a host.
    pub(crate) fn host_turn(
        &mut self,
        domain: &str,
        session: Option<SessionId>,
        id: u64,
        token: Option<Token>,
        act: impl FnOnce(&Kernel, &mut Turn<'_, Host>),
    ) {
        let Some(host) = self.hosts.get_mut(domain) else { return };
        let mut effects = Effects::default();
        let mut turn = Turn::new(self.time.now, id, host, session, &mut effects);
        if contained(|| act(&self.kernel, &mut turn)).is_none() {
            *host = Host::new(host.domain.clone(), host.facts.clone());
            return;
        }
        self.absorb(effects, Origin { session, id, token });
    }

    fn absorb(&mut self, mut effects: Effects, origin: Origin) {
        for effect in effects.take() {
            match effect {
                Effect::Send { to, stanza, token } => {
                    self.batch.outs.push(Out::Send(to, Parcel { stanza, token, id: origin.id }));
                }
                Effect::Route(stanza) => {
                    if let Some(token) = origin.token {
                        self.hold(token);
                    }
                    self.work.push_back(Work::Route(stanza, origin.id, origin.token));
                }
                Effect::Write(write) => self.batch.writes.push(write),
                Effect::Ask(account, query, resume) => {
                    let asked = Asked::Account(account, origin.session, origin.token, resume);
                    self.ask(query, asked);
                }
                Effect::AskHost(host, query, resume) => {
                    let asked = Asked::Host(host, origin.session, origin.token, resume);
                    self.ask(query, asked);
                }
                Effect::Close(session, error) => self.batch.outs.push(Out::Close(session, error)),
            }
        }
    }

    pub(crate) fn hold(&mut self, token: Token) {
        if let Some(device) = self.devices.get_mut(&token.session) {
            device.incoming.hold(token);
        }
    }

    /// The answer to a question is there.
    pub(crate) fn found(&mut self, ticket: Ticket, found: Result<Found, StanzaError>) {
        let Some((asked, order)) = self.asked.remove(&ticket) else { return };
        if let Some(AccountQuery::Remove { account }) = &order {
            self.removal_ended(account, &found);
        }
        match asked {
            Asked::Account(account, session, token, resume) => {
                if let Some(Place::Ready(place)) = self.accounts.get_mut(&account) {
                    place.busy = place.busy.saturating_sub(1);
                }
                let done = order.zip(found.as_ref().ok().and_then(account_found));
                self.batch.sessions.extend(session);
                let origin = Origin { token, ..self.own_origin(session) };
                self.turn(&account, origin, |_, turn| resume(turn, found));
                self.batch.tokens.extend(token);
                if let Some((order, done)) = done {
                    self.accounts_changed(&order, &done, session);
                }
                self.leave_if_nobody(&account);
            }
            Asked::Host(host, session, token, resume) => {
                if let Some(busy) = self.hosts_busy.get_mut(&host) {
                    *busy = busy.saturating_sub(1);
                }
                let done = order.zip(found.as_ref().ok().and_then(account_found));
                let id = self.ids.next(self.time.now.unix_ms);
                self.host_turn(host.as_str(), session, id, token, |_, turn| resume(turn, found));
                self.batch.tokens.extend(token);
                if let Some((order, done)) = done {
                    self.accounts_changed(&order, &done, session);
                }
            }
            Asked::Load(account) => self.loaded(account, found),
            Asked::Bounds(session, bound) => self.bounds_found(session, bound, found),
            Asked::Operator(query, reply) => self.operator_found(query, found, reply),
        }
    }

    /// Closes the batch and hands its writes to storage.
    pub(crate) fn seal(&mut self) {
        if self.batch.is_empty() {
            self.batch.sessions.clear();
            return;
        }
        let mut held = std::mem::take(&mut self.batch);
        if !held.writes.is_empty() {
            let ticket = self.new_ticket();
            held.waits = Some(ticket);
            let writes = held.take_writes();
            self.output(Output::Commit(ticket, writes.into()));
        }
        self.line.push_back(held);
    }

    /// A commit has an outcome.
    pub(crate) fn committed(&mut self, ticket: Ticket, outcome: Result<(), StanzaError>) {
        let Some(held) = self.line.iter_mut().find(|held| held.waits == Some(ticket)) else { return };
        held.waits = None;
        if outcome.is_err() {
            // Fail loud: nothing of it leaves. What is in memory is ahead of storage, so the sessions that caused it
            // end and their accounts are read again (docs/decisions/006-acknowledgement.md).
            let failed = std::mem::take(held);
            self.commit_failed(failed);
        }
    }

    fn commit_failed(&mut self, failed: Held) {
        let mut accounts = failed.changed;
        let account = |session: &SessionId| self.devices.get(session).map(|device| device.account.clone());
        // Whose stanzas would be acknowledged with it too: no acknowledgement will come any more.
        let sessions = failed.sessions.iter().copied().chain(failed.tokens.iter().map(|token| token.session));
        accounts.extend(sessions.filter_map(|session| account(&session)));
        for out in failed.outs {
            match out {
                Out::Ask(query, asked) => self.ask_now(*query, asked),
                Out::AskAs(ticket, query) => self.output(Output::Ask(ticket, *query)),
                Out::Close(session, error) => self.close(session, error),
                Out::Enable(session, enable) => self.enable_out(session, enable),
                Out::Bound(session, _) => self.unbind(session),
                Out::Send(..) => {}
            }
        }
        for account in accounts {
            let error = StreamError::new(StreamCondition::ResourceConstraint, "storage is not available");
            self.drop_account(&account, &error);
        }
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
        let Some(device) = self.devices.get_mut(&token.session) else { return };
        device.incoming.release(token);
        device.answer();
        if device.resuming.is_some() && device.incoming.is_settled() {
            self.complete_resume(token.session);
        }
    }

    fn let_out(&mut self, out: Out) {
        match out {
            Out::Send(session, parcel) => self.send(session, parcel),
            Out::Bound(session, bound) => self.bound_out(session, bound),
            Out::Enable(session, enable) => self.enable_out(session, enable),
            Out::Close(session, error) => self.close(session, error),
            Out::Ask(query, asked) => self.ask_now(*query, asked),
            Out::AskAs(ticket, query) => self.output(Output::Ask(ticket, *query)),
        }
    }

    pub(crate) fn send(&mut self, session: SessionId, parcel: Parcel) {
        let alive = |device: &&mut Device| device.attached.is_some() || device.sm.is_some();
        let Some(device) = self.devices.get_mut(&session).filter(alive) else {
            // Its session has just ended, or is about to: the stanza still gets its one fate. Whose it was is in its address.
            if let (Some(to), None) = (&parcel.stanza.to, parcel.token) {
                self.work.push_back(Work::Undelivered(to.bare(), session, parcel));
            }
            return;
        };
        if let Some(early) = &mut device.early {
            return early.push(parcel);
        }
        let (health, settled) = device.deliver(parcel);
        self.after_delivery(session, health);
        self.mind_pace(session);
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

fn account_found(found: &Found) -> Option<AccountFound> {
    match found {
        Found::Account(found) => Some(found.clone()),
        _ => None,
    }
}

/// XEP-0198 section 4.
fn handled_count_too_high(h: u32, sent: u32) -> StreamError {
    let app = format!("<handled-count-too-high xmlns='{}' h='{h}' send-count='{sent}'/>", ns::SM);
    StreamError {
        condition: StreamCondition::UndefinedCondition,
        text: Some("acknowledged more than was sent"),
        app: Some(app),
    }
}
