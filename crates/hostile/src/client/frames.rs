//! WebSocket as a client speaks it: every frame masked, nothing checked.
//!
//! RFC 6455, RFC 7395.
//!
//! Not here: what is in the frames.

use std::time::{Duration, Instant};

use super::http::{Incoming, Progress};
use super::socket::{Read, Socket};
use super::{Came, PATIENCE};
use crate::Outcome;

/// A connection that was upgraded.
pub(crate) struct Frames {
    pub(crate) socket: Socket,
    incoming: Vec<u8>,
}

impl Frames {
    pub(crate) fn upgrade(mut socket: Socket, host: &str) -> Outcome<Frames> {
        socket.write(
            format!(
                "GET /xmpp-websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Protocol: xmpp\r\n\r\n"
            )
            .as_bytes(),
        );
        let mut incoming = Incoming::default();
        match incoming.read(&mut socket, PATIENCE) {
            Progress::Whole(response) if response.status == 101 => {
                Ok(Frames { socket, incoming: incoming.bytes })
            }
            Progress::Whole(response) => Err(format!("no upgrade: {response:?}")),
            _ => Err("no answer to the upgrade".into()),
        }
    }

    /// One text frame.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.socket.write(&frame(0x81, bytes));
    }

    /// The next text, or the code of a close frame.
    pub(crate) fn read(&mut self, patience: Duration) -> Came {
        let until = Instant::now() + patience;
        loop {
            match self.take() {
                Some((0x81, payload)) => return Came::Text(payload),
                Some((0x88, payload)) => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    return Came::End(code.to_string());
                }
                Some(_) => continue,
                None => {}
            }
            match self.socket.read(until.saturating_duration_since(Instant::now())) {
                Read::Bytes(bytes) => self.incoming.extend(bytes),
                Read::Nothing => return Came::Nothing,
                Read::End => return Came::End("end".into()),
            }
        }
    }

    fn take(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (*self.incoming.first()?, *self.incoming.get(1)?);
        let (size, length) = match second & 0x7f {
            126 => (4, number(self.incoming.get(2..4)?)),
            127 => (10, number(self.incoming.get(2..10)?)),
            short => (2, usize::from(short)),
        };
        if self.incoming.len() < size + length {
            return None;
        }
        let rest = self.incoming.split_off(size + length);
        let payload = self.incoming.split_off(size);
        self.incoming = rest;
        Some((first, payload))
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
}

/// A frame as a client sends it; `first` is its first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 0, 255, 19];
    let mut out = vec![first];
    match payload.len() {
        n @ 0..126 => out.push(0x80 | n as u8),
        n @ 126..0x10000 => {
            out.push(0x80 | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}
