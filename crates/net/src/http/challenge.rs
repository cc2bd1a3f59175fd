//! Proof of a name for an authority.
//!
//! RFC 8555 section 8.3 (http-01)
//!
//! What is asked for is looked up as it stands, in a table of ours: no path of it is ever a path of files.
//!
//! Not here: what is proven, and when (crate `acme`).

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::reply::{Body, Reply};
use super::{Web, only_get};
use crate::challenges::PATH;

/// The answer, if the path is one of these.
pub(crate) fn answer(web: &Web, request: &Request<Incoming>) -> Option<Response<Body>> {
    let token = request.uri().path().strip_prefix(PATH)?;
    let found = || match web.shared.config.challenges.answer(token) {
        Some(text) => Reply::of(StatusCode::OK, "application/octet-stream", text),
        None => Reply::plain(StatusCode::NOT_FOUND, "Nobody has asked for this.\n"),
    };
    Some(only_get(request).unwrap_or_else(found))
}
