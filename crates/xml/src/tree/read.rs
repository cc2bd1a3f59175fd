//! The reader behind `Tree::parse`: canonical bytes to slots, in one pass and without recursion.
//!
//! Not here: the cursor (mod.rs).

use std::borrow::Cow;

use super::{AttrSlot, Range, Slot, Tree};
use crate::XML_NS;
use crate::chars::{self, Scan};
use crate::error::Error;
use crate::escape::{reference, unescape};

pub(super) fn read<'a>(canonical: &'a [u8], parent_ns: &'a str) -> Result<Tree<'a>, Error> {
    let text = std::str::from_utf8(canonical).map_err(|e| not_canonical(e.valid_up_to()))?;
    if text.len() > u32::MAX as usize / 2 {
        return Err(not_canonical(0));
    }
    let whole = Range { start: 0, end: text.len() as u32 };
    let top = Slot { element: true, ns: 1, outer: whole, inner: whole, ..Slot::default() };
    // Room for what most stanzas hold, at once.
    let mut namespaces = Vec::with_capacity(8);
    namespaces.extend([Cow::Borrowed(""), Cow::Borrowed(parent_ns), Cow::Borrowed(XML_NS)]);
    let mut nodes = Vec::with_capacity(8);
    nodes.push(top);
    let tree = Tree { text, nodes, attrs: Vec::new(), namespaces };
    let mut reader = Reader { tree, s: canonical, at: 0, current: 0, prefixes: Vec::new() };
    while reader.at < canonical.len() {
        match (canonical[reader.at], canonical.get(reader.at + 1)) {
            (b'<', Some(b'/')) => reader.end_tag()?,
            (b'<', _) => reader.start_tag()?,
            _ => reader.text()?,
        }
    }
    if reader.current == 0 { Ok(reader.tree) } else { Err(not_canonical(reader.at)) }
}

const NO_NS: u32 = 0;
const XML: u32 = 2;

struct Reader<'a> {
    tree: Tree<'a>,
    s: &'a [u8],
    at: usize,
    /// The innermost open element.
    current: u32,
    /// Prefixes that the current start tag declares for its attributes, with their namespaces.
    prefixes: Vec<(Range, u32)>,
}

fn not_canonical(at: usize) -> Error {
    Error::NotCanonical(u32::try_from(at).unwrap_or(u32::MAX))
}

impl<'a> Reader<'a> {
    fn error(&self) -> Error {
        not_canonical(self.at)
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !self.s[self.at..].starts_with(bytes) {
            return Err(self.error());
        }
        self.at += bytes.len();
        Ok(())
    }

    fn range(&self, start: usize) -> Range {
        Range { start: start as u32, end: self.at as u32 }
    }

    fn slice(&self, range: Range) -> &'a str {
        let text: &'a str = self.tree.text;
        text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// Appends a node to the current element and returns its index.
    fn append(&mut self, mut slot: Slot) -> u32 {
        let index = self.tree.nodes.len() as u32;
        slot.parent = self.current;
        self.tree.nodes.push(slot);
        let parent = &mut self.tree.nodes[self.current as usize];
        let last = std::mem::replace(&mut parent.last, index);
        if last == 0 {
            parent.first = index;
        } else {
            self.tree.nodes[last as usize].next = index;
        }
        index
    }

    fn text(&mut self) -> Result<(), Error> {
        let start = self.at;
        loop {
            self.at = chars::skip_text(self.s, self.at);
            match self.s.get(self.at) {
                None | Some(b'<') => break,
                Some(b']') => self.at += 1,
                Some(_) => self.reference_or_character()?,
            }
        }
        let outer = self.range(start);
        self.append(Slot { outer, ..Slot::default() });
        Ok(())
    }

    fn reference_or_character(&mut self) -> Result<(), Error> {
        match self.s[self.at] {
            b'&' => {
                let rest = self.range_to_end();
                let (_, length) = reference(self.slice(rest)).ok_or(self.error())?;
                self.at += length;
            }
            b if b >= 128 => {
                let end = chars::non_ascii_run(self.s, self.at).map_err(|_| self.error())?;
                self.at = if end > self.at { end } else { return Err(self.error()) };
            }
            _ => return Err(self.error()),
        }
        Ok(())
    }

    fn range_to_end(&self) -> Range {
        Range { start: self.at as u32, end: self.s.len() as u32 }
    }

    fn name(&mut self) -> Result<Range, Error> {
        let start = self.at;
        match chars::scan_name(self.s, start, start) {
            Ok(Scan::End(end)) => self.at = end,
            _ => return Err(self.error()),
        }
        Ok(self.range(start))
    }

    fn end_tag(&mut self) -> Result<(), Error> {
        let end = self.at as u32;
        if self.current == 0 {
            return Err(self.error());
        }
        let name = self.tree.nodes[self.current as usize].name;
        self.expect(b"</")?;
        self.expect(self.slice(name).as_bytes())?;
        self.expect(b">")?;
        self.close(end);
        Ok(())
    }

    fn close(&mut self, inner_end: u32) {
        let slot = &mut self.tree.nodes[self.current as usize];
        slot.inner.end = inner_end;
        slot.outer.end = self.at as u32;
        self.current = slot.parent;
    }

    fn start_tag(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.at += 1;
        let name = self.name()?;
        if self.slice(name).contains(':') {
            return Err(self.error());
        }
        let mut ns = self.tree.nodes[self.current as usize].ns;
        let first = self.tree.attrs.len();
        self.prefixes.clear();
        if self.s[self.at..].starts_with(b" xmlns='") {
            self.at += b" xmlns=".len();
            ns = self.namespace()?;
        }
        while self.s.get(self.at) == Some(&b' ') {
            self.attr()?;
        }
        let attrs = Range { start: first as u32, end: self.tree.attrs.len() as u32 };
        let outer = self.range(start);
        self.current = self.append(Slot { element: true, name, ns, attrs, outer, ..Slot::default() });
        let empty = self.s.get(self.at) == Some(&b'/');
        self.expect(if empty { b"/>" } else { b">" })?;
        let inner = self.at as u32;
        self.tree.nodes[self.current as usize].inner = Range { start: inner, end: inner };
        if empty {
            self.close(inner);
        }
        Ok(())
    }

    fn namespace(&mut self) -> Result<u32, Error> {
        let value = self.value()?;
        let ns = unescape(self.slice(value));
        if ns.is_empty() {
            return Ok(NO_NS);
        }
        // Siblings mostly share theirs, so the last one is often the one.
        if self.tree.namespaces.last() != Some(&ns) {
            self.tree.namespaces.push(ns);
        }
        Ok(self.tree.namespaces.len() as u32 - 1)
    }

    fn attr(&mut self) -> Result<(), Error> {
        self.at += 1;
        let mut name = self.name()?;
        self.expect(b"=")?;
        let whole = self.slice(name);
        let ns = match whole.split_once(':') {
            None if whole == "xmlns" => return Err(self.error()),
            None => NO_NS,
            Some(("xmlns", prefix)) => {
                let prefix = Range { start: name.end - prefix.len() as u32, end: name.end };
                let ns = self.namespace()?;
                self.prefixes.push((prefix, ns));
                return Ok(());
            }
            Some((prefix, local)) => {
                name.start = name.end - local.len() as u32;
                let declared = self.prefixes.iter().find(|(p, _)| self.slice(*p) == prefix);
                match declared {
                    Some((_, ns)) => *ns,
                    None if prefix == "xml" => XML,
                    None => return Err(self.error()),
                }
            }
        };
        let value = self.value()?;
        self.tree.attrs.push(AttrSlot { name, ns, value });
        Ok(())
    }

    /// Reads a quoted value.
    fn value(&mut self) -> Result<Range, Error> {
        self.expect(b"'")?;
        let start = self.at;
        loop {
            self.at = chars::skip_attr(self.s, self.at);
            match self.s.get(self.at) {
                Some(b'\'') => break,
                Some(b'"') => self.at += 1,
                Some(_) => self.reference_or_character()?,
                None => return Err(self.error()),
            }
        }
        let value = self.range(start);
        self.at += 1;
        Ok(value)
    }
}
