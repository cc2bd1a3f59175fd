//! A complete start tag: namespaces resolved, limits counted, the root or an element begun.
//!
//! Namespaces in XML 1.0 section 6; RFC 6120 section 4.7
//!
//! Not here: reading the tag (tag.rs) and writing it (build.rs).

use super::scope::{NsId, Open, Scope};
use super::tag::{Complete, RawAttr, Tag};
use super::text::decode_value;
use super::{Event, Framing, Parser, State, Step};
use crate::element::Ns;
use crate::error::{Error, Fault, Limit};
use crate::header::Header;
use crate::limits::Limits;

impl Parser {
    /// Reads the start tag of the root.
    pub(super) fn root(&mut self, input: &[u8]) -> Result<Step, Error> {
        let tag = &input[self.at..];
        let Some(complete) = self.tag.scan(tag, &self.limits)? else { return Ok(Step::More) };
        let open = self.open(tag)?;
        let header = self.header(tag, &open)?;
        if self.framing == Framing::Stream {
            self.content_ns = Ns::new(&header.content_ns);
        }
        self.stack.push(self.tag.name.whole(tag), open);
        self.tag.clear();
        self.take(complete.length);
        self.used = 0;
        self.state = if complete.empty { State::Ended } else { State::Between };
        Ok(Step::Event(Event::Header(header)))
    }

    fn header(&self, tag: &[u8], open: &Open) -> Result<Header, Error> {
        let owned = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut header = Header {
            prefix: owned(self.tag.name.prefix(tag)),
            name: owned(self.tag.name.local(tag)),
            ns: owned(self.scope.uri(open.ns)),
            content_ns: owned(self.scope.uri(open.default)),
            attrs: Vec::new(),
            declared: self.scope.prefixes().map(|(prefix, ns)| (owned(prefix), owned(ns))).collect(),
        };
        for attr in self.tag.attrs.iter().filter(|attr| !attr.declaration) {
            let mut value = Vec::new();
            decode_value(attr.raw(tag), &mut value)?;
            header.attrs.push((owned(self.scope.uri(attr.ns)), owned(attr.name.local(tag)), owned(&value)));
        }
        Ok(header)
    }

    /// Reads the start tag of a first-level element or of one inside it.
    pub(super) fn start_element(&mut self, input: &[u8]) -> Result<Step, Error> {
        let tag = &input[self.at..];
        let Some(complete) = self.tag.scan(tag, &self.limits)? else { return Ok(Step::More) };
        self.count()?;
        let open = self.open(tag)?;
        self.begin(tag, &open)?;
        self.stack.push(self.tag.name.whole(tag), open);
        self.tag.clear();
        let Complete { length, empty } = complete;
        self.take(length);
        self.state = State::Inside;
        if empty { self.end_element() } else { Ok(Step::Go) }
    }

    /// Counts the element and its attributes against the limits of the first-level element.
    fn count(&mut self) -> Result<(), Error> {
        if self.build.depth >= self.limits.depth {
            return Err(Error::LimitPassed(Limit::Depth));
        }
        if self.build.depth > 0 {
            self.build.elements += 1;
            if self.build.elements > self.limits.elements {
                return Err(Error::LimitPassed(Limit::Elements));
            }
        }
        self.build.attributes += self.tag.attrs.len() as u32 - u32::from(self.tag.declarations);
        if self.build.attributes > self.limits.attributes_total {
            return Err(Error::LimitPassed(Limit::AttributesTotal));
        }
        Ok(())
    }

    /// Takes the tag's declarations into scope and resolves its names.
    fn open(&mut self, tag: &[u8]) -> Result<Open, Error> {
        let Parser { tag: read, scope, stack, limits, .. } = self;
        let outer = scope.len();
        let mut default = stack.last().map_or(NsId::NONE, |open| open.default);
        if read.declarations > 0 {
            for attr in read.attrs.iter().filter(|attr| attr.declaration) {
                let prefix = if attr.name.local_at() == 0 { &[] } else { attr.name.local(tag) };
                let ns = declare(tag, attr, prefix, scope, limits)?;
                if prefix.is_empty() {
                    default = ns;
                }
            }
        }
        let ns = match read.name.prefix(tag) {
            [] => default,
            // The namespace of `xml` cannot be written without its prefix, and no element of it exists.
            b"xml" | b"xmlns" => return Err(Error::NotWellFormed(Fault::ReservedPrefix)),
            prefix => scope.resolve(prefix)?,
        };
        resolve_attrs(tag, read, scope)?;
        Ok(Open { ns, default, outer, local: read.name.local_at(), name: 0 })
    }

    /// Begins the element in canonical form.
    fn begin(&mut self, tag: &[u8], open: &Open) -> Result<(), Error> {
        let Parser { tag: read, scope, stack, build, content_ns, framing, .. } = self;
        let same = match stack.last() {
            Some(parent) if build.depth > 0 => scope.same(parent.ns, open.ns),
            Some(root) if *framing == Framing::Stream && root.default == open.ns => true,
            _ => scope.uri(open.ns) == content_ns.as_str().as_bytes(),
        };
        build.start(read.name.local(tag), (!same).then(|| scope.uri(open.ns)));
        let mut highest = 0;
        for attr in read.attrs.iter().filter(|attr| !attr.declaration) {
            build.attr(tag, attr, scope, attr.number > highest)?;
            highest = highest.max(attr.number);
        }
        build.check()
    }
}

fn declare(
    tag: &[u8],
    attr: &RawAttr,
    prefix: &[u8],
    scope: &mut Scope,
    limits: &Limits,
) -> Result<NsId, Error> {
    if attr.plain {
        return scope.declare(prefix, attr.raw(tag), limits);
    }
    let mut ns = Vec::new();
    decode_value(attr.raw(tag), &mut ns)?;
    scope.declare(prefix, &ns, limits)
}

/// Resolves the attributes' prefixes, numbers their namespaces and finds those that are given twice under
/// two prefixes.
fn resolve_attrs(tag: &[u8], read: &mut Tag, scope: &Scope) -> Result<(), Error> {
    let mut highest = 0;
    for i in 0..read.attrs.len() {
        let attr = read.attrs[i];
        if attr.declaration || attr.name.prefix(tag).is_empty() {
            continue;
        }
        let ns = scope.resolve(attr.name.prefix(tag))?;
        let mut number = 0;
        if ns != NsId::XML {
            for other in read.attrs[..i].iter().filter(|a| a.number > 0 && scope.same(a.ns, ns)) {
                if other.name.local(tag) == attr.name.local(tag) {
                    return Err(Error::NotWellFormed(Fault::DuplicateAttribute));
                }
                number = other.number;
            }
            if number == 0 {
                highest += 1;
                number = highest;
            }
        }
        (read.attrs[i].ns, read.attrs[i].number) = (ns, number);
    }
    Ok(())
}
