//! HTTP: a few routes for clients that cannot open a TCP connection or do not know where to.
//!
//! RFC 9112 (HTTP/1.1), by hyper.
//!
//! Not here: what is behind the routes (`host_meta.rs`, `welcome.rs`, `upload.rs`, `websocket/`, `bosh/`).

mod challenge;
mod download;
mod form;
mod heads;
mod host_meta;
pub(crate) mod invite;
mod push;
mod reply;
mod request;
mod socket;
mod upload;
mod watch;
mod welcome;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::Phase;
use crate::files::{FILES_PATH, Files};
use crate::pushes::{PUSH_PATH, Pushes};
use crate::shared::Shared;
use crate::wire::Wire;
use heads::{Ambiguous, Heads};
pub(crate) use reply::{Body, Reply};
pub(crate) use request::{Asked, one, read_body};
pub(crate) use socket::Socket;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// Header fields of a request.
const HEADERS: usize = 100;
/// How long a connection that was closed waits for the peer to close it, too, and throws away what still comes: otherwise the
/// last answer might be lost to it.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that are thrown away.
const LINGER_BYTES: u64 = 1024 * 1024;
/// Bytes that hyper may buffer of one connection.
const BUFFER: usize = 32 * 1024;

/// What a stream is told of a TLS that ended at a proxy, or that it cannot bind to.
pub(crate) fn proxied(about: String) -> stream::Tls {
    stream::Tls { about, channel: sasl::Channel::proxied(), server_name: None, early_data: false }
}

/// What can be asked for on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    /// All that is for everybody.
    Public,
    /// What is for those who watch the server.
    Watch,
    /// What authorities want to see.
    Challenges,
}

/// One HTTP connection.
pub(crate) struct Web {
    pub(crate) shared: Arc<Shared>,
    /// The socket's peer: a client, or a proxy.
    pub(crate) ip: IpAddr,
    /// What of all there is can be asked for.
    pub(crate) only: Only,
    /// Our own TLS, if any.
    pub(crate) tls: Option<stream::Tls>,
}

/// Serves a connection until it ends or becomes a WebSocket.
pub(crate) async fn serve(wire: Wire, ip: IpAddr, tls: Option<stream::Tls>, shared: Arc<Shared>) {
    let only = Only::Public;
    run(wire, Web { shared, ip, only, tls }).await;
}

/// The same on a listener for one purpose.
pub(crate) async fn serve_only(wire: Wire, ip: IpAddr, only: Only, shared: Arc<Shared>) {
    run(wire, Web { shared, ip, only, tls: None }).await;
}

async fn run(wire: Wire, web: Web) {
    let web = Arc::new(web);
    let shared = web.shared.clone();
    let ambiguous = Ambiguous::default();
    let socket = Socket::new(wire, shared.limits.now().write).for_http(Heads::new(ambiguous.clone()));
    let mut phase = shared.phase.clone();
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(shared.http.now().request)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER)
        .half_close(false);
    let service = service_fn(move |request| answer(web.clone(), ambiguous.clone(), request));
    let connection = builder.serve_connection(TokioIo::new(socket), service).with_upgrades();
    let mut connection = Box::pin(connection);
    tokio::select! {
        _ = connection.as_mut() => return, // errors are the peer's: a time-out, a bad head, a lost connection
        _ = phase.wait_for(|phase| *phase == Phase::Closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn answer(
    web: Arc<Web>,
    ambiguous: Ambiguous,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let nothing = || Reply::plain(StatusCode::NOT_FOUND, "There is nothing here.\n");
    let mut response = match web.only {
        _ if ambiguous.is() => twice(),
        Only::Watch => watch::answer(&web, &request).await,
        Only::Challenges => challenge::answer(&web, &request).unwrap_or_else(nothing),
        Only::Public => route(&web, request).await,
    };
    let status = response.status().as_u16();
    web.shared.counters().http[usize::from(status / 100 - 1).min(4)].one();
    reply::protect(&mut response);
    Ok(response)
}

/// RFC 9112 section 6.1: nobody may be left in doubt where the request ends, so nothing may follow it.
fn twice() -> Response<Body> {
    let mut refusal = Reply::plain(StatusCode::BAD_REQUEST, "This request says twice how long it is.\n");
    refusal.headers_mut().insert(hyper::header::CONNECTION, hyper::header::HeaderValue::from_static("close"));
    refusal
}

async fn route(web: &Arc<Web>, request: Request<Incoming>) -> Response<Body> {
    if let Some(proof) = challenge::answer(web, &request) {
        return proof;
    }
    let asked = match Asked::of(web, &request) {
        Ok(asked) => asked,
        Err(status) => return Reply::plain(status, "This request cannot be understood.\n"),
    };
    let settings = web.shared.http.now();
    let path = request.uri().path().to_owned();
    let is = |route: &Option<String>| route.as_deref() == Some(&path);
    match &path[..] {
        "/.well-known/host-meta" => only_get(&request).unwrap_or_else(|| host_meta::xml(&asked, web)),
        "/.well-known/host-meta.json" => only_get(&request).unwrap_or_else(|| host_meta::json(&asked, web)),
        _ if is(&settings.websocket) => crate::websocket::upgrade::answer(web, asked, request),
        _ if is(&settings.bosh) => crate::bosh::answer(web, asked, request).await,
        _ if let Some((files, rest)) = file(web, &path) => upload::answer(web, files, rest, request).await,
        _ if let Some(token) = path.strip_prefix(invite::INVITE_PATH).filter(|_| settings.invitations) => {
            invite::answer(web, asked, token, request).await
        }
        _ if let Some((pushes, token)) = pushed(web, &path) => {
            push::answer(web, pushes, token, request).await
        }
        "/" if settings.welcome => only_get(&request).unwrap_or_else(|| welcome::page(&asked, web)),
        _ => Reply::plain(StatusCode::NOT_FOUND, "There is nothing here.\n"),
    }
}

/// What stands behind the path of files, if there are any.
fn file<'a>(web: &'a Web, path: &'a str) -> Option<(&'a Arc<dyn Files>, &'a str)> {
    let rest = path.strip_prefix(FILES_PATH)?.strip_prefix('/')?;
    Some((web.shared.config.files.as_ref()?, rest))
}

/// The token of an address to which programs post, if there are any.
fn pushed<'a>(web: &'a Web, path: &'a str) -> Option<(&'a Arc<dyn Pushes>, &'a str)> {
    Some((web.shared.config.pushes.as_ref()?, path.strip_prefix(PUSH_PATH)?))
}

/// Refuses methods that only look alike.
fn only_get(request: &Request<Incoming>) -> Option<Response<Body>> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut refusal = Reply::plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET is understood here.\n");
    refusal.headers_mut().insert(hyper::header::ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    Some(refusal)
}
