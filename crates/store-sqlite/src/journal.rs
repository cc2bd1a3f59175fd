//! Makes the journal (WAL) trustworthy again after a failed sync, in this process or in one before it.
//!
//! A sync that fails leaves pages in the system's memory that are not on the disk and that no later sync writes: Linux
//! marks them clean. Whoever reads the journal sees them all the same. So nothing may be built on them until they have
//! been written once more.
//!
//! Not here: when (`writer`, `checkpoint`), moving the journal into the database (`checkpoint`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use store::Fault;

use crate::fault::from_io;

const CHUNK: usize = 1 << 20;

/// The journal of a database.
pub(crate) fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Writes the journal over itself, byte by byte the same, and syncs it. Others may read it meanwhile.
///
/// If the checkpoint thread empties it meanwhile, old pages come back behind its end or before a new beginning. They do
/// no harm: what they say is in the database already, and a new beginning disowns them (the salts of its header).
pub(crate) fn secure(journal: &Path) -> Result<(), Fault> {
    let file = match OpenOptions::new().read(true).write(true).open(journal) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(from_io(&error, journal)),
    };
    rewrite(&file).and_then(|()| file.sync_all()).map_err(|error| from_io(&error, journal))
}

fn rewrite(file: &File) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all_at(&chunk[..count], at)?;
        at += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_but_where_it_is() {
        let folder = std::env::temp_dir().join(format!("detente-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let journal = path(&folder.join("detente.db"));
        assert!(journal.ends_with("detente.db-wal"));
        secure(&journal).unwrap();
        assert!(!journal.exists(), "none is made");
        let bytes: Vec<u8> = (0..CHUNK + 4321).map(|n| (n * 7 % 251) as u8).collect();
        std::fs::write(&journal, &bytes).unwrap();
        secure(&journal).unwrap();
        assert!(std::fs::read(&journal).unwrap() == bytes);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
