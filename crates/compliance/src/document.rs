//! The page of the repository: what several servers do, row by row.
//!
//! Not here: asking them.

use std::fmt::Write as _;

use crate::rows::{Level, Row};
use crate::verdict::{Results, Seen};

const HEAD: &str = "<!-- Written by `make compliance`. Do not edit. -->

# Compliance

What the server does of the [XMPP Compliance Suites](https://xmpp.org/extensions/xep-0479.html) (XEP-0479 0.1.0, of 2023,
the newest), of what they name without requiring it, and of specifications that are newer. Each row is an exchange over
the wire that shows the behaviour, not only that it is announced; `crates/compliance` has them. A row without an exchange
that passed is shown as missing.

- **passes**: as specified
- missing: not there, or not announced
- **broken**: there, and otherwise than specified; what was seen stands below the table
- n/a: for clients only

`make compliance` builds the server, starts it on loopback and writes the first column of this page.
`make compliance-peers` does the same with [Prosody and ejabberd as Debian packages them](../interop/peers/README.md), with
the modules that Debian has; newer releases and modules from elsewhere can do more. `detente-compliance ask --help` tells how
to ask any other server.

";

fn level(level: Level) -> &'static str {
    match level {
        Level::Core => "server",
        Level::Advanced => "advanced server",
        Level::Noted => "of note",
        Level::Beyond => "beyond",
        Level::Client => "clients",
    }
}

/// The page. The first results are ours.
pub fn document(rows: &[Row], results: &[Results]) -> String {
    let mut out = String::from(HEAD);
    summary(&mut out, rows, results);
    let mut suites: Vec<&str> = rows.iter().map(|row| row.suite).collect();
    suites.dedup();
    for suite in suites {
        let _ = write!(out, "## {suite}\n\n| specification | | level | what is tried |");
        results.iter().for_each(|one| _ = write!(out, " {} |", one.software));
        let _ = write!(out, "\n|---|---|---|---|{}\n", "---|".repeat(results.len()));
        let mut notes = String::new();
        for row in rows.iter().filter(|row| row.suite == suite) {
            line(&mut out, &mut notes, row, results);
        }
        if !notes.is_empty() {
            let _ = write!(out, "\n{notes}");
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// How many rows of each level pass.
fn summary(out: &mut String, rows: &[Row], results: &[Results]) {
    let _ = write!(out, "| rows that pass |");
    results.iter().for_each(|one| _ = write!(out, " {} |", one.software));
    let _ = write!(out, "\n|---|{}\n", "---|".repeat(results.len()));
    for wanted in [Level::Core, Level::Advanced, Level::Noted, Level::Beyond] {
        let here: Vec<String> = rows.iter().filter(|row| row.level == wanted).map(Row::key).collect();
        let _ = write!(out, "| {} |", level(wanted));
        for one in results {
            let passes =
                |key: &&String| one.rows.get(*key).is_some_and(|verdict| verdict.passes == Seen::Passes);
            let _ = write!(out, " {} of {} |", here.iter().filter(passes).count(), here.len());
        }
        out.push('\n');
    }
    out.push('\n');
}

fn line(out: &mut String, notes: &mut String, row: &Row, results: &[Results]) {
    let _ = write!(out, "| {} | {} | {} | {} |", row.spec, row.title, level(row.level), cell(row.tried));
    for one in results {
        let word = match (row.run, one.rows.get(&row.key())) {
            (None, _) => "n/a",
            (_, None) => "missing",
            (_, Some(verdict)) => {
                if !verdict.why.is_empty() {
                    let _ = writeln!(
                        notes,
                        "- {}, {}, {}: `{}`",
                        row.spec,
                        row.title,
                        one.software,
                        code(&verdict.why)
                    );
                }
                match verdict.passes {
                    Seen::Passes => "**passes**",
                    Seen::Missing => "missing",
                    Seen::Broken => "**broken**",
                }
            }
        };
        let _ = write!(out, " {word} |");
    }
    out.push('\n');
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn code(text: &str) -> String {
    text.replace('`', "'").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::rows::all;

    #[test]
    fn a_row_that_was_not_asked_is_missing() {
        let rows = all();
        let passed = Verdict { passes: Seen::Passes, why: String::new() };
        let results = Results { software: "X 1".into(), rows: [(rows[0].key(), passed)].into() };
        let page = document(&rows, &[results]);
        assert_eq!(page.matches("| **passes** |").count(), 1);
        let asked = rows.iter().filter(|row| row.run.is_some()).count();
        assert_eq!(page.matches(" missing |").count(), asked - 1);
        assert_eq!(page.matches(" n/a |").count(), rows.len() - asked);
    }

    #[test]
    fn the_page_has_all_rows() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compliance.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        for row in all() {
            let begins = format!("| {} | {} | {} |", row.spec, row.title, level(row.level));
            assert!(
                page.contains(&begins),
                "{} is not in docs/compliance.md: run `make compliance`",
                row.key()
            );
        }
    }
}
