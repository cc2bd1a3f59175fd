//! One request to a push service.
//!
//! RFC 8030 section 5, RFC 9112 (by hyper)
//!
//! No redirects, no body of the answer, no connection that is used again. Only public addresses are connected to, and
//! they are looked at after the name was resolved.
//!
//! Not here: trying again (`sender.rs`).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use turn::peers::Peers;

use crate::endpoint::Endpoint;
use crate::limits;

/// What a push service says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    /// When it wants to be asked again.
    pub(crate) after: Option<Duration>,
}

/// A request.
pub(crate) struct Post<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) authorization: String,
    pub(crate) topic: Option<&'a str>,
    pub(crate) urgent: bool,
    pub(crate) body: Bytes,
}

/// Posts it.
///
/// # Errors
/// The host cannot be reached, or must not be.
pub(crate) async fn post(post: Post<'_>, tls: &Arc<ClientConfig>, peers: &Peers) -> io::Result<Said> {
    let endpoint = post.endpoint;
    let socket = connect(endpoint, peers).await?;
    let name = ServerName::try_from(endpoint.host.clone()).map_err(io::Error::other)?;
    let secure = TlsConnector::from(tls.clone()).connect(name, socket).await?;
    let mut builder = hyper::client::conn::http1::Builder::new();
    let builder = builder.max_buf_size(limits::ANSWER_BYTES);
    let (mut requests, connection) =
        builder.handshake(TokioIo::new(secure)).await.map_err(io::Error::other)?;
    let request = request(post)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(requests.send_request(request));
    let response = tokio::select! {
        response = &mut answer => response,
        ended = &mut connection => {
            ended.map_err(io::Error::other)?;
            // What came before the end may be the answer.
            answer.await
        }
    };
    let response = response.map_err(io::Error::other)?;
    let after =
        response.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
    Ok(Said { status: response.status().as_u16(), after: after.map(Duration::from_secs) })
}

fn request(post: Post<'_>) -> io::Result<Request<Whole>> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&post.endpoint.path)
        .header(header::HOST, &post.endpoint.authority)
        .header(header::AUTHORIZATION, post.authorization)
        .header(header::CONTENT_ENCODING, "aes128gcm")
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header("ttl", limits::TTL_SECONDS)
        .header("urgency", if post.urgent { "high" } else { "normal" });
    let request = match post.topic {
        Some(topic) => request.header("topic", topic),
        None => request,
    };
    request.body(Whole(Some(post.body))).map_err(io::Error::other)
}

/// Connects to the first address that answers, of those that are public.
async fn connect(endpoint: &Endpoint, peers: &Peers) -> io::Result<TcpStream> {
    let found = tokio::net::lookup_host((&endpoint.host[..], endpoint.port)).await?;
    let may: Vec<SocketAddr> = found
        .filter(|address| peers.admit(address.ip().to_canonical()))
        .take(limits::ADDRESSES_MAX)
        .collect();
    let mut failed = io::Error::new(io::ErrorKind::PermissionDenied, "the host has no public address");
    for address in may {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A body that is there.
struct Whole(Option<Bytes>);

impl Body for Whole {
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
