//! Moves the journal (WAL) into the database, on a thread of its own, so that writers do not wait for it.
//!
//! Passive checkpoints begin whenever the journal has grown by 16 MiB. Under unending load they never quite
//! catch up and the journal could not start anew; so past 64 MiB the writer does the small rest itself. When
//! nothing is written for a while, the journal is emptied.
//!
//! Not here: the writer's transactions (`writer`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use store::{Fault, FaultKind};

use crate::fault::{Outcome, Trouble};
use crate::journal;

/// Growth between checkpoints: 16 MiB in pages of 4 KiB.
const STEP_PAGES: u32 = 4096;
/// Where the writer helps: 64 MiB.
const HELP_PAGES: u32 = 4 * STEP_PAGES;
/// Where the writer waits until it can help: 128 MiB. So a disk that is too slow slows the callers.
const WAIT_PAGES: u32 = 2 * HELP_PAGES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Passive,
    Truncate,
    Stop,
}

/// What the writer and the checkpoint thread tell each other about the journal.
pub(crate) struct Wal {
    /// Pages in the journal.
    pages: Arc<AtomicU32>,
    /// Pages at which the next checkpoint begins.
    next: AtomicU32,
    wanted: Mutex<Wanted>,
    changed: Condvar,
    journal: PathBuf,
    /// A checkpoint has failed: pages of the journal may be in the system's memory only.
    suspect: AtomicBool,
}

impl Wal {
    /// Of the journal of this database.
    pub(crate) fn new(database: &Path) -> Self {
        Self {
            pages: Arc::default(),
            next: AtomicU32::new(STEP_PAGES),
            wanted: Mutex::new(Wanted::Nothing),
            changed: Condvar::new(),
            journal: journal::path(database),
            suspect: AtomicBool::new(false),
        }
    }

    /// Counts the pages that this connection commits.
    pub(crate) fn watch(&self, db: &mut Connection) -> Outcome<()> {
        let pages = Arc::clone(&self.pages);
        let hook = move |_: &mut rusqlite::hooks::Wal, now| {
            pages.store(u32::try_from(now).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        Ok(db.wal_hook(Some(hook))?)
    }

    /// The writer has committed: asks for a checkpoint if it is time, and helps if it must.
    pub(crate) fn grown(&self, db: Option<&Connection>) {
        let pages = self.pages.load(Ordering::Relaxed);
        let next = self.next.load(Ordering::Relaxed);
        if pages + STEP_PAGES < next {
            // The journal has started anew.
            self.next.store(STEP_PAGES, Ordering::Relaxed);
        } else if pages >= next {
            let blocked = match db {
                Some(db) if pages >= WAIT_PAGES => self.checkpoint(db, "FULL"),
                Some(db) if pages >= HELP_PAGES => self.checkpoint(db, "PASSIVE"),
                _ => {
                    self.want(Wanted::Passive);
                    false
                }
            };
            // Blocked means that the other thread is still at it.
            let more = if blocked { STEP_PAGES / 8 } else { STEP_PAGES };
            self.next.store(pages + more, Ordering::Relaxed);
        }
    }

    /// Nothing has been written for a while.
    pub(crate) fn idle(&self) {
        if self.pages.swap(0, Ordering::Relaxed) > 0 {
            self.want(Wanted::Truncate);
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.want(Wanted::Stop);
    }

    /// The thread's work.
    pub(crate) fn run(&self, db: &Connection) {
        loop {
            let wanted = self.lock();
            let mut wanted = self
                .changed
                .wait_while(wanted, |wanted| *wanted == Wanted::Nothing)
                .unwrap_or_else(PoisonError::into_inner);
            let now = std::mem::replace(&mut *wanted, Wanted::Nothing);
            drop(wanted);
            match now {
                Wanted::Nothing => false,
                Wanted::Passive => self.checkpoint(db, "PASSIVE"),
                Wanted::Truncate => self.checkpoint(db, "TRUNCATE"),
                Wanted::Stop => return,
            };
        }
    }

    fn want(&self, wanted: Wanted) {
        let mut now = self.lock();
        if *now != Wanted::Stop {
            *now = wanted;
        }
        drop(now);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // Nothing panics under this lock.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failed or blocked checkpoint loses nothing: the journal keeps what it holds, and there will be another, which
    /// copies anew whatever this one has not brought to the disk.
    ///
    /// Whether it was blocked.
    fn checkpoint(&self, db: &Connection, mode: &str) -> bool {
        let row = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
        let done = self.secure().and_then(|()| {
            let blocked = db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], row);
            blocked.map_err(|error| Fault::from(Trouble::from(error)))
        });
        match done {
            Ok(blocked) => {
                tracing::debug!(mode, blocked, "checkpoint");
                blocked
            }
            Err(fault) => {
                let harmless = matches!(fault.kind(), FaultKind::Full | FaultKind::Busy);
                self.suspect.fetch_or(!harmless, Ordering::Relaxed);
                tracing::warn!(mode, %fault, "checkpoint failed");
                true
            }
        }
    }

    /// After a failed checkpoint: it may have been the journal's sync that failed, and that is never merely repeated.
    fn secure(&self) -> Result<(), Fault> {
        if self.suspect.load(Ordering::Relaxed) {
            journal::secure(&self.journal)?;
            self.suspect.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}
