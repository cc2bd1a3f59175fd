//! Connections to the database file, each with the settings for its task.
//!
//! Not here: the schema (`schema`), the threads that use them (`writer`, `readers`, `checkpoint`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::Options;
use crate::fault::{Outcome, from_io};
use crate::lock::open_private;
use crate::{Durability, schema};

/// How long a connection waits for another one's lock. Only a foreign tool or the end of a checkpoint can
/// hold one.
const PATIENCE: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection: more than there are (see `sql`).
const STATEMENTS: usize = 64;
const WRITER_CACHE_KIB: i64 = 32 * 1024;
const READER_CACHE_KIB: i64 = 8 * 1024;

/// Where the database is and how it is used.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
}

impl Database {
    pub(crate) fn new(directory: &Path, options: Options) -> Self {
        Self { path: directory.join("detente.db"), options }
    }

    /// The one connection that writes. Brings the schema to our version.
    pub(crate) fn writer(&self) -> Outcome<Connection> {
        // The journal files take over the mode of this one.
        open_private(&self.path).map_err(|error| from_io(&error, &self.path))?;
        let mut connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
        // Before anything is changed in a file that may not be ours.
        schema::prepare(&mut connection, &self.path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Checkpoints on this thread would make callers wait: `checkpoint` does them.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let level = match self.options.durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", level)?;
        if let Some(pages) = self.options.pages_max {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        Ok(connection)
    }

    /// A connection that only reads.
    pub(crate) fn reader(&self) -> Outcome<Connection> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    /// The connection of the thread for checkpoints.
    pub(crate) fn checkpointer(&self) -> Outcome<Connection> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // It gives way: there will be another moment.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }

    fn open(&self, flags: OpenFlags, cache_kib: i64) -> Outcome<Connection> {
        // Each connection stays on one thread at a time, so SQLite need not lock it.
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "cache_size", -cache_kib)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(connection)
    }
}
