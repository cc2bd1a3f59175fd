//! Character data as it arrives: text, CDATA sections, references, attribute values.
//!
//! XML 1.0 sections 2.4, 2.7, 2.11, 3.3.3, 4.1, 4.6
//!
//! Not here: reading back our own canonical form (escape.rs).

use super::build::Build;
use crate::chars;
use crate::error::{Error, Fault, Restricted};

/// The longest reference that is looked at: far more than any character needs, leading zeros included.
const LONGEST_REFERENCE: usize = 64;

/// What must be remembered between two pieces of character data.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// `]` directly before, at most two.
    brackets: u8,
    /// A carriage return directly before: a line feed belongs to it.
    cr: bool,
}

impl Text {
    /// Character data was interrupted by markup.
    pub(crate) fn interrupt(&mut self) {
        *self = Text::default();
    }

    /// Takes text from `at` up to the next `<` or as far as the input allows; returns the offset reached.
    pub(crate) fn text(&mut self, s: &[u8], mut at: usize, build: &mut Build) -> Result<usize, Error> {
        while let Some(&b) = s.get(at) {
            if self.after_cr(b) {
                at += 1;
                continue;
            }
            let end = chars::skip_text(s, at);
            if end > at {
                build.text(&s[at..end])?;
                (at, self.brackets) = (end, 0);
                continue;
            }
            let brackets = std::mem::take(&mut self.brackets);
            match b {
                b'<' => return Ok(at),
                b'>' if brackets == 2 => return Err(Error::NotWellFormed(Fault::CdataEndInText)),
                b']' => {
                    build.text(b"]")?;
                    self.brackets = (brackets + 1).min(2);
                    at += 1;
                }
                b'&' => match reference(&s[at..])? {
                    None => {
                        self.brackets = brackets;
                        return Ok(at);
                    }
                    Some((c, length)) => {
                        build.escaped(c)?;
                        at += length;
                    }
                },
                _ => match self.odd(s, at, build)? {
                    end if end == at => return Ok(at),
                    end => at = end,
                },
            }
        }
        Ok(at)
    }

    /// Takes CDATA from `at`; returns the offset reached and whether the section ended.
    pub(crate) fn cdata(
        &mut self,
        s: &[u8],
        mut at: usize,
        build: &mut Build,
    ) -> Result<(usize, bool), Error> {
        while let Some(&b) = s.get(at) {
            if self.after_cr(b) {
                at += 1;
                continue;
            }
            let end = chars::skip_text(s, at);
            if end > at {
                build.text(&s[at..end])?;
                at = end;
                continue;
            }
            match b {
                b']' => match s.get(at + 1..s.len().min(at + 3)) {
                    Some(b"]>") => return Ok((at + 3, true)),
                    Some([] | [b']']) | None => return Ok((at, false)),
                    Some(_) => {
                        build.text(b"]")?;
                        at += 1;
                    }
                },
                b'<' | b'&' => {
                    build.escaped(b as char)?;
                    at += 1;
                }
                _ => match self.odd(s, at, build)? {
                    end if end == at => return Ok((at, false)),
                    end => at = end,
                },
            }
        }
        Ok((at, false))
    }

    fn after_cr(&mut self, b: u8) -> bool {
        std::mem::take(&mut self.cr) && b == b'\n'
    }

    /// What text and CDATA have in common. Returns `at` if more bytes are needed.
    fn odd(&mut self, s: &[u8], at: usize, build: &mut Build) -> Result<usize, Error> {
        match s[at] {
            b'>' => build.escaped('>')?,
            b'\r' => {
                self.cr = true;
                build.text(b"\n")?;
            }
            b if b < 128 => return Err(Error::NotWellFormed(Fault::Char)),
            _ => {
                let end = chars::non_ascii_run(s, at)?;
                if end > at {
                    build.text(&s[at..end])?;
                }
                return Ok(end);
            }
        }
        Ok(at + 1)
    }
}

/// The reference at the beginning of `s`: its character and its length. `None`: more bytes are needed.
fn reference(s: &[u8]) -> Result<Option<(char, usize)>, Error> {
    const BAD: Error = Error::NotWellFormed(Fault::Reference);
    let name_byte = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'#' | b'_' | b'-' | b'.' | b':');
    let window = &s[1..s.len().min(LONGEST_REFERENCE)];
    let Some(length) = window.iter().position(|b| !name_byte(b)) else {
        return if s.len() >= LONGEST_REFERENCE { Err(BAD) } else { Ok(None) };
    };
    if window[length] != b';' {
        return Err(BAD);
    }
    let c = match &window[..length] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"apos" => '\'',
        b"quot" => '"',
        [b'#', b'x', digits @ ..] => character(digits, 16)?,
        [b'#', digits @ ..] => character(digits, 10)?,
        [first, ..] if first.is_ascii_alphabetic() || *first == b'_' => {
            return Err(Error::Restricted(Restricted::Entity));
        }
        _ => return Err(BAD),
    };
    Ok(Some((c, length + 2)))
}

fn character(digits: &[u8], radix: u32) -> Result<char, Error> {
    let mut value: u32 = 0;
    for &digit in digits {
        let digit = (digit as char).to_digit(radix).ok_or(Error::NotWellFormed(Fault::Reference))?;
        // Stays above every character once it is, so that leading zeros are fine and overflow is not possible.
        value = (value * radix + digit).min(0x11_0000);
    }
    if digits.is_empty() {
        return Err(Error::NotWellFormed(Fault::Reference));
    }
    char::from_u32(value).filter(|c| chars::is_xml_char(*c)).ok_or(Error::NotWellFormed(Fault::Char))
}

/// Appends the value that stands between an attribute's quotes, white space normalised.
pub(crate) fn decode_value(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut at = 0;
    while let Some(&b) = raw.get(at) {
        let end = chars::skip_attr(raw, at);
        if end > at {
            out.extend_from_slice(&raw[at..end]);
            at = end;
            continue;
        }
        match b {
            b'&' => {
                // The whole value is here, so a reference that wants more bytes is none.
                let found = reference(&raw[at..])?.ok_or(Error::NotWellFormed(Fault::Reference))?;
                out.extend_from_slice(found.0.encode_utf8(&mut [0; 4]).as_bytes());
                at += found.1;
            }
            b'\r' | b'\n' | b'\t' => {
                out.push(b' ');
                at += if raw[at..].starts_with(b"\r\n") { 2 } else { 1 };
            }
            b'\'' | b'"' | b'>' => {
                out.push(b);
                at += 1;
            }
            b if b < 128 => return Err(Error::NotWellFormed(Fault::Char)),
            _ => {
                let end = chars::non_ascii_run(raw, at)?;
                if end == at {
                    return Err(Error::BadUtf8);
                }
                out.extend_from_slice(&raw[at..end]);
                at = end;
            }
        }
    }
    Ok(())
}
