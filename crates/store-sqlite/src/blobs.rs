//! Blobs as files: `blobs/ab/cdef…` after the hash, written beside and renamed when whole.
//!
//! A deleted blob may come back if the power fails right afterwards; the caller may delete it again.
//!
//! Not here: the hash (`store::BlobHash`), the threads (`pool`).

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use model::storage::BlobId;
use store::{BlobHash, BoxFuture, Fault, FaultKind, Intake};

use crate::fault::from_io;
use crate::lock::{make_directory, open_private};
use crate::pool::Pool;

/// Blobs that are read or written at the same time.
const THREADS: usize = 2;

pub(crate) struct BlobFiles {
    root: PathBuf,
    pool: Arc<Pool<()>>,
    taken_in: AtomicU64,
}

impl BlobFiles {
    /// Makes the folders and removes what an earlier process left unfinished.
    pub(crate) fn open(directory: &Path) -> Result<Self, Fault> {
        let root = directory.join("blobs");
        let unfinished = root.join("new");
        let fresh = match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => make_directory(&unfinished),
        };
        fresh.map_err(|error| from_io(&error, &unfinished))?;
        let pool = Arc::new(Pool::new("blobs", vec![(); THREADS])?);
        Ok(Self { root, pool, taken_in: AtomicU64::new(0) })
    }

    pub(crate) fn put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>> {
        let number = self.taken_in.fetch_add(1, Ordering::Relaxed);
        let (path, root) = (self.root.join("new").join(number.to_string()), self.root.clone());
        let pool = Arc::clone(&self.pool);
        Box::pin(async move {
            let part = pool.run(move |()| Part::new(path, root)).await?;
            Ok(Box::new(FileIntake { part: Some(part), pool }) as Box<dyn Intake>)
        })
    }

    pub(crate) fn size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>> {
        let path = path(&self.root, id);
        self.pool.run(move |()| {
            found(fs::metadata(&path).map(|data| data.len())).map_err(|error| from_io(&error, &path))
        })
    }

    pub(crate) fn read(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        let path = path(&self.root, id);
        self.pool.run(move |()| found(piece(&path, range)).map_err(|error| from_io(&error, &path)))
    }

    pub(crate) fn delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>> {
        let path = path(&self.root, id);
        self.pool
            .run(move |()| found(fs::remove_file(&path)).map(|_| ()).map_err(|error| from_io(&error, &path)))
    }
}

fn path(root: &Path, id: BlobId) -> PathBuf {
    let name = id.to_string();
    // Hexadecimal digits: every byte is a character.
    let (folder, file) = name.split_at(2);
    root.join(folder).join(file)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn piece(path: &Path, range: Range<u64>) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let end = range.end.min(file.metadata()?.len());
    let start = range.start.min(end);
    file.seek(SeekFrom::Start(start))?;
    // The range was clipped to the file, so this allocates no more than the file has.
    let mut bytes = Vec::with_capacity((end - start) as usize);
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// A blob of which a part has come. Dropped, it removes its file.
struct Part {
    file: File,
    hash: BlobHash,
    path: PathBuf,
    root: PathBuf,
}

impl Part {
    fn new(path: PathBuf, root: PathBuf) -> Result<Self, Fault> {
        let file = open_private(&path).map_err(|error| from_io(&error, &path))?;
        Ok(Self { file, hash: BlobHash::new(), path, root })
    }

    fn write(mut self, bytes: &[u8]) -> Result<Self, Fault> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(|error| from_io(&error, &self.path))?;
        Ok(self)
    }

    fn finish(mut self) -> Result<BlobId, Fault> {
        let id = std::mem::take(&mut self.hash).finish();
        let target = path(&self.root, id);
        self.place(&target).map_err(|error| from_io(&error, &target))?;
        Ok(id)
    }

    /// Content first, then the name, then the folders that hold the name: in this order nothing half exists.
    fn place(&self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = target.parent().unwrap_or(&self.root);
        make_directory(folder)?;
        fs::rename(&self.path, target)?;
        sync_directory(folder)?;
        sync_directory(&self.root)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a finish there is nothing under this name; else the next start removes what stays.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

struct FileIntake {
    /// None while a piece is being written, and for good after one failed.
    part: Option<Part>,
    pool: Arc<Pool<()>>,
}

impl FileIntake {
    fn part(&mut self) -> Result<Part, Fault> {
        self.part.take().ok_or_else(broken)
    }
}

fn broken() -> Fault {
    Fault::new(FaultKind::Misuse, "an earlier piece of the blob failed")
}

impl Intake for FileIntake {
    fn id(&self) -> Result<BlobId, Fault> {
        self.part.as_ref().map(|part| part.hash.clone().finish()).ok_or_else(broken)
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let part = self.part()?;
            self.part = Some(self.pool.run(move |()| part.write(&bytes)).await?);
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<BlobId, Fault>> {
        Box::pin(async move {
            let part = self.part()?;
            self.pool.run(move |()| part.finish()).await
        })
    }
}
