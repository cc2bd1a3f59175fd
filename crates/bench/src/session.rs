//! One client's stream: hands out stanza after stanza, and answers by itself what any client must answer.
//!
//! That is: acknowledgement requests (XEP-0198 1.6 section 4) and requests of the server (RFC 6120 section 8.2.3).
//! Not here: negotiation (`login.rs`), works (`work/`).

use crate::scan::{self, Piece, Scanner};
use crate::{Outcome, wire::Wire};
use std::future::poll_fn;
use std::io::Write;
use std::task::{Context, Poll};

/// Counters of stream management.
#[derive(Debug, Clone, Copy, Default)]
pub struct Acks {
    /// Stanzas received since `<enabled/>`.
    pub received: u32,
    /// The last `h` that the server told us.
    pub acknowledged: u32,
}

/// A stream after or during its negotiation.
pub struct Session {
    /// The bytes below.
    pub wire: Wire,
    /// Our full JID once a resource is bound.
    pub jid: String,
    /// Stream management, once enabled.
    pub acks: Option<Acks>,
    scanner: Scanner,
    pending: usize,
}

impl Session {
    /// A stream over `wire` whose next piece `scanner` expects.
    pub fn new(wire: Wire, scanner: Scanner) -> Self {
        Self { wire, jid: String::new(), acks: None, scanner, pending: 0 }
    }

    /// The bare JID.
    pub fn bare(&self) -> &str {
        self.jid.split('/').next().unwrap_or_default()
    }

    /// A new stream over the same connection begins (after TLS or SASL).
    pub fn restart(&mut self) {
        self.wire.take(std::mem::take(&mut self.pending));
        self.scanner = Scanner::default();
    }

    /// Queues `xml`.
    pub fn queue(&mut self, xml: &str) {
        self.wire.out().extend_from_slice(xml.as_bytes());
    }

    /// Moves on to the next stanza received, if one is there whole; [`Self::stanza`] then shows it.
    ///
    /// # Errors
    /// A stream error, or the end of the stream.
    pub fn advance(&mut self) -> Outcome<bool> {
        loop {
            self.wire.take(std::mem::take(&mut self.pending));
            let Some((piece, length)) = self.scanner.next(self.wire.received()) else { return Ok(false) };
            self.pending = length;
            match piece {
                Piece::Close => return Err("the server closed the stream".into()),
                Piece::Open => {}
                Piece::Element => {
                    if !self.handled()? {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// The stanza (or other element) that [`Self::advance`] moved to.
    pub fn stanza(&self) -> &[u8] {
        self.wire.received()[..self.pending].trim_ascii_start()
    }

    /// Handles what needs no attention of the work; false if the element is for the work.
    fn handled(&mut self) -> Outcome<bool> {
        let stanza = self.stanza();
        let kind = (stanza.get(1).copied(), stanza.get(2).copied());
        match kind {
            (Some(b'm' | b'p' | b'i'), _) => {}
            (Some(b'r'), Some(b' ' | b'/')) => {
                if let Some(acks) = self.acks {
                    let _ = write!(self.wire.out(), "<a xmlns='urn:xmpp:sm:3' h='{}'/>", acks.received);
                }
                return Ok(true);
            }
            (Some(b'a'), Some(b' ')) => {
                let told = scan::attribute(stanza, "h").and_then(|h| h.parse().ok());
                let told = told.ok_or("an ack without a number")?;
                if let Some(acks) = &mut self.acks {
                    acks.acknowledged = told;
                }
                return Ok(true);
            }
            (Some(b's'), _) if stanza.starts_with(b"<stream:error") => {
                return Err(String::from_utf8_lossy(stanza).into_owned().into());
            }
            _ => return Ok(false),
        }
        if let Some(acks) = &mut self.acks {
            acks.received = acks.received.wrapping_add(1);
        }
        self.request_answered()
    }

    fn request_answered(&mut self) -> Outcome<bool> {
        let stanza = self.stanza();
        if !stanza.starts_with(b"<iq") || !matches!(scan::attribute(stanza, "type"), Some("get" | "set")) {
            return Ok(false);
        }
        let id = scan::attribute(stanza, "id").unwrap_or_default();
        let to = scan::attribute(stanza, "from").map(|from| format!(" to='{from}'")).unwrap_or_default();
        let answer = format!("<iq type='result' id='{id}'{to}/>");
        self.queue(&answer);
        Ok(true)
    }

    /// Waits for the next element and returns a copy.
    ///
    /// # Errors
    /// Of the stream.
    pub async fn next(&mut self) -> Outcome<Vec<u8>> {
        while !self.advance()? {
            self.wire.fill().await?;
        }
        Ok(self.stanza().to_vec())
    }

    /// Sends an `iq` (with the given id inside `xml`) and returns its result; drops what comes before it.
    ///
    /// # Errors
    /// Of the stream, or an `iq` of type error.
    pub async fn request(&mut self, id: &str, xml: &str) -> Outcome<Vec<u8>> {
        self.queue(xml);
        loop {
            let stanza = self.next().await?;
            if !stanza.starts_with(b"<iq") || scan::attribute(&stanza, "id") != Some(id) {
                continue;
            }
            if scan::attribute(&stanza, "type") == Some("result") {
                return Ok(stanza);
            }
            return Err(format!("refused: {}", String::from_utf8_lossy(&stanza)).into());
        }
    }

    /// A round trip through the server: everything sent before has been taken in when it returns.
    ///
    /// # Errors
    /// Of the stream.
    pub async fn fence(&mut self, domain: &str) -> Outcome<()> {
        let ping = format!("<iq type='get' id='fence' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>");
        self.request("fence", &ping).await.map(drop)
    }

    /// Enables stream management.
    ///
    /// # Errors
    /// If the server does not.
    pub async fn enable_acks(&mut self) -> Outcome<()> {
        self.queue("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        loop {
            let element = self.next().await?;
            if element.starts_with(b"<enabled") {
                self.acks = Some(Acks::default());
                return Ok(());
            }
            if element.starts_with(b"<failed") {
                return Err("the server refused stream management".into());
            }
        }
    }

    /// Ends the stream and waits until the server ended it too. With acks, says first what came, so that the server
    /// keeps nothing for the next session.
    pub async fn leave(mut self) {
        if let Some(acks) = self.acks {
            let _ = write!(self.wire.out(), "<a xmlns='urn:xmpp:sm:3' h='{}'/>", acks.received);
        }
        self.queue("</stream:stream>");
        while self.wire.fill().await.is_ok() {
            while matches!(self.advance(), Ok(true)) {}
            if self.wire.received().ends_with(b"</stream:stream>") {
                break;
            }
        }
        let _ = self.wire.close().await;
    }
}

/// Waits until one of two streams received something; sends what both have queued meanwhile.
///
/// # Errors
/// Of either connection.
pub async fn either(one: &mut Session, other: &mut Session) -> std::io::Result<()> {
    let mut both = |cx: &mut Context<'_>| {
        let first = one.wire.poll_fill(cx)?;
        let second = other.wire.poll_fill(cx)?;
        if first.is_ready() || second.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    };
    poll_fn(&mut both).await
}
