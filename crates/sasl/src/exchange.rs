//! One authentication exchange: a state machine over all mechanisms.
//!
//! Not here: how many exchanges a stream may try, base64, XML (crate `stream`).

use crate::limits::MESSAGE_BYTES_MAX;
use crate::{
    Answer, Channel, Condition, Mechanism, Nonce, Offer, Question, Step, Success, Verdict, anonymous,
    external, ht, plain, scram,
};

/// One authentication exchange. Nothing a client sends can make it panic; after `Success` or `Failure` everything more is
/// answered by `Failure(MalformedRequest)`.
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

/// Boxed where large: an exchange waits in every connection that is logging in.
enum State {
    Fresh(Fresh),
    Asked(Asked),
    Challenged(Box<scram::Challenged>),
    Over,
}

/// Before the client's first message.
enum Fresh {
    Plain,
    External,
    Anonymous,
    Ht(Vec<u8>),
    Scram(Box<scram::Setup>),
}

/// Waiting for an answer.
enum Asked {
    Plain { authzid: Option<String>, username: String },
    External { authzid: Option<String> },
    Ht(Box<ht::Pending>),
    Scram(Box<scram::Pending>),
}

impl Exchange {
    /// Starts an exchange by a mechanism of the offer that was advertised on this stream, on this channel.
    ///
    /// The nonce is used by SCRAM only: [`Nonce::random`].
    ///
    /// Errors: [`Condition::InvalidMechanism`] for one that was not offered; use [`Offer::select`] to get from a name to a
    /// mechanism.
    pub fn start(
        mechanism: Mechanism,
        offer: &Offer,
        channel: &Channel,
        nonce: Nonce,
    ) -> Result<Exchange, Condition> {
        let refused = Condition::InvalidMechanism;
        if !offer.contains(mechanism) {
            return Err(refused);
        }
        let fresh = match mechanism {
            Mechanism::Plain => Fresh::Plain,
            Mechanism::External => Fresh::External,
            Mechanism::Anonymous => Fresh::Anonymous,
            Mechanism::HtSha256None => Fresh::Ht(Vec::new()),
            Mechanism::HtSha256Endp | Mechanism::HtSha256Expr => {
                let data = mechanism.fixed_binding().and_then(|binding| channel.data(binding));
                Fresh::Ht(data.ok_or(refused)?.to_vec())
            }
            _ => Fresh::Scram(Box::new(scram::Setup::new(mechanism, offer, channel, nonce).ok_or(refused)?)),
        };
        Ok(Exchange { mechanism, state: State::Fresh(fresh) })
    }

    /// The mechanism in use.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes the initial response. When there is none, the client gets an empty challenge (RFC 4422 3.3).
    pub fn handle_initial(&mut self, response: Option<&[u8]>) -> Step {
        match (response, &self.state) {
            (Some(response), State::Fresh(_)) => self.handle_response(response),
            (None, State::Fresh(_)) => Step::Challenge(Vec::new()),
            _ => self.fail(Condition::MalformedRequest),
        }
    }

    /// Takes a response to a challenge.
    pub fn handle_response(&mut self, response: &[u8]) -> Step {
        if response.len() > MESSAGE_BYTES_MAX {
            return self.fail(Condition::MalformedRequest);
        }
        let step = match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh(fresh) => self.handle_first(fresh, response),
            State::Challenged(challenged) => challenged.handle_final(response).map(Step::Success),
            // A second message while a question is open, or after the end.
            State::Asked(_) | State::Over => Err(Condition::MalformedRequest),
        };
        step.unwrap_or_else(Step::Failure)
    }

    /// Takes the answer to the last question.
    pub fn handle_answer(&mut self, answer: Answer) -> Step {
        let State::Asked(asked) = std::mem::replace(&mut self.state, State::Over) else {
            // The client aborted meanwhile, or the caller is mistaken.
            return Step::Failure(Condition::TemporaryAuthFailure);
        };
        let step = match (asked, answer) {
            (Asked::Scram(pending), Answer::Keys(keys)) => match pending.handle_keys(keys) {
                Some((challenged, message)) => {
                    self.state = State::Challenged(Box::new(challenged));
                    Ok(Step::Challenge(message))
                }
                None => Err(Condition::TemporaryAuthFailure),
            },
            (Asked::Plain { authzid, username }, Answer::Verdict(Verdict::Accepted)) => {
                Ok(self.success(Some(username), authzid))
            }
            (Asked::Plain { .. }, Answer::Verdict(Verdict::Refused)) => Err(Condition::NotAuthorized),
            (Asked::External { authzid }, Answer::Certificate(proved)) => {
                proved.map(|name| self.success(Some(name), authzid))
            }
            (Asked::Ht(pending), Answer::Tokens(tokens)) => pending.finish(tokens).map(Step::Success),
            _ => Err(Condition::TemporaryAuthFailure),
        };
        step.unwrap_or_else(Step::Failure)
    }

    /// The client gave up (RFC 6120 6.4.4).
    pub fn handle_abort(&mut self) -> Step {
        self.fail(Condition::Aborted)
    }

    fn handle_first(&mut self, fresh: Fresh, message: &[u8]) -> Result<Step, Condition> {
        let (asked, question) = match fresh {
            Fresh::Anonymous => {
                anonymous::parse(message)?;
                return Ok(self.success(None, None));
            }
            Fresh::Plain => {
                let plain::Message { authzid, username, password } = plain::parse(message)?;
                let question = Question::Password { username: username.clone(), password };
                (Asked::Plain { authzid, username }, question)
            }
            Fresh::External => {
                let authzid = external::parse(message)?;
                (Asked::External { authzid: authzid.clone() }, Question::Certificate { authzid })
            }
            Fresh::Ht(data) => {
                let pending = ht::Pending::parse(self.mechanism, &data, message)?;
                let (username, mechanism) = (pending.username().to_owned(), self.mechanism);
                (Asked::Ht(Box::new(pending)), Question::Tokens { username, mechanism })
            }
            Fresh::Scram(setup) => {
                let pending = setup.handle_first(message)?;
                let question =
                    Question::Keys { username: pending.username().to_owned(), hash: pending.hash() };
                (Asked::Scram(Box::new(pending)), question)
            }
        };
        self.state = State::Asked(asked);
        Ok(Step::Ask(question))
    }

    fn success(&self, username: Option<String>, authzid: Option<String>) -> Step {
        Step::Success(Success { authzid, ..Success::new(self.mechanism, username) })
    }

    fn fail(&mut self, condition: Condition) -> Step {
        self.state = State::Over;
        Step::Failure(condition)
    }
}
