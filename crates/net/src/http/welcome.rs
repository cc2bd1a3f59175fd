//! The page at `/`: says to a person with a browser what this is and how to connect.
//!
//! Not here: anything with a secret, a form or a script.

use hyper::header::{self};
use hyper::{Response, StatusCode};

use super::Web;
use super::reply::{Body, Reply, set};
use super::request::Asked;

/// The page. All of it is within: no other file, no script, nothing from elsewhere.
pub(crate) fn page(asked: &Asked, web: &Web) -> Response<Body> {
    let domain = asked.domain();
    // `domain` consists of harmless characters only, see `Asked::host`.
    let name = if web.shared.config.stream.now().domains.serves(domain) { domain } else { "this server" };
    let html = include_str!("welcome.html").replace("{name}", name);
    let mut response = Reply::of(StatusCode::OK, "text/html; charset=utf-8", html);
    set(
        response.headers_mut(),
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    response
}
