//! Escaping into, and reading back from, the canonical form.
//!
//! XML 1.0 sections 2.4 (character data), 2.11 (line ends), 3.3.3 (attribute values), 4.1 (references)
//!
//! Not here: references in a peer's input (parser/text.rs): those may be wrong in more ways.

use std::borrow::Cow;

use crate::chars;

/// Appends `text` as canonical character data. Characters that XML forbids become U+FFFD.
pub fn escape_text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |b| match b {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends `value` as it stands between the quotes of a canonical attribute. Characters that XML forbids
/// become U+FFFD.
pub fn escape_attr(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |b| match b {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\'' => Some("&apos;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Bytes that may have to be written in another way, in text or in attributes: nearly all others are passed over with one look.
static UNUSUAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = b < 0x20 || b == 0xEF || matches!(b as u8, b'&' | b'<' | b'>' | b'\'');
        b += 1;
    }
    table
};

fn escape(out: &mut Vec<u8>, text: &str, reference: impl Fn(u8) -> Option<&'static str>) {
    let bytes = text.as_bytes();
    let (mut from, mut at) = (0, 0);
    while let Some(next) = bytes[at..].iter().position(|b| UNUSUAL[*b as usize]) {
        at += next;
        let b = bytes[at];
        let (with, length) = match reference(b) {
            Some(with) => (with, 1),
            None if b < b' ' && b != b'\n' && b != b'\t' => ("\u{FFFD}", 1),
            None if b == 0xEF && !text[at..].starts_with(chars::is_xml_char) => ("\u{FFFD}", 3),
            None => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(with.as_bytes());
        at += length;
        from = at;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// The value that canonical text or a canonical attribute value stands for. What is no reference that the
/// canonical form knows is left as it is.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'&', raw.as_bytes()) else { return Cow::Borrowed(raw) };
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut next = Some(first);
    while let Some(at) = next {
        text.push_str(&rest[..at]);
        let (c, length) = reference(&rest[at..]).unwrap_or(('&', 1));
        text.push(c);
        rest = &rest[at + length..];
        next = memchr::memchr(b'&', rest.as_bytes());
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The references of the canonical form: the character and the length of the reference.
pub(crate) fn reference(raw: &str) -> Option<(char, usize)> {
    const KNOWN: [(&str, char); 7] = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&apos;", '\''),
        ("&#13;", '\r'),
        ("&#10;", '\n'),
        ("&#9;", '\t'),
    ];
    KNOWN.iter().find(|(known, _)| raw.starts_with(known)).map(|(known, c)| (*c, known.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_reads_back() {
        let cases = [
            ("plain", "plain", "plain"),
            ("a&b<c>d", "a&amp;b&lt;c&gt;d", "a&amp;b&lt;c&gt;d"),
            ("'\"", "'\"", "&apos;\""),
            ("\t\n\r", "\t\n&#13;", "&#9;&#10;&#13;"),
            ("]]>\u{2028}ü", "]]&gt;\u{2028}ü", "]]&gt;\u{2028}ü"),
            ("", "", ""),
        ];
        for (value, text, attr) in cases {
            let mut out = Vec::new();
            escape_text(&mut out, value);
            assert_eq!(out, text.as_bytes());
            out.clear();
            escape_attr(&mut out, value);
            assert_eq!(out, attr.as_bytes());
            assert_eq!(unescape(text), value);
            assert_eq!(unescape(attr), value);
        }
    }

    #[test]
    fn forbidden_characters_are_replaced() {
        let mut out = Vec::new();
        escape_text(&mut out, "a\0b\u{FFFE}c\u{FFFF}\u{FFFD}\u{FB00}\u{1F}");
        assert_eq!(String::from_utf8(out).unwrap(), "a\u{FFFD}b\u{FFFD}c\u{FFFD}\u{FFFD}\u{FB00}\u{FFFD}");
    }
}
