//! Names and media types of files, as they may stand in an address or a header.
//!
//! RFC 3986 section 2 (percent-encoding), RFC 9110 section 8.3.1 (media types), XEP-0363 section 5 (names).
//!
//! Not here: file names on disk; there are none that anybody chooses.

use std::fmt::Write;

use crate::limits;

/// What a file is when nobody says it.
pub(crate) const UNKNOWN: &str = "application/octet-stream";

/// A name for the last part of an address: no folders, no control characters, not too long, the ending kept.
pub(crate) fn tidy(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).collect();
    let kept = kept.trim().trim_start_matches('.');
    match kept.is_empty() {
        true => "file".into(),
        false => shorten(kept),
    }
}

/// Cuts out of the middle what is too much.
fn shorten(name: &str) -> String {
    if name.len() <= limits::NAME_BYTES_MAX {
        return name.into();
    }
    let half = limits::NAME_BYTES_MAX / 2;
    let (mut head, mut tail) = (half, name.len() - half);
    while !name.is_char_boundary(head) {
        head -= 1;
    }
    while !name.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}{}", &name[..head], &name[tail..])
}

/// A name as a part of a path.
pub(crate) fn encode(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte.into()),
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    path
}

/// A media type in lower case without parameters; `None` if it is none.
pub(crate) fn media_type(text: &str) -> Option<String> {
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let (ty, subtype) = essence.split_once('/')?;
    (essence.len() <= limits::MEDIA_TYPE_BYTES_MAX && token(ty) && token(subtype)).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidied() {
        let long = format!("{}é.jpeg", "ä".repeat(300));
        for (name, want) in [
            ("très cool.jpg", "très cool.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\y.png", "y.png"),
            (".htaccess", "htaccess"),
            ("a\r\nb\u{0}\u{85}.txt", "ab.txt"),
            ("", "file"),
            ("..", "file"),
            ("/", "file"),
        ] {
            assert_eq!(tidy(name), want, "{name:?}");
        }
        let cut = tidy(&long);
        assert!(cut.len() <= limits::NAME_BYTES_MAX && cut.ends_with("é.jpeg"), "{cut}");
        assert_eq!(encode("très cool.jpg"), "tr%C3%A8s%20cool.jpg");
        assert_eq!(encode("a/b%2f?#"), "a%2Fb%252f%3F%23");
    }

    #[test]
    fn media_types_are_read() {
        for (text, want) in [
            ("image/jpeg", Some("image/jpeg")),
            (" Text/HTML; charset=utf-8", Some("text/html")),
            ("image/svg+xml", Some("image/svg+xml")),
            ("image", None),
            ("image/", None),
            ("/", None),
            ("a/b/c", None),
            ("text/pl\r\nain", None),
            ("text/pläin", None),
            (&format!("text/{}", "x".repeat(200)), None),
        ] {
            assert_eq!(media_type(text).as_deref(), want, "{text:?}");
        }
    }
}
