//! Watches the heads of requests as they come in for those that say twice where their body ends.
//!
//! RFC 9112 sections 6.1 and 6.3 (request smuggling)
//!
//! The HTTP library decides for one of the two and hides the other. Behind a proxy that decides otherwise a part of the body
//! would be a request of somebody else, so such a request is refused.
//!
//! Not here: reading requests (hyper), refusing them (`mod.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::HEAD_BYTES;

/// Whether a request of this connection was ambiguous. Once it was, it stays so: the connection ends.
#[derive(Clone, Default)]
pub(crate) struct Ambiguous(Arc<AtomicBool>);

impl Ambiguous {
    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Follows one connection.
pub(crate) struct Heads {
    ambiguous: Ambiguous,
    at: At,
}

/// Where in it.
enum At {
    Head(Head),
    /// So many bytes of a body are to come.
    Body(u64),
    /// What follows is not for us to understand: chunks, or no HTTP. The library ends a connection by itself whose
    /// request was ambiguous.
    Elsewhere,
}

#[derive(Default)]
struct Head {
    line: Vec<u8>,
    /// Whether the request line has come.
    begun: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Heads {
    pub(crate) fn new(ambiguous: Ambiguous) -> Heads {
        Heads { ambiguous, at: At::Head(Head::default()) }
    }

    /// These bytes came next.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Elsewhere => return,
                At::Body(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[taken..];
                    *left -= taken as u64;
                    if *left == 0 {
                        self.at = At::Head(Head::default());
                    }
                }
                At::Head(head) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = rest;
                    head.line.extend_from_slice(part);
                    if head.line.len() > HEAD_BYTES {
                        self.at = At::Elsewhere;
                    } else if end.is_some() && head.line_ends() {
                        if head.chunked && head.length.is_some() {
                            self.ambiguous.0.store(true, Ordering::Release);
                        }
                        self.at = head.body();
                    }
                }
            }
        }
    }
}

impl Head {
    /// Looks at a line; `true` if the head ends with it.
    fn line_ends(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii_end();
        if line.is_empty() {
            // Empty lines before a request are passed over (RFC 9112 section 2.2).
            return self.begun;
        }
        if !std::mem::replace(&mut self.begun, true) {
            return false;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            // What is no number is refused by the library.
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            self.length = Some(number.unwrap_or(u64::MAX));
        }
        self.chunked |= name.eq_ignore_ascii_case(b"transfer-encoding");
        self.upgrade |= name.eq_ignore_ascii_case(b"upgrade");
        false
    }

    /// What follows the head.
    fn body(&self) -> At {
        match self.length {
            _ if self.chunked || self.upgrade => At::Elsewhere,
            None | Some(0) => At::Head(Head::default()),
            Some(length) => At::Body(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_it_twice_is_ambiguous() {
        let both = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let turned =
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nX: y\r\nCONTENT-LENGTH:4\r\n\r\n0\r\n\r\n";
        let length = "POST / HTTP/1.1\r\nContent-Length: 29\r\n\r\nTransfer-Encoding: chunked\r\n\n";
        let none = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        for (bytes, expected) in [
            (both.to_owned(), true),
            (turned.to_owned(), true),
            (format!("{none}{turned}"), true),
            (format!("{length}{both}"), true),
            (both.replace("\r\n", "\n"), true),
            (length.to_owned(), false),
            (format!("{none}{length}{chunks}"), false),
            ("\u{16}\u{3}\u{1}".repeat(20_000), false),
        ] {
            for step in [1, 7, bytes.len()] {
                let ambiguous = Ambiguous::default();
                let mut heads = Heads::new(ambiguous.clone());
                bytes.as_bytes().chunks(step).for_each(|part| heads.feed(part));
                assert_eq!(ambiguous.is(), expected, "{step}: {bytes:.60}");
            }
        }
    }
}
