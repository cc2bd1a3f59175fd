//! The database file: whose it is, which version its schema has, and the steps to ours.
//!
//! Each migration is one file and one transaction, so one that was interrupted has not begun.
//!
//! Not here: settings of single connections (`connect`).

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use store::{Fault, FaultKind};

use crate::fault::Outcome;

/// "Dtnt": tells our files from those of other programs.
const APPLICATION_ID: i64 = 0x4474_6e74;

/// Number n of the list leads from version n to version n + 1.
const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/001_shapes.sql"), include_str!("../migrations/002_checksums.sql")];

/// Refuses what is not ours or too new, and brings the rest to our version.
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Outcome<()> {
    let version = version(connection, path)?;
    if version > MIGRATIONS.len() {
        return Err(too_new(connection, version, path)?.into());
    }
    migrate(connection, version, MIGRATIONS)
}

/// 0 for a file that is new.
fn version(connection: &Connection, path: &Path) -> Outcome<usize> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application == APPLICATION_ID {
        let version: i64 =
            connection
                .query_row("SELECT value FROM meta WHERE name = 'schema_version'", [], |row| row.get(0))?;
        return usize::try_from(version)
            .map_err(|_| Fault::new(FaultKind::Corrupt, format_args!("schema version {version}")).into());
    }
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && tables == 0 {
        return Ok(0);
    }
    let cause = format!("{} is a database of another program; nothing was changed in it", path.display());
    Err(Fault::new(FaultKind::Foreign, cause).into())
}

fn too_new(connection: &Connection, version: usize, path: &Path) -> Outcome<Fault> {
    let writer: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'migrated_by'", [], |row| row.get(0))
        .optional()?;
    let cause = format!(
        "{} was written by a newer release (schema {version}, release {}); this release ({}) knows schemas up to {}. \
         Start that release or a later one, or restore a backup of the time before",
        path.display(),
        writer.as_deref().unwrap_or("unknown"),
        env!("CARGO_PKG_VERSION"),
        MIGRATIONS.len(),
    );
    Ok(Fault::new(FaultKind::TooNew, cause))
}

fn migrate(connection: &mut Connection, from: usize, migrations: &[&str]) -> Outcome<()> {
    for (done, sql) in migrations.iter().enumerate().skip(from) {
        let version = done as i64 + 1;
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(sql)?;
        let set = |name: &str, value: &dyn rusqlite::ToSql| {
            let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            step.execute(sql, (name, value))
        };
        set("schema_version", &version)?;
        set("migrated_by", &env!("CARGO_PKG_VERSION"))?;
        if version == 1 {
            set("created_by", &env!("CARGO_PKG_VERSION"))?;
            step.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        step.commit()?;
        tracing::info!(version, "database schema is at a new version");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn an_interrupted_migration_has_not_begun() {
        let mut connection = open();
        let broken = [MIGRATIONS[0], "CREATE TABLE more (x); INSERT INTO nowhere VALUES (1);"];
        migrate(&mut connection, 0, &broken).unwrap_err();
        assert_eq!(version(&connection, Path::new("x")).unwrap(), 1);
        let whole = [MIGRATIONS[0], "CREATE TABLE more (x);"];
        migrate(&mut connection, 1, &whole).unwrap();
        assert_eq!(version(&connection, Path::new("x")).unwrap(), 2);
    }

    #[test]
    fn what_is_newer_or_of_others_is_refused_in_words() {
        let mut newer = open();
        prepare(&mut newer, Path::new("x")).unwrap();
        newer.execute("UPDATE meta SET value = 99 WHERE name = 'schema_version'", []).unwrap();
        let fault = Fault::from(prepare(&mut newer, Path::new("x")).unwrap_err());
        assert_eq!(fault.kind(), FaultKind::TooNew);
        assert!(fault.cause().contains("schema 99") && fault.cause().contains("up to 2"), "{fault}");

        let mut foreign = open();
        foreign.execute_batch("CREATE TABLE songs (name)").unwrap();
        let fault = Fault::from(prepare(&mut foreign, Path::new("x")).unwrap_err());
        assert_eq!(fault.kind(), FaultKind::Foreign);
    }

    #[test]
    fn preparing_twice_changes_nothing() {
        let mut connection = open();
        prepare(&mut connection, Path::new("x")).unwrap();
        let changes = connection.total_changes();
        prepare(&mut connection, Path::new("x")).unwrap();
        assert_eq!(connection.total_changes(), changes);
    }
}
