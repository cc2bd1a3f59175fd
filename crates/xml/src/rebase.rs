//! Moving a canonical element below a parent of another namespace.
//!
//! Not here: anything inside the element; the canonical form of what is inside depends on it alone.

use std::borrow::Cow;

use crate::escape::{escape_attr, unescape};

/// `raw` is one canonical element relative to a parent in the namespace `from`. Returns the same element
/// relative to a parent in `to`: its `xmlns` is added or left out. Only the start tag is looked at.
pub fn rebase<'a>(raw: &'a [u8], from: &str, to: &str) -> Cow<'a, [u8]> {
    const XMLNS: &[u8] = b" xmlns='";
    if from == to {
        return Cow::Borrowed(raw);
    }
    let Some(name) = raw.iter().position(|b| matches!(b, b' ' | b'/' | b'>')) else {
        return Cow::Borrowed(raw);
    };
    let (head, rest) = raw.split_at(name);
    let mut out = Vec::with_capacity(raw.len() + XMLNS.len() + from.len() + 1);
    out.extend_from_slice(head);
    if let Some(declared) = rest.strip_prefix(XMLNS) {
        let Some(end) = memchr::memchr(b'\'', declared) else { return Cow::Borrowed(raw) };
        match std::str::from_utf8(&declared[..end]) {
            Ok(ns) if unescape(ns) == to => out.extend_from_slice(&declared[end + 1..]),
            _ => return Cow::Borrowed(raw),
        }
    } else {
        out.extend_from_slice(XMLNS);
        escape_attr(&mut out, from);
        out.push(b'\'');
        out.extend_from_slice(rest);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_and_removes_the_declaration() {
        let cases = [
            ("<a/>", "p", "p", "<a/>"),
            ("<a/>", "p", "q", "<a xmlns='p'/>"),
            ("<a b='c'>x</a>", "p", "q", "<a xmlns='p' b='c'>x</a>"),
            ("<a>x</a>", "", "q", "<a xmlns=''>x</a>"),
            ("<a xmlns='q' b='c'/>", "p", "q", "<a b='c'/>"),
            ("<a xmlns='r'/>", "p", "q", "<a xmlns='r'/>"),
            ("<a xmlns='q&amp;r'/>", "p", "q&r", "<a/>"),
            ("<a/>", "q&r", "p", "<a xmlns='q&amp;r'/>"),
        ];
        for (raw, from, to, expected) in cases {
            assert_eq!(rebase(raw.as_bytes(), from, to), expected.as_bytes(), "{raw} {from} {to}");
        }
    }
}
