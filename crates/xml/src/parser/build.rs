//! The canonical form of the element that is being read, and its index.
//!
//! The form is described in lib.rs.
//!
//! Not here: deciding what is allowed (tag.rs, text.rs, scope.rs).

use std::sync::Arc;

use bytes::Bytes;

use super::scope::{NsId, Scope};
use super::tag::RawAttr;
use super::text::decode_value;
use crate::chars;
use crate::element::{Element, Entry, Ns, Span};
use crate::error::{Error, Limit};
use crate::escape::{escape_attr, escape_text};

/// Buffers larger than this are given back after each element, so that one large stanza does not stay.
const KEPT: usize = 16 * 1024;
/// Room for a usual stanza, so that it is not asked for in small pieces.
const USUAL: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Build {
    out: Vec<u8>,
    /// A start tag still lacks its `>` or `/>`.
    pending: bool,
    index: Vec<Entry>,
    attrs: u16,
    extra: String,
    name: Span,
    ns: Span,
    inner: u32,
    has_text: bool,
    /// Open elements, the first-level one included.
    pub(crate) depth: u16,
    /// Elements inside the first-level one so far.
    pub(crate) elements: u32,
    /// Attributes so far.
    pub(crate) attributes: u32,
    /// What `out` may grow to.
    pub(crate) limit: u32,
    scratch: Vec<u8>,
}

impl Build {
    /// Begins an element: everything of its start tag but the closing bracket.
    /// `ns`: its namespace if it is not that of its parent.
    pub(crate) fn start(&mut self, name: &[u8], ns: Option<&[u8]>) {
        self.end_start_tag();
        if self.depth == 0 {
            self.out.reserve(USUAL);
            self.index.reserve(6);
        }
        self.depth += 1;
        let at = self.out.len();
        self.out.push(b'<');
        let local = self.put(name);
        let span = match ns {
            Some(ns) => self.put_ns(b" xmlns='", ns),
            None if self.depth == 1 => Span::CONTENT,
            // Only wanted for children of the first-level element.
            None => self.ns,
        };
        self.pending = true;
        match self.depth {
            1 => (self.name, self.ns, self.inner) = (local, span, 0),
            2 => {
                let body = Span { start: at as u32, len: 0 };
                self.index.push(Entry { name: local, ns: span, body });
            }
            _ => {}
        }
    }

    /// Adds an attribute to the start tag that [`start`](Self::start) began. `first`: nobody has declared
    /// its prefix on this element.
    pub(crate) fn attr(
        &mut self,
        tag: &[u8],
        attr: &RawAttr,
        scope: &Scope,
        first: bool,
    ) -> Result<(), Error> {
        let mut ns = Span::NONE;
        match attr.ns {
            NsId::NONE => self.out.push(b' '),
            NsId::XML => {
                ns = Span::XML;
                self.out.extend_from_slice(b" xml:");
            }
            id => {
                let prefix = format!("n{}", attr.number);
                if first {
                    ns = self.put_ns(format!(" xmlns:{prefix}='").as_bytes(), scope.uri(id));
                } else if self.depth == 1 {
                    ns = self.extra(scope.uri(id));
                }
                self.out.push(b' ');
                self.out.extend_from_slice(prefix.as_bytes());
                self.out.push(b':');
            }
        }
        let name = self.put(attr.name.local(tag));
        self.out.extend_from_slice(b"='");
        let start = self.out.len();
        self.value(attr.raw(tag), attr.plain)?;
        let body = Span { start: start as u32, len: (self.out.len() - start) as u32 };
        self.out.push(b'\'');
        if self.depth == 1 {
            self.index.push(Entry { name, ns, body });
            self.attrs += 1;
        }
        Ok(())
    }

    fn value(&mut self, raw: &[u8], plain: bool) -> Result<(), Error> {
        if plain {
            self.out.extend_from_slice(raw);
            return Ok(());
        }
        self.scratch.clear();
        decode_value(raw, &mut self.scratch)?;
        // decode_value lets nothing but UTF-8 through.
        escape_attr(&mut self.out, std::str::from_utf8(&self.scratch).unwrap_or_default());
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Span {
        let start = self.out.len() as u32;
        self.out.extend_from_slice(bytes);
        Span { start, len: bytes.len() as u32 }
    }

    /// Writes a declaration; the span is that of the namespace itself.
    fn put_ns(&mut self, before: &[u8], ns: &[u8]) -> Span {
        self.out.extend_from_slice(before);
        let start = self.out.len();
        let same = chars::skip_attr(ns, 0) == ns.len();
        if same {
            self.out.extend_from_slice(ns);
        } else {
            escape_attr(&mut self.out, std::str::from_utf8(ns).unwrap_or_default());
        }
        self.out.push(b'\'');
        match same {
            true => Span { start: start as u32, len: ns.len() as u32 },
            false if self.depth <= 2 => self.extra(ns),
            false => Span::NONE,
        }
    }

    fn extra(&mut self, ns: &[u8]) -> Span {
        let start = self.extra.len() as u32 | Span::EXTRA;
        self.extra.push_str(std::str::from_utf8(ns).unwrap_or_default());
        Span { start, len: ns.len() as u32 }
    }

    fn end_start_tag(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.out.push(b'>');
            if self.depth == 1 {
                self.inner = self.out.len() as u32;
            }
        }
    }

    /// Adds text that needs no escape.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Error> {
        self.end_start_tag();
        self.out.extend_from_slice(text);
        if self.depth == 1 && !self.has_text {
            self.has_text = !text.iter().all(|b| chars::is_space(*b));
        }
        self.check()
    }

    /// Adds one character that may need an escape.
    pub(crate) fn escaped(&mut self, c: char) -> Result<(), Error> {
        self.end_start_tag();
        escape_text(&mut self.out, c.encode_utf8(&mut [0; 4]));
        self.has_text |= self.depth == 1 && !matches!(c, ' ' | '\t' | '\r' | '\n');
        self.check()
    }

    /// Ends the innermost element.
    pub(crate) fn end(&mut self, name: &[u8]) -> Result<(), Error> {
        if std::mem::take(&mut self.pending) {
            if self.depth == 1 {
                self.inner = self.out.len() as u32;
            }
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(name);
            self.out.push(b'>');
        }
        if self.depth == 2
            && let Some(entry) = self.index.last_mut()
        {
            entry.body.len = self.out.len() as u32 - entry.body.start;
        }
        self.depth -= 1;
        self.check()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.out.len() <= self.limit as usize {
            true => Ok(()),
            false => Err(Error::LimitPassed(Limit::CanonicalBytes)),
        }
    }

    /// The first-level element as far as it has come; its start tag is complete if `name` is not empty.
    pub(crate) fn begun(&self) -> (&[u8], Span, &[Entry]) {
        (&self.out, self.name, &self.index[..self.attrs as usize])
    }

    /// The first-level element's namespace.
    pub(crate) fn ns(&self) -> Span {
        self.ns
    }

    /// Hands out the complete element and makes ready for the next. `name_len`: of its end tag's name.
    pub(crate) fn finish(&mut self, content_ns: &Ns, source_bytes: usize) -> Element {
        let end = if self.out.ends_with(b"/>") && self.inner as usize + 2 == self.out.len() {
            self.inner
        } else {
            self.out.len() as u32 - self.name.len - 3
        };
        let element = Element {
            bytes: Bytes::copy_from_slice(&self.out),
            index: Arc::from(self.index.as_slice()),
            extra: (!self.extra.is_empty()).then(|| Arc::from(self.extra.as_str())),
            content_ns: content_ns.clone(),
            name: self.name,
            ns: self.ns,
            inner: Span { start: self.inner, len: end - self.inner },
            source_bytes: source_bytes as u32,
            attrs: self.attrs,
            has_text: self.has_text,
        };
        self.clear();
        element
    }

    pub(crate) fn clear(&mut self) {
        if self.out.capacity() > KEPT || self.index.capacity() * size_of::<Entry>() > KEPT {
            *self = Build::default();
            return;
        }
        // Field by field, as this runs once per stanza and the whole is large to move.
        self.out.clear();
        self.index.clear();
        self.extra.clear();
        (self.pending, self.has_text) = (false, false);
        (self.attrs, self.inner) = (0, 0);
        (self.depth, self.elements, self.attributes) = (0, 0, 0);
    }
}
