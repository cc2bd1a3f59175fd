//! Writing XML that is canonical by construction.
//!
//! Not here: the escapes (escape.rs) and taking bytes from peers (parser).

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;

use crate::chars::is_ncname;
use crate::element::Element;
use crate::escape::{escape_attr, escape_text};
use crate::rebase::rebase;

/// An append-only builder. Names and namespaces are the caller's constants and are taken as they are
/// (checked in debug builds); values and text are escaped, and characters that XML forbids become U+FFFD.
///
/// ```
/// # const DISCO: &str = "http://jabber.org/protocol/disco#items";
/// let mut w = xml::Writer::new("jabber:client");
/// w.open("query", DISCO).attr("node", "a&b");
/// w.open("item", DISCO).attr("jid", "example.org").close();
/// w.close();
/// let bytes = w.finish();
/// assert_eq!(bytes, "<query xmlns='http://jabber.org/protocol/disco#items' node='a&amp;b'><item jid='example.org'/></query>");
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    out: Vec<u8>,
    /// The start tag last written still lacks its end.
    pending: bool,
    levels: Vec<Level>,
    /// The namespaces of the levels, and of `prefixes`, one after another.
    namespaces: String,
    /// The namespaces n1, n2, … that the pending start tag declares.
    prefixes: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// The name, in `out`.
    name: (usize, usize),
    /// The namespace, in `namespaces`.
    ns: (usize, usize),
}

impl Writer {
    /// A writer whose first elements stand below an element in `parent_ns`.
    pub fn new(parent_ns: &str) -> Writer {
        let top = Level { name: (0, 0), ns: (0, parent_ns.len()) };
        let (out, prefixes) = (Vec::new(), Vec::new());
        Writer { out, pending: false, levels: vec![top], namespaces: parent_ns.to_owned(), prefixes }
    }

    /// Makes room for this many bytes, to save growing.
    pub fn with_capacity(mut self, bytes: usize) -> Writer {
        self.out.reserve(bytes);
        self
    }

    /// Begins an element.
    pub fn open(&mut self, name: &str, ns: &str) -> &mut Writer {
        debug_assert!(is_ncname(name), "bad element name {name:?}");
        self.end_start_tag();
        let parent = self.ns_range();
        let same = self.namespaces.get(parent.0..parent.1) == Some(ns);
        self.out.push(b'<');
        let start = self.out.len();
        self.out.extend_from_slice(name.as_bytes());
        let name = (start, self.out.len());
        let mut range = parent;
        if !same {
            self.out.extend_from_slice(b" xmlns='");
            escape_attr(&mut self.out, ns);
            self.out.push(b'\'');
            range = self.remember(ns);
        }
        self.levels.push(Level { name, ns: range });
        self.pending = true;
        self
    }

    fn remember(&mut self, ns: &str) -> (usize, usize) {
        let start = self.namespaces.len();
        self.namespaces.push_str(ns);
        (start, self.namespaces.len())
    }

    fn ns_range(&self) -> (usize, usize) {
        self.levels.last().map_or((0, 0), |level| level.ns)
    }

    /// The namespace of the element that is open.
    pub fn ns(&self) -> &str {
        let (start, end) = self.ns_range();
        self.namespaces.get(start..end).unwrap_or_default()
    }

    fn end_start_tag(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.out.push(b'>');
            self.prefixes.clear();
        }
    }

    /// Adds an attribute to the element just opened; `xml:lang` is a good name too. Each name once.
    pub fn attr(&mut self, name: &str, value: impl AsRef<str>) -> &mut Writer {
        debug_assert!(
            is_ncname(name.strip_prefix("xml:").unwrap_or(name)) && name != "xmlns",
            "bad name {name:?}"
        );
        self.raw_attr(&[name], value.as_ref())
    }

    fn raw_attr(&mut self, name: &[&str], value: &str) -> &mut Writer {
        debug_assert!(self.pending, "attribute after content");
        if self.pending {
            self.out.push(b' ');
            for part in name {
                self.out.extend_from_slice(part.as_bytes());
            }
            self.out.extend_from_slice(b"='");
            escape_attr(&mut self.out, value);
            self.out.push(b'\'');
        }
        self
    }

    /// Adds an attribute if there is a value.
    pub fn attr_opt(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Writer {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Adds an attribute from anything that can be displayed, such as a number.
    pub fn attr_of(&mut self, name: &str, value: impl Display) -> &mut Writer {
        self.attr(name, value.to_string())
    }

    /// Adds an attribute of another namespace.
    pub fn attr_ns(&mut self, ns: &str, name: &str, value: impl AsRef<str>) -> &mut Writer {
        debug_assert!(is_ncname(name), "bad attribute name {name:?}");
        if ns == crate::XML_NS {
            return self.raw_attr(&["xml:", name], value.as_ref());
        }
        if ns.is_empty() {
            return self.raw_attr(&[name], value.as_ref());
        }
        let known = self.prefixes.iter().position(|range| self.namespaces.get(range.0..range.1) == Some(ns));
        let number = known.unwrap_or(self.prefixes.len()) + 1;
        let prefix = format!("n{number}");
        if known.is_none() {
            let range = self.remember(ns);
            self.prefixes.push(range);
            self.raw_attr(&["xmlns:", &prefix], ns);
        }
        self.raw_attr(&[&prefix, ":", name], value.as_ref())
    }

    /// Adds text to the open element.
    pub fn text(&mut self, text: impl AsRef<str>) -> &mut Writer {
        let text = text.as_ref();
        if !text.is_empty() {
            self.end_start_tag();
            escape_text(&mut self.out, text);
        }
        self
    }

    /// Adds canonical bytes that are relative to the namespace of the open element.
    pub fn raw(&mut self, canonical: &[u8]) -> &mut Writer {
        if !canonical.is_empty() {
            self.end_start_tag();
            self.out.extend_from_slice(canonical);
        }
        self
    }

    /// Adds one canonical element that is relative to `parent_ns`.
    pub fn raw_from(&mut self, canonical: &[u8], parent_ns: &str) -> &mut Writer {
        match rebase(canonical, parent_ns, self.ns()) {
            Cow::Borrowed(bytes) => self.raw(bytes),
            Cow::Owned(bytes) => self.raw(&bytes),
        }
    }

    /// Adds a whole first-level element, as for forwarding (XEP-0297).
    pub fn element(&mut self, element: &Element) -> &mut Writer {
        self.raw_from(element.bytes(), element.content_ns())
    }

    /// Adds an element that has only text, which may be empty.
    pub fn leaf(&mut self, name: &str, ns: &str, text: impl AsRef<str>) -> &mut Writer {
        self.open(name, ns).text(text).close()
    }

    /// Ends the element that is open.
    pub fn close(&mut self) -> &mut Writer {
        debug_assert!(self.levels.len() > 1, "nothing is open");
        if let [.., _, level] = self.levels[..] {
            self.levels.pop();
            if std::mem::take(&mut self.pending) {
                self.out.extend_from_slice(b"/>");
                self.prefixes.clear();
            } else {
                self.out.extend_from_slice(b"</");
                self.out.extend_from_within(level.name.0..level.name.1);
                self.out.push(b'>');
            }
            // A level shares its parent's namespace or has a later one, so what follows is not needed.
            self.namespaces.truncate(self.ns_range().1);
        }
        self
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// How many bytes are written.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The canonical bytes. Everything opened must be closed; what is not, is closed now.
    pub fn finish(mut self) -> Bytes {
        debug_assert!(self.levels.len() == 1, "{} elements are open", self.depth());
        while self.levels.len() > 1 {
            self.close();
        }
        Bytes::from(self.out)
    }
}
