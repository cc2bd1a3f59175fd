//! Exit codes. They are part of the interface: scripts rely on them.
//!
//! Not here: the texts.

use std::process::ExitCode;

use admin::FailureKind;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is well.
    Done = 0,
    /// It did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// There is no such account.
    NotFound = 3,
    /// There is one already.
    Exists = 4,
    /// The server cannot be reached.
    Unreachable = 5,
}

/// For `--help`.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  all is well
  1  it did not work, or there are errors in the configuration
  2  the command line makes no sense
  3  there is no such account
  4  it exists already
  5  the server does not run or does not answer";

impl Exit {
    /// The code of a failure.
    pub(crate) fn of(kind: FailureKind) -> Exit {
        match kind {
            FailureKind::Usage => Exit::Usage,
            FailureKind::NotFound => Exit::NotFound,
            FailureKind::Exists => Exit::Exists,
            FailureKind::Unreachable => Exit::Unreachable,
            FailureKind::Refused | FailureKind::Failed => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
