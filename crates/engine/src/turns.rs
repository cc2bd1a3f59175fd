//! Running turns: work is taken one piece at a time, its effects become more work or leave with the batch.
//!
//! Not here: single kinds of input (bind, resume, operator).

use std::sync::Arc;

use address::Bare;
use kernel::{Account, Effect, Effects, Host, Kernel, Turn};
use model::link::SessionId;
use model::query::{AccountFound, AccountQuery, Found};
use stanza::{Condition, Stanza, StanzaError, StreamCondition};

use crate::contained::contained;
use crate::departures::is_being_removed;
use crate::device::Token;
use crate::engine::{Asked, Engine, Ticket};
use crate::held::{Cause, Out, Parcel};
use crate::limits;
use crate::places::{Place, Waiting};
use crate::timers::Due;

/// A piece of work.
pub(crate) enum Work {
    /// A session's stanza climbs its own account's stairs.
    Leave(SessionId, Stanza, Option<Token>),
    /// A stanza goes to wherever its `to` says.
    Route(Stanza, Cause, Option<Token>),
    /// A stanza whose session ended before it was acknowledged.
    Undelivered(Bare, SessionId, Parcel),
    /// A client has something for sure.
    Acknowledged(SessionId, Vec<u64>),
    /// Nobody reads these.
    Unread(SessionId, Vec<Arc<Stanza>>),
    /// A client reads again.
    Attentive(SessionId),
    /// A session is over.
    End(SessionId),
    /// An account is to be removed: the next of its contacts are told, or that was all and the ticket is answered.
    Remove(Bare, Ticket),
    /// An account is to be removed, and its contacts have been told: the next places of services are looked through.
    Depart(u64),
    /// A domain can be reached again: the next accounts look after those whom they know there.
    Repair(Arc<str>, Vec<Bare>),
    /// A question that is not asked because too many are.
    TooMuchAsked(Asked),
}

/// Where the effects of a turn come from.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) session: Option<SessionId>,
    pub(crate) cause: Cause,
    pub(crate) token: Option<Token>,
}

impl Engine {
    pub(crate) fn inject(&mut self, stanza: Stanza) {
        let cause = self.new_cause();
        self.work.push_back(Work::Route(stanza, cause, None));
    }

    /// An input of its own.
    pub(crate) fn new_cause(&mut self) -> Cause {
        Cause::new(self.ids.next(self.time.now.unix_ms))
    }

    /// Works until nothing is left to do, or nothing more is allowed in this batch.
    pub(crate) fn work_off(&mut self) {
        while self.allowance > 0
            && let Some(work) = self.work.pop_front()
        {
            self.allowance -= 1;
            self.do_work(work);
        }
    }

    fn do_work(&mut self, work: Work) {
        match work {
            Work::Leave(session, stanza, token) => {
                let Some(device) = self.devices.get(&session) else { return };
                let account = device.account.clone();
                if self.departures.is_leaving(&account) {
                    // It asked to be removed, or hears in a moment that it was.
                    let refusal = stanza.error(is_being_removed()).map(Arc::new);
                    let parcel = |stanza| Out::Send(session, Parcel { stanza, token: None, id: 0 });
                    self.batch.outs.extend(refusal.map(parcel));
                } else if let Some(stanza) = self.take_own_answer(&account, stanza) {
                    let origin = Origin { token, ..self.own_origin(Some(session)) };
                    self.turn(&account, origin, |kernel, turn| kernel.leave(turn, stanza));
                }
                self.batch.tokens.extend(token);
            }
            Work::Route(stanza, cause, token) if cause.hops > limits::HOPS_MAX => {
                tracing::error!(to = ?stanza.to, "stanzas cause each other without end; this one is dropped");
                self.batch.tokens.extend(token);
            }
            Work::Route(stanza, cause, token) => self.route(stanza, cause, token),
            Work::Undelivered(account, session, parcel) => {
                self.with_account(&account, Waiting::Undelivered(session, parcel));
            }
            Work::Acknowledged(session, tokens) => {
                self.session_turn(session, |kernel, turn| kernel.acknowledged(turn, session, tokens));
            }
            Work::Unread(session, stanzas) => {
                self.session_turn(session, |kernel, turn| kernel.unread(turn, session, stanzas));
            }
            Work::Attentive(session) => {
                self.session_turn(session, |kernel, turn| kernel.attentive(turn, session));
            }
            Work::End(session) => self.end_session(session),
            Work::Remove(account, ticket) => self.remove(account, ticket),
            Work::Depart(number) => self.depart_on(number),
            Work::TooMuchAsked(asked) => self.too_much_asked(asked),
            Work::Repair(domain, accounts) => self.repair(domain, accounts),
        }
    }

    /// One turn of the account that a session is of, outside of a stanza's way.
    fn session_turn(&mut self, session: SessionId, act: impl FnOnce(&Kernel, &mut Turn<'_, Account>)) {
        let Some(device) = self.devices.get(&session) else { return };
        let account = device.account.clone();
        self.own_turn(&account, Some(session), act);
    }

    /// One turn with a stanza that a device of an account in memory never got.
    pub(crate) fn undelivered(&mut self, account: &Bare, session: SessionId, parcel: Parcel) {
        self.batch.left.push((account.clone(), session, parcel.clone()));
        let stanza = Arc::unwrap_or_clone(parcel.stanza);
        self.own_turn(account, None, |kernel, turn| kernel.undelivered(turn, stanza, session, parcel.id));
    }

    pub(crate) fn own_origin(&mut self, session: Option<SessionId>) -> Origin {
        Origin { session, cause: Cause { session, ..self.new_cause() }, token: None }
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
    pub(crate) fn arrive(&mut self, account: &Bare, stanza: Stanza, cause: Cause, token: Option<Token>) {
        // It may have waited for the account, and others have had newer ids since. What is added to a log must be newer.
        let cause = match self.ids.is_newest(cause.id) {
            true => cause,
            false => Cause { id: self.new_cause().id, ..cause },
        };
        let origin = Origin { session: None, cause, token };
        let mut head = Some(head(&stanza));
        self.turn(account, origin, |kernel, turn| {
            kernel.arrive(turn, stanza);
            head = None;
        });
        self.failed(head, cause);
        self.batch.tokens.extend(token);
    }

    /// If a turn has failed, the sender of what was left of it hears of that.
    pub(crate) fn failed(&mut self, left: Option<Stanza>, cause: Cause) {
        if let Some(reply) = left.and_then(|head| head.error(Condition::InternalServerError.into())) {
            self.work.push_back(Work::Route(reply, cause.next(), None));
        }
    }

    pub(crate) fn turn(
        &mut self,
        account: &Bare,
        origin: Origin,
        act: impl FnOnce(&Kernel, &mut Turn<'_, Account>),
    ) {
        let Some(Place::Ready(place)) = self.accounts.get_mut(account) else { return };
        // A stanza that was overtaken, by what another session never got for example, cannot go into logs under the id
        // that it was given when it came in.
        let mut origin = origin;
        if origin.cause.id < place.latest {
            origin.cause.id = self.ids.next(self.time.now.unix_ms);
        }
        place.latest = origin.cause.id;
        let mut effects = Effects::default();
        let mut turn =
            Turn::new(self.time.now, origin.cause.id, &mut place.account, origin.session, &mut effects);
        if contained(|| act(&self.kernel, &mut turn)).is_none() {
            // Nothing of the turn happens. What is in memory may be half changed: it is read again.
            return self.drop_account(account, &StreamCondition::InternalServerError.into());
        }
        if !place.account.exists {
            effects.drop_writes();
        } else if let Some(after_ms) = effects.take_wake() {
            let at_ms = self.time.mono_ms.saturating_add(after_ms);
            place.wish = Some(at_ms);
            self.timers.set(at_ms, Due::WakeAccount(account.clone(), at_ms));
        }
        self.absorb(effects, origin);
    }

    /// Lets the contacts of a session see it go, and nothing else: what the account itself would do is not to happen,
    /// since it is about to be read again.
    pub(crate) fn farewell(&mut self, account: &Bare, session: SessionId) {
        let Some(Place::Ready(place)) = self.accounts.get_mut(account) else { return };
        let mut effects = Effects::default();
        let cause = Cause::new(self.ids.next(self.time.now.unix_ms));
        let mut turn = Turn::new(self.time.now, cause.id, &mut place.account, Some(session), &mut effects);
        // A turn of this account may just have failed; so may this one.
        if contained(|| self.kernel.close(&mut turn, session)).is_none() {
            return;
        }
        for effect in effects.take() {
            if let Effect::Route(stanza) = effect {
                self.work.push_back(Work::Route(stanza, cause, None));
            }
        }
    }

    /// One turn of a host.
    pub(crate) fn host_turn(
        &mut self,
        domain: &str,
        session: Option<SessionId>,
        cause: Cause,
        token: Option<Token>,
        act: impl FnOnce(&Kernel, &mut Turn<'_, Host>),
    ) {
        let Some(host) = self.hosts.get_mut(domain) else { return };
        let mut effects = Effects::default();
        let mut turn = Turn::new(self.time.now, cause.id, host, session, &mut effects);
        if contained(|| act(&self.kernel, &mut turn)).is_none() {
            let components = std::mem::take(&mut host.components);
            *host = Host { components, ..Host::new(host.domain.clone(), host.facts.clone()) };
            return;
        }
        if let Some(after_ms) = effects.take_wake() {
            self.wake_host_in(domain, after_ms);
        }
        self.absorb(effects, Origin { session, cause, token });
    }

    pub(crate) fn absorb(&mut self, mut effects: Effects, origin: Origin) {
        for effect in effects.take() {
            match effect {
                Effect::Send { to, stanza, token } => {
                    self.batch.outs.push(Out::Send(to, Parcel { stanza, token, id: origin.cause.id }));
                }
                Effect::Route(stanza) => {
                    if let Some(token) = origin.token {
                        self.hold(token);
                    }
                    self.work.push_back(Work::Route(stanza, origin.cause.next(), origin.token));
                }
                Effect::Watch(account, what) => self.watch(&account, &what, origin.cause),
                Effect::Write(write) => self.batch.writes.push(write),
                Effect::Ask(account, query, resume) => {
                    let Some(Place::Ready(place)) = self.accounts.get(&account) else { continue };
                    let asked = Asked::Account(account, place.number, origin.session, origin.token, resume);
                    self.ask(query, asked);
                }
                Effect::AskHost(host, query, resume) => {
                    let asked = Asked::Host(host, origin.session, origin.token, resume);
                    self.ask(query, asked);
                }
                Effect::AskSpot(spot, query, resume) => {
                    self.ask(query, Asked::Spot(spot, origin.token, resume));
                }
                Effect::Hold(session) => self.batch.outs.push(Out::Hold(session)),
                Effect::Release(session) => self.batch.outs.push(Out::Release(session)),
                Effect::Close(session, error) => self.batch.outs.push(Out::Close(session, error)),
            }
        }
    }

    pub(crate) fn hold(&mut self, token: Token) {
        if let Some(device) = self.devices.get_mut(&token.session) {
            device.incoming.hold(token);
        } else if !self.departures.hold(token) {
            self.abroad.hold(token);
        }
    }

    /// The place that asked is gone, and another of its name may be there: whoever waits for an answer hears that.
    fn nobody_asks(
        &mut self,
        account: Bare,
        session: Option<SessionId>,
        token: Option<Token>,
        resume: kernel::Resume<Account>,
    ) {
        let origin = Origin { token, ..self.own_origin(session) };
        let (mut nobody, mut effects) = (Account::new(account, false), Effects::default());
        let mut turn = Turn::new(self.time.now, origin.cause.id, &mut nobody, session, &mut effects);
        if contained(|| resume(&mut turn, Err(Condition::ServiceUnavailable.into()))).is_some() {
            effects.drop_writes();
            self.absorb(effects, origin);
        }
        self.batch.tokens.extend(token);
    }

    /// The answer to a question is there.
    pub(crate) fn found(&mut self, ticket: Ticket, found: Result<Found, StanzaError>) {
        let Some((asked, order)) = self.asked.remove(&ticket) else { return };
        let Some(AccountQuery::Remove { account }) = &order else {
            return self.answered(asked, order, found);
        };
        let others = self.removal_ended(account, &found);
        let outcome = match &found {
            Ok(found) => account_found(found).ok_or_else(|| Condition::InternalServerError.into()),
            Err(error) => Err(error.clone()),
        };
        self.answered(asked, order, found);
        for ticket in others {
            self.found(ticket, outcome.clone().map(Found::Account));
        }
    }

    /// The same, and who asked.
    fn answered(&mut self, asked: Asked, order: Option<AccountQuery>, found: Result<Found, StanzaError>) {
        match asked {
            Asked::Account(account, number, session, token, resume) => {
                match self.accounts.get_mut(&account) {
                    Some(Place::Ready(place)) if place.number == number => {
                        place.busy = place.busy.saturating_sub(1);
                    }
                    // Who asked is gone, and what it would write is nobody's.
                    _ => return self.nobody_asks(account, session, token, resume),
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
                // What the host writes on its behalf may fail, as what it writes itself.
                self.batch.sessions.extend(session);
                let cause = self.new_cause();
                self.host_turn(host.as_str(), session, cause, token, |_, turn| resume(turn, found));
                self.batch.tokens.extend(token);
                if let Some((order, done)) = done {
                    self.accounts_changed(&order, &done, session);
                }
            }
            Asked::Spot(spot, token, resume) => self.spot_found(&spot, token, found, resume),
            Asked::LoadSpot(spot) => self.spot_loaded(&spot, found),
            Asked::Load(account) => self.loaded(account, found),
            Asked::Departure(number, places) => self.departure_found(number, places, found),
            Asked::Bounds(session, bound) => self.bounds_found(session, bound, found),
            Asked::Operator(query, reply) => self.operator_found(query, found, reply),
        }
    }
}

/// What an answer needs to know of a stanza.
pub(crate) fn head(stanza: &Stanza) -> Stanza {
    Stanza { payload: Default::default(), ..stanza.clone() }
}

fn account_found(found: &Found) -> Option<AccountFound> {
    match found {
        Found::Account(found) => Some(found.clone()),
        _ => None,
    }
}
