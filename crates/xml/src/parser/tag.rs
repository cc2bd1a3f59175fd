//! Start tags as they arrive: name and attributes as offsets, resumable after any byte.
//!
//! XML 1.0 section 3.1 (start tags), Namespaces in XML 1.0 section 4 (qualified names)
//!
//! Not here: what prefixes mean (scope.rs) and decoding values (text.rs).

use super::scope::NsId;
use crate::chars::{self, Scan};
use crate::error::{Error, Fault, Limit};
use crate::limits::Limits;

/// A qualified name as offsets into its tag.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Name {
    start: u32,
    /// Where the local name begins; `start` if there is no prefix.
    local: u32,
    end: u32,
}

impl Name {
    fn new(tag: &[u8], start: usize, end: usize) -> Name {
        let colon = tag[start..end].iter().position(|b| *b == b':');
        let local = colon.map_or(start, |colon| start + colon + 1);
        Name { start: start as u32, local: local as u32, end: end as u32 }
    }

    pub(crate) fn whole<'a>(&self, tag: &'a [u8]) -> &'a [u8] {
        &tag[self.start as usize..self.end as usize]
    }

    pub(crate) fn local<'a>(&self, tag: &'a [u8]) -> &'a [u8] {
        &tag[self.local as usize..self.end as usize]
    }

    /// Without its colon; empty if there is none.
    pub(crate) fn prefix<'a>(&self, tag: &'a [u8]) -> &'a [u8] {
        if self.local == self.start { &[] } else { &tag[self.start as usize..self.local as usize - 1] }
    }

    /// Where the local name begins within the name.
    pub(crate) fn local_at(&self) -> u16 {
        // A name is at most Limits::name_bytes long, which is a u16.
        (self.local - self.start) as u16
    }
}

/// An attribute as it stands in its tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAttr {
    pub(crate) name: Name,
    start: u32,
    end: u32,
    /// The value has only characters that stand for themselves, in the source and in the canonical form.
    pub(crate) plain: bool,
    pub(crate) declaration: bool,
    /// Filled in when the tag is complete.
    pub(crate) ns: NsId,
    /// The K of the canonical prefix nK; 0 without one.
    pub(crate) number: u16,
}

impl RawAttr {
    pub(crate) fn raw<'a>(&self, tag: &'a [u8]) -> &'a [u8] {
        &tag[self.start as usize..self.end as usize]
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    /// In the element's name.
    #[default]
    Name,
    /// Between attributes.
    Space,
    /// In an attribute's name.
    Key,
    /// Before `=`.
    Equals,
    /// Before the opening quote.
    Quote,
    /// In the value, which this quote ends.
    Value(u8),
}

/// A start tag that is being read. All offsets count from its `<`.
#[derive(Debug, Default)]
pub(crate) struct Tag {
    phase: Phase,
    /// Everything before this offset has been read.
    at: usize,
    /// Where the current name or value begins.
    start: usize,
    spaced: bool,
    plain: bool,
    key: Name,
    pub(crate) name: Name,
    pub(crate) attrs: Vec<RawAttr>,
    pub(crate) declarations: u16,
}

/// A complete start tag.
pub(crate) struct Complete {
    pub(crate) length: usize,
    pub(crate) empty: bool,
}

impl Tag {
    /// Makes ready for the next tag.
    pub(crate) fn clear(&mut self) {
        self.attrs.clear();
        (self.phase, self.at, self.spaced, self.declarations) = (Phase::Name, 0, false, 0);
    }

    /// Reads on in `tag`, which begins with the tag's `<`. `None`: more bytes are needed.
    pub(crate) fn scan(&mut self, tag: &[u8], limits: &Limits) -> Result<Option<Complete>, Error> {
        loop {
            match self.phase {
                Phase::Name => {
                    let Some(name) = self.name(tag, 1, limits)? else { return Ok(None) };
                    self.name = name;
                    self.phase = Phase::Space;
                }
                Phase::Space => {
                    let at = chars::skip_space(tag, self.at);
                    self.spaced |= at > self.at;
                    self.at = at;
                    match tag.get(at) {
                        None => return Ok(None),
                        Some(b'>') => return Ok(Some(Complete { length: at + 1, empty: false })),
                        Some(b'/') => return self.slash(tag),
                        Some(_) if !self.spaced => return Err(Error::NotWellFormed(Fault::MissingSpace)),
                        Some(_) => (self.phase, self.start) = (Phase::Key, at),
                    }
                }
                Phase::Key => {
                    let Some(key) = self.name(tag, self.start, limits)? else { return Ok(None) };
                    self.key = key;
                    self.phase = Phase::Equals;
                }
                Phase::Equals | Phase::Quote => {
                    self.at = chars::skip_space(tag, self.at);
                    let Some(&b) = tag.get(self.at) else { return Ok(None) };
                    self.at += 1;
                    self.phase = match (self.phase, b) {
                        (Phase::Equals, b'=') => Phase::Quote,
                        (Phase::Quote, b'\'' | b'"') => Phase::Value(b),
                        _ => return Err(Error::NotWellFormed(Fault::Attribute)),
                    };
                    (self.start, self.plain) = (self.at, true);
                }
                Phase::Value(quote) => {
                    if !self.value(tag, quote, limits)? {
                        return Ok(None);
                    }
                    (self.phase, self.spaced) = (Phase::Space, false);
                }
            }
        }
    }

    fn slash(&self, tag: &[u8]) -> Result<Option<Complete>, Error> {
        match tag.get(self.at + 1) {
            None => Ok(None),
            Some(b'>') => Ok(Some(Complete { length: self.at + 2, empty: true })),
            Some(_) => Err(Error::NotWellFormed(Fault::Attribute)),
        }
    }

    fn name(&mut self, tag: &[u8], start: usize, limits: &Limits) -> Result<Option<Name>, Error> {
        let longest = start + limits.name_bytes as usize;
        let window = &tag[..tag.len().min(longest + 1)];
        match chars::scan_name(window, start, self.at.max(start))? {
            Scan::More(_) if tag.len() > longest => Err(Error::LimitPassed(Limit::NameBytes)),
            Scan::More(at) => {
                self.at = at;
                Ok(None)
            }
            Scan::End(at) => {
                self.at = at;
                Ok(Some(Name::new(tag, start, at)))
            }
        }
    }

    /// Reads on in a value; true when its end was found.
    fn value(&mut self, tag: &[u8], quote: u8, limits: &Limits) -> Result<bool, Error> {
        let longest = self.start + limits.attribute_bytes as usize;
        let window = &tag[..tag.len().min(longest + 1)];
        loop {
            self.at = chars::skip_attr(window, self.at);
            match window.get(self.at) {
                Some(&b) if b == quote => break,
                Some(b'<') => return Err(Error::NotWellFormed(Fault::LessThanInAttribute)),
                Some(_) => (self.at, self.plain) = (self.at + 1, false),
                None if tag.len() > longest => return Err(Error::LimitPassed(Limit::AttributeBytes)),
                None => return Ok(false),
            }
        }
        self.add(tag, limits)?;
        self.at += 1;
        Ok(true)
    }

    fn add(&mut self, tag: &[u8], limits: &Limits) -> Result<(), Error> {
        let name = self.key.whole(tag);
        if self.attrs.iter().any(|attr| attr.name.whole(tag) == name) {
            return Err(Error::NotWellFormed(Fault::DuplicateAttribute));
        }
        let declaration = name == b"xmlns" || name.starts_with(b"xmlns:");
        let attrs = self.attrs.len() - self.declarations as usize;
        if declaration {
            if self.declarations >= limits.declarations {
                return Err(Error::LimitPassed(Limit::Declarations));
            }
            self.declarations += 1;
        } else if attrs >= limits.attributes as usize {
            return Err(Error::LimitPassed(Limit::Attributes));
        }
        let (start, end) = (self.start as u32, self.at as u32);
        let (ns, number) = (NsId::NONE, 0);
        self.attrs.push(RawAttr { name: self.key, start, end, plain: self.plain, declaration, ns, number });
        Ok(())
    }
}
