//! Looks at a whole data directory: the database's structure, every checksum, every blob.
//!
//! Not here: repairing anything.

use std::fs;
use std::io::Read;
use std::path::Path;

use model::storage::BlobId;
use rusqlite::Connection;
use store::{BlobHash, Fault};

use crate::Options;
use crate::connect::Database;
use crate::fault::{Outcome, from_io};
use crate::lock;
use crate::sums::{At, Verdict, judge};

/// Damages that are listed; more are only counted.
const LISTED_MAX: usize = 100;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Values that are as they were written.
    pub whole: u64,
    /// Values from the time before there were checksums: nobody can tell.
    pub unknown: u64,
    /// Damages.
    pub damaged: u64,
    /// The first hundred of them, in words.
    pub list: Vec<String>,
}

impl Findings {
    fn damage(&mut self, what: String) {
        self.damaged += 1;
        if self.list.len() < LISTED_MAX {
            self.list.push(what);
        }
    }

    fn note(&mut self, verdict: Verdict, what: impl FnOnce() -> String) {
        match verdict {
            Verdict::Whole => self.whole += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::Damaged => self.damage(what()),
        }
    }
}

/// Looks at everything in a data directory that no server has open. Takes as long as reading all of it. Data of an older
/// release are brought to this release's schema first, as at a start of the server.
///
/// # Errors
/// The directory is in use, or cannot be read at all.
pub fn check(directory: &Path) -> Result<Findings, Fault> {
    let _lock = lock::take(directory)?;
    let mut findings = Findings::default();
    let db = Database::new(directory, Options::default()).writer()?;
    structure(&db, &mut findings)?;
    // Where the structure is bad, the rows that can be reached are still worth a look.
    if let Err(trouble) = values(&db, &mut findings) {
        findings.damage(format!("the rest cannot be read: {}", Fault::from(trouble)));
    }
    blobs(&directory.join("blobs"), &mut findings)?;
    Ok(findings)
}

fn structure(db: &Connection, findings: &mut Findings) -> Outcome<()> {
    let mut check = db.prepare("PRAGMA integrity_check(100)")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.damage(format!("database: {line}"));
        }
    }
    Ok(())
}

fn values(db: &Connection, findings: &mut Findings) -> Outcome<()> {
    let name = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
        Ok(format!("{} of {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    };
    let join = |table: &str, key: &str| {
        format!("SELECT space, owner, slot, value, sum, {key} FROM {table} JOIN slot ON slot.id = slot")
    };
    let mut docs = db.prepare(&join("doc", "NULL"))?;
    let mut rows = docs.query([])?;
    while let Some(row) = rows.next()? {
        let verdict = judge(row, At::Doc { slot: row.get(2)? }, 3, 4)?;
        let what = name(row)?;
        findings.note(verdict, || what);
    }
    let mut maps = db.prepare(&join("map", "key"))?;
    let mut rows = maps.query([])?;
    while let Some(row) = rows.next()? {
        let key: String = row.get(5)?;
        let verdict = judge(row, At::Map { slot: row.get(2)?, key: &key }, 3, 4)?;
        let what = name(row)?;
        findings.note(verdict, || format!("{what}: {key}"));
    }
    let mut logs = db.prepare(&format!("{} WHERE log.id > slot.floor", join("log", "log.id")))?;
    let mut rows = logs.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(5)?;
        let verdict = judge(row, At::Log { slot: row.get(2)?, id }, 3, 4)?;
        let what = name(row)?;
        findings.note(verdict, || format!("{what}: {id}"));
    }
    Ok(())
}

/// A blob's name is the hash of its bytes.
fn blobs(root: &Path, findings: &mut Findings) -> Result<(), Fault> {
    let list = |path: &Path| -> Result<Vec<_>, Fault> {
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        entries.map_err(|error| from_io(&error, path))
    };
    for folder in list(root)? {
        for file in list(&folder.path())? {
            let name = format!("{}{}", folder.file_name().display(), file.file_name().display());
            let Some(id) = BlobId::parse(&name) else { continue };
            let is = hash(&file.path()).map_err(|error| from_io(&error, &file.path()))?;
            let verdict = if is == id { Verdict::Whole } else { Verdict::Damaged };
            findings.note(verdict, || format!("blob {name}"));
        }
    }
    Ok(())
}

fn hash(path: &Path) -> std::io::Result<BlobId> {
    let (mut file, mut hash, mut piece) = (fs::File::open(path)?, BlobHash::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finish()),
            n => hash.update(&piece[..n]),
        }
    }
}
