//! What must be known of any request: which host is asked, from where, how securely, and on behalf of which web page.
//!
//! RFC 9110 section 7.2 (Host), RFC 9112 section 3.2, RFC 6454 (Origin); X-Forwarded-For as proxies commonly use it.
//!
//! Not here: routes (`mod.rs`).

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Version};

use super::Web;
use crate::config::{HttpSettings, Origins};

/// Slowest body that is waited for, after the time that any request has.
const BYTES_PER_SECOND: u64 = 1024;

/// The circumstances of a request.
pub(crate) struct Asked {
    /// Host and port as they were asked for, lower case; letters, digits, dots, hyphens, colons and brackets only.
    pub(crate) host: String,
    /// The client's address.
    pub(crate) peer: IpAddr,
    /// Whether the client's side is known to be encrypted.
    pub(crate) https: bool,
    /// Whether a stream may authenticate on it.
    pub(crate) secure: bool,
    /// The web page's origin, if it sent one and may connect.
    pub(crate) origin: Option<HeaderValue>,
    /// Whether a web page that may not connect asks.
    pub(crate) foreign: bool,
}

impl Asked {
    /// Reads them; an error is the status to answer with.
    pub(crate) fn of(web: &Web, request: &Request<Incoming>) -> Result<Asked, StatusCode> {
        let settings = &*web.shared.http.now();
        let headers = request.headers();
        let host = host(request)?;
        let proxied = settings.trusted_proxies.contains(&web.ip);
        let local = web.ip.is_loopback() && settings.loopback_is_secure;
        let said = (proxied || local).then(|| one(headers, &FORWARDED_PROTO)).flatten();
        let https = web.tls.is_some() || said.is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let secure = https || (local && said.is_none());
        let peer = if proxied { forwarded(headers, settings).unwrap_or(web.ip) } else { web.ip };
        let origin = headers.get(header::ORIGIN).cloned();
        let foreign = origin.as_ref().is_some_and(|origin| !allowed(origin, &host, settings));
        Ok(Asked { host, peer, https, secure, origin: origin.filter(|_| !foreign), foreign })
    }

    /// The host without its port.
    pub(crate) fn domain(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((domain, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => domain,
            _ => &self.host,
        }
    }
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The only header of that name; `None` if there are several.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// RFC 9112 section 3.2: exactly one Host, unless the request line has it; anything strange is a bad request.
fn host(request: &Request<Incoming>) -> Result<String, StatusCode> {
    let headers = request.headers();
    let named = headers.get_all(header::HOST).iter().count();
    if named > 1 || (named == 0 && request.version() == Version::HTTP_11) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => one(headers, &header::HOST).unwrap_or_default(),
    };
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if host.len() > 300 || !host.bytes().all(proper) {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(host.to_ascii_lowercase())
}

/// The last address in X-Forwarded-For that is not one of our proxies: what came before it may be invented.
fn forwarded(headers: &HeaderMap, settings: &HttpSettings) -> Option<IpAddr> {
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    let mut found = None;
    for text in lines.iter().flat_map(|line| line.split(',')).rev() {
        let ip = text.trim().parse::<IpAddr>().ok()?.to_canonical();
        found = Some(ip);
        if !settings.trusted_proxies.contains(&ip) {
            break;
        }
    }
    found
}

/// Pages of the same host may always connect.
fn allowed(origin: &HeaderValue, host: &str, settings: &HttpSettings) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
        || match &settings.origins {
            Origins::Any => true,
            Origins::Listed(list) => list.iter().any(|known| known.eq_ignore_ascii_case(origin)),
        }
}

/// A body, piece by piece.
pub(crate) struct Pieces {
    body: Incoming,
    patience: Duration,
    start: Instant,
    came: u64,
}

/// The pieces of a body, which may take `patience` and a second for each kilobyte.
pub(crate) fn pieces(body: Incoming, patience: Duration) -> Pieces {
    Pieces { body, patience, start: Instant::now(), came: 0 }
}

impl Pieces {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// The status to answer with: the client is too slow, or gone.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StatusCode> {
        let until = self.start + self.patience + Duration::from_secs(self.came / BYTES_PER_SECOND);
        let next = std::future::poll_fn(|cx| poll_frame(&mut self.body, cx));
        match tokio::time::timeout_at(until.into(), next).await {
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => Err(StatusCode::BAD_REQUEST),
            Ok(Some(Ok(bytes))) => {
                self.came += bytes.len() as u64;
                Ok(Some(bytes))
            }
        }
    }
}

/// Gives each piece of a body to `take`, which may end it early.
///
/// # Errors
/// The status to answer with: the client is too slow, or gone, or `take` says no.
pub(crate) async fn read_body(
    body: Incoming,
    patience: Duration,
    mut take: impl FnMut(Bytes) -> Result<(), StatusCode>,
) -> Result<(), StatusCode> {
    let mut pieces = pieces(body, patience);
    while let Some(bytes) = pieces.next().await? {
        take(bytes)?;
    }
    Ok(())
}

fn poll_frame(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
    Pin::new(body)
        .poll_frame(cx)
        .map(|frame| frame.map(|frame| frame.map(|f| f.into_data().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> HttpSettings {
        HttpSettings {
            trusted_proxies: vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
            origins: Origins::Listed(vec!["https://app.example".into()]),
            ..HttpSettings::default()
        }
    }

    #[test]
    fn only_what_our_proxies_saw_is_believed() {
        for (lines, want) in [
            (&["203.0.113.9"][..], Some("203.0.113.9")),
            (&["198.51.100.1, 203.0.113.9, 192.0.2.2"], Some("203.0.113.9")),
            (&["198.51.100.1", "203.0.113.9"], Some("203.0.113.9")),
            (&["198.51.100.1, nonsense"], None),
            (&["192.0.2.2"], Some("192.0.2.2")),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line| _ = headers.append(FORWARDED_FOR, HeaderValue::from_static(line)));
            assert_eq!(forwarded(&headers, &settings()), want.map(|ip| ip.parse().unwrap()), "{lines:?}");
        }
    }

    #[test]
    fn pages_of_the_same_host_and_listed_ones_may_connect() {
        for (origin, want) in [
            ("https://chat.example:5281", true),
            ("https://chat.example", false),
            ("https://app.example", true),
            ("https://app.example.evil.example", false),
            ("null", false),
        ] {
            let origin = HeaderValue::from_static(origin);
            assert_eq!(allowed(&origin, "chat.example:5281", &settings()), want, "{origin:?}");
        }
    }
}
