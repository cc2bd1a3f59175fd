//! The parser: bytes in pieces of any size become a header, canonical elements and a close.
//!
//! RFC 6120 sections 4 and 11, RFC 7395 section 3, XML 1.0, Namespaces in XML 1.0
//!
//! The input goes through one state machine in byte order and every verdict depends only on the bytes up
//! to its place, so it does not matter how the input was cut.
//!
//! Not here: the canonical form itself (lib.rs describes it, build.rs writes it).

mod build;
mod document;
mod scope;
mod start;
mod tag;
mod text;

use crate::chars;
use crate::element::{Element, Ns, Span};
use crate::error::{Error, Fault, Limit};
use crate::escape::unescape;
use crate::header::Header;
use crate::limits::Limits;
use build::Build;
use document::Markup;
use scope::{Scope, Stack};
use tag::Tag;
use text::Text;

use std::borrow::Cow;

/// How elements follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One document: root start tag, first-level elements, root end tag (RFC 6120). The content namespace
    /// is the default namespace declared on the root.
    Stream,
    /// The same, but canonical bytes are relative to this namespace whatever the root declares: a BOSH
    /// `<body/>` with its payload (XEP-0124). Call [`Parser::restart`] before the next body.
    Wrapper(&'static str),
    /// Each element is a document of its own (RFC 7395). Canonical bytes are relative to this namespace.
    /// Call [`Parser::restart`] before each frame, and see that the parser is idle after it.
    Documents(&'static str),
}

/// What the parser has read.
#[derive(Clone, Debug)]
pub enum Event {
    /// The root's start tag.
    Header(Header),
    /// A complete first-level element.
    Element(Element),
    /// White space between elements, as much as has arrived: a keepalive (RFC 6120 section 4.6.1).
    Whitespace,
    /// The root's end tag. What follows it is ignored.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of a document.
    Start,
    /// Before the root's start tag.
    Prolog,
    /// Before, between or after first-level elements.
    Between,
    /// Inside a first-level element.
    Inside,
    /// Inside a CDATA section of one.
    Cdata,
    /// The root was an empty element: its end is still to be told.
    Ended,
    /// After the root's end tag.
    Closed,
}

/// How a step of the machine ended.
enum Step {
    Go,
    More,
    Event(Event),
}

/// An incremental XML parser. After an error it stays failed.
#[derive(Debug)]
pub struct Parser {
    framing: Framing,
    limits: Limits,
    state: State,
    /// A document came before this one: white space may still follow from it.
    restarted: bool,
    /// Something other than white space has come after the end.
    trailing: bool,
    failed: Option<Error>,
    input: Vec<u8>,
    /// Where in `input` the first byte not yet consumed is.
    at: usize,
    /// Bytes consumed of the header or the current first-level element.
    used: usize,
    /// Bytes after `at` that need not be looked at again, where a token wants more bytes.
    seen: usize,
    tag: Tag,
    text: Text,
    scope: Scope,
    stack: Stack,
    content_ns: Ns,
    build: Build,
}

impl Parser {
    /// A parser at the start of its first document.
    pub fn new(framing: Framing, limits: Limits) -> Parser {
        let content_ns = match framing {
            Framing::Stream => Ns::Known(""),
            Framing::Wrapper(ns) | Framing::Documents(ns) => Ns::Known(ns),
        };
        Parser {
            framing,
            limits,
            state: State::Start,
            restarted: false,
            trailing: false,
            failed: None,
            input: Vec::new(),
            at: 0,
            used: 0,
            seen: 0,
            tag: Tag::default(),
            text: Text::default(),
            scope: Scope::default(),
            stack: Stack::default(),
            content_ns,
            build: Build::default(),
        }
    }

    /// Replaces the limits, as after authentication. They hold for all bytes not yet consumed.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.build.limit = limits.canonical_bytes;
    }

    /// Expects a new document from the next byte not yet consumed on (RFC 6120 section 4.3.3). White space before it
    /// is what some clients write after the last element of the document before. Does not heal an error.
    pub fn restart(&mut self) {
        self.state = State::Start;
        self.restarted = self.framing == Framing::Stream;
        self.trailing = false;
        (self.used, self.seen) = (0, 0);
        self.tag.clear();
        self.text.interrupt();
        self.scope.truncate(0);
        self.stack.clear();
        self.build.clear();
    }

    /// Adds input. Ignored once the document is closed or has failed.
    pub fn push(&mut self, input: &[u8]) {
        if self.state == State::Closed || self.failed.is_some() {
            self.trailing |= !input.iter().all(|byte| chars::is_space(*byte));
            return;
        }
        if self.at == self.input.len() {
            self.input.clear();
            self.at = 0;
        } else if self.at > self.input.len() / 2 {
            self.input.drain(..self.at);
            self.at = 0;
        }
        self.input.extend_from_slice(input);
    }

    /// The next event. `None`: everything that has arrived is read, and more is needed.
    #[expect(clippy::should_implement_trait, reason = "an iterator would end; this may go on after None")]
    pub fn next(&mut self) -> Result<Option<Event>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        // Taken out so that slices of it can be used beside the other fields.
        let input = std::mem::take(&mut self.input);
        let result = self.run(&input);
        self.input = input;
        if self.state == State::Closed {
            self.trailing |= !self.unread().iter().all(|byte| chars::is_space(*byte));
            self.input = Vec::new();
            self.at = 0;
        }
        if let Err(error) = result {
            self.failed = Some(error);
        }
        result
    }

    /// Whether something other than white space stands behind the end of the document. A stream's peer may well be late
    /// in hearing that it is over; a document that comes whole has no such excuse.
    pub fn has_trailing(&self) -> bool {
        self.trailing
    }

    /// Bytes that belong to no event yet. After `<starttls/>` there must be none (RFC 6120 section 5.4.3.3).
    pub fn unread(&self) -> &[u8] {
        &self.input[self.at..]
    }

    /// Whether nothing has arrived that is not told yet, and no element has begun.
    pub fn is_idle(&self) -> bool {
        let between = matches!(self.state, State::Start | State::Prolog | State::Between | State::Closed);
        between && self.unread().is_empty()
    }

    /// Gives all buffers back if the parser is idle.
    pub fn release(&mut self) {
        if self.is_idle() {
            self.input = Vec::new();
            self.at = 0;
            self.tag = Tag::default();
            self.build = Build::default();
            self.scope.shrink();
            self.stack.shrink();
        }
    }

    /// The first-level element that has begun and not ended, once its start tag is complete. Also after an
    /// error inside it, so that the error can be answered with its `id`.
    pub fn partial(&self) -> Option<Partial<'_>> {
        let begun = matches!(self.state, State::Inside | State::Cdata);
        begun.then_some(Partial { parser: self })
    }

    fn run(&mut self, input: &[u8]) -> Result<Option<Event>, Error> {
        loop {
            // Nothing beyond the limit is ever looked at, so where the limit strikes does not depend on
            // how much has arrived.
            let (limit, name) = match self.state {
                State::Start | State::Prolog => (self.limits.header_bytes, Limit::HeaderBytes),
                _ => (self.limits.element_bytes, Limit::ElementBytes),
            };
            let left = (limit as usize).saturating_sub(self.used);
            let end = input.len().min(self.at + left);
            let window = &input[..end];
            let step = match self.state {
                State::Start => self.start(window)?,
                State::Prolog => self.prolog(window)?,
                State::Between => self.between(window)?,
                State::Inside => self.inside(window)?,
                State::Cdata => self.cdata(window)?,
                State::Ended => self.close(),
                State::Closed => return Ok(None),
            };
            match step {
                Step::Go => {}
                Step::Event(event) => return Ok(Some(event)),
                Step::More if end < input.len() => return Err(Error::LimitPassed(name)),
                Step::More => return Ok(None),
            }
        }
    }

    fn take(&mut self, bytes: usize) {
        self.at += bytes;
        self.used += bytes;
        self.seen = 0;
    }

    fn close(&mut self) -> Step {
        self.state = State::Closed;
        Step::Event(Event::Close)
    }

    fn between(&mut self, input: &[u8]) -> Result<Step, Error> {
        let rest = &input[self.at..];
        match rest {
            [] => Ok(Step::More),
            [b'<', b'/', ..] if self.framing_has_root() => {
                if !self.end_tag(input)? {
                    return Ok(Step::More);
                }
                self.stack.pop();
                Ok(self.close())
            }
            [b'<', b'/', ..] => Err(Error::NotWellFormed(Fault::EndTag)),
            [b'<', b'!' | b'?', ..] => match document::markup(rest)? {
                None => Ok(Step::More),
                Some(Markup::Cdata) => Err(Error::NotWellFormed(Fault::Markup)),
            },
            [b'<'] => Ok(Step::More),
            [b'<', ..] => {
                self.build.limit = self.limits.canonical_bytes;
                self.start_element(input)
            }
            [b, ..] if chars::is_space(*b) => {
                self.at = chars::skip_space(input, self.at);
                Ok(Step::Event(Event::Whitespace))
            }
            _ => Err(Error::TextBetweenElements),
        }
    }

    fn inside(&mut self, input: &[u8]) -> Result<Step, Error> {
        loop {
            let rest = &input[self.at..];
            if rest.first().is_some_and(|b| *b != b'<') {
                let end = self.text.text(input, self.at, &mut self.build)?;
                let taken = end - self.at;
                self.take(taken);
                if input.get(end) != Some(&b'<') {
                    return Ok(Step::More);
                }
                continue;
            }
            if rest.is_empty() {
                return Ok(Step::More);
            }
            // Whatever '<' begins, nothing before it belongs to the text behind it.
            self.text.interrupt();
            let step = match rest {
                [_] => return Ok(Step::More),
                [b'<', b'/', ..] => match self.end_tag(input)? {
                    false => return Ok(Step::More),
                    true => self.end_element()?,
                },
                [b'<', b'!' | b'?', ..] => match document::markup(rest)? {
                    None => return Ok(Step::More),
                    Some(Markup::Cdata) => {
                        self.take(document::CDATA.len());
                        self.state = State::Cdata;
                        return Ok(Step::Go);
                    }
                },
                _ => self.start_element(input)?,
            };
            if !matches!(step, Step::Go) {
                return Ok(step);
            }
        }
    }

    fn cdata(&mut self, input: &[u8]) -> Result<Step, Error> {
        let (end, complete) = self.text.cdata(input, self.at, &mut self.build)?;
        let taken = end - self.at;
        self.take(taken);
        if !complete {
            return Ok(Step::More);
        }
        self.text.interrupt();
        self.state = State::Inside;
        Ok(Step::Go)
    }

    /// Reads the end tag at `at`; true when it was complete. It must be that of the innermost open element.
    fn end_tag(&mut self, input: &[u8]) -> Result<bool, Error> {
        const BAD: Error = Error::NotWellFormed(Fault::EndTag);
        let rest = &input[self.at + 2..];
        let name = self.stack.name();
        let known = name.len().min(rest.len());
        if rest[..known] != name[..known] {
            return Err(BAD);
        }
        if known < name.len() {
            return Ok(false);
        }
        let end = chars::skip_space(rest, known.max(self.seen));
        match rest.get(end) {
            None => {
                self.seen = end;
                Ok(false)
            }
            Some(b'>') => {
                self.take(end + 3);
                Ok(true)
            }
            Some(_) => Err(BAD),
        }
    }

    /// Ends the innermost element, the end of whose source has been consumed.
    fn end_element(&mut self) -> Result<Step, Error> {
        let Some(open) = self.stack.last().copied() else { return Err(Error::NotWellFormed(Fault::EndTag)) };
        self.build.end(&self.stack.name()[open.local as usize..])?;
        self.scope.truncate(open.outer);
        self.stack.pop();
        if self.build.depth > 0 {
            return Ok(Step::Go);
        }
        self.state = State::Between;
        let element = self.build.finish(&self.content_ns, std::mem::take(&mut self.used));
        Ok(Step::Event(Event::Element(element)))
    }

    fn framing_has_root(&self) -> bool {
        !matches!(self.framing, Framing::Documents(_))
    }
}

/// A first-level element whose start tag is complete and whose end has not come.
#[derive(Clone, Copy, Debug)]
pub struct Partial<'a> {
    parser: &'a Parser,
}

impl<'a> Partial<'a> {
    /// The local name.
    pub fn name(&self) -> &'a str {
        let (out, name, _) = self.parser.build.begun();
        std::str::from_utf8(&out[name.range()]).unwrap_or_default()
    }

    /// Whether its namespace is the content namespace, as a stanza's is.
    pub fn is_content(&self) -> bool {
        self.parser.build.ns() == Span::CONTENT
    }

    /// The value of the attribute `name` without a namespace.
    pub fn attr(&self, name: &str) -> Option<Cow<'a, str>> {
        let (out, _, attrs) = self.parser.build.begun();
        let entry = attrs.iter().find(|e| e.ns == Span::NONE && &out[e.name.range()] == name.as_bytes())?;
        std::str::from_utf8(&out[entry.body.range()]).ok().map(unescape)
    }

    /// Source bytes of it consumed so far.
    pub fn source_bytes(&self) -> usize {
        self.parser.used
    }
}

#[cfg(test)]
mod tests;
