//! Responses, and the headers that keep browsers from misusing any of them.
//!
//! Fetch standard (CORS), Content Security Policy level 3.
//!
//! Not here: what is said in them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// A body that is known as a whole.
pub(crate) struct Body(Option<Bytes>);

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Makes responses.
pub(crate) struct Reply;

impl Reply {
    /// A response with a body of that type.
    pub(crate) fn of(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Response<Body> {
        let body = body.into();
        let mut response = Response::new(Body((!body.is_empty()).then_some(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// A short text for humans.
    pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
        Reply::of(status, "text/plain; charset=utf-8", text)
    }

    /// No body.
    pub(crate) fn empty(status: StatusCode) -> Response<Body> {
        let mut response = Response::new(Body(None));
        *response.status_mut() = status;
        response
    }
}

/// Adds what every response says, unless it says it itself.
pub(crate) fn protect(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Lets any web page read the response; never with credentials.
pub(crate) fn for_everyone(response: &mut Response<Body>) {
    set(response.headers_mut(), header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
}

pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
