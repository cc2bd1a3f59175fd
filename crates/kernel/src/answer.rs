//! Answering iq requests: who answers, and how the answer gets back.
//!
//! RFC 6120 section 8.2.3 and 10.5.
//!
//! Not here: requests to full addresses, which the clients answer (`arrive.rs`).

use bytes::Bytes;
use model::query::{Found, Query};
use model::storage::{Loaded, Read};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};
use xml::El;

use crate::card::{IqRoute, Who};
use crate::effects::Asks;
use crate::{Account, Host, Kernel, Spot, Turn};

/// A request that a feature is asked to answer.
pub struct Iq<'a> {
    /// The request as it came.
    pub stanza: &'a Stanza,
    /// The request's one child (RFC 6120 section 8.2.3).
    pub payload: El<'a>,
}

impl Iq<'_> {
    /// Whether it is a `set`.
    pub fn is_set(&self) -> bool {
        self.stanza.kind == Kind::Iq(IqType::Set)
    }

    /// Who asks. Every stanza has a sender once it is on the stairs; an own request has the full address.
    pub fn from(&self) -> &address::Jid {
        // The stream stamps `from` on what clients send, and refuses remote stanzas without it.
        #[allow(clippy::expect_used)]
        self.stanza.from.as_ref().expect("stamped at ingress")
    }
}

/// What goes on when data is there.
pub type Then<P> = Box<dyn FnOnce(&mut Turn<'_, P>, Found) -> Answer<P> + Send>;

/// What a feature says to a request.
pub enum Answer<P> {
    /// `result` with this payload (canonical XML in the content namespace; may be empty).
    Reply(Bytes),
    /// `error`.
    Refuse(StanzaError),
    /// Nothing yet: this must be known first.
    Ask(Query, Then<P>),
    /// Nothing here: it waits with others, and is answered by [`answer_at_host`] in another turn.
    Later,
}

impl<P> Answer<P> {
    /// `result` without payload.
    pub fn done() -> Answer<P> {
        Answer::Reply(Bytes::new())
    }

    /// Nothing yet: reads from storage first.
    pub fn read(
        read: impl Into<Read>,
        then: impl FnOnce(&mut Turn<'_, P>, Loaded) -> Answer<P> + Send + 'static,
    ) -> Answer<P> {
        Answer::Ask(Query::Read(read.into()), Box::new(move |turn, found| then(turn, found.into_loaded())))
    }

    /// Nothing yet: asks the shell first.
    pub fn ask(
        query: Query,
        then: impl FnOnce(&mut Turn<'_, P>, Found) -> Answer<P> + Send + 'static,
    ) -> Answer<P> {
        Answer::Ask(query, Box::new(then))
    }
}

impl<P> From<StanzaError> for Answer<P> {
    fn from(error: StanzaError) -> Answer<P> {
        Answer::Refuse(error)
    }
}

impl<P> From<Condition> for Answer<P> {
    fn from(condition: Condition) -> Answer<P> {
        Answer::Refuse(condition.into())
    }
}

impl Kernel {
    /// A request to an account (bare address): answered by a feature, on the account's behalf.
    pub(crate) fn answer_for_account(&self, turn: &mut Turn<'_, Account>, stanza: Stanza) {
        let own = stanza.from.as_ref().is_some_and(|from| from.bare_str() == turn.place.jid.as_str());
        let answer = self.accepted(&stanza, false, own, |feature, iq| {
            self.discovered(turn, iq).unwrap_or_else(|| feature.iq(turn, iq))
        });
        conclude(turn, stanza, answer);
    }

    /// What some feature has to say of its own to a request of service discovery.
    fn discovered(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Option<Answer<Account>> {
        let asked = [ns::DISCO_INFO, ns::DISCO_ITEMS].contains(&iq.payload.ns());
        asked.then(|| self.features.iter().find_map(|feature| feature.discover(turn, iq)))?
    }

    /// A stanza for a hosted domain.
    pub fn host(&self, turn: &mut Turn<'_, Host>, stanza: Stanza) {
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => {
                let answer = self.accepted(&stanza, true, false, |feature, iq| feature.host_iq(turn, iq));
                conclude(turn, stanza, answer);
            }
            _ if self.features.iter().any(|feature| feature.host_heard(turn, &stanza)) => {}
            // RFC 6121 section 8.4 leaves it open; nobody reads the server's post.
            Kind::Message(ty) if ty != stanza::MessageType::Error && !stanza.payload.is_empty() => {
                turn.fx.refuse(&stanza, Condition::ServiceUnavailable);
            }
            _ => {}
        }
    }

    /// A hosted domain begins, changes or wanted to be woken.
    pub fn host_woken(&self, turn: &mut Turn<'_, Host>) {
        self.features.iter().for_each(|feature| feature.host_woken(turn));
    }

    /// Finds who answers a request, and lets it, if the request is well formed and permitted.
    fn accepted<P>(
        &self,
        stanza: &Stanza,
        host: bool,
        own: bool,
        answer: impl FnOnce(&dyn crate::Feature, &Iq<'_>) -> Answer<P>,
    ) -> Answer<P> {
        let Ok(tree) = stanza.payload.tree() else { return Condition::BadRequest.into() };
        let Some(payload) = tree.root() else { return Condition::BadRequest.into() };
        let Some((feature, route)) = self.answerer(host, payload.ns()) else {
            return Condition::ServiceUnavailable.into();
        };
        let iq = Iq { stanza, payload };
        match permitted(&route, iq.is_set(), own, !host && !own) {
            Ok(()) => answer(feature, &iq),
            Err(condition) => condition.into(),
        }
    }
}

fn permitted(route: &IqRoute, set: bool, own: bool, stranger: bool) -> Result<(), Condition> {
    match route.who {
        // The same answer as from an account that is not there (RFC 6120 section 13.11).
        Who::Owner if !own => Err(Condition::ServiceUnavailable),
        _ if if set { route.set } else { route.get } => Ok(()),
        _ if stranger => Err(Condition::ServiceUnavailable),
        _ => Err(Condition::NotAllowed),
    }
}

/// Answers a request to a host that was told to wait ([`Answer::Later`]).
pub fn answer_at_host(turn: &mut Turn<'_, Host>, request: Stanza, answer: Answer<Host>) {
    conclude(turn, request, answer);
}

/// Answers a request to a service's place: sends what there is to say, or asks first and goes on then.
pub fn answer(turn: &mut Turn<'_, Spot>, request: Stanza, answer: Answer<Spot>) {
    conclude(turn, request, answer);
}

impl Turn<'_, Spot> {
    /// Asks for data on behalf of a service's place, outside of a request.
    pub fn ask(
        &mut self,
        query: Query,
        then: impl FnOnce(&mut Turn<'_, Spot>, Result<Found, StanzaError>) + Send + 'static,
    ) {
        Spot::ask(self, query, Box::new(then));
    }
}

impl Turn<'_, Host> {
    /// Asks for data on behalf of a host, outside of a request.
    pub fn ask(
        &mut self,
        query: Query,
        then: impl FnOnce(&mut Turn<'_, Host>, Result<Found, StanzaError>) + Send + 'static,
    ) {
        Host::ask(self, query, Box::new(then));
    }
}

/// Sends an answer, or writes down what must be known first and goes on then.
fn conclude<P: Asks + Replies + 'static>(turn: &mut Turn<'_, P>, request: Stanza, answer: Answer<P>) {
    match answer {
        Answer::Reply(payload) => P::reply(turn, request.result(payload)),
        Answer::Refuse(error) => {
            if let Some(reply) = request.error(error) {
                P::reply(turn, reply);
            }
        }
        Answer::Ask(query, then) => P::ask(
            turn,
            query,
            Box::new(move |turn, found| match found {
                Ok(found) => {
                    let answer = then(turn, found);
                    conclude(turn, request, answer);
                }
                Err(error) => conclude(turn, request, Answer::Refuse(error)),
            }),
        ),
        Answer::Later => {}
    }
}

/// A place that can send an answer back.
pub(crate) trait Replies: Sized {
    fn reply(turn: &mut Turn<'_, Self>, reply: Stanza);
}

impl Replies for Account {
    fn reply(turn: &mut Turn<'_, Account>, reply: Stanza) {
        // An own session gets it directly, in order with what else the turn sends it.
        match turn.session.filter(|session| turn.place.session(*session).is_some()) {
            Some(session) => turn.fx.send(session, reply.into()),
            None => turn.fx.route(reply),
        }
    }
}

impl Replies for Host {
    fn reply(turn: &mut Turn<'_, Host>, reply: Stanza) {
        turn.fx.route(reply);
    }
}

impl Replies for Spot {
    fn reply(turn: &mut Turn<'_, Spot>, reply: Stanza) {
        turn.fx.route(reply);
    }
}
