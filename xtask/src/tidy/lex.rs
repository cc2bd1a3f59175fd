//! Rust source told apart into code, comments, literals and tests, as far as the rules need it.
//!
//! Not here: a parser. Only brackets, quotes, comments and `#[cfg(test)]` are understood.

use std::ops::Range;

/// A string literal, without its quotes; escapes are left as written.
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
    at: usize,
}

/// One file of Rust, of the same length and the same lines as the original.
pub(crate) struct Source {
    /// Comments are spaces, the insides of literals are `"`, tests are spaces.
    pub(crate) production: String,
    /// As `production`, with the tests still in it.
    pub(crate) code: String,
    /// String literals outside tests.
    pub(crate) literals: Vec<Literal>,
    /// Lines that belong to `#[cfg(test)]` items.
    pub(crate) test_lines: usize,
    /// Names in `#[cfg(test)] mod name;`: whole files that are tests.
    pub(crate) test_modules: Vec<String>,
    /// The file says `#![cfg(test)]`.
    pub(crate) all_test: bool,
}

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let (code, mut literals) = mask(text);
        let spans = test_spans(&code);
        let test_modules = spans.iter().filter_map(|span| out_of_line(&code[span.clone()])).collect();
        let mut production = code.clone().into_bytes();
        for span in &spans {
            blank(&mut production, span.clone(), b' ');
        }
        literals.retain(|l| !spans.iter().any(|span| span.contains(&l.at)));
        let test_lines = spans.iter().map(|s| line_of(&code, s.end - 1) - line_of(&code, s.start) + 1).sum();
        Self {
            all_test: code.contains("#![cfg(test)]"),
            production: String::from_utf8_lossy(&production).into_owned(),
            code,
            literals,
            test_lines,
            test_modules,
        }
    }
}

/// The line, from 1, of the byte `at`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// Whether a byte can be part of a name.
pub(crate) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Where `token` stands in `code` as a token of its own, not as a part of a longer name.
pub(crate) fn find_token<'a>(code: &'a str, token: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    let edge = |inside: Option<u8>, outside: Option<u8>| {
        !(inside.is_some_and(is_word) && outside.is_some_and(is_word))
    };
    code.match_indices(token).map(|(at, _)| at).filter(move |&at| {
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let after = bytes.get(at + token.len()).copied();
        edge(token.bytes().next(), before) && edge(token.bytes().last(), after)
    })
}

/// The byte after the bracket that closes the one at `open`; the end of the text if there is none.
pub(crate) fn after_close(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (i, b) in code.bytes().enumerate().skip(open) {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Where the body of the item that starts at `from` opens, or where its `;` stands.
pub(crate) fn body_or_semicolon(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, b) in code.bytes().enumerate().skip(from) {
        match b {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' | b';' | b'}' if depth == 0 => return Some(i),
            _ => {}
        }
    }
    None
}

fn blank(bytes: &mut [u8], range: Range<usize>, with: u8) {
    for b in &mut bytes[range] {
        if *b != b'\n' {
            *b = with;
        }
    }
}

/// Blanks comments and literals; returns the literals.
fn mask(text: &str) -> (String, Vec<Literal>) {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut literals = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        if rest.starts_with(b"//") {
            let end = i + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            blank(&mut out, i..end, b' ');
            i = end;
        } else if rest.starts_with(b"/*") {
            let end = i + block_comment(rest);
            blank(&mut out, i..end, b' ');
            i = end;
        } else if let Some((open, inside)) = string(rest, i.checked_sub(1).map(|p| bytes[p])) {
            let range = i + open..i + open + inside;
            blank(&mut out, range.clone(), b'"');
            literals.push(Literal { line: line_of(text, i), text: text[range.clone()].to_owned(), at: i });
            i = range.end + 1;
        } else if let Some(len) = character(&text[i..]) {
            blank(&mut out, i + 1..i + len - 1, b'"');
            i += len;
        } else {
            i += text[i..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), literals)
}

/// The length of the (nested) block comment that `rest` begins with.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut i) = (0usize, 0);
    while i < rest.len() {
        if rest[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    rest.len()
}

/// If a string starts here: how far off its inside begins, and how long the inside is.
fn string(rest: &[u8], before: Option<u8>) -> Option<(usize, usize)> {
    if before.is_some_and(is_word) && rest[0] != b'"' {
        return None;
    }
    let prefix = rest.iter().take(2).take_while(|b| matches!(b, b'b' | b'c' | b'r')).count();
    let raw = prefix > 0 && rest[prefix - 1] == b'r';
    let hashes = if raw { rest[prefix..].iter().take_while(|b| **b == b'#').count() } else { 0 };
    let open = prefix + hashes + 1;
    if rest.get(open - 1) != Some(&b'"') {
        return None;
    }
    let inside = &rest[open..];
    let mut i = 0;
    while i < inside.len() {
        match inside[i] {
            b'\\' if !raw => i += 1,
            b'"' if inside[i + 1..].iter().take_while(|b| **b == b'#').count() >= hashes => {
                return Some((open, i));
            }
            _ => {}
        }
        i += 1;
    }
    Some((open, inside.len()))
}

/// The length of a character literal at the start of `rest`; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        // The escaped character itself may be a quote, so it is not looked at.
        let skip = escape.chars().next()?.len_utf8();
        return Some(2 + skip + escape[skip..].find('\'')? + 1);
    }
    let len = inside.chars().next()?.len_utf8();
    inside[len..].starts_with('\'').then_some(len + 2)
}

/// The byte ranges of the items under `#[cfg(test)]`.
fn test_spans(code: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        if spans.last().is_some_and(|s| s.contains(&start)) {
            continue;
        }
        let mut at = after_close(code, start + 1);
        let attribute = &code[start..at];
        if find_token(attribute, "test").next().is_none() || attribute.contains("not(") {
            continue;
        }
        while let Some(next) = code[at..].find(|c: char| !c.is_whitespace()) {
            at += next;
            if !code[at..].starts_with("#[") {
                break;
            }
            at = after_close(code, at + 1);
        }
        let end = match body_or_semicolon(code, at) {
            Some(i) if code.as_bytes()[i] == b'{' => after_close(code, i),
            Some(i) if code.as_bytes()[i] == b';' => i + 1,
            // The last field or statement of a block has no end of its own.
            Some(i) => i,
            None => code.len(),
        };
        spans.push(start..end);
    }
    spans
}

/// The name in an item `mod name;`.
fn out_of_line(item: &str) -> Option<String> {
    let at = find_token(item, "mod").next()?;
    let name = item[at + 3..].trim().strip_suffix(';')?;
    name.bytes().all(is_word).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_the_rest_are_told_apart() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("x(\"a{b\")", "x(\"\"\"\"\")"),
            ("'{' 'a", "'\"' 'a"),
            (r"'\'' '\\' b", "'\"\"' '\"\"' b"),
            ("r\"\\\" {", "r\"\"\" {"),
        ];
        for (text, want) in cases {
            assert_eq!(mask(text).0, want, "{text}");
        }
    }

    #[test]
    fn literals_of_every_kind_are_found() {
        let text = "f(\"a\\\"b\"); g(b\"c\"); h(r#\"d\"e\"#);\nlet r#type = br##\"f\"#\"##; // \"no\"";
        let found: Vec<(usize, String)> = mask(text).1.into_iter().map(|l| (l.line, l.text)).collect();
        let want = [(1, "a\\\"b"), (1, "c"), (1, "d\"e"), (2, "f\"#")];
        assert_eq!(found, want.map(|(n, s)| (n, s.to_owned())));
    }

    #[test]
    fn tests_are_cut_out_and_what_follows_them_is_not() {
        let text =
            "fn a() {}\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n  fn b() { \"}\"; }\n}\nfn c() {}\n";
        let source = Source::read(text);
        assert_eq!(source.test_lines, 5);
        assert!(source.production.contains("fn a") && source.production.contains("fn c"));
        assert!(!source.production.contains("fn b") && source.code.contains("fn b"));
        assert!(source.literals.is_empty());
    }

    #[test]
    fn a_test_field_does_not_swallow_the_end_of_its_block() {
        let source = Source::read("struct A {\n    #[cfg(test)]\n    b: u8,\n}\nfn c() {}\n");
        assert!(source.production.contains("}\nfn c() {}"), "{}", source.production);
    }

    #[test]
    fn a_test_module_in_its_own_file_is_named() {
        let source = Source::read("#[cfg(test)]\nmod vectors;\n#[cfg(not(test))]\nmod real;\nmod other;");
        assert_eq!(source.test_modules, ["vectors"]);
        assert!(source.production.contains("mod real") && source.production.contains("mod other"));
    }

    #[test]
    fn a_token_is_not_a_part_of_a_longer_name() {
        let lines = |token| find_token("my_tokio::x; tokio::y; tokio_x", token).collect::<Vec<_>>();
        assert_eq!(lines("tokio::"), [13]);
        assert_eq!(find_token("std::net2 std::net::", "std::net").collect::<Vec<_>>(), [10]);
    }
}
