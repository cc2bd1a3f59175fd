//! Reads an imported file piece by piece: start tags of what is large, and whole elements of what is small.
//!
//! XML 1.0, Namespaces in XML 1.0, XEP-0227 1.1 section 5
//!
//! This only finds where elements begin and end; what is in them is for the one grammar (crate `xml`) to judge.
//!
//! Not here: what the elements mean (`import.rs`).

use stanza::ns;
use xml::{Element, Event, Framing, Header, Parser};

use crate::limits::{TAG_BYTES_MAX, UNIT_BYTES_MAX, XML};
use crate::source::{Fault, Source};

/// A start tag that was read, with its namespaces.
pub(crate) struct Tag {
    pub(crate) header: Header,
    raw: Vec<u8>,
    empty: bool,
}

impl Tag {
    pub(crate) fn is(&self, name: &str, ns: &str) -> bool {
        self.header.name() == name && self.header.ns() == ns
    }

    pub(crate) fn attr(&self, name: &str) -> Option<&str> {
        self.header.attr(name)
    }
}

/// What comes next at the place that is open.
pub(crate) enum Token {
    /// An element begins: [`Reader::enter`] it, or read or skip the whole of it.
    Start(Tag),
    /// The element that was entered last ends.
    End,
    /// The file ends.
    Eof,
}

/// See the file's header.
pub(crate) struct Reader<'a> {
    pub(crate) source: Source<'a>,
    /// Namespaces by prefix, of each element that was entered; the first is of none.
    scopes: Vec<Vec<(String, String)>>,
    /// How many elements were open where each included file began.
    bases: Vec<usize>,
    /// The element that was entered is empty: its end is to be told.
    ends: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: Source<'a>) -> Reader<'a> {
        Reader { source, scopes: vec![Vec::new()], bases: vec![0], ends: false }
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token, Fault> {
        if std::mem::take(&mut self.ends) {
            self.scopes.pop();
            return Ok(Token::End);
        }
        loop {
            let byte = match self.source.next()? {
                Some(byte) => byte,
                None if self.open() > self.bases.last().copied().unwrap_or(0) => {
                    return Err(self.source.fault("the file ends in the middle of an element"));
                }
                None if self.source.depth() > 1 => {
                    self.bases.pop();
                    self.source.leave();
                    continue;
                }
                None => return Ok(Token::Eof),
            };
            match byte {
                b'<' => {}
                b' ' | b'\t' | b'\r' | b'\n' | 0xEF | 0xBB | 0xBF => continue,
                _ => return Err(self.source.fault("text where only elements may stand")),
            }
            match self.source.next()? {
                Some(b'?') => self.skip_to(b"?>")?,
                Some(b'!') => self.comment()?,
                Some(b'/') => return self.end().map(|()| Token::End),
                Some(byte) => {
                    self.source.put_back(byte);
                    let tag = self.start()?;
                    if !tag.is("include", ns::XINCLUDE) {
                        return Ok(Token::Start(tag));
                    }
                    self.include(tag)?;
                }
                None => return Err(self.source.fault("the file ends in the middle of a tag")),
            }
        }
    }

    fn open(&self) -> usize {
        self.scopes.len() - 1
    }

    fn include(&mut self, tag: Tag) -> Result<(), Fault> {
        let Some(href) = tag.attr("href").map(str::to_owned) else {
            return Err(self.source.fault("<include/> without href"));
        };
        if tag.attr("xpointer").is_some() || tag.attr("parse").is_some_and(|parse| parse != "xml") {
            return Err(self.source.fault("only whole XML files can be included"));
        }
        self.skip(tag)?;
        self.source.include(&href)?;
        self.bases.push(self.open());
        Ok(())
    }

    /// Goes into an element: what follows is inside it.
    pub(crate) fn enter(&mut self, tag: &Tag) {
        let mut scope = self.scopes.last().cloned().unwrap_or_default();
        let default = ("", tag.header.content_ns());
        for (prefix, ns) in tag.header.declared().filter(|(prefix, _)| !prefix.is_empty()).chain([default]) {
            scope.retain(|(known, _)| known != prefix);
            scope.push((prefix.to_owned(), ns.to_owned()));
        }
        self.scopes.push(scope);
        self.ends = tag.empty;
    }

    /// Passes over the rest of an element, however large.
    pub(crate) fn skip(&mut self, tag: Tag) -> Result<(), Fault> {
        self.body(tag, false).map(|_| ())
    }

    /// The whole of an element.
    pub(crate) fn element(&mut self, tag: Tag) -> Result<Element, Fault> {
        let raw = self.body(tag, true)?;
        let mut parser = Parser::new(Framing::Wrapper(ns::CLIENT), XML);
        let mut wrapper = b"<w".to_vec();
        self.declare(&mut wrapper, b"");
        wrapper.push(b'>');
        parser.push(&wrapper);
        parser.push(&raw);
        loop {
            match parser.next() {
                Ok(Some(Event::Header(_))) => {}
                Ok(Some(Event::Element(element))) => return Ok(element),
                Ok(_) => return Err(self.source.fault("an element is not well-formed")),
                Err(error) => return Err(self.source.fault(format!("an element cannot be read: {error}"))),
            }
        }
    }

    /// Declares the namespaces of this place, but for those that the tag declares itself.
    fn declare(&self, out: &mut Vec<u8>, tag: &[u8]) {
        for (prefix, ns) in self.scopes.last().into_iter().flatten() {
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            if !declares(tag, &name) {
                out.extend_from_slice(format!(" {name}='").as_bytes());
                xml::escape_attr(out, ns);
                out.push(b'\'');
            }
        }
    }

    fn start(&mut self) -> Result<Tag, Fault> {
        let mut raw = vec![b'<'];
        self.tag(&mut raw, TAG_BYTES_MAX)?;
        let empty = raw.ends_with(b"/>");
        let name = raw.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'));
        let name = name.unwrap_or(raw.len());
        let mut document = raw[..name].to_vec();
        self.declare(&mut document, &raw);
        document.extend_from_slice(&raw[name..]);
        let mut parser = Parser::new(Framing::Stream, XML);
        parser.push(&document);
        match parser.next() {
            Ok(Some(Event::Header(header))) => Ok(Tag { header, raw, empty }),
            Ok(_) => Err(self.source.fault("a start tag is not well-formed")),
            Err(error) => Err(self.source.fault(format!("a start tag cannot be read: {error}"))),
        }
    }

    /// Reads to the end of a tag whose `<` was read.
    fn tag(&mut self, out: &mut Vec<u8>, most: usize) -> Result<(), Fault> {
        let mut quote = None;
        loop {
            let Some(byte) = self.source.next()? else {
                return Err(self.source.fault("the file ends in the middle of a tag"));
            };
            if out.len() >= most {
                return Err(self.source.fault(format!("something has more than {most} bytes")));
            }
            out.push(byte);
            match (quote, byte) {
                (None, b'>') => return Ok(()),
                (None, b'\'' | b'"') => quote = Some(byte),
                (Some(open), byte) if byte == open => quote = None,
                _ => {}
            }
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        let mut name = Vec::new();
        self.tag(&mut name, TAG_BYTES_MAX)?;
        if self.open() <= self.bases.last().copied().unwrap_or(0) {
            return Err(self.source.fault("an end tag without its start tag"));
        }
        self.scopes.pop();
        Ok(())
    }

    /// From behind `<!`: a comment is passed over, anything else is refused.
    fn comment(&mut self) -> Result<(), Fault> {
        match (self.source.next()?, self.source.next()?) {
            (Some(b'-'), Some(b'-')) => self.skip_to(b"-->"),
            _ => Err(self.source.fault("a document type or character data where only elements may stand")),
        }
    }

    fn skip_to(&mut self, end: &[u8]) -> Result<(), Fault> {
        let mut last = Vec::new();
        loop {
            let Some(byte) = self.source.next()? else {
                return Err(self.source.fault("the file ends in the middle of a comment or instruction"));
            };
            last.push(byte);
            if last.len() > end.len() {
                last.remove(0);
            }
            if last == end {
                return Ok(());
            }
        }
    }

    /// The rest of an element up to its end tag, with its start tag if it is to be kept. Comments are left out.
    fn body(&mut self, tag: Tag, keep: bool) -> Result<Vec<u8>, Fault> {
        let mut out = if keep { tag.raw } else { Vec::new() };
        let mut depth = usize::from(!tag.empty);
        while depth > 0 {
            let Some(byte) = self.source.next()? else {
                return Err(self.source.fault("the file ends in the middle of an element"));
            };
            let from = out.len();
            out.push(byte);
            if byte == b'<' {
                depth = self.markup(&mut out, depth)?;
            }
            if !keep {
                out.truncate(from);
            } else if out.len() > UNIT_BYTES_MAX {
                return Err(self.source.fault(format!("something has more than {UNIT_BYTES_MAX} bytes")));
            }
        }
        Ok(out)
    }

    /// From behind `<` inside an element. How many elements are open then.
    fn markup(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<usize, Fault> {
        let begin = out.len() - 1;
        match self.source.next()? {
            Some(b'!') => match self.source.next()? {
                Some(b'[') => {
                    out.extend_from_slice(b"![");
                    loop {
                        let Some(byte) = self.source.next()? else {
                            return Err(self.source.fault("the file ends in the middle of an element"));
                        };
                        out.push(byte);
                        if out.ends_with(b"]]>") {
                            return Ok(depth);
                        }
                        if out.len() > begin + UNIT_BYTES_MAX {
                            return Err(self.source.fault("something is too large"));
                        }
                    }
                }
                Some(b'-') if self.source.next()? == Some(b'-') => {
                    self.skip_to(b"-->")?;
                    out.truncate(begin);
                    Ok(depth)
                }
                _ => Err(self.source.fault("a declaration inside an element")),
            },
            Some(b'?') => {
                self.skip_to(b"?>")?;
                out.truncate(begin);
                Ok(depth)
            }
            Some(byte) => {
                self.source.put_back(byte);
                let most = out.len() + UNIT_BYTES_MAX;
                self.tag(out, most)?;
                Ok(match (byte, out.ends_with(b"/>")) {
                    (b'/', _) => depth - 1,
                    (_, true) => depth,
                    (_, false) => depth + 1,
                })
            }
            None => Err(self.source.fault("the file ends in the middle of a tag")),
        }
    }
}

/// Whether a start tag declares that namespace itself.
fn declares(tag: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    tag.windows(name.len() + 2).any(|part| {
        let after = part[name.len() + 1];
        part[0].is_ascii_whitespace()
            && &part[1..=name.len()] == name
            && (after == b'=' || after.is_ascii_whitespace())
    })
}
