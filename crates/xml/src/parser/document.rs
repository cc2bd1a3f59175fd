//! The beginning of a document and the markup that XMPP forbids.
//!
//! XML 1.0 sections 2.8 (prolog), 4.3.3 (encoding); RFC 6120 sections 11.1, 11.5, 11.6
//!
//! Not here: start tags (start.rs) and what is inside first-level elements (mod.rs).

use super::{Framing, Parser, State, Step};
use crate::chars::{is_space, skip_space};
use crate::error::{Error, Fault, Restricted};

pub(super) const CDATA: &[u8] = b"<![CDATA[";

/// The one kind of markup that is allowed beside tags.
pub(super) enum Markup {
    Cdata,
}

/// What `<!` or `<?` at the beginning of `rest` begins. `None`: more bytes are needed.
pub(super) fn markup(rest: &[u8]) -> Result<Option<Markup>, Error> {
    const XML: &[u8] = b"<?xml";
    const COMMENT: &[u8] = b"<!--";
    if rest.starts_with(CDATA) {
        return Ok(Some(Markup::Cdata));
    }
    if [XML, COMMENT, CDATA].iter().any(|known| known.starts_with(rest)) {
        return Ok(None);
    }
    Err(match rest {
        [b'<', b'?', b'x', b'm', b'l', b, ..] if is_space(*b) || *b == b'?' => {
            Error::NotWellFormed(Fault::XmlDeclaration)
        }
        [b'<', b'?', ..] => Error::Restricted(Restricted::ProcessingInstruction),
        [b'<', b'!', b'-', b'-', ..] => Error::Restricted(Restricted::Comment),
        [b'<', b'!', b'A'..=b'Z', ..] => Error::Restricted(Restricted::Declaration),
        _ => Error::NotWellFormed(Fault::Markup),
    })
}

impl Parser {
    /// The first bytes of a document: marks of other encodings, an XML declaration.
    pub(super) fn start(&mut self, input: &[u8]) -> Result<Step, Error> {
        if self.restarted {
            let spaces = input[self.at..].iter().take_while(|byte| is_space(**byte)).count();
            self.take(spaces);
        }
        let rest = &input[self.at..];
        let declaration = match rest {
            [] | [b'<'] => return Ok(Step::More),
            [0 | 0xEF | 0xFE | 0xFF, ..] | [b'<', 0, ..] => return Err(Error::UnsupportedEncoding),
            [b'<', b'?', ..] => rest,
            _ => return Ok(self.begin_content()),
        };
        if !declaration.starts_with(b"<?xml") || declaration.get(5).is_some_and(|b| !is_space(*b)) {
            return markup(declaration).map(|_| Step::More);
        }
        let from = self.seen.max(5);
        let Some(end) = memchr::memchr(b'>', &declaration[from.min(declaration.len())..]) else {
            self.seen = declaration.len();
            return Ok(Step::More);
        };
        let length = from + end + 1;
        check_declaration(&declaration[5..length])?;
        self.take(length);
        Ok(self.begin_content())
    }

    fn begin_content(&mut self) -> Step {
        self.state = State::Prolog;
        if let Framing::Documents(_) = self.framing {
            (self.state, self.used) = (State::Between, 0);
        }
        Step::Go
    }

    /// Before the root's start tag.
    pub(super) fn prolog(&mut self, input: &[u8]) -> Result<Step, Error> {
        let rest = &input[self.at..];
        match rest {
            [] | [b'<'] => Ok(Step::More),
            [b'<', b'!' | b'?', ..] => match markup(rest)? {
                None => Ok(Step::More),
                Some(Markup::Cdata) => Err(Error::NotWellFormed(Fault::Markup)),
            },
            [b'<', b'/', ..] => Err(Error::NotWellFormed(Fault::EndTag)),
            [b'<', ..] => self.root(input),
            [b, ..] if is_space(*b) => {
                self.take(skip_space(rest, 0));
                Ok(Step::Go)
            }
            _ => Err(Error::TextBetweenElements),
        }
    }
}

/// Checks an XML declaration from behind `<?xml` up to and including `>`.
fn check_declaration(text: &[u8]) -> Result<(), Error> {
    const BAD: Error = Error::NotWellFormed(Fault::XmlDeclaration);
    let mut rest = text.strip_suffix(b"?>").ok_or(BAD)?;
    let version = pseudo_attribute(&mut rest, b"version")?.ok_or(BAD)?;
    if version != b"1.0" {
        let plausible = version.starts_with(b"1.") && version[2..].iter().all(u8::is_ascii_digit);
        return Err(if plausible && version.len() > 2 {
            Error::Restricted(Restricted::Version)
        } else {
            BAD
        });
    }
    if let Some(encoding) = pseudo_attribute(&mut rest, b"encoding")?
        && !encoding.eq_ignore_ascii_case(b"utf-8")
    {
        return Err(Error::UnsupportedEncoding);
    }
    match pseudo_attribute(&mut rest, b"standalone")? {
        None | Some(b"yes") => {}
        Some(b"no") => return Err(Error::Restricted(Restricted::NotStandalone)),
        Some(_) => return Err(BAD),
    }
    if rest.iter().all(|b| is_space(*b)) { Ok(()) } else { Err(BAD) }
}

/// Takes ` name = 'value'` from the beginning of `rest`, if that is what is there.
fn pseudo_attribute<'a>(rest: &mut &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, Error> {
    const BAD: Error = Error::NotWellFormed(Fault::XmlDeclaration);
    let start = skip_space(rest, 0);
    let Some(after) = rest[start..].strip_prefix(name) else { return Ok(None) };
    let after = after[skip_space(after, 0)..].strip_prefix(b"=").ok_or(BAD)?;
    let [quote @ (b'\'' | b'"'), value @ ..] = &after[skip_space(after, 0)..] else { return Err(BAD) };
    let end = memchr::memchr(*quote, value).ok_or(BAD)?;
    if start == 0 {
        return Err(BAD);
    }
    *rest = &value[end + 1..];
    Ok(Some(&value[..end]))
}
