//! HTTPS to the authority: one connection for each request, bounded in time and size.
//!
//! RFC 8555 section 6.1 (HTTPS only)
//!
//! Not here: what is asked (the library).

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::body::Body as _;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::limits;

/// Connects to the authority.
pub(crate) struct Http(TlsConnector);

impl Http {
    /// With these authorities believed about it.
    pub(crate) fn new(roots: &Arc<RootCertStore>) -> Result<Http, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        Ok(Http(TlsConnector::from(Arc::new(config))))
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let tls = self.0.clone();
        Box::pin(async move {
            let asked = tokio::time::timeout(limits::REQUEST, ask(tls, request)).await;
            asked
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                .map_err(|error| Error::Other(error.into()))
        })
    }
}

async fn ask(tls: TlsConnector, mut request: Request<BodyWrapper<Bytes>>) -> io::Result<BytesResponse> {
    let uri = request.uri().clone();
    let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
    let host = host.ok_or_else(|| io::Error::other("its address does not begin with https"))?;
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority).map_err(io::Error::other)?);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>().map_err(io::Error::other)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
    let tcp = TcpStream::connect((bare, uri.port_u16().unwrap_or(443))).await?;
    let stream = tls.connect(name, tcp).await?;
    let (mut requests, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends when the other half is dropped.
    tokio::spawn(connection);
    let (parts, mut body) = requests.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let mut read = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        if read.len() + data.len() > limits::ANSWER_BYTES {
            return Err(io::Error::other("its answer is too long"));
        }
        read.extend_from_slice(&data);
    }
    Ok(BytesResponse { parts, body: Box::new(read.freeze()) })
}
