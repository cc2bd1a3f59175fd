//! What is to be written, in the form that the transport wants.
//!
//! RFC 6120 sections 4.2 and 4.7 to 4.9 (header, errors, close), RFC 7395 section 3, XEP-0206 version 1.4.
//!
//! Not here: what is said (the states).

use std::collections::VecDeque;

use model::link::Transport;
use stanza::{Stanza, StreamError, ns};
use xml::{Writer, escape_attr};

use crate::{Frame, Opened};

/// The outgoing half of a stream.
pub(crate) struct Wire {
    pub(crate) transport: Transport,
    /// A header was written since the last restart.
    opened: bool,
    closed: bool,
    bytes: Vec<u8>,
    frames: VecDeque<Frame>,
}

/// The prefix is part of the RFC's examples and of what some clients look for.
const STREAM_PREFIX: &str = " xmlns:stream='http://etherx.jabber.org/streams'";

impl Wire {
    pub(crate) fn new(transport: Transport) -> Wire {
        Wire { transport, opened: false, closed: false, bytes: Vec::new(), frames: VecDeque::new() }
    }

    /// Whether elements are written one by one instead of into one document.
    pub(crate) fn is_framed(&self) -> bool {
        matches!(self.transport, Transport::WebSocket | Transport::Bosh)
    }

    /// Whether our header is out.
    pub(crate) fn is_open(&self) -> bool {
        self.opened && !self.closed
    }

    /// The next thing written will be a header.
    pub(crate) fn restart(&mut self) {
        self.opened = false;
    }

    /// Writes our header.
    pub(crate) fn open(&mut self, header: Opened) {
        self.opened = true;
        match self.transport {
            Transport::Tcp | Transport::DirectTls => {
                let start = format!("<?xml version='1.0'?><stream:stream xmlns='{}'", ns::CLIENT);
                self.bytes.extend_from_slice(start.as_bytes());
                self.bytes.extend_from_slice(STREAM_PREFIX.as_bytes());
                header_attributes(&header, &mut self.bytes);
                self.bytes.push(b'>');
            }
            Transport::WebSocket => {
                let mut out = format!("<open xmlns='{}'", ns::FRAMING).into_bytes();
                header_attributes(&header, &mut out);
                out.extend_from_slice(b"/>");
                self.frames.push_back(Frame::Element(out));
            }
            Transport::Bosh => self.frames.push_back(Frame::Opened(header)),
        }
    }

    /// A writer for one first-level element; give its bytes to [`Wire::put`].
    pub(crate) fn writer(&self) -> Writer {
        // In a frame of its own an element must say even that it is `jabber:client`.
        Writer::new(if self.is_framed() { "" } else { ns::CLIENT })
    }

    /// Writes one first-level element.
    pub(crate) fn put(&mut self, element: &[u8]) {
        if self.is_framed() {
            self.frames.push_back(Frame::Element(element.to_vec()));
        } else {
            self.bytes.extend_from_slice(element);
        }
    }

    /// Writes an element without content.
    pub(crate) fn put_empty(&mut self, name: &str, ns: &str) {
        let mut w = self.writer();
        w.open(name, ns).close();
        self.put(&w.finish());
    }

    /// Writes `<stream:…/>` with this content, which was written relative to [`Wire::writer`]'s namespace.
    pub(crate) fn put_stream(&mut self, name: &str, inner: &[u8]) {
        let prefix = if self.is_framed() { STREAM_PREFIX } else { "" };
        let mut out = format!("<stream:{name}{prefix}>").into_bytes();
        out.extend_from_slice(inner);
        out.extend_from_slice(format!("</stream:{name}>").as_bytes());
        self.put(&out);
    }

    /// Writes a stanza.
    pub(crate) fn stanza(&mut self, stanza: &Stanza) {
        if self.is_framed() {
            let mut out = Vec::new();
            stanza.write(&mut out, Some(ns::CLIENT));
            self.frames.push_back(Frame::Element(out));
        } else {
            stanza.write(&mut self.bytes, None);
        }
    }

    /// Writes a stream error; [`Wire::close`] must follow.
    pub(crate) fn error(&mut self, error: &StreamError) {
        let mut w = self.writer();
        w.open(error.condition.name(), ns::STREAM_ERRORS).close();
        if let Some(text) = error.text {
            w.open("text", ns::STREAM_ERRORS).attr("xml:lang", "en").text(text).close();
        }
        let mut inner = w.finish().to_vec();
        inner.extend_from_slice(error.app.as_deref().unwrap_or_default().as_bytes());
        self.put_stream("error", &inner);
    }

    /// Ends our half of the stream, once.
    pub(crate) fn close(&mut self, error: bool) {
        if !self.is_open() {
            return;
        }
        self.closed = true;
        match self.transport {
            Transport::Tcp | Transport::DirectTls => self.bytes.extend_from_slice(b"</stream:stream>"),
            Transport::WebSocket => self.put_empty("close", ns::FRAMING),
            Transport::Bosh => self.frames.push_back(Frame::Terminate { error }),
        }
    }

    /// Moves all bytes to the end of `out` and gives the buffer back.
    pub(crate) fn take_bytes(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            std::mem::swap(out, &mut self.bytes);
        } else {
            out.append(&mut self.bytes);
        }
        // `out` may have brought a buffer of its own; an idle stream holds none.
        self.bytes = Vec::new();
    }

    pub(crate) fn take_frame(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front();
        if frame.is_none() {
            self.frames = VecDeque::new();
        }
        frame
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.frames.is_empty()
    }
}

fn header_attributes(header: &Opened, out: &mut Vec<u8>) {
    let mut attr = |name: &str, value: &str| {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"='");
        escape_attr(out, value);
        out.push(b'\'');
    };
    attr("id", &header.id);
    if let Some(from) = &header.from {
        attr("from", from);
    }
    if let Some(to) = &header.to {
        attr("to", to);
    }
    attr("version", "1.0");
    attr("xml:lang", header.lang);
}
