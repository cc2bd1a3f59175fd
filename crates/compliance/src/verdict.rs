//! What came of a row.
//!
//! Not here: how it is shown (`document.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a row does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The server does not do this, and says so or does not announce it.
    Missing(String),
    /// It does something else than the specification says.
    Broken(String),
}

/// A step of a row.
pub(crate) type Said<T = ()> = Result<T, Lack>;

/// As much of what was seen as is kept.
const SHOWN: usize = 500;

pub(crate) fn missing<T>(why: impl Into<String>) -> Said<T> {
    Err(Lack::Missing(why.into()))
}

pub(crate) fn broken<T>(why: impl Into<String>) -> Said<T> {
    let mut why: String = why.into();
    if let Some((at, _)) = why.char_indices().nth(SHOWN) {
        why.truncate(at);
        why.push('…');
    }
    Err(Lack::Broken(why))
}

/// Broken, with what was seen, unless this holds.
pub(crate) fn hold(right: bool, what: &str, seen: &str) -> Said {
    if right { Ok(()) } else { broken(format!("{what}: {seen}")) }
}

/// Missing unless this holds.
pub(crate) fn need(there: bool, what: &str) -> Said {
    if there { Ok(()) } else { missing(what) }
}

/// Any fault of a connection.
impl<E: std::error::Error> From<E> for Lack {
    fn from(error: E) -> Lack {
        Lack::Broken(error.to_string())
    }
}

/// One word for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// As specified.
    Passes,
    /// Not there.
    Missing,
    /// There, and otherwise than specified.
    Broken,
}

/// The outcome of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The word.
    pub passes: Seen,
    /// What was seen, if it does not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Outcomes of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// Its name and version.
    pub software: String,
    /// By the key of the row.
    pub rows: BTreeMap<String, Verdict>,
}
