//! Why a command failed, in kinds that a program can act upon.
//!
//! Not here: exit codes of the program (detente).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The command or its arguments make no sense.
    Usage,
    /// There is no such account or session.
    NotFound,
    /// There is one already.
    Exists,
    /// It is not allowed, and the text says why.
    Refused,
    /// Whoever should do it cannot be reached.
    Unreachable,
    /// Something broke.
    Failed,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// What happened and what to do, for people.
    pub text: String,
}

impl Failure {
    /// A failure of a kind, in words.
    pub fn new(kind: FailureKind, text: impl fmt::Display) -> Failure {
        Failure { kind, text: text.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<store::Fault> for Failure {
    fn from(fault: store::Fault) -> Failure {
        let kind = match fault.kind() {
            store::FaultKind::InUse => FailureKind::Unreachable,
            _ => FailureKind::Failed,
        };
        Failure::new(kind, fault)
    }
}
