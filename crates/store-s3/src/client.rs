//! HTTP to the storage: connections that are used again, one request on each at a time.
//!
//! RFC 9110, RFC 9112 (by hyper)
//!
//! Not here: what is asked (`bucket.rs`), how long it may take (there, too).

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::endpoint::Endpoint;
use crate::limits;

/// Connections to one storage.
pub(crate) struct Client {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<(SendRequest<Outgoing>, Instant)>>,
}

/// A request that can be made more than once.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// A file with the body, and its length in bytes.
    pub(crate) body: Option<(PathBuf, u64)>,
    /// Bytes of the answer's body that are read at most.
    pub(crate) answer_bytes: usize,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Client {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<Arc<rustls::ClientConfig>>) -> Client {
        Client { endpoint, tls: tls.map(TlsConnector::from), idle: Mutex::default() }
    }

    /// Asks once; on a connection that was idle and has meanwhile been closed, twice.
    pub(crate) async fn ask(&self, ask: &Ask) -> io::Result<Reply> {
        while let Some(connection) = self.rested() {
            if let Ok(reply) = self.ask_on(connection, ask).await {
                return Ok(reply);
            }
        }
        let connection = timeout(limits::CONNECT, self.connect());
        let connection = connection.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        self.ask_on(connection, ask).await
    }

    fn rested(&self) -> Option<SendRequest<Outgoing>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| since.elapsed() < limits::IDLE && connection.is_ready());
        idle.pop().map(|(connection, _)| connection)
    }

    fn rest(&self, connection: SendRequest<Outgoing>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::IDLE_MAX {
            idle.push((connection, Instant::now()));
        }
    }

    async fn connect(&self) -> io::Result<SendRequest<Outgoing>> {
        let socket = TcpStream::connect((&self.endpoint.host[..], self.endpoint.port)).await?;
        socket.set_nodelay(true)?;
        let stream: Box<dyn Duplex> = match &self.tls {
            None => Box::new(socket),
            Some(tls) => {
                let name = ServerName::try_from(self.endpoint.host.clone()).map_err(io::Error::other)?;
                Box::new(tls.connect(name, socket).await?)
            }
        };
        let (requests, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // It ends when the other half is dropped, or the server closes it; either way the other half hears.
        tokio::spawn(connection);
        Ok(requests)
    }

    async fn ask_on(&self, mut connection: SendRequest<Outgoing>, ask: &Ask) -> io::Result<Reply> {
        let response = connection.send_request(request(ask)?).await.map_err(io::Error::other)?;
        let (head, mut body) = response.into_parts();
        let mut read = BytesMut::new();
        while let Some(bytes) = next(&mut body).await? {
            if read.len() + bytes.len() > ask.answer_bytes {
                // The connection is dropped with what nobody reads.
                return Ok(Reply { status: head.status, headers: head.headers, body: read.freeze() });
            }
            read.extend_from_slice(&bytes);
        }
        if connection.ready().await.is_ok() {
            self.rest(connection);
        }
        Ok(Reply { status: head.status, headers: head.headers, body: read.freeze() })
    }
}

fn request(ask: &Ask) -> io::Result<Request<Outgoing>> {
    let mut request = Request::builder().method(ask.method.clone()).uri(&ask.path);
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    request.body(Outgoing::new(ask.body.as_ref())).map_err(io::Error::other)
}

/// The next bytes of a body.
async fn next(body: &mut Incoming) -> io::Result<Option<Bytes>> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        match frame.transpose().map_err(io::Error::other)? {
            None => return Ok(None),
            Some(frame) => match frame.into_data() {
                Ok(bytes) => return Ok(Some(bytes)),
                // Trailers.
                Err(_) => continue,
            },
        }
    }
}

/// The body of a request: nothing, or a file.
pub(crate) struct Outgoing {
    pieces: Option<mpsc::Receiver<Bytes>>,
    left: u64,
}

impl Outgoing {
    fn new(file: Option<&(PathBuf, u64)>) -> Outgoing {
        let Some((path, bytes)) = file.cloned() else { return Outgoing { pieces: None, left: 0 } };
        let (pieces, taken) = mpsc::channel(limits::PIECES_MAX);
        tokio::spawn(async move {
            // If it ends early, the body is shorter than was said, and the request fails.
            if let Err(error) = read(path, pieces).await {
                tracing::error!("a file that waits for the object storage cannot be read: {error}");
            }
        });
        Outgoing { pieces: Some(taken), left: bytes }
    }
}

async fn read(path: PathBuf, pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut file = tokio::fs::File::open(path).await?;
    loop {
        let mut piece = BytesMut::with_capacity(limits::PIECE_BYTES);
        if file.read_buf(&mut piece).await? == 0 || pieces.send(piece.freeze()).await.is_err() {
            return Ok(());
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        pieces.poll_recv(cx).map(|piece| {
            let piece = piece?;
            self.left = self.left.saturating_sub(piece.len() as u64);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
