//! What is inside a stanza: canonical XML, shared, with the positions of its elements.
//!
//! RFC 6120 section 8.4 (extended content).
//!
//! Not here: the meaning of any element.

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
    parts: Arc<[Part]>,
}

/// Where a child element is, and how long its name and namespace are: each is asked for many times on its way.
#[derive(Clone, Copy, Debug)]
struct Part {
    from: u32,
    to: u32,
    name: u32,
    /// 0: the namespace of the content.
    ns: u32,
}

/// A child element of a stanza.
#[derive(Clone, Copy)]
pub struct Child<'a> {
    raw: &'a [u8],
    part: Part,
}

impl Payload {
    /// The content of an element that was just parsed.
    pub fn of(element: &Element) -> Payload {
        let inner = element.inner();
        let parts = element.children().map(|child| Part::of(&inner, child.range())).collect();
        Payload { inner, parts }
    }

    /// Canonical content that we wrote ourselves or stored.
    pub fn canonical(inner: Bytes) -> Payload {
        let parts = parts(&inner).into();
        Payload { inner, parts }
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
        self.parts.iter().map(|part| part.child(&self.inner))
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
        self.children().any(|child| child.is_in(ns))
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
        let more = parts(&added).into_iter().map(|part| part.later(shift));
        Payload { inner: inner.into(), parts: self.parts.iter().copied().chain(more).collect() }
    }

    /// The same content without the children that `drop` names. Costs nothing if there are none.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&Child<'_>) -> bool) -> Payload {
        let gone: Vec<Range<usize>> =
            self.parts.iter().filter(|part| drop(&part.child(&self.inner))).map(Part::range).collect();
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

/// How a declaration of a namespace begins. In canonical form it is the first attribute.
const XMLNS: &[u8] = b" xmlns='";

impl Part {
    fn of(inner: &[u8], range: Range<usize>) -> Part {
        let raw = &inner[range.clone()];
        let name = raw.iter().skip(1).position(|b| matches!(b, b' ' | b'/' | b'>'));
        let name = name.unwrap_or(raw.len().saturating_sub(1));
        let ns = match raw.get(1 + name..).and_then(|rest| rest.strip_prefix(XMLNS)) {
            Some(rest) => memchr::memchr(b'\'', rest).unwrap_or(rest.len()),
            None => 0,
        };
        Part { from: range.start as u32, to: range.end as u32, name: name as u32, ns: ns as u32 }
    }

    fn range(&self) -> Range<usize> {
        self.from as usize..self.to as usize
    }

    fn later(self, shift: u32) -> Part {
        Part { from: self.from + shift, to: self.to + shift, ..self }
    }

    fn child<'a>(&self, inner: &'a [u8]) -> Child<'a> {
        Child { raw: &inner[self.range()], part: *self }
    }
}

impl<'a> Child<'a> {
    /// Its canonical bytes, valid under the content namespace.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Its local name.
    pub fn name(&self) -> &'a str {
        str_of(self.name_bytes())
    }

    fn name_bytes(&self) -> &'a [u8] {
        self.raw.get(1..1 + self.part.name as usize).unwrap_or_default()
    }

    /// Its namespace, as escaped in XML (no namespace in use has anything to escape).
    pub fn ns(&self) -> &'a str {
        str_of(self.ns_bytes())
    }

    fn ns_bytes(&self) -> &'a [u8] {
        let from = 1 + self.part.name as usize + XMLNS.len();
        match self.part.ns {
            0 => ns::CLIENT.as_bytes(),
            length => self.raw.get(from..from + length as usize).unwrap_or_default(),
        }
    }

    /// Whether it has that name and namespace.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name_bytes() == name.as_bytes() && self.is_in(ns)
    }

    /// Whether it has that namespace.
    pub fn is_in(&self, ns: &str) -> bool {
        self.ns_bytes() == ns.as_bytes()
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
        self.raw_attr(name).map(|value| xml::unescape(value).into_owned())
    }

    /// The value of an attribute, as it stands in the canonical form: with references.
    pub fn raw_attr(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.raw.get(1 + self.part.name as usize..)?;
        while let [b' ', attribute @ ..] = rest {
            let equals = memchr::memchr(b'=', attribute)?;
            let (key, value) = (&attribute[..equals], attribute.get(equals + 2..)?);
            let end = memchr::memchr(b'\'', value)?;
            if key == name.as_bytes() {
                return std::str::from_utf8(&value[..end]).ok();
            }
            rest = value.get(end + 1..)?;
        }
        None
    }
}

fn str_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The elements of the outermost level. Canonical XML has `<` and `>` only in tags.
fn parts(inner: &[u8]) -> Vec<Part> {
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
            found.push(Part::of(inner, start..close + 1));
        }
        at = close + 1;
    }
    found
}

fn next(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    memchr::memchr(wanted, bytes.get(from..)?).map(|at| at + from)
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
    fn attributes_are_those_of_the_element_itself() {
        let inner = "<x xmlns='urn:x' a='1 &lt; &apos;2&apos;' empty=''><y b='3'/></x>";
        let payload = Payload::canonical(inner.as_bytes().to_vec().into());
        let x = payload.child("x", "urn:x").unwrap();
        let read = ["a", "empty", "b", "c", "1"].map(|name| x.attr(name));
        let expected = [Some("1 < '2'"), Some(""), None, None, None];
        assert_eq!(read, expected.map(|value| value.map(str::to_owned)));
        assert_eq!(x.raw_attr("a"), Some("1 &lt; &apos;2&apos;"));
    }

    #[test]
    fn survives_corrupt_bytes() {
        for bytes in
            ["<", "<a", "</a></a>", "<>", "></", "<a><b></a>", "<a xmlns='", "<a x>", "<a x=>", "<a x='>"]
        {
            let payload = Payload::canonical(bytes.as_bytes().to_vec().into());
            for child in payload.children() {
                let _ = (child.name(), child.ns(), child.attr("x"));
            }
        }
    }
}
