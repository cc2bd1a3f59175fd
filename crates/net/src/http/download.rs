//! Giving out files, in a way that lets no file do harm in a browser.
//!
//! XEP-0363 1.2.0 section 10, RFC 9110 sections 13 and 14 (conditions, ranges), RFC 6266 (Content-Disposition),
//! Content Security Policy level 3.
//!
//! Not here: whether there is such a file (whoever implements [`Files`]).

use std::sync::Arc;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};

use super::reply::{Body, Reply, set};
use super::request::one;
use crate::files::{Download, Files};

/// Types that a browser may show in place: it plays or paints them and runs nothing. All others are saved (I-30).
const SHOWN: &[&str] = &[
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/opus",
    "audio/wav",
    "audio/webm",
    "audio/x-m4a",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
    "video/x-matroska",
];

/// How long a browser may keep a file, in seconds: what is removed shall be gone soon.
const CACHE: &str = "private, max-age=86400, immutable";

/// `GET` or `HEAD` of a file.
pub(crate) async fn answer<B>(
    files: &Arc<dyn Files>,
    token: &str,
    name: &str,
    request: &Request<B>,
) -> Response<Body> {
    let file = match files.open(token.into(), name.into()).await {
        Ok(Some(file)) => file,
        Ok(None) => return Reply::plain(StatusCode::NOT_FOUND, "There is no such file.\n"),
        Err(_) => {
            return Reply::plain(StatusCode::SERVICE_UNAVAILABLE, "This did not work; try again later.\n");
        }
    };
    let etag = format!("\"{}\"", file.blob);
    let head = request.method() == hyper::Method::HEAD;
    let mut response = match wanted(request.headers(), &etag, file.bytes) {
        Wanted::Nothing => Reply::empty(StatusCode::NOT_MODIFIED),
        Wanted::Unsatisfiable => {
            let mut refusal = Reply::empty(StatusCode::RANGE_NOT_SATISFIABLE);
            put(refusal.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{}", file.bytes));
            refusal
        }
        Wanted::All => body(files, &file, 0, file.bytes, head),
        Wanted::Part(start, end) => {
            let mut part = body(files, &file, start, end, head);
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {start}-{}/{}", end.saturating_sub(1), file.bytes);
            put(part.headers_mut(), header::CONTENT_RANGE, &range);
            part
        }
    };
    describe(response.headers_mut(), &file, &etag);
    response
}

fn body(files: &Arc<dyn Files>, file: &Download, start: u64, end: u64, head: bool) -> Response<Body> {
    let body = match head {
        true => Body::none(),
        false => Body::file(files.clone(), file.blob, start..end),
    };
    let mut response = Response::new(body);
    put(response.headers_mut(), header::CONTENT_LENGTH, &(end - start).to_string());
    put(response.headers_mut(), header::CONTENT_TYPE, &file.media_type);
    response
}

fn describe(headers: &mut HeaderMap, file: &Download, etag: &str) {
    let shown = SHOWN.contains(&file.media_type.as_str());
    let how = if shown { "inline" } else { "attachment" };
    // The name is percent-encoded already, so nothing in it can end the header.
    put(headers, header::CONTENT_DISPOSITION, &format!("{how}; filename*=UTF-8''{}", file.name));
    put(headers, header::ETAG, etag);
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::CACHE_CONTROL, CACHE);
    set(
        headers,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
    );
}

/// Sets a header whose value was checked before; anything else is left out.
fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Which part of a file is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// The client has it.
    Nothing,
    All,
    /// From the first byte to before the second.
    Part(u64, u64),
    Unsatisfiable,
}

fn wanted(headers: &HeaderMap, etag: &str, bytes: u64) -> Wanted {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    if tags.any(|tag| tag == "*" || tag == etag) {
        return Wanted::Nothing;
    }
    // RFC 9110 section 13.1.5: a part of another file is of no use.
    let same = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == etag.as_bytes());
    match headers.get(header::RANGE) {
        Some(_) if same => {
            one(headers, &header::RANGE).map_or(Wanted::Unsatisfiable, |range| part(range, bytes))
        }
        _ => Wanted::All,
    }
}

/// RFC 9110 section 14.1.2. One range; several are more than anybody needs (I-31).
fn part(range: &str, bytes: u64) -> Wanted {
    let Some(range) = range.strip_prefix("bytes=") else { return Wanted::All };
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Unsatisfiable };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    match (number(first), number(last)) {
        (None, Some(length)) if first.is_empty() && length > 0 && bytes > 0 => {
            Wanted::Part(bytes.saturating_sub(length), bytes)
        }
        (Some(start), None) if last.is_empty() && start < bytes => Wanted::Part(start, bytes),
        (Some(start), Some(end)) if start <= end && start < bytes => {
            Wanted::Part(start, end.saturating_add(1).min(bytes))
        }
        _ => Wanted::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (range, want) in [
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=0-9", Wanted::Part(0, 10)),
            ("bytes=2-99999", Wanted::Part(2, 10)),
            ("bytes=9-", Wanted::Part(9, 10)),
            ("bytes=-3", Wanted::Part(7, 10)),
            ("bytes=-99", Wanted::Part(0, 10)),
            ("items=0-1", Wanted::All),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-12", Wanted::Unsatisfiable),
            ("bytes=3-2", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=-", Wanted::Unsatisfiable),
            ("bytes=", Wanted::Unsatisfiable),
            ("bytes=0-1,3-4", Wanted::Unsatisfiable),
            ("bytes=+1-2", Wanted::Unsatisfiable),
            ("bytes=18446744073709551616-", Wanted::Unsatisfiable),
            ("bytes=0-18446744073709551615", Wanted::Part(0, 10)),
        ] {
            assert_eq!(part(range, 10), want, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(part("bytes=-1", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn conditions_are_read() {
        let ask = |pairs: &[(header::HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            pairs.iter().for_each(|(name, value)| put(&mut headers, name.clone(), value));
            wanted(&headers, "\"e\"", 10)
        };
        for known in ["\"e\"", "W/\"e\"", "\"a\", \"e\"", "*"] {
            assert_eq!(ask(&[(header::IF_NONE_MATCH, known)]), Wanted::Nothing, "{known}");
        }
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"a\"")]), Wanted::All);
        let range = (header::RANGE, "bytes=1-2");
        assert_eq!(ask(std::slice::from_ref(&range)), Wanted::Part(1, 3));
        assert_eq!(ask(&[range.clone(), (header::IF_RANGE, "\"e\"")]), Wanted::Part(1, 3));
        assert_eq!(ask(&[range, (header::IF_RANGE, "\"a\"")]), Wanted::All);
    }
}
