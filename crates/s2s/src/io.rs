//! What all states of a stream share, and how one refuses.
//!
//! Not here: what a state does (a file each).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::Bare;
use stanza::{StreamCondition, StreamError, ns};
use xml::{Framing, Parser};

use crate::clock::Clock;
use crate::features::Offer;
use crate::keys::Random;
use crate::pairs::Book;
use crate::receiving::Receiving;
use crate::resumption::Resumption;
use crate::sending::Sending;
use crate::wire::Wire;
use crate::{
    Ask, Certificate, End, Misbehaviour, Output, Pair, PeerTls, Policy, Proof, Purpose, Refusal, Secret,
    Settings, Trust,
};

/// Which end of which kind of stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Outgoing(Purpose),
    Incoming,
    Component,
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Incoming, component: waits for the peer's header.
    Opening,
    /// Outgoing: waits for the peer's header.
    Greeting,
    /// Outgoing: waits for the peer's features.
    Features,
    /// Outgoing: has asked for STARTTLS.
    Proceed,
    /// Waits for the shell's TLS handshake.
    Handshake,
    /// Waits for the shell's verdict on the peer's certificate.
    Certificate,
    /// Outgoing: has sent `<auth/>`, and perhaps answered an empty challenge.
    Sasl { challenged: bool },
    /// Incoming: has sent an empty challenge.
    Challenge,
    /// Component: waits for its secret.
    Secret,
    /// Component: waits whether it may have the domain.
    Attaching,
    /// Incoming: waits for the stream that the peer wants to resume.
    Resuming {
        /// How many stanzas the peer has handled.
        h: u32,
    },
    /// Everything that is left may come in any order: dialback, stanzas, stream management.
    Open,
    /// Our half is closed in peace; waits for the peer's.
    Closing,
    /// Over.
    Closed,
}

impl State {
    /// Whether the peer's elements may be handled now.
    pub(crate) fn reads(self) -> bool {
        use State::{Attaching, Certificate, Closed, Handshake, Resuming, Secret};
        !matches!(self, Handshake | Certificate | Secret | Attaching | Resuming { .. } | Closed)
    }
}

/// What every state may touch.
pub(crate) struct Io {
    pub(crate) settings: Arc<Settings>,
    pub(crate) role: Role,
    pub(crate) parser: Parser,
    pub(crate) wire: Wire,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    /// Given by whoever accepted the stream.
    pub(crate) id: String,
    pub(crate) tls: Option<PeerTls>,
    pub(crate) book: Book,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
    /// Stanzas go both ways (XEP-0288).
    pub(crate) bidi: bool,
    /// SASL has succeeded.
    pub(crate) authenticated: bool,
    /// Outgoing: the pair of the header was proven.
    pub(crate) established: bool,
    /// Some pair is proven, which decides the limits.
    pub(crate) trusted: bool,
    /// Component: what it must know.
    pub(crate) secret: Option<Secret>,
    /// Outgoing: what the peer offered last.
    pub(crate) offer: Offer,
    /// Outgoing: the stream that shall go on.
    pub(crate) resume: Option<Box<Resumption>>,
    /// The secret name by which this stream may be resumed, and for how long.
    pub(crate) session: Option<(String, Duration)>,
    /// Failed authentications.
    pub(crate) failures: u8,
    /// Why we could not authenticate last.
    pub(crate) refusal: Option<Refusal>,
    /// Why we close in peace, if it is not over anyway.
    pub(crate) why: Option<End>,
    /// The peer has closed its half.
    pub(crate) heard: bool,
    /// The end was told; nothing is told twice.
    pub(crate) over: bool,
}

impl Io {
    pub(crate) fn new(settings: Arc<Settings>, role: Role, seed: [u8; 32], now: Instant) -> Io {
        let content = if role == Role::Component { ns::COMPONENT } else { ns::SERVER };
        let mut clock = Clock::new(now);
        clock.deadline = Some(now + settings.timeouts.authenticate);
        Io {
            role,
            parser: Parser::new(Framing::Stream, settings.limits_before_auth),
            wire: Wire::new(content),
            outputs: VecDeque::new(),
            clock,
            random: Random::new(seed),
            id: String::new(),
            tls: None,
            book: Book::default(),
            sending: Sending::default(),
            receiving: Receiving::default(),
            bidi: false,
            authenticated: false,
            established: false,
            trusted: false,
            secret: None,
            offer: Offer::default(),
            resume: None,
            session: None,
            failures: 0,
            refusal: None,
            why: None,
            heard: false,
            over: false,
            settings,
        }
    }

    pub(crate) fn out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn note(&mut self, misbehaviour: Misbehaviour) {
        self.out(Output::Note(misbehaviour));
    }

    pub(crate) fn ask(&mut self, ask: Ask) {
        self.out(Output::Ask(ask));
    }

    pub(crate) fn is_outgoing(&self) -> bool {
        matches!(self.role, Role::Outgoing(_))
    }

    pub(crate) fn policy(&self, pair: &Pair) -> Policy {
        self.settings.domains.policy(pair.local.as_str(), Some(pair.remote.as_str()))
    }

    pub(crate) fn serves(&self, domain: &Bare) -> bool {
        self.settings.domains.serves(domain.as_str())
    }

    /// Why the peer's certificate is believed to be that of `remote`, if it is.
    pub(crate) fn trust(&self, remote: &Bare) -> Option<Trust> {
        self.tls.as_ref()?;
        self.book.certified.iter().find(|(domain, _)| domain == remote).map(|(_, trust)| *trust)
    }

    /// Whether there is a certificate that could prove something.
    pub(crate) fn has_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.certificate != Certificate::None)
    }

    /// Whether `proof` of `remote` is enough for the operator.
    pub(crate) fn suffices(&self, local: &str, remote: &str, proof: Proof) -> bool {
        let policy = self.settings.domains.policy(local, Some(remote));
        policy.allowed
            && (self.tls.is_some() || !policy.require_tls)
            && (matches!(proof, Proof::Certificate(_)) || !policy.require_certificate)
    }

    /// A pair is proven, in whichever direction: the peer is no stranger any more.
    pub(crate) fn trust_more(&mut self, now: Instant) {
        if !self.trusted {
            self.trusted = true;
            self.parser.set_limits(self.settings.limits);
            self.clock.deadline = None;
        }
        self.clock.used = now;
    }

    /// The peer may send stanzas of this pair.
    pub(crate) fn admit(&mut self, now: Instant, pair: Pair, proof: Proof) {
        self.trust_more(now);
        self.book.admit(pair.clone(), proof);
        self.out(Output::Authenticated(pair.clone(), proof));
        if self.role == Role::Incoming && self.bidi {
            self.ready(now, pair);
        }
    }

    /// We may send stanzas of this pair.
    pub(crate) fn ready(&mut self, now: Instant, pair: Pair) {
        self.trust_more(now);
        if !self.book.is_outbound(&pair) {
            self.book.outbound.push(pair.clone());
            self.out(Output::Ready(pair));
        }
    }

    /// The next document begins, on the same bytes (RFC 6120 section 4.3.3).
    pub(crate) fn restart(&mut self) {
        self.parser.restart();
        self.wire.restart();
    }

    /// The next document begins, and nothing of before belongs to it.
    pub(crate) fn restart_in_tls(&mut self, tls: PeerTls) {
        self.parser = Parser::new(Framing::Stream, self.settings.limits_before_auth);
        self.wire.restart();
        self.tls = Some(tls);
    }
}

/// Why a stream stops.
pub(crate) enum Stop {
    /// With a stream error of ours.
    Fail(Fail),
    /// Without one: it is of no use, and the peer has done nothing wrong.
    End(End),
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
}

impl From<Fail> for Stop {
    fn from(fail: Fail) -> Stop {
        Stop::Fail(fail)
    }
}

impl From<xml::Error> for Fail {
    fn from(error: xml::Error) -> Fail {
        Fail { error: error.into(), note: Some(Misbehaviour::Xml(error)) }
    }
}

/// What handling gives: the next state, or the end.
pub(crate) type Next = Result<State, Stop>;

/// An element that has no place here.
pub(crate) fn unsupported() -> Fail {
    Fail::new(StreamCondition::UnsupportedStanzaType, Misbehaviour::UnsupportedElement)
}

/// Anything but negotiation before authentication (RFC 6120 section 4.9.3.12).
pub(crate) fn not_authorized() -> Fail {
    Fail::new(StreamCondition::NotAuthorized, Misbehaviour::NotAuthorized)
}
