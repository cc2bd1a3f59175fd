//! Streams that are mostly well-formed, and damage done to them, made from arbitrary bytes.
//!
//! Not here: what must hold for them.

const NAMES: [&str; 10] = ["a", "body", "d:x", "s:y", "p:z", "ü", "xml:q", "message", "q:w-1.", "a"];
const ATTRS: [&str; 24] = [
    " b='1'",
    " c=\"2\"",
    " xmlns='urn:x'",
    " xmlns=''",
    " xmlns:p='urn:p'",
    " xmlns:q=\"urn:p\"",
    " xmlns:p='urn:q'",
    " p:b='3'",
    " q:b='4'",
    " d:b='5'",
    " xml:lang='de'",
    " xmlns='jabber:client'",
    "\r\n\te = 'x\r\ny&#10;&lt;\"'",
    " f='ü€😀'",
    " g=\"it's\"",
    " h='&amp;&#x41;>'",
    " xmlns='u&amp;v'",
    " xmlns:q='u&apos;w'",
    " q:c='6'",
    " p:c='7'",
    " b='again'",
    " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    " xmlns:p='http://www.w3.org/XML/1998/namespace'",
    " xmlns:d='urn:s'",
];
const TEXTS: [&str; 20] = [
    "hello",
    " ",
    "\r\n",
    "\r",
    "&lt;&gt;",
    "&#13;",
    "&#x1F600;",
    "ü€😀",
    "]]",
    "]",
    ">",
    "<![CDATA[<&>]]>",
    "<![CDATA[]]]]>",
    "<![CDATA[\r\n]]>",
    "<![CDATA[]]>",
    "'\"",
    "&quot;&apos;&amp;",
    "\u{2028}\u{FFFD}",
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789",
    "\t\n",
];
const DAMAGE: [&[u8]; 36] = [
    b"<",
    b">",
    b"/",
    b"'",
    b"\"",
    b"&",
    b";",
    b"=",
    b" ",
    b":",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?",
    b"?>",
    b"<![CDATA[",
    b"]",
    b"<?xml version='1.0'?>",
    b"<!DOCTYPE a>",
    b"&#0;",
    b"&#xD800;",
    b"&foo;",
    b"\0",
    b"\x01",
    b"\x80",
    b"\xC3",
    b"\xE2\x82",
    b"\xEF\xBF\xBE",
    b"\xED\xA0\x80",
    b"\xC0\xBC",
    b"\xEF\xBB\xBF",
    b"xmlns",
    b" xmlns:p=''",
    b"</a>",
    b"\r",
    b"&#x",
];

fn pick<'a, T: ?Sized>(list: &[&'a T], choice: u8) -> &'a T {
    list[choice as usize % list.len()]
}

/// Mostly well-formed first-level elements, made from arbitrary bytes.
pub fn generate(choices: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut choices = choices.iter().copied();
    while let Some(choice) = choices.next() {
        let mut next = || choices.next().unwrap_or(0);
        match choice % 8 {
            0..=2 => {
                let name = pick(&NAMES, next());
                out.push(b'<');
                out.extend_from_slice(name.as_bytes());
                for _ in 0..next() % 4 {
                    out.extend_from_slice(pick(&ATTRS, next()).as_bytes());
                }
                if choice % 8 == 2 {
                    out.extend_from_slice(b"/>");
                } else {
                    out.push(b'>');
                    open.push(name);
                }
            }
            3..=5 => {
                // White space only where text would be refused at once.
                let text = if open.is_empty() { " " } else { pick(&TEXTS, next()) };
                out.extend_from_slice(text.as_bytes());
            }
            _ => {
                if let Some(name) = open.pop() {
                    out.extend_from_slice(format!("</{name}>").as_bytes());
                }
            }
        }
    }
    while let Some(name) = open.pop() {
        out.extend_from_slice(format!("</{name}>").as_bytes());
    }
    out
}

/// Damages a stream in one place: adds, takes, changes or repeats something.
pub fn damage(input: &mut Vec<u8>, at: usize, kind: u8, what: u8) {
    let at = if input.is_empty() { 0 } else { at % input.len() };
    match kind % 4 {
        0 => _ = input.splice(at..at, pick(&DAMAGE, what).iter().copied()),
        1 if at < input.len() => _ = input.remove(at),
        2 if at < input.len() => input[at] = what,
        _ => {
            let end = (at + what as usize % 24).min(input.len());
            let piece = input[at..end].to_vec();
            let to = at * 7 % (input.len() + 1);
            input.splice(to..to, piece);
        }
    }
}
