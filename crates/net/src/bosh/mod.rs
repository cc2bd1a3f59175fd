//! BOSH: a stream over pairs of HTTP requests and responses, for clients that have nothing better.
//!
//! XEP-0124 version 1.11.2, XEP-0206 version 1.4. Not done: acknowledgements (section 9), several streams in one session
//! (section 16), encodings, and content types other than `text/xml`. `route` is ignored.
//!
//! Not here: HTTP itself (`http/`), the stream within (stream).

mod body;
mod receive;
mod session;
mod window;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::Phase;
use crate::http::{self, Asked, Body, Reply, Web, read_body};
use crate::peers::Permit;
use body::{Reader, Request, Terminal};
use session::Session;

/// Requests that may wait for one session's task; more than a proper client can have open.
const MAILBOX: usize = 8;

/// Bytes that are still read when a body was found to be bad or too long, so that the client reads why.
const AFTER_FAULT: usize = 64 * 1024;

/// All sessions of a server.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Handle>>);

/// The way to one session's task.
#[derive(Clone)]
struct Handle {
    mailbox: mpsc::Sender<Post>,
    authenticated: Arc<AtomicBool>,
}

/// A request on its way to the session.
struct Post {
    request: Result<Request, Terminal>,
    reply: oneshot::Sender<Bytes>,
}

/// A session's place in the table; ends when dropped.
struct Seat {
    shared: Arc<crate::shared::Shared>,
    sid: String,
    /// It counts as a connection of its peer: one connection is enough to begin any number of sessions.
    _permit: Permit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.bosh.table().remove(&self.sid);
    }
}

impl Sessions {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No session takes requests any more.
    pub(crate) fn close(&self) {
        self.table().clear();
    }

    fn find(&self, sid: &str) -> Option<Handle> {
        self.table().get(sid).cloned()
    }
}

/// Answers any request to the path of BOSH.
pub(crate) async fn answer(
    web: &Arc<Web>,
    asked: Asked,
    request: hyper::Request<Incoming>,
) -> Response<Body> {
    if asked.foreign {
        return Reply::plain(StatusCode::FORBIDDEN, "This web page may not connect here.\n");
    }
    let mut response = match *request.method() {
        Method::POST => match post(web, &asked, request).await {
            Ok(body) => Reply::of(StatusCode::OK, "text/xml; charset=utf-8", body),
            Err(status) => Reply::plain(status, "The request could not be read.\n"),
        },
        Method::OPTIONS => Reply::empty(StatusCode::NO_CONTENT),
        _ => {
            let mut response =
                Reply::plain(StatusCode::METHOD_NOT_ALLOWED, "XMPP clients connect here by BOSH.\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            response
        }
    };
    if let Some(origin) = asked.origin {
        // Only the page that asked, and never with cookies or the like.
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    }
    response
}

/// Reads a request and has it answered.
async fn post(web: &Arc<Web>, asked: &Asked, request: hyper::Request<Incoming>) -> Result<Bytes, StatusCode> {
    let shared = &web.shared;
    let settings = shared.config.stream.now();
    let mut reader = Reader::new(settings.limits_before_auth);
    let (mut known, mut handle, mut fault) = (false, None, None);
    let mut came = 0;
    read_body(request.into_body(), shared.http.now().request, |bytes| {
        came += bytes.len();
        if came > reader.body_bytes_max() {
            fault.get_or_insert(Terminal::PolicyViolation);
        }
        if fault.is_none() {
            reader.push(&bytes);
            fault = reader.read().err();
        }
        if let (false, Some(wrapper)) = (known, reader.wrapper()) {
            known = true;
            handle = wrapper.sid.as_deref().and_then(|sid| shared.bosh.find(sid));
            if handle
                .as_ref()
                .is_some_and(|h: &Handle| h.authenticated.load(std::sync::atomic::Ordering::Relaxed))
            {
                reader.widen(settings.limits);
            }
            if fault.is_none() {
                fault = reader.read().err();
            }
        }
        // What follows a fault is read, so that the client reads the answer; but not for ever.
        if fault.is_some() && came > reader.body_bytes_max() + AFTER_FAULT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Ok(())
    })
    .await?;
    let sent_sid = reader.wrapper().is_some_and(|wrapper| wrapper.sid.is_some());
    let request = match fault {
        Some(fault) => Err(fault),
        None => reader.finish(),
    };
    let (reply, answer) = oneshot::channel();
    match (handle, request) {
        (Some(handle), request) => {
            match handle.mailbox.try_send(Post { request, reply }) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return Ok(Terminal::ItemNotFound.body()),
                // The client does not wait for answers.
                Err(TrySendError::Full(_)) => return Ok(Terminal::PolicyViolation.body()),
            }
        }
        (None, request) => {
            let created = request.and_then(|request| match sent_sid {
                true => Err(Terminal::ItemNotFound),
                false => create(web, asked, request, reply),
            });
            if let Err(why) = created {
                shared.misbehaved("bosh", &why, asked.peer, Instant::now());
                return Ok(why.body());
            }
        }
    }
    // A session that ends says so to all whom it has heard; whom it has not heard it does not know any more.
    Ok(answer.await.unwrap_or_else(|_| Terminal::ItemNotFound.body()))
}

/// Starts a session with its first request.
fn create(
    web: &Arc<Web>,
    asked: &Asked,
    request: Request,
    reply: oneshot::Sender<Bytes>,
) -> Result<(), Terminal> {
    let shared = &web.shared;
    if *shared.phase.borrow() != Phase::Running {
        return Err(Terminal::SystemShutdown);
    }
    if request.wrapper.open.to.is_none() {
        return Err(Terminal::ImproperAddressing);
    }
    let proxy = shared.http.now().trusted_proxies.contains(&asked.peer);
    let permit = shared.peers.admit(asked.peer, proxy, shared.counters(), Instant::now());
    let permit = permit.ok_or(Terminal::PolicyViolation)?;
    let sid = random_sid().ok_or(Terminal::InternalServerError)?;
    let (mailbox, posts) = mpsc::channel(MAILBOX);
    let authenticated = Arc::new(AtomicBool::new(false));
    {
        let mut table = shared.bosh.table();
        if table.len() >= shared.http.now().bosh_limits.sessions {
            return Err(Terminal::PolicyViolation);
        }
        table.insert(sid.clone(), Handle { mailbox, authenticated: authenticated.clone() });
    }
    let seat = Seat { shared: shared.clone(), sid, _permit: permit };
    // The client may use several connections: nothing binds the session to one of them.
    let about = || web.tls.as_ref().map(|tls| tls.about.clone()).unwrap_or_default();
    let tls = asked.secure.then(|| http::proxied(about()));
    let session = Session::new(seat, asked.peer, tls, &request.wrapper, posts, authenticated);
    let session = session.ok_or(Terminal::InternalServerError)?;
    tokio::spawn(session.run(Post { request: Ok(request), reply }));
    Ok(())
}

/// 160 random bits.
fn random_sid() -> Option<String> {
    use base64::Engine as _;
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).ok()?;
    Some(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}
