//! Which bytes and characters XML 1.0 allows where, as one table and a few functions.
//!
//! XML 1.0 (fifth edition) sections 2.2, 2.3; Namespaces in XML 1.0 section 4 (names with at most one colon)
//!
//! Not here: escaping (escape.rs) and what the names mean (parser/scope.rs).

use crate::error::{Error, Fault};

/// May begin a name (ASCII part of `NameStartChar`, without the colon).
const START: u8 = 1;
/// May continue a name (ASCII part of `NameChar`, without the colon).
const NAME: u8 = 2;
/// White space (`S`).
const SPACE: u8 = 4;
/// Stands for itself in a canonical attribute value.
const ATTR: u8 = 8;
/// Stands for itself in canonical text.
const TEXT: u8 = 16;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 128 {
        let c = b as u8;
        if c.is_ascii_alphabetic() || c == b'_' {
            table[b] |= START | NAME;
        }
        if c.is_ascii_digit() || c == b'-' || c == b'.' {
            table[b] |= NAME;
        }
        if matches!(c, b' ' | b'\t' | b'\r' | b'\n') {
            table[b] |= SPACE;
        }
        if c >= b' ' && !matches!(c, b'&' | b'<' | b'>' | b'\'' | b'"') {
            table[b] |= ATTR;
        }
        if (c >= b' ' || c == b'\t' || c == b'\n') && !matches!(c, b'&' | b'<' | b'>' | b']') {
            table[b] |= TEXT;
        }
        b += 1;
    }
    table
}

/// White space as XML defines it.
pub(crate) fn is_space(b: u8) -> bool {
    CLASS[b as usize] & SPACE != 0
}

/// The first offset from `at` on that is not white space.
pub(crate) fn skip_space(s: &[u8], mut at: usize) -> usize {
    while at < s.len() && is_space(s[at]) {
        at += 1;
    }
    at
}

/// The first offset from `at` on whose byte needs thought in an attribute value.
pub(crate) fn skip_attr(s: &[u8], mut at: usize) -> usize {
    while at < s.len() && CLASS[s[at] as usize] & ATTR != 0 {
        at += 1;
    }
    at
}

/// The first offset from `at` on whose byte needs thought in text.
pub(crate) fn skip_text(s: &[u8], mut at: usize) -> usize {
    // Whole blocks by arithmetic that the compiler turns into vector code; the table finds the place.
    while let Some(block) = s.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        let odd = block.iter().fold(0u8, |odd, &b| {
            let control = (b < b' ') & (b != b'\n') & (b != b'\t');
            let special = (b == b'<') | (b == b'&') | (b == b'>') | (b == b']');
            odd | u8::from(control | special | (b >= 128))
        });
        if odd != 0 {
            break;
        }
        at += 32;
    }
    while at < s.len() && CLASS[s[at] as usize] & TEXT != 0 {
        at += 1;
    }
    at
}

/// `Char` of XML 1.0: what a document may contain at all.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// As XML has it, but for U+FEFF, the byte order mark, which nobody can see in a name.
fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether `name` is a name without a colon (`NCName`).
pub(crate) fn is_ncname(name: &str) -> bool {
    name.chars().next().is_some_and(is_name_start) && name.chars().all(is_name_char)
}

/// How far a name reaches.
pub(crate) enum Scan {
    /// Up to here everything is part of the name, and the input ends: go on from here.
    More(usize),
    /// The name ends before this offset.
    End(usize),
}

/// Scans a name with at most one colon that begins at `start` and is known to be good up to `at`.
pub(crate) fn scan_name(s: &[u8], start: usize, mut at: usize) -> Result<Scan, Error> {
    const BAD: Error = Error::NotWellFormed(Fault::Name);
    // A part of the name (before or after the colon) begins here, so only a start character will do.
    let begins = |at: usize| at == start || s[at - 1] == b':';
    loop {
        let Some(&b) = s.get(at) else { return Ok(Scan::More(at)) };
        let class = CLASS[b as usize];
        if class & START != 0 {
            at += 1;
        } else if class & NAME != 0 {
            if begins(at) {
                return Err(BAD);
            }
            at += 1;
        } else if b == b':' {
            if begins(at) || s[start..at].contains(&b':') {
                return Err(BAD);
            }
            at += 1;
        } else if b < 128 {
            return if begins(at) { Err(BAD) } else { Ok(Scan::End(at)) };
        } else {
            match decode(s, at)? {
                None => return Ok(Scan::More(at)),
                Some(c) if is_name_start(c) || (is_name_char(c) && !begins(at)) => at += c.len_utf8(),
                Some(_) => return Err(BAD),
            }
        }
    }
}

/// The character at `at`, or `None` where its bytes have not all arrived.
fn decode(s: &[u8], at: usize) -> Result<Option<char>, Error> {
    let bytes = &s[at..s.len().min(at + 4)];
    let good = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.valid_up_to() > 0 => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default(),
        Err(e) if e.error_len().is_none() => return Ok(None),
        Err(_) => return Err(Error::BadUtf8),
    };
    Ok(good.chars().next())
}

/// Checks the run of non-ASCII bytes at `at` and returns how far it is good. That is `at` itself only
/// where the input ends within a character. A fault is reported when it comes first, so that what is
/// before it has been dealt with however the input was cut.
pub(crate) fn non_ascii_run(s: &[u8], at: usize) -> Result<usize, Error> {
    let length = s[at..].iter().position(|b| *b < 128).unwrap_or(s.len() - at);
    let run = &s[at..at + length];
    let good = match std::str::from_utf8(run) {
        Ok(_) => length,
        Err(e) if e.valid_up_to() > 0 => e.valid_up_to(),
        Err(e) if e.error_len().is_none() && at + length == s.len() => 0,
        Err(_) => return Err(Error::BadUtf8),
    };
    // U+FFFE and U+FFFF are the only encodable non-ASCII characters that XML forbids.
    let forbidden = |i: &usize| matches!(run[i + 1..good], [0xBF, 0xBE | 0xBF, ..]);
    match memchr::memchr_iter(0xEF, &run[..good]).find(forbidden) {
        Some(0) => Err(Error::NotWellFormed(Fault::Char)),
        Some(first) => Ok(at + first),
        None => Ok(at + good),
    }
}
