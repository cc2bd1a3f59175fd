//! Who keeps the files that HTTP takes in and gives out.
//!
//! XEP-0363 1.2.0 section 7.
//!
//! Not here: HTTP (`http/upload.rs`, `http/download.rs`), the files (crate `files`).

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;
use model::storage::BlobId;

/// The path below which files are: `/upload/TOKEN/NAME` to fetch, `/upload/TOKEN/SECRET/NAME` to put.
pub const FILES_PATH: &str = "/upload";

/// An answer on its way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The status of HTTP with which something is refused, such as 404.
pub type Status = u16;

/// The files as connections see them.
pub trait Files: Send + Sync + 'static {
    /// Begins to take in the file of a slot. The future is dropped if the connection ends first.
    fn begin(&self, put: Upload) -> Pending<'static, Result<Box<dyn Taking>, Status>>;

    /// The file with this token and this name (as it stands in the address). An error is the status to answer with.
    fn open(&self, token: String, name: String) -> Pending<'static, Result<Option<Download>, Status>>;

    /// A bounded piece of a file; `None` if it is gone.
    fn piece(&self, blob: BlobId, range: Range<u64>) -> Pending<'static, Option<Bytes>>;
}

/// A file on its way in. Dropped before `finish`, it leaves nothing behind.
pub trait Taking: Send {
    /// Takes the next bytes. An error is the status to answer with.
    fn write(&mut self, bytes: Bytes) -> Pending<'_, Result<(), Status>>;

    /// All bytes have come: done when they are on stable storage.
    fn finish(self: Box<Self>) -> Pending<'static, Result<(), Status>>;
}

/// What a request to put a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// Out of the address.
    pub token: String,
    /// Out of the address.
    pub secret: String,
    /// Out of the address, as it stands there.
    pub name: String,
    /// How many bytes will come; `None` if that was not said.
    pub bytes: Option<u64>,
    /// The media type that was said.
    pub media_type: Option<String>,
}

/// A file that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Its bytes' name; equal for equal bytes.
    pub blob: BlobId,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its name, as it stands in the address.
    pub name: String,
    /// Its media type in lower case, without parameters.
    pub media_type: String,
}
