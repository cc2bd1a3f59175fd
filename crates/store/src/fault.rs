//! What can go wrong in an engine: for us, never for a peer's eyes.
//!
//! Not here: the stanza error that a peer sees instead (`internal-server-error` or `resource-constraint`).

use std::error::Error;
use std::fmt;

/// Which kind of failure, by what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// No space left. Passes when there is space again; nothing needs to be reopened.
    Full,
    /// Too much is waiting for storage already. Passes by itself.
    Busy,
    /// Storage on another machine does not answer, or not as it should. Passes when it does.
    Away,
    /// The disk failed while writing. The engine refuses everything until it could reopen its files.
    Io,
    /// What is stored contradicts itself or its checksum.
    Corrupt,
    /// A newer release wrote it; this one would damage it.
    TooNew,
    /// It exists, but is nothing of ours.
    Foreign,
    /// Another process has it open.
    InUse,
    /// The engine was closed.
    Closed,
    /// The caller broke a rule, such as an id that does not increase. A bug of ours.
    Misuse,
}

impl FaultKind {
    /// A short name in lower case, for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Busy => "busy",
            Self::Away => "away",
            Self::Io => "io",
            Self::Corrupt => "corrupt",
            Self::TooNew => "too-new",
            Self::Foreign => "foreign",
            Self::InUse => "in-use",
            Self::Closed => "closed",
            Self::Misuse => "misuse",
        }
    }

    /// Whether the same request may succeed later without anybody doing anything (`wait` in RFC 6120 terms).
    pub fn passes(self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Away | Self::Io)
    }
}

/// A failure of storage. Its text is for logs and operators: it may hold paths and must never reach a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    cause: String,
}

impl Fault {
    /// A failure of a kind, with its cause in words.
    pub fn new(kind: FaultKind, cause: impl fmt::Display) -> Self {
        Self { kind, cause: cause.to_string() }
    }

    /// Which kind.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What happened, for logs.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "storage fault ({}): {}", self.kind.name(), self.cause)
    }
}

impl Error for Fault {}
