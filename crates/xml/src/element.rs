//! A first-level element in canonical form, with an index of what routing looks at.
//!
//! RFC 6120 section 8 (stanzas), 4.1 (first-level elements)
//!
//! Not here: reading deeper than the children (tree.rs).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::XML_NS;
use crate::escape::unescape;

/// A namespace that outlives the parser: one of those everybody uses, or a shared string.
#[derive(Clone, Debug)]
pub(crate) enum Ns {
    Known(&'static str),
    Other(Arc<str>),
}

impl Ns {
    pub(crate) fn new(ns: &str) -> Ns {
        const KNOWN: [&str; 6] = [
            "",
            "jabber:client",
            "jabber:server",
            "jabber:component:accept",
            "http://etherx.jabber.org/streams",
            "http://jabber.org/protocol/httpbind",
        ];
        match KNOWN.iter().find(|known| **known == ns) {
            Some(known) => Ns::Known(known),
            None => Ns::Other(ns.into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Ns::Known(ns) => ns,
            Ns::Other(ns) => ns,
        }
    }
}

/// A piece of an element's canonical bytes, or one of the strings that are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    /// The content namespace.
    pub(crate) const CONTENT: Span = Span { start: u32::MAX, len: 0 };
    /// The namespace of `xml:`.
    pub(crate) const XML: Span = Span { start: u32::MAX - 1, len: 0 };
    /// No namespace.
    pub(crate) const NONE: Span = Span { start: 0, len: 0 };
    /// Added to the start of a span of [`Element::extra`].
    pub(crate) const EXTRA: u32 = 1 << 31;

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// An attribute of the first-level element or one of its children: local name, namespace, value or bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Span,
    pub(crate) ns: Span,
    pub(crate) body: Span,
}

/// A first-level element in canonical form. Cheap to clone: its bytes are shared.
#[derive(Clone, Debug)]
pub struct Element {
    pub(crate) bytes: Bytes,
    pub(crate) index: Arc<[Entry]>,
    /// Namespaces whose canonical form has references.
    pub(crate) extra: Option<Arc<str>>,
    pub(crate) content_ns: Ns,
    pub(crate) name: Span,
    pub(crate) ns: Span,
    pub(crate) inner: Span,
    pub(crate) source_bytes: u32,
    pub(crate) attrs: u16,
    pub(crate) has_text: bool,
}

impl Element {
    /// The local name.
    pub fn name(&self) -> &str {
        self.str(self.name)
    }

    /// The namespace; empty if none.
    pub fn ns(&self) -> &str {
        self.str(self.ns)
    }

    /// The namespace that [`bytes`](Self::bytes) are relative to: where they stand below an element of
    /// this namespace they mean what they meant at the peer.
    pub fn content_ns(&self) -> &str {
        self.content_ns.as_str()
    }

    /// Whether this is the element `name` in the namespace `ns`.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// The value of the attribute `name` without a namespace.
    pub fn attr(&self, name: &str) -> Option<Cow<'_, str>> {
        let named = |e: &&Entry| e.ns == Span::NONE && &self.bytes[e.name.range()] == name.as_bytes();
        self.entries().0.iter().find(named).map(|e| unescape(self.str(e.body)))
    }

    /// `xml:lang`.
    pub fn lang(&self) -> Option<Cow<'_, str>> {
        let lang = |e: &&Entry| e.ns == Span::XML && &self.bytes[e.name.range()] == b"lang";
        self.entries().0.iter().find(lang).map(|e| unescape(self.str(e.body)))
    }

    /// All attributes in source order.
    pub fn attrs(&self) -> impl ExactSizeIterator<Item = Attr<'_>> {
        self.entries().0.iter().map(|entry| Attr { element: self, entry })
    }

    /// The whole element in canonical form.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is between the start tag and the end tag, sharing the same memory.
    pub fn inner(&self) -> Bytes {
        self.bytes.slice(self.inner.range())
    }

    /// The same without a count of references.
    pub fn inner_bytes(&self) -> &[u8] {
        &self.bytes[self.inner.range()]
    }

    /// The elements directly inside, in order.
    pub fn children(&self) -> impl ExactSizeIterator<Item = Child<'_>> + DoubleEndedIterator {
        self.entries().1.iter().map(|entry| Child { element: self, entry })
    }

    /// The first child of this name and namespace.
    pub fn child(&self, name: &str, ns: &str) -> Option<Child<'_>> {
        self.children().find(|child| child.is(name, ns))
    }

    /// Whether there is text directly inside, white space not counted.
    pub fn has_text(&self) -> bool {
        self.has_text
    }

    /// How many bytes the peer sent for this element.
    pub fn source_bytes(&self) -> usize {
        self.source_bytes as usize
    }

    fn entries(&self) -> (&[Entry], &[Entry]) {
        self.index.split_at(self.attrs as usize)
    }

    fn str(&self, span: Span) -> &str {
        match span {
            Span::CONTENT => self.content_ns.as_str(),
            Span::XML => XML_NS,
            Span { start, len } if start & Span::EXTRA != 0 => {
                let range = Span { start: start & !Span::EXTRA, len }.range();
                self.extra.as_deref().and_then(|extra| extra.get(range)).unwrap_or_default()
            }
            // The parser wrote these bytes from UTF-8 and cuts them at ASCII.
            span => std::str::from_utf8(&self.bytes[span.range()]).unwrap_or_default(),
        }
    }
}

/// An attribute of an [`Element`].
#[derive(Clone, Copy, Debug)]
pub struct Attr<'a> {
    element: &'a Element,
    entry: &'a Entry,
}

impl<'a> Attr<'a> {
    /// The local name.
    pub fn name(&self) -> &'a str {
        self.element.str(self.entry.name)
    }

    /// The namespace; empty for most.
    pub fn ns(&self) -> &'a str {
        self.element.str(self.entry.ns)
    }

    /// The value as it stands in the canonical bytes.
    pub fn raw(&self) -> &'a str {
        self.element.str(self.entry.body)
    }

    /// The value.
    pub fn value(&self) -> Cow<'a, str> {
        unescape(self.raw())
    }
}

/// An element directly inside an [`Element`].
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    element: &'a Element,
    entry: &'a Entry,
}

impl<'a> Child<'a> {
    /// The local name.
    pub fn name(&self) -> &'a str {
        self.element.str(self.entry.name)
    }

    /// The namespace; empty if none.
    pub fn ns(&self) -> &'a str {
        self.element.str(self.entry.ns)
    }

    /// Whether this is the element `name` in the namespace `ns`.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        &self.element.bytes[self.entry.name.range()] == name.as_bytes() && self.ns() == ns
    }

    /// Where it lies in [`Element::inner`].
    pub fn range(&self) -> Range<usize> {
        let (range, inner) = (self.entry.body.range(), self.element.inner.start as usize);
        range.start - inner..range.end - inner
    }

    /// Its canonical bytes, relative to the element's namespace.
    pub fn raw(&self) -> &'a [u8] {
        &self.element.bytes[self.entry.body.range()]
    }

    /// The same, sharing memory with the element.
    pub fn bytes(&self) -> Bytes {
        self.element.bytes.slice(self.entry.body.range())
    }
}
