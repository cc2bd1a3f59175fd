//! The one thread that writes: takes what waits, makes one transaction of it, and answers after its commit.
//!
//! Group commit: under load many callers share one sync of the disk; alone, a caller waits for nobody. A batch
//! that fails takes no other with it: the group is rolled back and done again with a savepoint for each batch.
//!
//! What follows from a failure (see `Fault`):
//! * *Full, busy*: the group is rolled back and refused; the next one tries anew.
//! * *I/O, corruption*: after a failed sync nobody knows what is on the disk, so it is never repeated. The
//!   connection is dropped and everything refused, until the journal has been written anew (`journal`) and a fresh
//!   connection could copy all of it into the database and sync that. Tried once a second.
//!
//! Not here: the statements (`apply`, `logs`), checkpoints (`checkpoint`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::storage::Batch;
use rusqlite::{Connection, OptionalExtension};
use store::{Fault, FaultKind, Fulfil};

use crate::apply::Tables;
use crate::checkpoint::Wal;
use crate::connect::Database;
use crate::fault::{Outcome, Trouble};
use crate::journal;
use crate::pages::unsigned;
use crate::queue::{Job, Queue, Taken};
use crate::sql;

/// Writes in one transaction, unless a single batch has more.
const GROUP_WRITES_MAX: usize = 2048;
/// How long a transaction is filled, unless the disk's own sync takes longer.
const GROUP_TIME: Duration = Duration::from_millis(5);
/// Doomed log rows that each transaction takes along, and one of its own when there is nothing else to do.
const SWEEP_BESIDE: i64 = 50;
const SWEEP_ALONE: i64 = 1000;
/// Quiet after which the journal is emptied.
const IDLE: Duration = Duration::from_secs(2);
/// Between attempts to recover.
const RETRY: Duration = Duration::from_secs(1);

type Answer = (Fulfil<Result<(), Fault>>, Result<(), Fault>);

/// The failure that is in force, for those who ask how it goes.
#[derive(Default)]
pub(crate) struct Health(Mutex<Option<Fault>>);

impl Health {
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, now: Option<Fault>) {
        let before =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), now.clone());
        match (before, now) {
            (None, Some(fault)) => tracing::error!(%fault, "storage refuses writes"),
            (Some(_), None) => tracing::info!("storage takes writes again"),
            _ => {}
        }
    }
}

pub(crate) struct Writer {
    database: Database,
    queue: Arc<Queue>,
    health: Arc<Health>,
    wal: Arc<Wal>,
    tables: Tables,
    /// None while failed.
    db: Option<Connection>,
    jobs: VecDeque<Job>,
    /// How long the last commit took.
    sync: Duration,
    retry_at: Instant,
}

impl Writer {
    /// Opens the database, brings its schema to our version and its journal to rest.
    pub(crate) fn open(
        database: Database,
        queue: Arc<Queue>,
        health: Arc<Health>,
        wal: Arc<Wal>,
    ) -> Result<Self, Fault> {
        let (db, tables) = open(&database, &wal, false)?;
        Ok(Self {
            database,
            queue,
            health,
            wal,
            tables,
            db: Some(db),
            jobs: VecDeque::new(),
            sync: Duration::ZERO,
            retry_at: Instant::now(),
        })
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        // However this ends, nobody waits for it in vain.
        let _guard = AbandonOnDrop(Arc::clone(&self.queue));
        loop {
            // Only when all that was taken is done: the bound on what waits is the queue's.
            if self.jobs.is_empty() {
                let patience = self.patience();
                if self.queue.take(&mut self.jobs, GROUP_WRITES_MAX, patience) == Taken::Closed {
                    return;
                }
            }
            match self.db.take().or_else(|| self.recover()) {
                Some(db) if !self.jobs.is_empty() => self.group(db),
                Some(db) if self.tables.doomed => self.group(db),
                Some(db) => {
                    self.wal.idle();
                    self.db = Some(db);
                }
                None => self.refuse(),
            }
        }
    }

    /// How long to wait for jobs before doing something else.
    fn patience(&self) -> Duration {
        match &self.db {
            Some(_) if self.tables.doomed => Duration::ZERO,
            Some(_) => IDLE,
            None => RETRY,
        }
    }

    /// One transaction from begin to answers.
    fn group(&mut self, db: Connection) {
        let highest = self.tables.highest;
        let mut answers = Vec::new();
        let outcome = self.fill(&db, &mut answers).and_then(|()| self.commit(&db, highest));
        let Err(trouble) = outcome else {
            self.db = Some(db);
            if !answers.is_empty() {
                let full =
                    |(_, result): &Answer| result.clone().err().filter(|f| f.kind() == FaultKind::Full);
                self.health.set(answers.iter().find_map(full));
            }
            for (answer, result) in answers {
                answer.with(result);
            }
            self.wal.grown(self.db.as_ref());
            return;
        };
        let fault = Fault::from(trouble);
        if !db.is_autocommit() {
            // If this fails too, dropping the connection does the same.
            let _ = db.execute_batch("ROLLBACK");
        }
        self.tables.slots.clear();
        self.tables.highest = highest;
        if is_harmless(&fault) {
            self.db = Some(db);
        } else {
            drop(db);
            self.retry_at = Instant::now();
        }
        self.health.set(Some(fault.clone()));
        for (answer, result) in answers {
            answer.with(Err(result.err().unwrap_or_else(|| fault.clone())));
        }
    }

    /// Begins a transaction and applies what waits: first as if nothing could fail, and if something does, again with
    /// a savepoint for each batch.
    fn fill(&mut self, db: &Connection, answers: &mut Vec<Answer>) -> Outcome<()> {
        if let Err(trouble) = execute(db, "BEGIN IMMEDIATE") {
            return self.refused(trouble, answers);
        }
        if !self.fill_unguarded(db, answers)? {
            if !db.is_autocommit() {
                execute(db, "ROLLBACK")?;
            }
            if let Err(trouble) = execute(db, "BEGIN IMMEDIATE") {
                return self.refused(trouble, answers);
            }
            self.fill_guarded(db, answers)?;
        }
        self.sweep(db, answers.is_empty())
    }

    /// No transaction could be begun.
    fn refused(&mut self, trouble: Trouble, answers: &mut Vec<Answer>) -> Outcome<()> {
        let fault = Fault::from(trouble);
        answers.extend(self.jobs.drain(..).map(|job| (job.answer, Err(fault.clone()))));
        Err(fault.into())
    }

    /// Applies batches without savepoints, which would copy each page that is written. False if one failed and may be
    /// tried again: then nothing is answered, and the transaction is to be rolled back.
    fn fill_unguarded(&mut self, db: &Connection, answers: &mut Vec<Answer>) -> Outcome<bool> {
        let (begin, highest) = (Instant::now(), self.tables.highest);
        let (mut done, mut failed) = (0, None);
        for job in &self.jobs {
            done += 1;
            failed = apply(&mut self.tables, db, &job.batch).err().map(Fault::from);
            if failed.is_some() || begin.elapsed() > GROUP_TIME.max(self.sync) {
                break;
            }
        }
        if failed.as_ref().is_some_and(is_harmless) {
            self.tables.slots.clear();
            self.tables.highest = highest;
            return Ok(false);
        }
        answers.extend(self.jobs.drain(..done).map(|job| (job.answer, Ok(()))));
        failed.map_or(Ok(true), |fault| Err(fault.into()))
    }

    /// Applies batches so that each that fails takes no other with it.
    fn fill_guarded(&mut self, db: &Connection, answers: &mut Vec<Answer>) -> Outcome<()> {
        let begin = Instant::now();
        while let Some(job) = self.jobs.pop_front() {
            let result = self.guarded(db, |tables| apply(tables, db, &job.batch));
            let fatal =
                result.as_ref().err().filter(|fault| db.is_autocommit() || !is_harmless(fault)).cloned();
            answers.push((job.answer, result));
            if let Some(fault) = fatal {
                return Err(fault.into());
            }
            if begin.elapsed() > GROUP_TIME.max(self.sync) {
                break;
            }
        }
        Ok(())
    }

    /// Deletes some of the rows that await it, if any do.
    fn sweep(&mut self, db: &Connection, alone: bool) -> Outcome<()> {
        let rows = if alone { SWEEP_ALONE } else { SWEEP_BESIDE };
        if !self.tables.doomed {
            return Ok(());
        }
        if let Err(fault) = self.guarded(db, |tables| tables.sweep(db, rows)) {
            // Left for the next start, unless it broke the transaction.
            self.tables.doomed = false;
            tracing::warn!(%fault, "deleted log entries keep their space for now");
            if db.is_autocommit() || !is_harmless(&fault) {
                return Err(fault.into());
            }
        }
        Ok(())
    }

    /// Runs writes inside a savepoint, and takes them back if they fail.
    fn guarded(
        &mut self,
        db: &Connection,
        work: impl FnOnce(&mut Tables) -> Outcome<()>,
    ) -> Result<(), Fault> {
        let highest = self.tables.highest;
        execute(db, "SAVEPOINT batch")?;
        match work(&mut self.tables) {
            Ok(()) => Ok(execute(db, "RELEASE batch")?),
            Err(trouble) => {
                self.tables.slots.clear();
                self.tables.highest = highest;
                // Some failures have ended the whole transaction already.
                if !db.is_autocommit() {
                    execute(db, "ROLLBACK TO batch")?;
                    execute(db, "RELEASE batch")?;
                }
                Err(trouble.into())
            }
        }
    }

    fn commit(&mut self, db: &Connection, highest_before: i64) -> Outcome<()> {
        if self.tables.highest != highest_before {
            db.prepare_cached(sql::META_HIGHEST_SET)?.execute([self.tables.highest])?;
        }
        let begin = Instant::now();
        execute(db, "COMMIT")?;
        self.sync = begin.elapsed();
        Ok(())
    }

    /// A fresh connection after a failure, if it is time and the disk is well again.
    fn recover(&mut self) -> Option<Connection> {
        if Instant::now() < self.retry_at {
            return None;
        }
        match open(&self.database, &self.wal, true) {
            Ok((db, tables)) => {
                self.tables = tables;
                self.health.set(None);
                Some(db)
            }
            Err(fault) => {
                self.retry_at = Instant::now() + RETRY;
                self.health.set(Some(fault));
                None
            }
        }
    }

    fn refuse(&mut self) {
        let unknown = || Fault::new(FaultKind::Io, "the engine waits for its disk");
        let fault = self.health.fault().unwrap_or_else(unknown);
        for job in self.jobs.drain(..) {
            job.answer.with(Err(fault.clone()));
        }
    }
}

/// Opens for writing and loads what the writer must know.
///
/// The journal is written once more, copied into the database and synced there: if an earlier sync of the journal failed
/// (in a process before this one, too), pages of it may exist in the system's memory only, and nothing may be built on
/// them.
fn open(database: &Database, wal: &Arc<Wal>, after_failure: bool) -> Result<(Connection, Tables), Fault> {
    journal::secure(&journal::path(&database.path))?;
    let mut db = database.writer()?;
    let attempt = |db: &mut Connection| -> Outcome<Tables> {
        wal.watch(db)?;
        if after_failure {
            let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(Fault::new(FaultKind::Corrupt, verdict).into());
            }
        }
        let blocked: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if blocked && after_failure {
            return Err(
                Fault::new(FaultKind::Io, "the journal is being read, so it cannot be secured").into()
            );
        }
        let highest = db.query_row(sql::META_HIGHEST, [], |row| unsigned(row, 0)).optional()?;
        let doomed = db.prepare(sql::DOOM_NEXT)?.exists([])?;
        Ok(Tables { highest: highest.unwrap_or(0) as i64, doomed, ..Tables::default() })
    };
    let tables = attempt(&mut db)?;
    Ok((db, tables))
}

fn apply(tables: &mut Tables, db: &Connection, batch: &Batch) -> Outcome<()> {
    batch.0.iter().try_for_each(|write| tables.apply(db, write))
}

fn execute(db: &Connection, sql: &str) -> Result<(), Trouble> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Whether the connection is as good as before.
fn is_harmless(fault: &Fault) -> bool {
    matches!(fault.kind(), FaultKind::Full | FaultKind::Busy | FaultKind::Misuse)
}

struct AbandonOnDrop(Arc<Queue>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
