//! What programs post for clients: addresses of UnifiedPush.
//!
//! RFC 8030 section 5, Fetch standard (CORS)
//!
//! Not here: whom it is for ([`Pushes`]).

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, Response, StatusCode};

use super::Web;
use super::reply::{Body, Reply, for_everyone, set};
use super::request::read_body;
use crate::pushes::{PUSH_BYTES_MAX, Pushes};

/// How programs find out that this is such an address.
const DISCOVERY: &str = "{\"unifiedpush\":{\"version\":1}}";

/// Any request below the path.
pub(crate) async fn answer(
    web: &Web,
    pushes: &Arc<dyn Pushes>,
    token: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    let mut response = match *request.method() {
        Method::OPTIONS => Reply::empty(StatusCode::NO_CONTENT),
        Method::GET | Method::HEAD => Reply::of(StatusCode::OK, "application/json", DISCOVERY),
        Method::POST => match posted(web, pushes, token, request).await {
            Ok(status) | Err(status) => reply(status),
        },
        _ => {
            let mut refusal = Reply::plain(StatusCode::METHOD_NOT_ALLOWED, "Post here.\n");
            set(refusal.headers_mut(), header::ALLOW, "OPTIONS, HEAD, GET, POST");
            refusal
        }
    };
    for_everyone(&mut response);
    let headers = response.headers_mut();
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, HEAD, GET, POST");
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Encoding, Content-Type, Topic, TTL, Urgency",
    );
    set(headers, header::ACCESS_CONTROL_MAX_AGE, "7200");
    response
}

async fn posted(
    web: &Web,
    pushes: &Arc<dyn Pushes>,
    token: &str,
    request: Request<Incoming>,
) -> Result<StatusCode, StatusCode> {
    let mut body = Vec::new();
    let patience = web.shared.http.now().request;
    read_body(request.into_body(), patience, |bytes| {
        body.extend_from_slice(&bytes);
        if body.len() > PUSH_BYTES_MAX { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(()) }
    })
    .await?;
    if body.is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let status = pushes.post(token.to_owned(), body.into()).await;
    Ok(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

fn reply(status: StatusCode) -> Response<Body> {
    let mut response = match status {
        StatusCode::CREATED => Reply::empty(status),
        StatusCode::NOT_FOUND => Reply::plain(status, "Nobody is told of what is posted here.\n"),
        StatusCode::PAYLOAD_TOO_LARGE => Reply::plain(status, "This is too much for a push.\n"),
        _ => Reply::plain(status, "This did not work.\n"),
    };
    // Section 5.2: nothing is kept.
    set(response.headers_mut(), HeaderName::from_static("ttl"), "0");
    response
}
