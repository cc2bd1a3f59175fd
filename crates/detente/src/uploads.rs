//! Uploaded files, as the engine and HTTP see them, and the clock that lets them go.
//!
//! Not here: the files (crate `files`), HTTP (crate `net`).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use files::{Arrival, Files, Put, Refusal};
use model::storage::BlobId;
use model::upload::{UploadFound, UploadQuery};
use net::{Download, Pending, Status, Taking, Upload};
use store::{BoxFuture, Fault};
use tokio::task::JoinHandle;

/// How often what is due goes.
const SWEEP: Duration = Duration::from_secs(600);
/// After how many sweeps all files are looked at, for those whose account is gone: once a day.
const ORPHANS: u64 = 144;

/// The files.
pub(crate) struct Shelf(pub(crate) Arc<Files>);

impl engine::Files for Shelf {
    fn answer(&self, query: UploadQuery) -> BoxFuture<'_, Result<UploadFound, Fault>> {
        Box::pin(self.0.answer(query))
    }
}

impl net::Files for Shelf {
    fn begin(&self, put: Upload) -> Pending<'static, Result<Box<dyn Taking>, Status>> {
        let files = self.0.clone();
        Box::pin(async move {
            let Upload { token, secret, name, bytes, media_type } = &put;
            let put = Put { token, secret, name, bytes: *bytes, media_type: media_type.as_deref() };
            let arrival = files.begin(put).await.map_err(status)?;
            Ok(Box::new(Coming(arrival)) as Box<dyn Taking>)
        })
    }

    fn open(&self, token: String, name: String) -> Pending<'static, Result<Option<Download>, Status>> {
        let files = self.0.clone();
        Box::pin(async move {
            let stored = files.open(&token, &name).await.map_err(|fault| status(Refusal::from(fault)))?;
            Ok(stored.map(|stored| Download {
                blob: stored.blob,
                bytes: stored.bytes,
                name,
                media_type: stored.media_type,
            }))
        })
    }

    fn piece(&self, blob: BlobId, range: Range<u64>) -> Pending<'static, Option<Bytes>> {
        let files = self.0.clone();
        Box::pin(async move {
            let piece = files.piece(blob, range).await;
            piece.unwrap_or_else(|fault| {
                tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "a file cannot be read");
                None
            })
        })
    }
}

/// A file on its way in.
struct Coming(Arrival);

impl Taking for Coming {
    fn write(&mut self, bytes: Bytes) -> Pending<'_, Result<(), Status>> {
        Box::pin(async move { self.0.write(bytes).await.map_err(status) })
    }

    fn finish(self: Box<Self>) -> Pending<'static, Result<(), Status>> {
        Box::pin(async move { self.0.finish().await.map_err(status) })
    }
}

/// RFC 9110 section 15 and RFC 4918 section 11.5 (507).
fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::NotFound => 404,
        Refusal::Forbidden => 403,
        Refusal::Taken => 409,
        Refusal::NoLength => 411,
        Refusal::Length => 413,
        Refusal::MediaType => 415,
        Refusal::Full => 507,
        Refusal::Failed => 503,
    }
}

/// Lets files go when they are due, until it is aborted.
pub(crate) fn sweep(files: Arc<Files>) -> JoinHandle<()> {
    tokio::spawn(async move {
        for turn in 0_u64.. {
            let swept = async {
                let due = files.sweep().await?;
                let orphans = if turn.is_multiple_of(ORPHANS) { files.sweep_orphans().await? } else { 0 };
                Ok::<_, Fault>((due, orphans))
            };
            match swept.await {
                Ok((0, 0)) => {}
                Ok((due, orphans)) => tracing::info!(due, orphans, "files removed"),
                Err(fault) => {
                    tracing::error!(
                        kind = fault.kind().name(),
                        cause = fault.cause(),
                        "files cannot be removed"
                    );
                }
            }
            tokio::time::sleep(SWEEP).await;
        }
    })
}
