//! From the database's and the file system's errors to ours.
//!
//! Not here: what is done about them (`writer`).

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use store::{Fault, FaultKind};

/// What went wrong inside: either the database's word or already ours.
#[derive(Debug)]
pub(crate) enum Trouble {
    Sql(rusqlite::Error),
    Fault(Fault),
}

pub(crate) type Outcome<T> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Sql(error) => Self::new(kind(&error), error),
            Trouble::Fault(fault) => fault,
        }
    }
}

fn kind(error: &rusqlite::Error) -> FaultKind {
    let Some(code) = error.sqlite_error_code() else {
        // A row that has another form than the schema gives it, or a call that makes no sense.
        return match error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => FaultKind::Corrupt,
            _ => FaultKind::Misuse,
        };
    };
    match code {
        ErrorCode::DiskFull => FaultKind::Full,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => FaultKind::Busy,
        ErrorCode::DatabaseCorrupt => FaultKind::Corrupt,
        ErrorCode::NotADatabase => FaultKind::Foreign,
        ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => FaultKind::Misuse,
        _ => FaultKind::Io,
    }
}

/// A failure of the file system at a path.
pub(crate) fn from_io(error: &io::Error, path: &Path) -> Fault {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultKind::Full,
        _ => FaultKind::Io,
    };
    Fault::new(kind, format_args!("{}: {error}", path.display()))
}
