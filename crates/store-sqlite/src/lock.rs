//! The data directory: made private, and owned by one process at a time.
//!
//! The engine holds an advisory lock on `detente.lock` for as long as it lives. So a second server on the same
//! directory is refused, and so is an offline command while the server runs: it asks the server through its
//! admin socket instead. Reading the database file with other tools meanwhile is safe.
//!
//! Not here: what lies in the directory (`schema`, `blobs`).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use store::{Fault, FaultKind};

use crate::fault::from_io;

const NAME: &str = "detente.lock";

/// The lock; released when dropped, and by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Makes the directory if there is none (mode 0700; one that exists stays as it is) and takes its lock.
pub(crate) fn take(directory: &Path) -> Result<Lock, Fault> {
    make_directory(directory).map_err(|error| from_io(&error, directory))?;
    let path = directory.join(NAME);
    let failed = |error: io::Error| from_io(&error, &path);
    let mut file = open_private(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use(directory, file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // For the message that a second process shows; the lock itself is what counts.
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(Lock(file))
}

fn in_use(directory: &Path, file: File) -> Fault {
    let mut holder = String::new();
    // An unreadable holder makes a shorter message, nothing worse.
    let _ = file.take(20).read_to_string(&mut holder);
    let cause = format!(
        "the data directory {} is in use by another process ({holder}); stop it first, or use its admin socket",
        directory.display()
    );
    Fault::new(FaultKind::InUse, cause)
}

/// Makes a directory and its parents, readable for nobody else.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file for reading and writing, making it if there is none, readable for nobody else.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
