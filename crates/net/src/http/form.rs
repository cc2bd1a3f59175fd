//! Forms of web pages: read with limits, and only when they come from their own page.
//!
//! URL standard section 5 (application/x-www-form-urlencoded), Fetch Metadata, RFC 6454 (Origin)
//!
//! Not here: what is done with them (`invite.rs`).

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderName};
use hyper::{Request, StatusCode};

use super::request::{Asked, one, read_body};

/// Bytes of a form.
const FORM_BYTES_MAX: usize = 8_192;
/// Fewest characters of a password that is chosen on a page.
pub(crate) const PASSWORD_CHARS_MIN: usize = 8;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Text for HTML, also within quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Would let one part of the page stand in for another.
            '{' => out.push_str("&#123;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Whether a form was sent by a page of this host, as far as the browser tells.
pub(crate) fn is_own(request: &Request<Incoming>, asked: &Asked) -> bool {
    let headers = request.headers();
    let site = one(headers, &FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    let origin = match one(headers, &header::ORIGIN) {
        // Some browsers say that on pages without referrer.
        None | Some("null") => true,
        Some(origin) => {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| host.eq_ignore_ascii_case(&asked.host))
        }
    };
    site && origin
}

/// The fields of a form.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a form.
///
/// # Errors
/// The status to answer with: it is none, too large, or comes too slowly.
pub(crate) async fn read(request: Request<Incoming>, patience: Duration) -> Result<Fields, StatusCode> {
    let ty = one(request.headers(), &header::CONTENT_TYPE).unwrap_or_default();
    let ty = ty.split(';').next().unwrap_or_default().trim();
    if !ty.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let mut body: Vec<u8> = Vec::new();
    read_body(request.into_body(), patience, |bytes| {
        if body.len() + bytes.len() > FORM_BYTES_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        body.extend_from_slice(&bytes);
        Ok(())
    })
    .await?;
    parse(&body).ok_or(StatusCode::BAD_REQUEST)
}

fn parse(body: &[u8]) -> Option<Fields> {
    let pair = |pair: &[u8]| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        Some((decode(&pair[..at])?, decode(pair.get(at + 1..).unwrap_or_default())?))
    };
    body.split(|byte| *byte == b'&').map(pair).collect::<Option<_>>().map(Fields)
}

fn decode(text: &[u8]) -> Option<String> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, more @ ..] = rest {
        rest = more;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(more.get(..2)?).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &more[2..];
            }
            byte => out.push(*byte),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_nonsense_is_not() {
        let fields = parse(b"name=al+ice&password=%C3%BC%26x&again&name=b").unwrap();
        assert_eq!(fields.get("name"), Some("al ice"));
        assert_eq!(fields.get("password"), Some("\u{fc}&x"));
        assert_eq!((fields.get("again"), fields.get("other")), (Some(""), None));
        for bad in [&b"a=%"[..], b"a=%1", b"a=%zz", b"a=%ff", b"%C3=1"] {
            assert!(parse(bad).is_none());
        }
        assert_eq!(escape("<a href=\"{b}'\u{7}&"), "&lt;a href=&quot;&#123;b}&#39;&amp;");
    }
}
