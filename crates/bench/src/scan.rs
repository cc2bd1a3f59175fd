//! Finds where the pieces of an XML stream end (RFC 6120 section 4), and reads single attributes, without a tree.
//!
//! It trusts the server to send well-formed XML without comments, as RFC 6120 section 11.1 demands.
//! Not here: the meaning of a piece (`session.rs`).

use memchr::{memchr, memchr3, memmem};

/// What a piece of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The stream header.
    Open,
    /// A whole element under the stream's root.
    Element,
    /// The end of the stream.
    Close,
}

/// Where in a stream the scan stands.
#[derive(Debug, Default, Clone)]
pub struct Scanner {
    depth: u32,
    at: usize,
}

impl Scanner {
    /// A scanner inside a stream whose header is not sent (the relay has none).
    pub fn inside() -> Self {
        Self { depth: 1, at: 0 }
    }

    /// The first piece of `bytes` and its length, if it is whole. `bytes` must begin where the last piece ended,
    /// and may only have grown since the last `None`.
    pub fn next(&mut self, bytes: &[u8]) -> Option<(Piece, usize)> {
        loop {
            let Some(start) = memchr(b'<', bytes.get(self.at..)?).map(|found| found + self.at) else {
                self.at = bytes.len();
                return None;
            };
            self.at = start;
            let end = tag_end(bytes, start)?;
            self.at = end + 1;
            let piece = match (bytes[start + 1], bytes[end - 1]) {
                (b'?', _) => None,
                (b'/', _) => {
                    self.depth = self.depth.saturating_sub(1);
                    match self.depth {
                        0 => Some(Piece::Close),
                        1 => Some(Piece::Element),
                        _ => None,
                    }
                }
                (_, b'/') => (self.depth <= 1).then_some(Piece::Element),
                _ => {
                    self.depth += 1;
                    (self.depth == 1).then_some(Piece::Open)
                }
            };
            if let Some(piece) = piece {
                return Some((piece, std::mem::take(&mut self.at)));
            }
        }
    }
}

/// The position of the `>` that ends the tag at `start`, if it is there.
fn tag_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let found = memchr3(b'>', b'"', b'\'', bytes.get(at..)?)? + at;
        match bytes[found] {
            b'>' => return Some(found),
            quote => at = memchr(quote, bytes.get(found + 1..)?)? + found + 2,
        }
    }
}

/// The value of attribute `name` in the first tag of `element`, as written (entities are not resolved).
pub fn attribute<'a>(element: &'a [u8], name: &str) -> Option<&'a str> {
    let start = memchr(b'<', element)?;
    let tag = &element[start..=tag_end(element, start)?];
    let mut at = 0;
    loop {
        let equals = memchr(b'=', &tag[at..])? + at;
        let quote = *tag.get(equals + 1)?;
        let end = memchr(quote, &tag[equals + 2..])? + equals + 2;
        let key = tag[at..equals].rsplit(u8::is_ascii_whitespace).next()?;
        if key == name.as_bytes() {
            return std::str::from_utf8(&tag[equals + 2..end]).ok();
        }
        at = end + 1;
    }
}

/// The text between the first `<name ...>` and the next `<`.
pub fn text<'a>(element: &'a [u8], name: &str) -> Option<&'a str> {
    let mut at = 0;
    loop {
        let found = memmem::find(&element[at..], name.as_bytes())? + at;
        at = found + name.len();
        let opens = found > 0 && element[found - 1] == b'<';
        if !opens || !matches!(element.get(at), Some(b'>' | b' ')) {
            continue;
        }
        let begin = tag_end(element, found - 1)? + 1;
        let end = memchr(b'<', &element[begin..])? + begin;
        return std::str::from_utf8(&element[begin..end]).ok();
    }
}

/// Whether `element` contains `needle`.
pub fn has(element: &[u8], needle: &str) -> bool {
    memmem::find(element, needle.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream id='a>b' xmlns='jabber:client'>\
        <stream:features><a/><b>x</b></stream:features> <r xmlns='urn:xmpp:sm:3'/>\
        <message to='a/\"b' id=\"1\"><body>1 < text</body></message></stream:stream>";

    fn pieces(step: usize) -> Vec<(Piece, usize)> {
        let bytes = STREAM.replace("1 <", "1 &lt;").into_bytes();
        let (mut scanner, mut begin, mut found) = (Scanner::default(), 0, vec![]);
        for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
            while let Some((piece, length)) = scanner.next(&bytes[begin..end]) {
                found.push((piece, length));
                begin += length;
            }
        }
        assert_eq!(begin, bytes.len());
        found
    }

    #[test]
    fn pieces_are_found_however_the_bytes_are_cut() {
        let kinds: Vec<_> = pieces(1000).iter().map(|found| found.0).collect();
        use Piece::{Close, Element, Open};
        assert_eq!(kinds, [Open, Element, Element, Element, Close]);
        for step in [1, 2, 3, 7, 50] {
            assert_eq!(pieces(step), pieces(1000), "step {step}");
        }
    }

    #[test]
    fn attributes_and_texts_are_read_from_the_right_place() {
        let element =
            br#"<iq from='x' id="a=b" type='result'><q id='no'><jidx>n</jidx><jid k='v'>y</jid></q></iq>"#;
        assert_eq!(attribute(element, "id"), Some("a=b"));
        assert_eq!(attribute(element, "type"), Some("result"));
        assert_eq!(attribute(element, "k"), None);
        assert_eq!(text(element, "jid"), Some("y"));
        assert_eq!(text(element, "nothing"), None);
    }
}
