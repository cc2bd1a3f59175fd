//! One HTTP response, read as it comes.
//!
//! Not here: what is asked for (`bosh.rs`, `frames.rs`).

use std::time::{Duration, Instant};

use super::socket::{Read, Socket};

/// What was answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A response that may still be on its way, and what came after it.
#[derive(Default)]
pub(crate) struct Incoming {
    pub(crate) bytes: Vec<u8>,
}

/// How reading went.
pub(crate) enum Progress {
    Whole(Response),
    NotYet,
    Broken,
}

impl Incoming {
    /// Reads on until the response is whole.
    pub(crate) fn read(&mut self, socket: &mut Socket, patience: Duration) -> Progress {
        let until = Instant::now() + patience;
        loop {
            if let Some(response) = self.take() {
                return Progress::Whole(response);
            }
            match socket.read(until.saturating_duration_since(Instant::now())) {
                Read::Bytes(bytes) => self.bytes.extend(bytes),
                Read::Nothing => return Progress::NotYet,
                Read::End => return Progress::Broken,
            }
        }
    }

    fn take(&mut self) -> Option<Response> {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase();
        let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.split("\r\n").next());
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if self.bytes.len() < end + length {
            return None;
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let rest = self.bytes.split_off(end + length);
        let body = self.bytes.split_off(end);
        self.bytes = rest;
        Some(Response { status, body })
    }
}
