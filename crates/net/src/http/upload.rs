//! Taking in files.
//!
//! XEP-0363 1.2.0 section 7, RFC 9110 section 9.3.4 (PUT), Fetch standard (CORS).
//!
//! Not here: whether a file may come (whoever implements [`Files`]), fetching it (`download.rs`).

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};

use super::Web;
use super::reply::{Body, Reply, for_everyone, set};
use super::request::{Pieces, one, pieces};
use crate::files::{Files, Upload};

/// Bytes of a refused file that are read and thrown away, so that its client hears why.
const REFUSED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Any request below the path of files; `path` is what comes behind it.
pub(crate) async fn answer(
    web: &Web,
    files: &Arc<dyn Files>,
    path: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    // Never decoded: only what is there letter by letter is found, so there is nothing to be tricked (I-29).
    let parts: Vec<&str> = path.split('/').collect();
    let mut response = match (request.method(), &parts[..]) {
        (&Method::OPTIONS, _) => Reply::empty(StatusCode::NO_CONTENT),
        (&Method::GET | &Method::HEAD, [token, name]) => {
            super::download::answer(files, token, name, &request).await
        }
        (&Method::PUT, [token, secret, name]) => {
            let upload = upload(token, secret, name, request.headers());
            match put(web, files, upload, request).await {
                Ok(()) => Reply::empty(StatusCode::CREATED),
                Err(status) => Reply::plain(status, refusal(status)),
            }
        }
        (&Method::GET | &Method::HEAD | &Method::PUT, _) => {
            Reply::plain(StatusCode::NOT_FOUND, refusal(StatusCode::NOT_FOUND))
        }
        _ => {
            let mut refusal = Reply::plain(StatusCode::METHOD_NOT_ALLOWED, "Files are fetched and put.\n");
            set(refusal.headers_mut(), header::ALLOW, "OPTIONS, HEAD, GET, PUT");
            refusal
        }
    };
    open_to_pages(&mut response);
    response
}

/// Section 8: any web page may put and fetch; what it needs is in the address. Never with cookies or the like.
fn open_to_pages(response: &mut Response<Body>) {
    for_everyone(response);
    let headers = response.headers_mut();
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, HEAD, GET, PUT");
    set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, Range");
    set(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, "Content-Length, Content-Range, ETag");
    set(headers, header::ACCESS_CONTROL_MAX_AGE, "7200");
    set(headers, header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
}

fn upload(token: &str, secret: &str, name: &str, headers: &HeaderMap) -> Upload {
    let said = |name| one(headers, name).map(str::to_owned);
    Upload {
        token: token.into(),
        secret: secret.into(),
        name: name.into(),
        bytes: said(&header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        media_type: said(&header::CONTENT_TYPE),
    }
}

async fn put(
    web: &Web,
    files: &Arc<dyn Files>,
    upload: Upload,
    request: Request<Incoming>,
) -> Result<(), StatusCode> {
    let asks_first = request.headers().contains_key(header::EXPECT);
    let mut pieces = pieces(request.into_body(), web.shared.http.now().request);
    let outcome = take(files, upload, &mut pieces).await;
    // Most clients send all of the body before they look for an answer: closed in their face, they would not see it.
    let mut left = if asks_first { 0 } else { REFUSED_BYTES_MAX };
    while outcome.is_err() && left > 0 {
        let Ok(Some(bytes)) = pieces.next().await else { break };
        left = left.saturating_sub(bytes.len());
    }
    outcome
}

async fn take(files: &Arc<dyn Files>, upload: Upload, pieces: &mut Pieces) -> Result<(), StatusCode> {
    let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut taking = files.begin(upload).await.map_err(status)?;
    while let Some(bytes) = pieces.next().await? {
        taking.write(bytes).await.map_err(status)?;
    }
    taking.finish().await.map_err(status)
}

/// For a person who tries it by hand.
fn refusal(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is no such file.\n",
        StatusCode::FORBIDDEN => "This is not the address that was given out for this file.\n",
        StatusCode::CONFLICT => "This file is there already.\n",
        StatusCode::LENGTH_REQUIRED => "Say how long the file is.\n",
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => "The file is not as long as was said.\n",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "The file is not of the type that was said.\n",
        StatusCode::INSUFFICIENT_STORAGE => "There is no space left.\n",
        StatusCode::REQUEST_TIMEOUT => "This took too long.\n",
        _ => "This did not work; try again later.\n",
    }
}
