//! Responses, and the headers that keep browsers from misusing any of them.
//!
//! Fetch standard (CORS), Content Security Policy level 3.
//!
//! Not here: what is said in them.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use model::storage::BlobId;

use crate::files::{Files, Pending};

/// Bytes of a file that are read at once.
const PIECE: u64 = 64 * 1024;

/// A body: known as a whole, or a part of a file that is read on the way.
pub(crate) enum Body {
    /// All of it, until it is sent.
    Whole(Option<Bytes>),
    /// A part of a file.
    File(FileBody),
}

/// A part of a file on its way out.
pub(crate) struct FileBody {
    files: Arc<dyn Files>,
    blob: BlobId,
    left: Range<u64>,
    reading: Option<Pending<'static, Option<Bytes>>>,
}

impl Body {
    /// Nothing.
    pub(crate) fn none() -> Body {
        Body::Whole(None)
    }

    /// This part of a file.
    pub(crate) fn file(files: Arc<dyn Files>, blob: BlobId, left: Range<u64>) -> Body {
        Body::File(FileBody { files, blob, left, reading: None })
    }
}

impl FileBody {
    /// The next piece. A file that ends too early, or is removed meanwhile, breaks the response off, so that nobody
    /// takes it for the whole.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let end = self.left.end.min(self.left.start.saturating_add(PIECE));
        let (files, blob, range) = (&self.files, self.blob, self.left.start..end);
        let reading = self.reading.get_or_insert_with(|| files.piece(blob, range));
        let piece = ready!(reading.as_mut().poll(cx)).filter(|bytes| !bytes.is_empty());
        self.reading = None;
        let Some(bytes) = piece else {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        };
        self.left.start += bytes.len() as u64;
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::File(file) => file.poll(cx).map(|piece| piece.map(|bytes| bytes.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(bytes) => bytes.is_none(),
            Body::File(file) => file.left.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Body::Whole(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Body::File(file) => file.left.end - file.left.start,
        })
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
        let mut response = Response::new(Body::Whole((!body.is_empty()).then_some(body)));
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
        let mut response = Response::new(Body::none());
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
