//! What is wrong with a configuration: where, what, and what to do about it.
//!
//! Not here: finding it (`walk.rs`, `meaning.rs`, `files.rs`).

use std::fmt;
use std::path::PathBuf;

/// Whether the server can run all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It cannot.
    Error,
    /// It can, but somebody should look at it.
    Warning,
}

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file.
    Line {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The whole line.
        text: String,
        /// How many characters are meant.
        width: usize,
    },
    /// In a file as a whole, this one or another.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub level: Level,
    /// Where it is.
    pub place: Place,
    /// What is wrong, in one line.
    pub what: String,
    /// What to do, in one line.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        writeln!(f, "{level}: {}", self.what)?;
        match &self.place {
            Place::Line { file, line, column, text, width } => {
                let number = line.to_string();
                let margin = " ".repeat(number.len());
                // A tab before the mark must be as wide as the tab above it.
                let before: String =
                    text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                writeln!(f, "{margin}--> {}:{line}:{column}", file.display())?;
                writeln!(f, "{margin} |")?;
                writeln!(f, "{number} | {text}")?;
                writeln!(f, "{margin} | {before}{}", "^".repeat((*width).max(1)))?;
                write!(f, "{margin} = {}", self.fix)
            }
            Place::File(file) => write!(f, " --> {}\n  = {}", file.display(), self.fix),
            Place::Variable(name) => write!(f, " --> the environment variable {name}\n  = {}", self.fix),
        }
    }
}

impl std::error::Error for Fault {}
