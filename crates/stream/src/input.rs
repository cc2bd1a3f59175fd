//! From bytes to elements, as the transport cuts them.
//!
//! RFC 6120 sections 4.2 and 4.4, RFC 7395 section 3.3 (one element in each frame), XEP-0124.
//!
//! Not here: XML itself (crate `xml`), what an element does (the states).

use std::time::Instant;

use stanza::{StreamCondition, ns};
use xml::{Element, Event};

use crate::state::{Fail, State};
use crate::{Misbehaviour, Open, Stream};

/// Bytes that may wait while a question is open. The shell stops reading then, so this is one read of it at most.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// Frames or elements that may wait.
const HELD_FRAMES_MAX: usize = 64;

/// A frame or element that came while a question was open.
pub(crate) enum Held {
    Frame(Vec<u8>),
    Element(Element),
}

impl Stream {
    /// Bytes came. TCP and direct TLS: any piece. WebSocket: one whole message. BOSH: one child element of a body, as a
    /// document of its own (or call [`Stream::handle_element`]).
    /// Call it only while [`Stream::wants_input`]; what comes earlier waits, within bounds.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if self.io.over {
            return;
        }
        if matches!(self.state, State::Handshake(_)) {
            let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::BytesBeforeTls);
            return self.fail(fail);
        }
        self.io.clock.hear(now, bytes.len(), self.io.settings.rate);
        if self.io.wire.is_framed() {
            self.receive(now, Held::Frame(bytes.to_vec()));
        } else {
            if (!self.state.reads() || self.io.is_spent())
                && self.io.parser.unread().len() + bytes.len() > HELD_BYTES_MAX
            {
                return self.fail(flood());
            }
            self.io.parser.push(bytes);
            self.pump(now);
        }
        self.io.parser.release();
    }

    /// BOSH: one child element of a body, read by a parser with [`Stream::limits`] and `Framing::Wrapper`.
    pub fn handle_element(&mut self, now: Instant, element: Element) {
        if self.io.over {
            return;
        }
        self.io.clock.hear(now, element.source_bytes(), self.io.settings.rate);
        self.receive(now, Held::Element(element));
    }

    /// BOSH: a body could not be read.
    pub fn handle_bad_xml(&mut self, _now: Instant, error: xml::Error) {
        self.fail(error.into());
    }

    /// BOSH: the client opens the stream, or restarts it.
    pub fn handle_open(&mut self, now: Instant, open: Open) {
        self.open(now, &open);
        self.pump(now);
    }

    fn open(&mut self, now: Instant, open: &Open) {
        match &self.state {
            State::Opening(_) => self.step(|state, io| match state {
                State::Opening(state) => state.handle_open(io, now, open),
                state => Ok(state),
            }),
            State::Closed | State::Closing | State::Orphan(_) => {}
            _ => self.fail(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnexpectedHeader)),
        }
    }

    fn receive(&mut self, now: Instant, held: Held) {
        let spent = self.io.is_spent();
        if self.state.reads() && self.held.is_none() && !spent {
            return self.handle_held(now, held);
        }
        let bytes = |held: &Held| match held {
            Held::Frame(frame) => frame.len(),
            Held::Element(element) => element.bytes().len(),
        };
        let waiting = self.held.get_or_insert_default();
        let size: usize = waiting.iter().map(bytes).sum();
        // Who only is too fast may have as much waiting as one read brings.
        if (!spent && waiting.len() == HELD_FRAMES_MAX) || size + bytes(&held) > HELD_BYTES_MAX {
            return self.fail(flood());
        }
        waiting.push_back(held);
    }

    /// Handles what has arrived, as far as it may be handled now.
    pub(crate) fn pump(&mut self, now: Instant) {
        while self.state.reads() && !self.io.is_spent() {
            if self.io.wire.is_framed() {
                let Some(held) = self.held.as_mut().and_then(|held| held.pop_front()) else {
                    self.held = None;
                    break;
                };
                self.handle_held(now, held);
                continue;
            }
            match self.io.parser.next() {
                Ok(None) => break,
                Ok(Some(event)) => self.handle_event(now, event),
                Err(error) => self.fail(error.into()),
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Element(element) => self.dispatch(now, &element),
            Event::Header(header) => match Open::of_header(&header) {
                Ok(open) => self.open(now, &open),
                Err(fail) => self.fail(fail),
            },
            Event::Whitespace => {}
            Event::Close => self.peer_closed(),
        }
    }

    fn handle_held(&mut self, now: Instant, held: Held) {
        let element = match held {
            Held::Element(element) => element,
            Held::Frame(frame) => match self.read_frame(&frame) {
                Ok(Some(element)) => element,
                // White space alone: a keepalive that RFC 7395 does not know, and harmless.
                Ok(None) => return,
                Err(fail) => return self.fail(fail),
            },
        };
        match (element.ns(), element.name()) {
            (ns::FRAMING, "open") => self.open(now, &Open::of_frame(&element)),
            (ns::FRAMING, "close") => self.peer_closed(),
            _ => self.dispatch(now, &element),
        }
    }

    /// The one element of a frame.
    fn read_frame(&mut self, frame: &[u8]) -> Result<Option<Element>, Fail> {
        let bad = || Fail::new(StreamCondition::BadFormat, Misbehaviour::BadFrame);
        if frame.starts_with(b"<?") {
            return Err(bad().text("a frame is one element, without an XML declaration"));
        }
        let parser = &mut self.io.parser;
        parser.restart();
        parser.push(frame);
        let mut found = None;
        while let Some(event) = parser.next()? {
            match event {
                Event::Element(element) if found.is_none() => found = Some(element),
                Event::Whitespace => {}
                _ => return Err(bad().text("more than one element in a frame")),
            }
        }
        if !parser.is_idle() {
            return Err(bad().text("a frame ends within an element"));
        }
        Ok(found)
    }

    fn dispatch(&mut self, now: Instant, element: &Element) {
        match &mut self.state {
            // The busy state is not moved about for each stanza.
            State::Active(active) => {
                if let Err(fail) = active.handle_element(&mut self.io, element) {
                    self.fail(fail);
                }
            }
            State::Opening(_) => self.fail(Fail::new(StreamCondition::BadFormat, Misbehaviour::NotOpened)),
            _ => self.step(|state, io| state.handle_element(io, now, element)),
        }
    }
}

fn flood() -> Fail {
    Fail::new(StreamCondition::PolicyViolation, Misbehaviour::Flood)
}
