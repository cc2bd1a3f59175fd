//! What is inside a stanza: canonical XML, shared, with the positions of its elements.
//!
//! RFC 6120 section 8.4 (extended content).
//!
//! Not here: the meaning of any element.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use xml::{Element, Tree, Writer};

use crate::ns;

/// The content of a stanza in canonical form: no prefixes, `xmlns` first and only where the namespace changes, `>`
/// always escaped. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    inner: Bytes,
    /// Where the child elements are.
    at: Arc<[(u32, u32)]>,
}

/// A child element of a stanza.
#[derive(Clone, Copy)]
pub struct Child<'a> {
    raw: &'a [u8],
}

impl Payload {
    /// The content of an element that was just parsed.
    pub fn of(element: &Element) -> Payload {
        let at =
            element.children().map(|child| (child.range().start as u32, child.range().end as u32)).collect();
        Payload { inner: element.inner(), at }
    }

    /// Canonical content that we wrote ourselves or stored.
    pub fn canonical(inner: Bytes) -> Payload {
        let at = positions(&inner).into();
        Payload { inner, at }
    }

    /// The whole content.
    pub fn inner(&self) -> &Bytes {
        &self.inner
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The child elements, in order.
    pub fn children(&self) -> impl ExactSizeIterator<Item = Child<'_>> {
        self.at.iter().map(|(from, to)| Child { raw: &self.inner[*from as usize..*to as usize] })
    }

    /// The first child with that name and namespace.
    pub fn child(&self, name: &str, ns: &str) -> Option<Child<'_>> {
        self.children().find(|child| child.is(name, ns))
    }

    /// Whether there is a child with that name and namespace.
    pub fn has(&self, name: &str, ns: &str) -> bool {
        self.child(name, ns).is_some()
    }

    /// Whether there is a child in that namespace.
    pub fn has_ns(&self, ns: &str) -> bool {
        self.children().any(|child| child.ns() == ns)
    }

    /// The text of the first child with that name and namespace.
    pub fn text_of(&self, name: &str, ns: &str) -> Option<String> {
        let child = self.child(name, ns)?;
        let tree = child.tree().ok()?;
        tree.root().map(|el| el.text().into_owned())
    }

    /// The content as a tree to read.
    ///
    /// # Errors
    /// If stored data is corrupt; what came through the parser is always readable.
    pub fn tree(&self) -> Result<Tree<'_>, xml::Error> {
        Tree::parse(&self.inner, ns::CLIENT)
    }

    /// The same content with an element (or several) added at the end.
    #[must_use]
    pub fn with(&self, write: impl FnOnce(&mut Writer)) -> Payload {
        let mut w = Writer::new(ns::CLIENT);
        write(&mut w);
        let added = w.finish();
        let mut inner = Vec::with_capacity(self.inner.len() + added.len());
        inner.extend_from_slice(&self.inner);
        inner.extend_from_slice(&added);
        let shift = self.inner.len() as u32;
        let more = positions(&added).into_iter().map(|(from, to)| (from + shift, to + shift));
        Payload { inner: inner.into(), at: self.at.iter().copied().chain(more).collect() }
    }

    /// The same content without the children that `drop` names. Costs nothing if there are none.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&Child<'_>) -> bool) -> Payload {
        let gone: Vec<Range<usize>> = self
            .at
            .iter()
            .map(|(from, to)| *from as usize..*to as usize)
            .filter(|range| drop(&Child { raw: &self.inner[range.clone()] }))
            .collect();
        if gone.is_empty() {
            return self.clone();
        }
        let mut inner = Vec::with_capacity(self.inner.len());
        let mut from = 0;
        for range in gone {
            inner.extend_from_slice(&self.inner[from..range.start]);
            from = range.end;
        }
        inner.extend_from_slice(&self.inner[from..]);
        Payload::canonical(inner.into())
    }
}

impl<'a> Child<'a> {
    /// Its canonical bytes, valid under the content namespace.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Its local name.
    pub fn name(&self) -> &'a str {
        let end = self.raw.iter().position(|b| matches!(b, b' ' | b'/' | b'>')).unwrap_or(self.raw.len());
        str_of(self.raw.get(1..end).unwrap_or_default())
    }

    /// Its namespace, as escaped in XML (no namespace in use has anything to escape).
    pub fn ns(&self) -> &'a str {
        let after = &self.raw[(1 + self.name().len()).min(self.raw.len())..];
        match after.strip_prefix(b" xmlns='") {
            Some(rest) => str_of(&rest[..rest.iter().position(|b| *b == b'\'').unwrap_or(rest.len())]),
            None => ns::CLIENT,
        }
    }

    /// Whether it has that name and namespace.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// The element as a tree to read.
    ///
    /// # Errors
    /// If stored data is corrupt.
    pub fn tree(&self) -> Result<Tree<'a>, xml::Error> {
        Tree::parse(self.raw, ns::CLIENT)
    }

    /// The value of an attribute.
    pub fn attr(&self, name: &str) -> Option<String> {
        let tree = self.tree().ok()?;
        tree.root()?.attr(name).map(Cow::into_owned)
    }
}

fn str_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Where the elements of the outermost level are. Canonical XML has `<` and `>` only in tags.
fn positions(inner: &[u8]) -> Vec<(u32, u32)> {
    let (mut found, mut depth, mut start, mut at) = (Vec::new(), 0_usize, 0, 0);
    while let Some(open) = next(inner, at, b'<') {
        let Some(close) = next(inner, open, b'>') else { break };
        let (ends, empty) = (inner.get(open + 1) == Some(&b'/'), inner[close - 1] == b'/');
        if depth == 0 {
            start = open;
        }
        if ends {
            depth = depth.saturating_sub(1);
        } else if !empty {
            depth += 1;
        }
        if depth == 0 {
            found.push((start as u32, close as u32 + 1));
        }
        at = close + 1;
    }
    found
}

fn next(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    bytes.get(from..)?.iter().position(|b| *b == wanted).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(payload: &Payload) -> Vec<(String, String)> {
        payload.children().map(|child| (child.name().to_owned(), child.ns().to_owned())).collect()
    }

    #[test]
    fn knows_its_children() {
        let inner = "<body>a &lt; b</body><x xmlns='urn:x'><y/><y>z</y></x><active xmlns='urn:c'/>";
        let payload = Payload::canonical(inner.as_bytes().to_vec().into());
        let expected = [("body", ns::CLIENT), ("x", "urn:x"), ("active", "urn:c")];
        assert_eq!(names(&payload), expected.map(|(n, s)| (n.to_owned(), s.to_owned())));
        assert_eq!(payload.text_of("body", ns::CLIENT).as_deref(), Some("a < b"));
        let less = payload.without(|child| child.is("x", "urn:x"));
        assert_eq!(&less.inner()[..], b"<body>a &lt; b</body><active xmlns='urn:c'/>");
        let more = less.with(|w| {
            w.open("id", "urn:i").attr("v", "'").close();
        });
        assert_eq!(more.child("id", "urn:i").unwrap().attr("v").as_deref(), Some("'"));
        assert_eq!(more.children().len(), 3);
        assert!(!more.has("id", ns::CLIENT));
    }

    #[test]
    fn survives_corrupt_bytes() {
        for bytes in ["<", "<a", "</a></a>", "<>", "></", "<a><b></a>", "<a xmlns='"] {
            let payload = Payload::canonical(bytes.as_bytes().to_vec().into());
            for child in payload.children() {
                let _ = (child.name(), child.ns(), child.attr("x"));
            }
        }
    }
}
