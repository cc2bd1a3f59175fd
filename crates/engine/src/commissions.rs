//! Requests that components send in the name of users: kept until they are answered, and the answers given to who asked.
//!
//! XEP-0356 0.4.1 sections 3.3 and 5.3
//!
//! Not here: who may ask what (`privileges.rs`).

use std::collections::HashMap;

use address::{Bare, Jid};
use bytes::Bytes;
use stanza::{Condition, IqType, Kind, Stanza, ns};
use xml::Writer;

use crate::device::Token;
use crate::engine::Engine;
use crate::held::Cause;
use crate::limits;
use crate::timers::Due;
use crate::turns::{Work, head};

/// What their ids begin with.
const PREFIX: &str = "commission-";

/// All that wait for an answer, by the id under which they were sent.
#[derive(Default)]
pub(crate) struct Commissions {
    waiting: HashMap<String, Commission>,
    of_each: HashMap<String, usize>,
}

/// A request in somebody's name.
struct Commission {
    /// What the component sent, without its content.
    asked: Stanza,
    /// In whose name it was sent on.
    user: Bare,
    /// To whom.
    target: Jid,
    form: Form,
}

/// How the answer is given to the component.
pub(crate) enum Form {
    /// As it is (section 3.3).
    Plain,
    /// Wrapped (section 5.3); what id it had.
    Forwarded(Option<std::sync::Arc<str>>),
}

impl Commissions {
    fn take(&mut self, id: &str) -> Option<Commission> {
        let commission = self.waiting.remove(id)?;
        let component = commission.component();
        if let Some(count) = self.of_each.get_mut(component) {
            *count -= 1;
            if *count == 0 {
                self.of_each.remove(component);
            }
        }
        Some(commission)
    }

    fn has_room(&self, component: &str) -> bool {
        let own = self.of_each.get(component).copied().unwrap_or_default();
        self.waiting.len() < limits::COMMISSIONS_MAX && own < limits::COMMISSIONS_OF_ONE_MAX
    }
}

impl Commission {
    fn component(&self) -> &str {
        self.asked.from.as_ref().map_or("", Jid::domain)
    }

    /// Whether it is who was asked that answers. What concerns the account itself may be answered without its address.
    fn is_answered_by(&self, from: Option<&Jid>) -> bool {
        from.is_none_or(|from| *from == self.target)
    }

    /// What the component hears.
    fn reply(&self, answer: Stanza) -> Stanza {
        match &self.form {
            Form::Plain => {
                Stanza { kind: answer.kind, payload: answer.payload, ..self.asked.result(Bytes::new()) }
            }
            Form::Forwarded(id) => {
                let mut w = Writer::new(ns::CLIENT);
                let inner = Stanza { id: id.clone(), ..answer }.to(self.user.jid()).to_stored();
                w.open("privilege", ns::PRIVILEGE).open("forwarded", ns::FORWARD).raw_from(&inner, "");
                w.close().close();
                self.asked.result(w.finish())
            }
        }
    }
}

impl Engine {
    /// Sends a request on in somebody's name; the answer goes to who sent `asked`. `request` has `from` and `to`.
    pub(crate) fn commission(
        &mut self,
        asked: &Stanza,
        request: Stanza,
        form: Form,
        cause: Cause,
        token: Option<Token>,
    ) {
        let component = asked.from.as_ref().map_or("", Jid::domain).to_owned();
        let (Some(user), Some(target)) = (request.from.as_ref().map(Jid::bare), request.to.clone()) else {
            return self.batch.tokens.extend(token);
        };
        if !self.commissions.has_room(&component) {
            self.refuse(asked, cause, Condition::ResourceConstraint.into());
            return self.batch.tokens.extend(token);
        }
        let id = format!("{PREFIX}{}", self.random_hex::<12>());
        let commission = Commission { asked: head(asked), user, target, form };
        self.commissions.waiting.insert(id.clone(), commission);
        *self.commissions.of_each.entry(component).or_default() += 1;
        self.timers.set(self.time.mono_ms + limits::COMMISSION_MS_MAX, Due::Commission(id.clone()));
        self.work.push_back(Work::Route(request.id(&id), cause.next(), token));
    }

    /// Looks whether a stanza answers a commission; if so, the component gets it. Else it is given back.
    pub(crate) fn take_answer(&mut self, stanza: Stanza, cause: Cause) -> Option<Stanza> {
        let Kind::Iq(IqType::Result | IqType::Error) = stanza.kind else { return Some(stanza) };
        let id = stanza.id.as_deref().filter(|id| id.starts_with(PREFIX));
        let known = id.and_then(|id| Some((id, self.commissions.waiting.get(id)?)));
        let mine = known.filter(|(_, commission)| {
            stanza.to.as_ref().is_some_and(|to| to.as_str() == commission.user.as_str())
                && commission.is_answered_by(stanza.from.as_ref())
        });
        let id = mine.map(|(id, _)| id.to_owned());
        match id.and_then(|id| self.commissions.take(&id)) {
            Some(commission) => {
                let reply = commission.reply(stanza);
                self.work.push_back(Work::Route(reply, cause.next(), None));
                None
            }
            None => Some(stanza),
        }
    }

    /// The same for what a client says to its own account, which goes no further: in the user's name its own device may be
    /// asked, too.
    pub(crate) fn take_own_answer(&mut self, account: &Bare, stanza: Stanza) -> Option<Stanza> {
        let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == account.as_str());
        if !own || !stanza.id.as_deref().is_some_and(|id| id.starts_with(PREFIX)) {
            return Some(stanza);
        }
        let cause = self.new_cause();
        self.take_answer(stanza.to(account.jid()), cause)
    }

    /// Its answer did not come in time.
    pub(crate) fn commission_is_late(&mut self, id: &str) {
        if let Some(commission) = self.commissions.take(id) {
            let cause = self.new_cause();
            self.refuse(&commission.asked, cause, Condition::RemoteServerTimeout.into());
        }
    }
}
