//! Files on this machine in which blobs wait until they are whole.
//!
//! Not here: what becomes of them (`blobs.rs`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use store::{Fault, FaultKind};
use tokio::fs::{File, OpenOptions};

/// The folder of these files.
pub(crate) struct Spool {
    folder: PathBuf,
    count: AtomicU64,
}

/// One of them. Dropped, it is removed.
pub(crate) struct Spooled(PathBuf);

impl Spool {
    /// Makes the folder and removes what an earlier process left.
    pub(crate) fn open(folder: PathBuf) -> Result<Spool, Fault> {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(&error)),
            _ => {}
        }
        private(&folder).map_err(|error| fault(&error))?;
        Ok(Spool { folder, count: AtomicU64::new(0) })
    }

    /// A new file.
    pub(crate) async fn create(&self) -> Result<(Spooled, File), Fault> {
        let path = self.folder.join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&path).await.map_err(|error| fault(&error))?;
        Ok((Spooled(path), file))
    }
}

impl Spooled {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // What stays is removed by the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

pub(crate) fn fault(error: &io::Error) -> Fault {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultKind::Full,
        _ => FaultKind::Io,
    };
    Fault::new(kind, format_args!("a file that waits for the object storage: {error}"))
}
