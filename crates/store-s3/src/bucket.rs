//! What is asked of a bucket: put, fetch a part, look, delete.
//!
//! Amazon S3 API: PutObject, GetObject, HeadObject, DeleteObject.
//!
//! Not here: connections (`client.rs`), signatures (`sign.rs`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode, header};
use model::storage::BlobId;
use rustls::{ClientConfig, RootCertStore};
use store::{Clock, Fault, FaultKind, system_clock};
use tokio::time::{Instant, timeout};

use crate::client::{Ask, Client, Reply};
use crate::endpoint::Endpoint;
use crate::limits;
use crate::sign::{self, Keys, NOTHING, Signed};

/// Which bucket of which storage, and how it is spoken with.
#[derive(Clone)]
pub struct Settings {
    /// Where the storage is.
    pub endpoint: Endpoint,
    /// The bucket.
    pub bucket: String,
    /// What the names of objects begin with.
    pub prefix: String,
    /// Whether the bucket stands in the path (`host/bucket/name`) instead of before the host (`bucket.host/name`).
    pub path_style: bool,
    /// Who we are.
    pub keys: Keys,
    /// The folder in which files wait until they are whole. What is in it is removed.
    pub spool: PathBuf,
    /// Tells the time.
    pub clock: Clock,
}

impl Settings {
    /// A bucket with nothing before the names of its objects, which stands in the path; and the system's clock.
    pub fn new(endpoint: Endpoint, bucket: String, keys: Keys, spool: PathBuf) -> Settings {
        Settings {
            endpoint,
            bucket,
            prefix: String::new(),
            path_style: true,
            keys,
            spool,
            clock: system_clock(),
        }
    }
}

pub(crate) struct Bucket {
    client: Client,
    settings: Settings,
    authority: String,
    /// Until when the storage is believed not to answer.
    away: Mutex<Option<Instant>>,
}

impl Bucket {
    pub(crate) fn new(settings: Settings) -> Result<Bucket, Fault> {
        let tls = if settings.endpoint.tls { Some(trust()?) } else { None };
        let bucket = (!settings.path_style).then_some(&settings.bucket[..]);
        let authority = settings.endpoint.authority(bucket);
        let mut endpoint = settings.endpoint.clone();
        if let Some(bucket) = bucket {
            endpoint.host = format!("{bucket}.{}", endpoint.host);
        }
        Ok(Bucket { client: Client::new(endpoint, tls), settings, authority, away: Mutex::default() })
    }

    /// Whether it is worth asking.
    pub(crate) fn ready(&self) -> Result<(), Fault> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match *away {
            Some(until) if until > Instant::now() => Err(unanswered("it did not answer a moment ago")),
            _ => Ok(()),
        }
    }

    /// Whether the bucket is there and ours: an object that is never there is not found, for no other reason.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        let reply = self.ask(Method::GET, self.name(BlobId([0; 32])), NOTHING, None, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND if code(&reply.body) != "NoSuchBucket" => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused("look into the bucket", &reply)),
        }
    }

    /// How long an object is.
    pub(crate) async fn size(&self, id: BlobId) -> Result<Option<u64>, Fault> {
        let reply = self.ask(Method::HEAD, self.name(id), NOTHING, None, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let length = reply.headers.get(header::CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                length.map(Some).ok_or_else(|| unanswered("an answer says no length"))
            }
            _ => Err(self.refused("look at a file", &reply)),
        }
    }

    /// A chunk of an object; nothing where it ends before.
    pub(crate) async fn chunk(&self, id: BlobId, number: u64) -> Result<Option<Bytes>, Fault> {
        let start = number.saturating_mul(limits::CHUNK_BYTES);
        let range = format!("bytes={start}-{}", start.saturating_add(limits::CHUNK_BYTES - 1));
        let reply = self.ask(Method::GET, self.name(id), NOTHING, Some(range), None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(Some(Bytes::new())),
            StatusCode::PARTIAL_CONTENT => Ok(Some(reply.body)),
            // A small object as a whole is its first chunk, if all of it was read.
            StatusCode::OK if start == 0 && is_whole(&reply) => Ok(Some(reply.body)),
            _ => Err(self.refused("fetch a file", &reply)),
        }
    }

    /// Makes an object of a file.
    pub(crate) async fn put(&self, id: BlobId, file: &Path, bytes: u64) -> Result<(), Fault> {
        let body = Some((file.to_owned(), bytes));
        let reply = self.ask(Method::PUT, self.name(id), &id.to_string(), None, body).await?;
        if reply.status.is_success() { Ok(()) } else { Err(self.refused("store a file", &reply)) }
    }

    /// Removes an object; it need not be there.
    pub(crate) async fn delete(&self, id: BlobId) -> Result<(), Fault> {
        let reply = self.ask(Method::DELETE, self.name(id), NOTHING, None, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused("delete a file", &reply)),
        }
    }

    fn name(&self, id: BlobId) -> String {
        format!("/{}{id}", self.settings.prefix)
    }

    async fn ask(
        &self,
        method: Method,
        name: String,
        payload: &str,
        range: Option<String>,
        body: Option<(PathBuf, u64)>,
    ) -> Result<Reply, Fault> {
        let path = match self.settings.path_style {
            true => format!("/{}{name}", self.settings.bucket),
            false => name,
        };
        let slow = body.as_ref().map_or(0, |(_, bytes)| bytes / limits::SLOWEST_BYTES_PER_SECOND);
        let patience = limits::REQUEST + Duration::from_secs(slow);
        let mut pause = limits::PAUSE;
        for left in (0..limits::TRIES).rev() {
            let ask = self.sign(method.clone(), path.clone(), payload, range.clone(), body.clone());
            let asked = timeout(patience, self.client.ask(&ask)).await;
            let why = match asked {
                Ok(Ok(reply)) if left > 0 && passes(reply.status) => reply.status.to_string(),
                Ok(Ok(reply)) => {
                    self.note(passes(reply.status));
                    return Ok(reply);
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it took too long".to_owned(),
            };
            if left == 0 {
                self.note(true);
                return Err(unanswered(&why));
            }
            tracing::debug!(why, "the object storage is asked again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(unanswered("it was not asked"))
    }

    fn note(&self, away: bool) {
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) =
            away.then(|| Instant::now() + limits::AWAY);
    }

    /// Anew for each try: a signature holds for some minutes.
    fn sign(
        &self,
        method: Method,
        path: String,
        payload: &str,
        range: Option<String>,
        body: Option<(PathBuf, u64)>,
    ) -> Ask {
        let stamp = sign::stamp((self.settings.clock)());
        let mut headers = vec![("host", self.authority.clone())];
        headers.extend(range.map(|range| ("range", range)));
        headers.extend([("x-amz-content-sha256", payload.to_owned()), ("x-amz-date", stamp.clone())]);
        let signed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, &value[..])).collect();
        let signed =
            Signed { method: method.as_str(), path: &path, headers: &signed, payload, stamp: &stamp };
        let authorization = sign::authorization(&self.settings.keys, &signed);
        headers.push(("authorization", authorization));
        let answer_bytes = limits::ERROR_BYTES_MAX.max(limits::CHUNK_BYTES as usize);
        Ask { method, path, headers, body, answer_bytes }
    }

    /// The storage answers, but not as it should. Its words are for the log; its code is the part that helps.
    fn refused(&self, what: &str, reply: &Reply) -> Fault {
        let code = code(&reply.body);
        let region = reply.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        let help = match (reply.status, region) {
            (_, Some(region)) if region != self.settings.keys.region => {
                format!("; its region is {region}")
            }
            (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _) => {
                "; look at the keys, the region, the rights to the bucket, and the clocks".to_owned()
            }
            (StatusCode::NOT_FOUND, _) => format!("; is there a bucket \"{}\"?", self.settings.bucket),
            _ => String::new(),
        };
        let full = code.contains("StorageFull") || code.contains("QuotaExceeded");
        let kind = if full || reply.status == StatusCode::INSUFFICIENT_STORAGE {
            FaultKind::Full
        } else {
            FaultKind::Away
        };
        Fault::new(kind, format_args!("the object storage refuses to {what}: {} {code}{help}", reply.status))
    }
}

/// The whole body was read: a longer one is cut off.
fn is_whole(reply: &Reply) -> bool {
    let length = reply.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.is_some_and(|length| length == reply.body.len().to_string())
        && reply.body.len() as u64 <= limits::CHUNK_BYTES
}

/// Whether it is worth asking again.
fn passes(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error()
            && status != StatusCode::NOT_IMPLEMENTED
            && status != StatusCode::INSUFFICIENT_STORAGE
}

fn unanswered(why: &str) -> Fault {
    Fault::new(FaultKind::Away, format_args!("the object storage does not answer: {why}"))
}

/// What stands in `<Code/>`, as far as it is a word.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(limits::ERROR_BYTES_MAX)]);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let word = code.map(|(code, _)| code).filter(|code| code.len() <= 64);
    word.filter(|code| code.bytes().all(|c| c.is_ascii_alphanumeric())).unwrap_or_default().to_owned()
}

/// The authorities that this system trusts, so that a storage with a certificate of one's own can be used.
fn trust() -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        let cause = "this system has no certificates of authorities (on Debian: the package ca-certificates)";
        return Err(Fault::new(FaultKind::Away, cause));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Fault::new(FaultKind::Misuse, error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words() {
        for (body, want) in [
            ("<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"),
            ("<Error><Code>No\nSuch</Code></Error>", ""),
            ("<Code></Code>", ""),
            ("<Code>x", ""),
            ("", ""),
            (&format!("<Code>{}</Code>", "x".repeat(65)), ""),
        ] {
            assert_eq!(code(body.as_bytes()), want, "{body}");
        }
    }
}
