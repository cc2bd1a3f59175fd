//! Answers for people and for programs.
//!
//! Not here: where they come from.

use admin::{Failure, FailureKind};
use serde_json::Value;

/// Columns for sessions.
pub(crate) const SESSION: &[&str] = &["jid", "priority", "ip", "transport", "mechanism", "software"];

/// For programs.
///
/// # Errors
/// Standard output is gone.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(FailureKind::Failed, e))?;
    println!("{text}");
    Ok(())
}

/// One fact on a line.
pub(crate) fn facts(value: &Value, names: &[&str]) {
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0) + 1;
    for name in names {
        println!("{:<width$} {}", format!("{name}:"), word(&value[*name]));
    }
}

/// One row on a line, under a head.
pub(crate) fn table(rows: &[Value], columns: &[&str]) {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| word(&row[*column])).collect()).collect();
    let width = |at: usize| {
        let widest = cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        widest.max(columns[at].len())
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let print = |row: &[String]| {
        let row: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", row.join("  ").trim_end());
    };
    print(&columns.iter().map(|column| column.to_uppercase()).collect::<Vec<_>>());
    cells.iter().for_each(|row| print(row));
}

/// A value as people read it.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        // Names of software come from clients: nothing of theirs may move the cursor.
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        other => other.to_string(),
    }
}
