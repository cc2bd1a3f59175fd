//! The storage engine on SQLite: one file, `detente.db`, and a folder of blobs in the data directory.
//!
//! One thread writes (group commit), a few read, one does checkpoints. A resolved commit is on the disk: the
//! journal (WAL) is synced before anybody is answered.
//!
//! One process at a time: see `lock`. What happens when the disk is full or fails: see `writer`.
//!
//! Not here: what is stored (`model::storage`), the contract (`store`).

mod apply;
mod blobs;
mod checkpoint;
mod connect;
mod fault;
mod fsck;
mod journal;
mod lock;
mod logs;
mod pages;
mod pool;
mod queue;
mod readers;
mod schema;
mod slots;
mod sql;
mod sums;
mod times;
mod writer;

pub use fsck::{Findings, check};

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use model::storage::{Batch, BlobId, Loaded, Read};
use rusqlite::Connection;
use store::{Blobs, BoxFuture, Fault, FaultKind, Intake, Store, promise};

use blobs::BlobFiles;
use checkpoint::Wal;
use connect::Database;
use lock::Lock;
use pool::Pool;
use queue::{Job, Queue};
use writer::{Health, Writer};

/// What a resolved commit has survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process, of the system, and a loss of power.
    #[default]
    Full,
    /// A crash of the process. A loss of power may take the last commits, but only the last, and whole ones.
    Normal,
}

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a resolved commit has survived.
    pub durability: Durability,
    /// Threads that read; at least one. Each keeps up to 8 MiB of pages in memory.
    pub readers: usize,
    /// The most pages (4 KiB each) that the database may have; beyond it commits fail with
    /// [`FaultKind::Full`]. Without it only the disk is the limit.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Full, readers: 2, pages_max: None }
    }
}

/// The engine. Dropping it writes what waits, ends the threads and closes the files.
pub struct Sqlite {
    queue: Arc<Queue>,
    health: Arc<Health>,
    wal: Arc<Wal>,
    blobs: BlobFiles,
    // Taken out in the order of `drop`.
    readers: Option<Pool<Connection>>,
    checkpointer: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
    _lock: Lock,
}

impl Sqlite {
    /// Opens the data directory, or makes it, and brings it to the schema of this release.
    ///
    /// Blocks the thread, possibly for a while when the schema changes. Refused with `InUse` while another
    /// process has it open, with `TooNew` after a newer release, with `Foreign` if it is nothing of ours.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self, Fault> {
        let directory = directory.as_ref();
        let lock = lock::take(directory)?;
        let blobs = BlobFiles::open(directory)?;
        let readers = options.readers.max(1);
        let database = Database::new(directory, options);
        let (queue, health, wal) =
            (Arc::<Queue>::default(), Arc::<Health>::default(), Arc::new(Wal::new(&database.path)));
        let writer =
            Writer::open(database.clone(), Arc::clone(&queue), Arc::clone(&health), Arc::clone(&wal))?;
        let connections = (0..readers).map(|_| database.reader()).collect::<fault::Outcome<_>>()?;
        let checkpoints = database.checkpointer()?;
        let mut engine = Self {
            queue,
            health,
            wal: Arc::clone(&wal),
            blobs,
            readers: Some(Pool::new("store-read", connections)?),
            checkpointer: None,
            writer: None,
            _lock: lock,
        };
        engine.checkpointer = Some(spawn("store-checkpoint", move || wal.run(&checkpoints))?);
        engine.writer = Some(spawn("store-write", || writer.run())?);
        Ok(engine)
    }

    /// Why commits are refused at the moment, if they are: for readiness checks.
    pub fn fault(&self) -> Option<Fault> {
        let gone = self.writer.as_ref().is_some_and(JoinHandle::is_finished);
        self.health.fault().or_else(|| gone.then(|| Fault::new(FaultKind::Closed, "the writer is gone")))
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| Fault::new(FaultKind::Io, error))
}

impl Store for Sqlite {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Fault>> {
        let (answer, promise) = promise();
        let queued = self.queue.push(Job { batch, answer });
        Box::pin(async move {
            queued?;
            promise.await.unwrap_or_else(|| Err(Fault::new(FaultKind::Closed, "the writer is gone")))
        })
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Fault>> {
        match &self.readers {
            Some(readers) => readers.run(move |db| readers::read(db, read)),
            None => Box::pin(std::future::ready(Err(Fault::new(FaultKind::Closed, "the readers are gone")))),
        }
    }
}

impl Blobs for Sqlite {
    fn blob_put(&self) -> BoxFuture<'_, Result<Box<dyn Intake>, Fault>> {
        self.blobs.put()
    }

    fn blob_size(&self, id: BlobId) -> BoxFuture<'_, Result<Option<u64>, Fault>> {
        self.blobs.size(id)
    }

    fn blob_read(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        self.blobs.read(id, range)
    }

    fn blob_delete(&self, id: BlobId) -> BoxFuture<'_, Result<(), Fault>> {
        self.blobs.delete(id)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The writer last: whoever closes the last connection empties and removes the journal.
        self.readers = None;
        self.wal.stop();
        self.queue.close();
        for thread in [self.checkpointer.take(), self.writer.take()].into_iter().flatten() {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("fault", &self.fault()).finish_non_exhaustive()
    }
}
