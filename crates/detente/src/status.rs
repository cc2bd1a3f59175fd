//! `detente status`.
//!
//! Not here: what is measured (admin).

use admin::{Failure, FailureKind};
use serde_json::Value;

use crate::cli::Common;
use crate::reach::{Reach, args};
use crate::show;

pub(crate) fn run(common: &Common) -> Result<(), Failure> {
    let status = Reach::new(&common.config)?.run("status", args([]))?;
    match common.json {
        true => show::json(&status)?,
        false => print(&status),
    }
    match status["ready"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(Failure::new(FailureKind::Failed, "the server is not ready")),
    }
}

/// For people: numbers that are zero say nothing, but for a few.
fn print(status: &Value) {
    show::facts(status, &["version", "ready", "storage"]);
    let Some(measures) = status["measures"].as_object() else { return };
    let mut rows: Vec<(String, u64)> = Vec::new();
    for (name, value) in measures {
        let name = name.replace('_', " ");
        match value {
            Value::Object(labels) => {
                let some =
                    labels.iter().filter_map(|(label, n)| Some((label, n.as_u64().filter(|n| *n > 0)?)));
                rows.extend(some.map(|(label, n)| (format!("{name}, {}", label.replace('_', " ")), n)));
            }
            number => rows.extend(number.as_u64().map(|n| (name, n))),
        }
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 1;
    for (name, number) in rows {
        println!("{:<width$} {number}", format!("{name}:"));
    }
}
