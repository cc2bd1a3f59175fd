//! How a stream's bytes travel on a socket: as they are, or in WebSocket messages.
//!
//! RFC 6120 section 4, RFC 7395 section 3.
//!
//! Not here: WebSocket frames themselves (`websocket/codec.rs`).

use std::time::Instant;

use stream::{Frame, Stream};

use crate::websocket::{Codec, Event};
use crate::wire::Wire;

/// The form of the bytes.
pub(crate) enum Framing {
    /// TCP and direct TLS.
    Bytes,
    /// RFC 7395.
    WebSocket(Box<Codec>),
}

impl Framing {
    /// Hands input to the stream while it wants some; says how much was taken.
    pub(crate) fn input(&mut self, stream: &mut Stream, now: Instant, bytes: &[u8]) -> usize {
        match self {
            Framing::Bytes if stream.wants_input() => {
                stream.handle_input(now, bytes);
                bytes.len()
            }
            Framing::Bytes => 0,
            Framing::WebSocket(codec) => {
                let mut rest = bytes;
                codec.set_limit(stream.limits().element_bytes as usize);
                while stream.wants_input() && !codec.ended() {
                    match codec.next(&mut rest, now) {
                        Some(Event::Message(message)) => stream.handle_input(now, &message),
                        Some(Event::Control) => {}
                        None => break,
                    }
                }
                // What comes after the end is of no interest.
                if codec.ended() { bytes.len() } else { bytes.len() - rest.len() }
            }
        }
    }

    /// Whether the peer has said, or done something that means, that it sends no more.
    pub(crate) fn ended(&self) -> bool {
        match self {
            Framing::Bytes => false,
            Framing::WebSocket(codec) => codec.ended(),
        }
    }

    /// Once, after a rule of the form was broken: its name and a code.
    pub(crate) fn take_fault(&mut self) -> Option<(&'static str, u16)> {
        match self {
            Framing::Bytes => None,
            Framing::WebSocket(codec) => codec.take_fault().map(|code| ("websocket", code)),
        }
    }

    /// What the form itself has to answer.
    pub(crate) fn replies(&mut self) -> Vec<u8> {
        match self {
            Framing::Bytes => Vec::new(),
            Framing::WebSocket(codec) => codec.replies(),
        }
    }

    /// Collects what the stream wants to write.
    pub(crate) fn gather(&mut self, stream: &mut Stream, out: &mut Vec<u8>) {
        match self {
            Framing::Bytes => stream.take_bytes(out),
            Framing::WebSocket(codec) => {
                while let Some(frame) = stream.take_frame() {
                    if let Frame::Element(element) = frame
                        && !codec.closed()
                    {
                        Codec::text(out, &element);
                    }
                }
            }
        }
    }

    /// The last thing to say.
    pub(crate) fn close(&mut self, wire: &mut Wire) {
        if let Framing::WebSocket(codec) = self {
            codec.close(1000);
            // A failure shows again when it is flushed.
            let _ = wire.push(&codec.replies());
        }
    }
}
