//! The states of a stream, what they share, and how a state refuses.
//!
//! Not here: what a state does (a file each).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use model::link::{End, StreamId, Transport, Up};
use stanza::{StreamCondition, StreamError};
use xml::{Element, Limits, Parser};

use crate::active::Active;
use crate::authenticating::Authenticating;
use crate::binding::{Binding, Orphan};
use crate::clock::Clock;
use crate::offered::{Offered, Registering};
use crate::opening::Opening;
use crate::starttls::Handshake;
use crate::unbound::Unbound;
use crate::wire::Wire;
use crate::{Misbehaviour, Output, Settings};

/// What every state may touch.
pub(crate) struct Io {
    pub(crate) settings: Arc<Settings>,
    pub(crate) id: StreamId,
    pub(crate) parser: Parser,
    pub(crate) wire: Wire,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) clock: Clock,
    /// Whether the peer has authenticated, which decides the limits.
    pub(crate) trusted: bool,
    /// A stanza cost more than may be spent now: what was read with it waits as long as [`Clock::pause`].
    pub(crate) spent: bool,
    /// The end was told; nothing is told twice.
    pub(crate) over: bool,
}

impl Io {
    pub(crate) fn out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// The XML limits that hold now.
    pub(crate) fn limits(&self) -> Limits {
        if self.trusted { self.settings.limits } else { self.settings.limits_before_auth }
    }

    pub(crate) fn note(&mut self, misbehaviour: Misbehaviour) {
        self.out(Output::Note(misbehaviour));
    }

    /// A stanza is to be handled, and costs this.
    pub(crate) fn charge(&mut self, cost: usize) {
        self.clock.charge(cost, self.settings.rate);
        self.spent = self.clock.pause.is_some();
    }

    /// Whether what has been read must wait.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent && self.clock.pause.is_some()
    }

    pub(crate) fn transport(&self) -> Transport {
        self.wire.transport
    }

    /// Where a session of `domain` is best resumed. Host and port mean nothing to clients that have a URL.
    pub(crate) fn resume_location(&self, domain: &str) -> Option<Arc<str>> {
        match self.transport() {
            Transport::Tcp | Transport::DirectTls => self.settings.domains.resume_location(domain),
            Transport::WebSocket | Transport::Bosh => None,
        }
    }
}

/// Where a stream is. Each state is consumed by what it handles and gives the next.
pub(crate) enum State {
    /// Waits for the peer's header.
    Opening(Opening),
    /// Has offered STARTTLS or SASL.
    Offered(Offered),
    /// Waits for the shell's TLS handshake.
    Handshake(Handshake),
    /// Waits for the account store about a registration.
    Registering(Registering),
    /// Amid a SASL exchange.
    Authenticating(Authenticating),
    /// Authenticated, without a resource.
    Unbound(Unbound),
    /// Waits for the engine's resource.
    Binding(Binding),
    /// Bound: stanzas flow.
    Active(Active),
    /// Broken off while the engine was binding: whatever it answers must be undone.
    Orphan(Orphan),
    /// Our half is closed; waits for the peer's.
    Closing,
    /// Over.
    Closed,
}

/// A stream error that ends the stream, and what led to it.
pub(crate) struct Fail {
    pub(crate) error: StreamError,
    pub(crate) note: Option<Misbehaviour>,
}

impl Fail {
    pub(crate) fn new(condition: StreamCondition, note: Misbehaviour) -> Fail {
        Fail { error: condition.into(), note: Some(note) }
    }

    pub(crate) fn text(mut self, text: &'static str) -> Fail {
        self.error.text = Some(text);
        self
    }

    /// Something unexpected within ourselves.
    pub(crate) fn internal() -> Fail {
        Fail { error: StreamCondition::InternalServerError.into(), note: None }
    }
}

impl From<xml::Error> for Fail {
    fn from(error: xml::Error) -> Fail {
        Fail { error: error.into(), note: Some(Misbehaviour::Xml(error)) }
    }
}

/// What handling gives: the next state, or the end.
pub(crate) type Next = Result<State, Fail>;

impl State {
    /// Whether the peer's elements may be handled now.
    pub(crate) fn reads(&self) -> bool {
        match self {
            State::Opening(_) | State::Offered(_) | State::Unbound(_) | State::Active(_) | State::Closing => {
                true
            }
            State::Authenticating(state) => state.reads(),
            State::Handshake(_)
            | State::Registering(_)
            | State::Binding(_)
            | State::Orphan(_)
            | State::Closed => false,
        }
    }

    /// One first-level element, framing (RFC 7395) already taken off.
    pub(crate) fn handle_element(self, io: &mut Io, now: Instant, element: &Element) -> Next {
        match self {
            State::Offered(state) => state.handle_element(io, now, element),
            State::Authenticating(state) => state.handle_element(io, now, element),
            State::Unbound(state) => state.handle_element(io, element),
            // Handled before (input.rs), not read in these states, or no longer of interest.
            State::Active(_)
            | State::Opening(_)
            | State::Handshake(_)
            | State::Registering(_)
            | State::Binding(_)
            | State::Orphan(_)
            | State::Closing
            | State::Closed => Ok(self),
        }
    }

    /// The stream ends now: what becomes of a session that the engine may be about to bind.
    pub(crate) fn into_end(self, io: &mut Io, end: End) -> State {
        match self {
            State::Binding(_) => State::Orphan(Orphan { end }),
            State::Orphan(orphan) => State::Orphan(orphan),
            State::Active(active) => {
                io.out(Output::Up(Up::Closed(active.session, io.id, end)));
                State::Closed
            }
            _ => State::Closed,
        }
    }
}
