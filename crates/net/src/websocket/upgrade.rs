//! The HTTP request that turns a connection into a WebSocket.
//!
//! RFC 6455 section 4.2, RFC 7395 section 3.1.
//!
//! Not here: frames (`codec.rs`). Compression (RFC 7692) is never agreed to.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use model::link::Transport;

use super::Codec;
use crate::Phase;
use crate::carrier::Carrier;
use crate::framing::Framing;
use crate::http::{self, Asked, Body, Reply, Socket, Web};

/// Agrees to the upgrade and starts the stream, or says why not.
pub(crate) fn answer(web: &Arc<Web>, asked: Asked, mut request: Request<Incoming>) -> Response<Body> {
    if asked.foreign {
        return Reply::plain(StatusCode::FORBIDDEN, "This web page may not connect here.\n");
    }
    let key = match check(&request) {
        Ok(key) => key,
        Err(refusal) => return *refusal,
    };
    if *web.shared.phase.borrow() != Phase::Running {
        return Reply::plain(StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down.\n");
    }
    let upgraded = hyper::upgrade::on(&mut request);
    drop(request);
    tokio::spawn(start(web.clone(), asked, upgraded));
    let mut response = Reply::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("xmpp"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    response
}

/// Checks the request; gives the value of `Sec-WebSocket-Accept`.
fn check(request: &Request<Incoming>) -> Result<HeaderValue, Box<Response<Body>>> {
    let headers = request.headers();
    let refuse = |status, text| Err(Box::new(Reply::plain(status, text)));
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return refuse(StatusCode::BAD_REQUEST, "A WebSocket begins with GET over HTTP/1.1.\n");
    }
    if !lists(headers, &header::UPGRADE, "websocket") || !lists(headers, &header::CONNECTION, "upgrade") {
        let mut refusal =
            Reply::plain(StatusCode::UPGRADE_REQUIRED, "XMPP clients connect here by WebSocket.\n");
        refusal.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Err(Box::new(refusal));
    }
    if !lists(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        let mut refusal =
            Reply::plain(StatusCode::UPGRADE_REQUIRED, "Only WebSocket version 13 is spoken here.\n");
        refusal.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(refusal));
    }
    if !lists(headers, &header::SEC_WEBSOCKET_PROTOCOL, "xmpp") {
        return refuse(StatusCode::BAD_REQUEST, "The WebSocket subprotocol must be xmpp (RFC 7395).\n");
    }
    let key = http::one(headers, &header::SEC_WEBSOCKET_KEY);
    let accept = key.filter(|key| BASE64.decode(key).is_ok_and(|key| key.len() == 16)).and_then(accept);
    match accept {
        Some(accept) => Ok(accept),
        None => refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64.\n"),
    }
}

/// Whether a comma-separated header has that element.
fn lists(headers: &HeaderMap, name: &HeaderName, want: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(want))
}

/// RFC 6455 section 4.2.2.
fn accept(key: &str) -> Option<HeaderValue> {
    let salted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes());
    HeaderValue::from_str(&BASE64.encode(hash)).ok()
}

/// Takes the socket over from hyper and carries the stream.
async fn start(web: Arc<Web>, asked: Asked, upgraded: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgraded.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Socket>>() else { return };
    if !parts.read_buf.is_empty() {
        return; // frames before our answer: no client may do that (RFC 6455 section 4.1)
    }
    let wire = parts.io.into_inner().into_wire();
    let shared = web.shared.clone();
    let limit = shared.config.stream.now().limits_before_auth.element_bytes as usize;
    let Some(opened) = shared.open(Transport::WebSocket, asked.peer, Instant::now()) else { return };
    let framing = Framing::WebSocket(Box::new(Codec::new(limit)));
    let mut carrier = Carrier::new(shared, asked.peer, wire, framing, opened);
    if asked.secure {
        carrier.handle_tls(web.tls.clone().unwrap_or_else(|| http::proxied(String::new())));
    }
    // A task of its own: this one keeps the room that the upgrade needed.
    tokio::spawn(async move { carrier.run().await });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_key_is_that_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ==").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
