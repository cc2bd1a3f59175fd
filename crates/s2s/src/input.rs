//! From bytes to elements, and to whoever handles them.
//!
//! RFC 6120 sections 4.2, 4.4 and 4.9.
//!
//! Not here: XML itself (crate `xml`), what an element does (a file for each topic).

use std::time::Instant;

use stanza::{StreamCondition, ns};
use xml::{Element, Event, Header, Tree};

use crate::io::{Fail, Io, Next, Role, State, Stop, unsupported};
use crate::sending::Managed;
use crate::{End, Misbehaviour, Stream, component, dialback, incoming, manage, outgoing};

/// Bytes that may wait while a question is open. The shell stops reading then, so this is one read of it at most.
const HELD_BYTES_MAX: usize = 256 * 1024;

impl Stream {
    /// Bytes came. Call it only while [`Stream::wants_input`]; what comes earlier waits, within bounds.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if self.io.over {
            return;
        }
        if self.state == State::Handshake && bytes.trim_ascii().is_empty() {
            // The end of a line that began with `<starttls/>`; where it is cut must not matter.
            return;
        }
        if self.state == State::Handshake || self.awaits_tls() {
            let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::BytesBeforeTls);
            return self.stop(fail.into());
        }
        self.io.clock.hear(now, bytes.len(), self.io.settings.rate);
        if !self.reads() && self.io.parser.unread().len() + bytes.len() > HELD_BYTES_MAX {
            let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::Flood);
            return self.stop(fail.into());
        }
        self.io.parser.push(bytes);
        self.pump(now);
        self.io.parser.release();
    }

    /// Whether elements may be handled now.
    pub(crate) fn reads(&self) -> bool {
        self.state.reads() && self.io.receiving.unstored < self.io.settings.unstored_max
    }

    /// Handles what has arrived, as far as it may be handled now.
    pub(crate) fn pump(&mut self, now: Instant) {
        while self.reads() {
            match self.io.parser.next() {
                Ok(None) => break,
                Ok(Some(Event::Element(element))) => self.dispatch(now, &element),
                Ok(Some(Event::Header(header))) => {
                    self.step(|io, state| handle_header(io, now, state, &header))
                }
                Ok(Some(Event::Whitespace)) => {}
                Ok(Some(Event::Close)) => self.peer_closed(),
                Err(error) => self.stop(Fail::from(error).into()),
            }
        }
        if self.state == State::Open {
            dialback::flush(&mut self.io, now);
        }
    }

    fn dispatch(&mut self, now: Instant, element: &Element) {
        if element.is("error", ns::STREAMS) {
            return self.peer_failed(element);
        }
        self.step(|io, state| match state {
            State::Features => outgoing::handle_features(io, now, element),
            State::Proceed => outgoing::handle_proceed(io, element),
            State::Sasl { challenged } => outgoing::handle_sasl(io, now, element, challenged),
            State::Challenge => incoming::handle_element(io, now, element, state),
            State::Open => handle_open(io, now, element),
            State::Closing => {
                handle_closing(io, now, element);
                Ok(state)
            }
            _ => Err(Fail::new(StreamCondition::BadFormat, Misbehaviour::NotOpened).into()),
        });
    }

    /// The peer's `<stream:error/>`.
    fn peer_failed(&mut self, element: &Element) {
        let child =
            element.children().find(|child| child.ns() == ns::STREAM_ERRORS && child.name() != "text");
        let name = child.map_or("", |child| child.name());
        let condition = StreamCondition::parse(name);
        let text =
            |el: xml::El<'_>| el.child_text(name, ns::STREAM_ERRORS).map(|text| text.trim().to_owned());
        let tree = Tree::parse(element.inner_bytes(), element.ns()).ok();
        let see_other_host = match condition {
            StreamCondition::SeeOtherHost => tree.and_then(|tree| text(tree.top())),
            _ => None,
        };
        self.io.wire.close();
        self.end(End::PeerError { condition, see_other_host });
    }
}

fn handle_header(io: &mut Io, now: Instant, state: State, header: &Header) -> Next {
    match (state, io.role) {
        (State::Opening, Role::Incoming) => incoming::handle_header(io, now, header),
        (State::Opening, Role::Component) => component::handle_header(io, header),
        (State::Greeting, _) => outgoing::handle_header(io, header),
        _ => Err(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnexpectedHeader).into()),
    }
}

/// One element when everything is possible.
fn handle_open(io: &mut Io, now: Instant, element: &Element) -> Next {
    let content = io.wire.content;
    match (element.ns(), element.name()) {
        (found, "message" | "presence" | "iq") if found == content => {
            io.receive(now, element)?;
            Ok(State::Open)
        }
        (ns::CLIENT | ns::SERVER | ns::COMPONENT, _) if element.ns() != content => {
            Err(Fail::new(StreamCondition::InvalidNamespace, Misbehaviour::WrongNamespace).into())
        }
        (ns::DIALBACK, _) if io.role != Role::Component => dialback::handle(io, now, element),
        (ns::SM, _) => manage::handle(io, now, element),
        _ => match io.role {
            Role::Incoming => incoming::handle_element(io, now, element, State::Open),
            Role::Component => component::handle_element(io, element),
            Role::Outgoing(_) => Err(unexpected(element).into()),
        },
    }
}

fn unexpected(element: &Element) -> Fail {
    let note = match element.ns() {
        ns::SASL => Misbehaviour::UnexpectedSasl,
        ns::TLS => Misbehaviour::UnexpectedStartTls,
        ns::BIDI => Misbehaviour::UnexpectedBidi,
        _ => return unsupported(),
    };
    Fail::new(StreamCondition::PolicyViolation, note)
}

/// We have said goodbye; what was under way still counts, unless the peer will send it again because we cannot
/// acknowledge it any more. Mistakes are of no interest.
fn handle_closing(io: &mut Io, now: Instant, element: &Element) {
    let stanza = element.ns() == io.wire.content && matches!(element.name(), "message" | "presence" | "iq");
    let _ = match (element.ns(), element.name()) {
        (ns::SM, "a") if io.sending.managed == Managed::On => manage::handle_ack(io, now, element),
        _ if stanza && !io.receiving.managed => io.receive(now, element),
        _ => Ok(()),
    };
}

impl Stream {
    /// Runs one state transition.
    pub(crate) fn step(&mut self, transition: impl FnOnce(&mut Io, State) -> Next) {
        match transition(&mut self.io, self.state) {
            Ok(next) => self.state = next,
            Err(stop) => self.stop(stop),
        }
    }

    /// Ends the stream because something cannot go on.
    pub(crate) fn stop(&mut self, stop: Stop) {
        if self.io.over {
            return;
        }
        let fail = match stop {
            Stop::End(why) => {
                self.io.wire.close();
                return self.end(why);
            }
            Stop::Fail(fail) => fail,
        };
        if let Some(note) = fail.note {
            self.io.note(note);
        }
        let why = match fail.note {
            Some(Misbehaviour::TooSlow) => End::TooSlow,
            Some(Misbehaviour::Silent) => End::Silent,
            _ => End::Error(fail.error.condition),
        };
        // RFC 6120 section 4.9.1.2: even an error needs a stream around it.
        match (self.state, self.io.role) {
            // Nobody would understand it: the peer speaks TLS by now, or wants to hear no more.
            (State::Handshake | State::Closing, _) => return self.end(why),
            (State::Opening, Role::Incoming) if !self.io.wire.is_open() => {
                incoming::open(&mut self.io, None, None)
            }
            (State::Opening | State::Secret, Role::Component) if !self.io.wire.is_open() => {
                component::open(&mut self.io, None);
            }
            _ => {}
        }
        if self.io.wire.is_open() {
            self.io.wire.error(&fail.error);
            self.io.wire.close();
        }
        self.end(why);
    }

    /// The peer has closed its half properly.
    fn peer_closed(&mut self) {
        self.io.wire.close();
        self.io.heard = true;
        let unproven = self.io.is_outgoing() && !self.io.trusted;
        let why = match (self.io.why.take(), self.io.refusal) {
            (Some(why), _) => why,
            (None, Some(refusal)) if unproven => End::NotAuthenticated(refusal),
            (None, _) => End::Clean,
        };
        self.end(why);
    }
}
