//! What is to be written.
//!
//! RFC 6120 sections 4.2 and 4.7 to 4.9 (header, errors, close), XEP-0220 section 2 (the prefix `db`).
//!
//! Not here: what is said (the states).

use std::borrow::Cow;

use stanza::{Stanza, StreamError, ns};
use xml::{Writer, escape_attr};

use crate::content;

/// The outgoing half of a stream.
pub(crate) struct Wire {
    /// The content namespace: that of servers, or of components.
    pub(crate) content: &'static str,
    /// A header was written since the last restart.
    opened: bool,
    closed: bool,
    bytes: Vec<u8>,
}

/// The attributes of our header.
#[derive(Default)]
pub(crate) struct Header<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
}

impl Wire {
    pub(crate) fn new(content: &'static str) -> Wire {
        Wire { content, opened: false, closed: false, bytes: Vec::new() }
    }

    /// Whether our header is out and our end is not.
    pub(crate) fn is_open(&self) -> bool {
        self.opened && !self.closed
    }

    /// The next thing written will be a header.
    pub(crate) fn restart(&mut self) {
        self.opened = false;
    }

    /// Writes our header.
    pub(crate) fn open(&mut self, header: &Header<'_>) {
        self.opened = true;
        let mut start = format!("<?xml version='1.0'?><stream:stream xmlns='{}'", self.content);
        start.push_str(" xmlns:stream='http://etherx.jabber.org/streams'");
        if self.content == ns::SERVER {
            // XEP-0220 section 2: every dialback element must have the prefix that the header declares.
            start.push_str(&format!(" xmlns:db='{}'", ns::DIALBACK));
        }
        self.bytes.extend_from_slice(start.as_bytes());
        for (name, value) in [("id", header.id), ("from", header.from), ("to", header.to)] {
            if let Some(value) = value {
                self.bytes.extend_from_slice(format!(" {name}='").as_bytes());
                escape_attr(&mut self.bytes, value);
                self.bytes.push(b'\'');
            }
        }
        let end: &[u8] = match self.content == ns::SERVER {
            true => b" version='1.0' xml:lang='en'>",
            // XEP-0114 is older than versions; with one, some components would wait for features.
            false => b">",
        };
        self.bytes.extend_from_slice(end);
    }

    /// A writer for one first-level element; give its bytes to [`Wire::put`].
    pub(crate) fn writer(&self) -> Writer {
        Writer::new(self.content)
    }

    /// Writes one first-level element.
    pub(crate) fn put(&mut self, element: &[u8]) {
        self.bytes.extend_from_slice(element);
    }

    /// Writes an element without content.
    pub(crate) fn put_empty(&mut self, name: &str, ns: &str) {
        let mut w = self.writer();
        w.open(name, ns).close();
        self.put(&w.finish());
    }

    /// Writes `<stream:…/>` with this content, which was written with [`Wire::writer`].
    pub(crate) fn put_stream(&mut self, name: &str, inner: &[u8]) {
        let mut out = format!("<stream:{name}>").into_bytes();
        out.extend_from_slice(inner);
        out.extend_from_slice(format!("</stream:{name}>").as_bytes());
        self.put(&out);
    }

    /// Writes `<db:name attrs>inner</db:name>`; `inner` is canonical below the content namespace.
    pub(crate) fn put_dialback(&mut self, name: &str, attrs: &[(&str, &str)], inner: &[u8]) {
        let mut out = format!("<db:{name}").into_bytes();
        for (key, value) in attrs {
            out.extend_from_slice(format!(" {key}='").as_bytes());
            escape_attr(&mut out, value);
            out.push(b'\'');
        }
        if inner.is_empty() {
            out.extend_from_slice(b"/>");
        } else {
            out.push(b'>');
            out.extend_from_slice(inner);
            out.extend_from_slice(format!("</db:{name}>").as_bytes());
        }
        self.put(&out);
    }

    /// Writes a stanza of at most `bytes_max`, if there is a limit.
    ///
    /// # Errors
    /// The limit, if it was passed; nothing is written then.
    pub(crate) fn stanza(&mut self, stanza: &Stanza, bytes_max: Option<u32>) -> Result<usize, u32> {
        let before = self.bytes.len();
        let stanza = match content::to_wire(&stanza.payload, self.content) {
            Some(inner) => Cow::Owned(stanza.clone().with_inner(inner)),
            None => Cow::Borrowed(stanza),
        };
        stanza.write(&mut self.bytes, None);
        let size = self.bytes.len() - before;
        match bytes_max {
            Some(max) if size > max as usize => {
                self.bytes.truncate(before);
                Err(max)
            }
            _ => Ok(size),
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
    pub(crate) fn close(&mut self) {
        if self.is_open() {
            self.closed = true;
            self.put(b"</stream:stream>");
        }
    }

    /// Moves all bytes to the end of `out` and gives the buffer back.
    pub(crate) fn take_bytes(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            std::mem::swap(out, &mut self.bytes);
        } else {
            out.append(&mut self.bytes);
        }
        self.bytes = Vec::new();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
