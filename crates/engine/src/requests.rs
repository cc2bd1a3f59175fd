//! Requests of operators to places of our services, in the name of the domain that the service belongs to.
//!
//! Not here: who may ask (admin, features), what a place answers (muc).

use std::collections::VecDeque;

use address::Jid;
use model::query::Found;
use stanza::{Condition, IqType, Kind, Stanza, StanzaError};

use crate::engine::{Engine, Ticket};
use crate::held::Out;
use crate::limits;
use crate::timers::Due;
use crate::turns::Work;

/// What their ids begin with.
const PREFIX: &str = "operator-";

/// Who hears the answer.
pub(crate) enum Asker {
    /// An operator at the socket.
    Operator(Box<dyn FnOnce(Result<Stanza, StanzaError>) + Send>),
    /// A feature, by its question.
    Feature(Ticket),
}

/// All that wait for an answer, the oldest first: the id, and who was asked.
#[derive(Default)]
pub(crate) struct Requests(VecDeque<(String, Jid, Asker)>);

impl Engine {
    /// Sends a request of a domain to a place of a service of ours.
    pub(crate) fn request(&mut self, request: Stanza, asker: Asker) {
        let (from, to) = (request.from.as_ref(), request.to.clone());
        let ours = from.is_some_and(|from| from.is_domain() && self.hosts.contains_key(from.as_str()));
        let to = to.filter(|to| ours && self.services.contains_key(to.domain()));
        let Some(to) = to.filter(|_| matches!(request.kind, Kind::Iq(IqType::Get | IqType::Set))) else {
            return self.replied(asker, Err(Condition::ItemNotFound.into()));
        };
        // A place that could not be stored forgets its questions.
        if self.requests.0.len() >= limits::REQUESTS_MAX
            && let Some((.., oldest)) = self.requests.0.pop_front()
        {
            self.replied(oldest, Err(Condition::ResourceConstraint.into()));
        }
        let id = format!("{PREFIX}{}", self.random_hex::<12>());
        self.requests.0.push_back((id.clone(), to, asker));
        self.timers.set(self.time.mono_ms + limits::REQUEST_MS_MAX, Due::Request(id.clone()));
        let cause = self.new_cause();
        self.work.push_back(Work::Route(request.id(&id), cause, None));
    }

    /// Looks whether a stanza answers such a request: then it is held until what it speaks of is stored. Else it is given
    /// back.
    pub(crate) fn take_reply(&mut self, stanza: Stanza) -> Option<Stanza> {
        let Kind::Iq(IqType::Result | IqType::Error) = stanza.kind else { return Some(stanza) };
        let id = stanza.id.as_deref().filter(|id| id.starts_with(PREFIX));
        let answers = |(known, asked, _): &(String, Jid, Asker)| {
            id == Some(known) && stanza.from.as_ref() == Some(asked)
        };
        let Some((.., asker)) =
            self.requests.0.iter().position(answers).and_then(|at| self.requests.0.remove(at))
        else {
            return Some(stanza);
        };
        self.batch.outs.push(Out::Reply(asker, Box::new(stanza)));
        None
    }

    /// Its answer did not come in time.
    pub(crate) fn request_is_late(&mut self, id: &str) {
        let at = self.requests.0.iter().position(|(known, ..)| known == id);
        if let Some((.., asker)) = at.and_then(|at| self.requests.0.remove(at)) {
            self.replied(asker, Err(Condition::RemoteServerTimeout.into()));
        }
    }

    /// Somebody hears what became of it.
    pub(crate) fn replied(&mut self, asker: Asker, answer: Result<Stanza, StanzaError>) {
        match asker {
            Asker::Operator(reply) => reply(answer),
            Asker::Feature(ticket) => {
                self.found(ticket, answer.map(|stanza| Found::Answer(Box::new(stanza))))
            }
        }
    }
}
