//! What shall happen: written down in a turn, carried out by the shell after the turn's writes are stored.
//!
//! Not here: carrying them out (engine).

use std::fmt;
use std::sync::Arc;

use address::{Bare, Jid};
use bytes::Bytes;
use model::link::SessionId;
use model::query::{Found, Query};
use model::storage::{Owner, Space, Write};
use stanza::{Stanza, StanzaError, StreamError};

use crate::{Account, Host, Spot, Turn};

/// What goes on when the answer to a [`Query`] is there, or will not come.
pub type Resume<P> = Box<dyn FnOnce(&mut Turn<'_, P>, Result<Found, StanzaError>) + Send>;

/// One thing that shall happen.
pub enum Effect {
    /// A stanza for a session of this place. With a token, the place wants [`crate::Event::Acknowledged`] once the
    /// client has it for sure.
    Send {
        /// To which session.
        to: SessionId,
        /// What.
        stanza: Arc<Stanza>,
        /// What to name when it has arrived.
        token: Option<u64>,
    },
    /// A stanza for another place, by its `to`.
    Route(Stanza),
    /// Something of an account that components with a right to it are told of (XEP-0356).
    Watch(Bare, Watched),
    /// Data to store.
    Write(Write),
    /// A question for this account's place; asked after everything written so far is stored.
    Ask(Bare, Query, Resume<Account>),
    /// A question for a host's place.
    AskHost(Jid, Query, Resume<Host>),
    /// A question for a service's place.
    AskSpot(Bare, Query, Resume<Spot>),
    /// From here on, messages for this session wait until [`Effect::Release`], but for those with a token: older ones
    /// are to reach it first.
    Hold(SessionId),
    /// What waited for this session goes to it, in order.
    Release(SessionId),
    /// The session shall end, with a stream error if one is given.
    Close(SessionId, Option<StreamError>),
}

/// What components with a right to it are told of (XEP-0356).
#[derive(Clone, Debug)]
pub enum Watched {
    /// Its roster has changed: the payload of the push.
    Roster(Bytes),
    /// A resource has become available, or unavailable.
    Own(Arc<Stanza>),
    /// The same of a contact.
    Contact(Arc<Stanza>),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Send { to, stanza, token } => write!(f, "send {} {stanza:?} {token:?}", to.0),
            Effect::Route(stanza) => write!(f, "route {stanza:?}"),
            Effect::Watch(account, what) => write!(f, "watch {account} {what:?}"),
            Effect::Write(write) => write!(f, "{write:?}"),
            Effect::Ask(account, query, _) => write!(f, "ask for {account} {query:?}"),
            Effect::AskHost(host, query, _) => write!(f, "ask for {host} {query:?}"),
            Effect::AskSpot(spot, query, _) => write!(f, "ask for {spot} {query:?}"),
            Effect::Hold(session) => write!(f, "hold {}", session.0),
            Effect::Release(session) => write!(f, "release {}", session.0),
            Effect::Close(session, error) => write!(f, "close {} {error:?}", session.0),
        }
    }
}

/// The effects of a turn, in order.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    wake: Option<u64>,
}

impl Effects {
    /// Sends a stanza to a session of this place.
    pub fn send(&mut self, to: SessionId, stanza: Arc<Stanza>) {
        self.list.push(Effect::Send { to, stanza, token: None });
    }

    /// Sends a stanza whose arrival matters: it is reported as [`crate::Event::Acknowledged`] with `token`.
    pub fn send_kept(&mut self, to: SessionId, stanza: Arc<Stanza>, token: u64) {
        self.list.push(Effect::Send { to, stanza, token: Some(token) });
    }

    /// Sends a stanza to wherever its `to` says.
    pub fn route(&mut self, stanza: Stanza) {
        self.list.push(Effect::Route(stanza));
    }

    /// Sends the error answer to a stanza, if it may have one.
    pub fn refuse(&mut self, stanza: &Stanza, error: impl Into<StanzaError>) {
        if let Some(reply) = stanza.error(error.into()) {
            self.route(reply);
        }
    }

    /// Components with a right to it are told of something of this account.
    pub(crate) fn watch(&mut self, account: &Bare, what: Watched) {
        self.push(Effect::Watch(account.clone(), what));
    }

    /// Stores something.
    pub fn write(&mut self, write: Write) {
        self.list.push(Effect::Write(write));
    }

    /// Stores a document.
    pub fn put_doc(&mut self, space: Space, owner: Owner, value: Vec<u8>) {
        self.write(Write::DocPut { space, owner, value: value.into() });
    }

    /// Stores a value of a map.
    pub fn put_map(&mut self, space: Space, owner: Owner, key: &str, value: Vec<u8>) {
        self.write(Write::MapPut { space, owner, key: key.into(), value: value.into() });
    }

    /// Asks for data on behalf of an account, outside of an iq (which returns [`crate::Answer::Ask`] instead). An error
    /// is the feature's to handle: nobody else waits for the answer.
    pub fn ask(
        &mut self,
        account: &Bare,
        query: Query,
        then: impl FnOnce(&mut Turn<'_, Account>, Result<Found, StanzaError>) + Send + 'static,
    ) {
        self.push(Effect::Ask(account.clone(), query, Box::new(then)));
    }

    /// Wakes this place of a service ([`crate::Service::woken`]), this host ([`crate::Feature::host_woken`]) or this
    /// account ([`crate::Event::Woken`]) after so many milliseconds, in place of what it wished before: it has one alarm.
    pub fn wake(&mut self, after_ms: u64) {
        self.wake = Some(after_ms);
    }

    /// Takes the wish to be woken, if there is one.
    pub fn take_wake(&mut self) -> Option<u64> {
        self.wake.take()
    }

    /// Messages for this session wait until it is released, but for those with a token.
    pub fn hold(&mut self, session: SessionId) {
        self.push(Effect::Hold(session));
    }

    /// What waited for this session goes to it.
    pub fn release(&mut self, session: SessionId) {
        self.push(Effect::Release(session));
    }

    /// Ends a session.
    pub fn close(&mut self, session: SessionId, error: Option<StreamError>) {
        self.list.push(Effect::Close(session, error));
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Forgets what was to be stored: there is nobody any more to whom it would belong.
    pub fn drop_writes(&mut self) {
        self.list.retain(|effect| !matches!(effect, Effect::Write(_)));
    }

    /// Takes all effects, in order.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.list)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// A place that can be asked for data: it knows how to write the question down.
pub(crate) trait Asks: Sized {
    fn ask(turn: &mut Turn<'_, Self>, query: Query, resume: Resume<Self>);
}

impl Asks for Account {
    fn ask(turn: &mut Turn<'_, Account>, query: Query, resume: Resume<Account>) {
        let account = turn.place.jid.clone();
        turn.fx.push(Effect::Ask(account, query, resume));
    }
}

impl Asks for Host {
    fn ask(turn: &mut Turn<'_, Host>, query: Query, resume: Resume<Host>) {
        let host = turn.place.domain.clone();
        turn.fx.push(Effect::AskHost(host, query, resume));
    }
}

impl Asks for Spot {
    fn ask(turn: &mut Turn<'_, Spot>, query: Query, resume: Resume<Spot>) {
        let spot = turn.place.address.clone();
        turn.fx.push(Effect::AskSpot(spot, query, resume));
    }
}
