//! One attempt to authenticate, by either SASL profile.
//!
//! RFC 6120 section 6.4, XEP-0388 version 1.0 sections 2.3 to 2.6, XEP-0480, XEP-0484.
//!
//! Not here: what the profiles look like (sasl1.rs, sasl2.rs), the mechanisms (crate `sasl`).

use std::time::{Duration, Instant};

use address::{Bare, Jid};
use model::grant::Grant;
use sasl::{Condition, Exchange, Mechanism, Question, Slot, Step, Success};
use stanza::StreamCondition;
use xml::Element;

use crate::offered::{Offered, not_authorized};
use crate::peer::{LoggedIn, Peer};
use crate::profile::{Begin, Profile};
use crate::sasl2::{self, Wishes};
use crate::state::{Fail, Io, Next, State};
use crate::upgrading::{Pending, Upgrading};
use crate::{Answer, Ask, Login, Misbehaviour, Output, sasl1};

/// No answer to a failed attempt is delayed for longer.
const FAILURE_DELAY_MAX: Duration = Duration::from_secs(4);

/// An attempt is under way.
pub(crate) struct Authenticating {
    peer: Box<Peer>,
    attempt: Box<Attempt>,
}

struct Attempt {
    profile: Profile,
    wishes: Wishes,
    /// The tokens that the exchange compares with, to name the one that was used.
    tokens: Vec<(Slot, sasl::Token)>,
    /// Taken when the secrets were asked for.
    grant: Grant,
    wait: Wait,
}

enum Wait {
    /// For the peer.
    Response(Exchange),
    /// For the account store.
    Answer(Exchange),
    /// For the account store, with the proof complete.
    Login { account: Bare, mechanism: Mechanism, data: Option<Vec<u8>> },
    /// For the account store: what the account lacks.
    Missing(Pending),
    /// For the peer, amid a task.
    Upgrade(Box<Upgrading>),
    /// For the account store, with the keys that the task brought.
    Upgraded(Box<Upgrading>),
    /// For the time when a failure may be told.
    Verdict(Condition),
    /// Only within a call.
    Nothing,
}

impl Authenticating {
    pub(crate) fn begin(
        peer: Box<Peer>,
        io: &mut Io,
        now: Instant,
        profile: Profile,
        element: &Element,
    ) -> State {
        let attempt = Attempt {
            profile,
            wishes: Wishes::default(),
            tokens: Vec::new(),
            grant: Grant::default(),
            wait: Wait::Nothing,
        };
        let mut this = Authenticating { peer, attempt: Box::new(attempt) };
        let begin = match profile {
            Profile::Sasl1 => sasl1::read_auth(element),
            Profile::Sasl2 => sasl2::read_authenticate(element),
        };
        let started = begin.and_then(|begin| {
            let exchange = this.start(io, &begin)?;
            this.attempt.wishes = begin.wishes;
            Ok((exchange, begin.initial))
        });
        match started {
            Ok((mut exchange, initial)) => {
                let step = exchange.handle_initial(initial.as_deref());
                this.advance(io, now, exchange, step)
            }
            Err(condition) => this.refuse(io, now, condition),
        }
    }

    fn start(&mut self, io: &mut Io, begin: &Begin) -> Result<Exchange, Condition> {
        let offer = match self.attempt.profile {
            Profile::Sasl1 => self.peer.sasl1(&io.settings),
            Profile::Sasl2 => self.peer.sasl2(&io.settings),
        };
        let Some(offer) = offer else {
            io.note(Misbehaviour::EncryptionRequired);
            return Err(Condition::EncryptionRequired);
        };
        let mechanism = offer.select(&begin.mechanism)?;
        begin.wishes.check(mechanism)?;
        // Early data can be replayed by anybody who saw it; only a counted token notices (XEP-0484 section 3.4).
        let early = self.peer.tls.as_ref().is_some_and(|tls| tls.early_data);
        if early
            && !(mechanism.is_fast() && begin.wishes.fast.as_ref().is_some_and(|fast| fast.count.is_some()))
        {
            io.note(Misbehaviour::EarlyData);
            return Err(Condition::NotAuthorized);
        }
        let nonce = self.peer.random.nonce().ok_or(Condition::TemporaryAuthFailure)?;
        Exchange::start(mechanism, &offer, &self.peer.channel(&io.settings), nonce)
    }

    pub(crate) fn reads(&self) -> bool {
        matches!(self.attempt.wait, Wait::Response(_) | Wait::Upgrade(_))
    }

    /// Something from the peer amid the exchange.
    pub(crate) fn handle_element(mut self, io: &mut Io, now: Instant, element: &Element) -> Next {
        let ns = self.attempt.profile.ns();
        let wait = std::mem::replace(&mut self.attempt.wait, Wait::Nothing);
        if element.is("abort", ns) {
            return Ok(self.refuse(io, now, Condition::Aborted));
        }
        let mut exchange = match wait {
            Wait::Response(exchange) => exchange,
            Wait::Upgrade(upgrading) => return Ok(self.upgrade(io, now, upgrading, element)),
            _ => return Err(Fail::internal()),
        };
        if !element.is("response", ns) {
            return Err(not_authorized());
        }
        Ok(match sasl1::read_response(element, self.attempt.profile) {
            Ok(response) => {
                let step = exchange.handle_response(&response);
                self.advance(io, now, exchange, step)
            }
            Err(condition) => self.refuse(io, now, condition),
        })
    }

    /// The account store has answered.
    pub(crate) fn handle_answer(mut self, io: &mut Io, now: Instant, answer: Answer) -> State {
        match (std::mem::replace(&mut self.attempt.wait, Wait::Nothing), answer) {
            (Wait::Answer(_) | Wait::Login { .. }, Answer::Refused(condition)) => {
                self.refuse(io, now, condition)
            }
            (Wait::Answer(mut exchange), answer) => {
                let answer = match answer {
                    Answer::Keys(keys) => sasl::Answer::Keys(keys),
                    Answer::Password(right) => sasl::Answer::Verdict(right.into()),
                    Answer::Tokens(tokens) => {
                        self.attempt.tokens = tokens.iter().map(|c| (c.slot, c.token.clone())).collect();
                        sasl::Answer::Tokens(tokens)
                    }
                    _ => sasl::Answer::Unavailable,
                };
                let step = exchange.handle_answer(answer);
                self.advance(io, now, exchange, step)
            }
            (Wait::Login { account, mechanism, data }, Answer::Login(issued)) => {
                self.logged_in(io, now, Pending { account, mechanism, data, issued })
            }
            (Wait::Missing(pending), Answer::Missing { hashes, iterations }) => {
                let begun = Upgrading::begin(io, pending, hashes, iterations);
                self.go_on(io, now, begun)
            }
            (Wait::Upgraded(upgrading), Answer::Upgraded) => {
                let next = upgrading.next(io);
                self.go_on(io, now, next)
            }
            // The login is good, whatever became of the upgrade; but for one that is taken back.
            (Wait::Missing(pending), Answer::Refused(Condition::TemporaryAuthFailure)) => {
                self.succeed(io, now, pending)
            }
            (Wait::Upgraded(upgrading), Answer::Refused(Condition::TemporaryAuthFailure)) => {
                self.succeed(io, now, upgrading.pending)
            }
            (Wait::Missing(_) | Wait::Upgraded(_), Answer::Refused(condition)) => {
                self.refuse(io, now, condition)
            }
            (wait, _) => {
                self.attempt.wait = wait;
                State::Authenticating(self)
            }
        }
    }

    /// The time has come to tell a failure.
    pub(crate) fn handle_wake(self, io: &mut Io) -> Next {
        let Wait::Verdict(condition) = self.attempt.wait else { return Ok(State::Authenticating(self)) };
        io.clock.wake = None;
        self.attempt.profile.put_failure(io, condition);
        if self.peer.failures >= io.settings.auth_failures_max {
            let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::TooManyFailures);
            return Err(fail.text("too many failed authentications"));
        }
        Ok(State::Offered(Offered { peer: self.peer }))
    }

    fn advance(mut self, io: &mut Io, now: Instant, exchange: Exchange, step: Step) -> State {
        match step {
            Step::Challenge(data) => {
                self.attempt.profile.put_challenge(io, &data);
                self.attempt.wait = Wait::Response(exchange);
                State::Authenticating(self)
            }
            Step::Ask(question) => match self.ask(question) {
                Ok((ask, account)) => {
                    self.attempt.grant = io.settings.domains.grant(&account);
                    io.out(Output::Ask(ask));
                    self.attempt.wait = Wait::Answer(exchange);
                    State::Authenticating(self)
                }
                Err(condition) => self.refuse(io, now, condition),
            },
            Step::Success(success) => match self.proven(success) {
                Ok((login, data)) => {
                    let (account, mechanism) = (login.account.clone(), login.mechanism);
                    io.out(Output::Ask(Ask::Login(Box::new(login))));
                    self.attempt.wait = Wait::Login { account, mechanism, data };
                    State::Authenticating(self)
                }
                Err(condition) => self.refuse(io, now, condition),
            },
            Step::Failure(condition) => self.refuse(io, now, condition),
        }
    }

    /// The account of that name. A name that no account can have is refused at once: that tells nobody anything.
    fn account(&self, username: &str) -> Result<Bare, Condition> {
        let refused = Condition::NotAuthorized;
        let domain = self.peer.domain.as_ref().ok_or(refused)?;
        Jid::from_parts(Some(username), domain.domain(), None).map(|jid| jid.bare()).map_err(|_| refused)
    }

    /// The question, and about whom it is.
    fn ask(&self, question: Question) -> Result<(Ask, Bare), Condition> {
        Ok(match question {
            Question::Keys { username, hash } => {
                let account = self.account(&username)?;
                (Ask::Keys { account: account.clone(), hash }, account)
            }
            Question::Password { username, password } => {
                let account = self.account(&username)?;
                (Ask::Password { account: account.clone(), password }, account)
            }
            Question::Tokens { username, .. } => {
                let client = self.attempt.wishes.client.id.clone().ok_or(Condition::MalformedRequest)?;
                let account = self.account(&username)?;
                (Ask::Tokens { account: account.clone(), client }, account)
            }
            // Client certificates are not asked for, and the mechanism is not offered.
            Question::Certificate { .. } => return Err(Condition::InvalidMechanism),
        })
    }

    /// The secret was right; is it also the identity that was asked for?
    fn proven(&self, success: Success) -> Result<(Login, Option<Vec<u8>>), Condition> {
        let username = success.username.ok_or(Condition::InvalidMechanism)?;
        let account = self.account(&username)?;
        if let Some(authzid) = &success.authzid {
            let same = Bare::parse(authzid).is_ok_and(|authzid| authzid == account);
            // XEP-0388 section 3.4: nor may it differ from the stream's `from`.
            let from_agrees = self.peer.from.as_ref().is_none_or(|from| *from == account);
            if !same || !from_agrees {
                return Err(Condition::InvalidAuthzid);
            }
        }
        let wishes = &self.attempt.wishes;
        let token = success.slot.and_then(|slot| self.attempt.tokens.iter().find(|(s, _)| *s == slot));
        let login = Login {
            account,
            grant: self.attempt.grant.clone(),
            mechanism: success.mechanism,
            client: wishes.client.clone(),
            token: token.map(|(_, token)| token.clone()),
            count: wishes.fast.as_ref().and_then(|fast| fast.count),
            early_data: self.peer.tls.as_ref().is_some_and(|tls| tls.early_data),
            invalidate: wishes.fast.as_ref().is_some_and(|fast| fast.invalidate),
            request: wishes.request,
        };
        Ok((login, success.data))
    }

    /// The login is noted: what the client offers besides comes first.
    fn logged_in(mut self, io: &mut Io, now: Instant, pending: Pending) -> State {
        let hashes = std::mem::take(&mut self.attempt.wishes.upgrades);
        if hashes.is_empty() || pending.mechanism.is_fast() {
            return self.succeed(io, now, pending);
        }
        io.out(Output::Ask(Ask::Missing { account: pending.account.clone(), hashes }));
        self.attempt.wait = Wait::Missing(pending);
        State::Authenticating(self)
    }

    fn go_on(mut self, io: &mut Io, now: Instant, task: Result<Upgrading, Pending>) -> State {
        match task {
            Ok(upgrading) => {
                self.attempt.wait = Wait::Upgrade(Box::new(upgrading));
                State::Authenticating(self)
            }
            Err(pending) => self.succeed(io, now, pending),
        }
    }

    /// Something from the peer amid a task.
    fn upgrade(mut self, io: &mut Io, now: Instant, mut task: Box<Upgrading>, element: &Element) -> State {
        match task.handle_element(io, element) {
            Ok(None) => self.attempt.wait = Wait::Upgrade(task),
            Ok(Some(keys)) => {
                let (account, grant) = (task.pending.account.clone(), self.attempt.grant.clone());
                io.out(Output::Ask(Ask::Upgrade { account, grant, keys: Box::new(keys) }));
                self.attempt.wait = Wait::Upgraded(task);
            }
            Err(condition) => return self.refuse(io, now, condition),
        }
        State::Authenticating(self)
    }

    fn succeed(mut self, io: &mut Io, now: Instant, pending: Pending) -> State {
        let Pending { account, mechanism, data, issued } = pending;
        io.out(Output::Authenticated(account.clone()));
        io.trusted = true;
        io.parser.set_limits(io.limits());
        io.clock.deadline = Some(now + io.settings.timeouts.bind);
        let client = std::mem::take(&mut self.attempt.wishes.client);
        let grant = std::mem::take(&mut self.attempt.grant);
        self.peer.login = Some(LoggedIn { account, grant, mechanism: mechanism.name(), client });
        match self.attempt.profile {
            Profile::Sasl1 => sasl1::succeed(self.peer, io, data),
            Profile::Sasl2 => sasl2::succeed(self.peer, io, self.attempt.wishes, data, issued),
        }
    }

    /// The attempt failed; the answer waits, the longer the more attempts have failed.
    fn refuse(mut self, io: &mut Io, now: Instant, condition: Condition) -> State {
        io.note(Misbehaviour::AuthFailed(condition));
        let doubled = io.settings.timeouts.failure * (1 << self.peer.failures.min(16));
        self.peer.failures = self.peer.failures.saturating_add(1);
        io.clock.wake = Some(now + doubled.min(FAILURE_DELAY_MAX));
        self.attempt.wait = Wait::Verdict(condition);
        State::Authenticating(self)
    }
}
