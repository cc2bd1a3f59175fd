//! What a check found: for people and for programs.
//!
//! Not here: the checks.

use admin::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::show;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// It works, and could work better.
    Better,
    /// Something does not work.
    Wrong,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Better => "better",
            Level::Wrong => "wrong",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Level::Ok => "ok     ",
            Level::Note => "note   ",
            Level::Better => "better ",
            Level::Wrong => "WRONG  ",
        }
    }
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// What it is about.
    pub(crate) about: String,
    /// What was found.
    pub(crate) found: String,
    /// What to do: in DNS the exact record.
    pub(crate) todo: Option<String>,
}

impl Finding {
    pub(crate) fn ok(about: impl Into<String>, found: impl Into<String>) -> Finding {
        Finding { level: Level::Ok, about: about.into(), found: found.into(), todo: None }
    }

    pub(crate) fn new(
        level: Level,
        about: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Finding {
        Finding { level, about: about.into(), found: found.into(), todo: Some(todo.into()) }
    }
}

/// Shows them.
///
/// # Errors
/// One of them is wrong.
pub(crate) fn report(findings: &[Finding], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let one = |finding: &Finding| json!({ "level": finding.level.name(), "about": finding.about, "found": finding.found, "todo": finding.todo });
        show::json(&findings.iter().map(one).collect::<Value>())?;
    } else {
        for finding in findings {
            println!("{}{}: {}", finding.level.mark(), plain(&finding.about), plain(&finding.found));
            if let Some(todo) = &finding.todo {
                println!("       -> {}", plain(todo));
            }
        }
    }
    match findings.iter().filter(|finding| finding.level == Level::Wrong).count() {
        0 => Ok(()),
        1 => Err(Failure::new(FailureKind::Failed, "1 thing is wrong")),
        n => Err(Failure::new(FailureKind::Failed, format_args!("{n} things are wrong"))),
    }
}

/// Names come from DNS and certificates: nothing of theirs may move the cursor.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
