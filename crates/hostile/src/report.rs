//! What came of an attack, as lines for a terminal and as a page for the repository.
//!
//! Not here: numbers in the page: it changes only when the rows do.

use std::fmt::Write as _;

use crate::client::Transport;
use crate::row::Row;
use crate::rows::Absent;
use crate::runner::{Depth, Summary};

/// A table for a terminal, then the faults.
pub fn lines(rows: &[Row], summary: &Summary, absent: &[Absent]) -> String {
    let mut out = String::new();
    for tried in &summary.rows {
        let title = rows.iter().find(|row| row.id == tried.id).map_or("", |row| row.title);
        let verdict = if tried.faults.is_empty() { "ok  " } else { "FAIL" };
        let used = tried.used.map(|(time, cpu, kib, worst)| {
            format!(
                "  {:>6} ms, cpu {:>5} ms, {:>6} KiB, witness {:>3} ms",
                time.as_millis(),
                cpu.as_millis(),
                kib,
                worst.as_millis()
            )
        });
        let used = used.unwrap_or_default();
        let _ = writeln!(out, "{verdict} {:<6} {:>4} runs{used}  {title}", tried.id, tried.runs);
        tried.faults.iter().for_each(|fault| _ = writeln!(out, "       {fault}"));
    }
    for absent in absent {
        let _ = writeln!(out, "-    {:<6} {}", absent.id, absent.why);
    }
    summary.faults.iter().for_each(|fault| _ = writeln!(out, "FAIL {fault}"));
    let runs: usize = summary.rows.iter().map(|row| row.runs).sum();
    let failed = summary.rows.iter().filter(|row| !row.faults.is_empty()).count();
    let _ = writeln!(
        out,
        "{} rows in {runs} executions, {failed} failed, {} not applicable; {} messages of witnesses; \
         the servers used {:.1} s of the processor",
        summary.rows.len(),
        absent.len(),
        summary.messages,
        summary.cpu.as_secs_f64()
    );
    out
}

const HEAD: &str = "# Bad input

What clients, other servers and components may send that they should not, and what the server does then. Each row runs as a test over STARTTLS (S),
direct TLS (D), WebSocket (W) and BOSH (B), against the program itself, from outside. After each, three things are looked
at: two other clients, who chat all the time, notice nothing; processor time and memory stayed within a budget; and the
log holds no failure, no secret and nothing of what was sent.

`make attack` runs all rows and writes this page; `make test` runs those that are quick (marked with a dot). The rows
stand in `crates/hostile/src/rows/`. \"SE\" is a stream error and the end of the stream, \"ST\" a stanza error, \"SASL\" a
failed login. In group G another server sends it (S, D), in group H a component (C).

";

const GROUPS: [(&str, &str); 10] = [
    ("A", "XML streams"),
    ("B", "TLS"),
    ("C", "Authentication"),
    ("D", "Binding and stream management"),
    ("E", "Stanzas and routing"),
    ("F", "Rooms, archives, nodes, commands"),
    ("G", "Other servers"),
    ("H", "Components"),
    ("I", "WebSocket, BOSH, HTTP, files"),
    ("J", "Registration, invitations, abuse"),
];

/// The page `docs/bad-input.md`, if all rows have passed.
pub fn document(rows: &[Row], absent: &[Absent]) -> String {
    let mut out = String::from(HEAD);
    for (group, title) in GROUPS {
        let _ =
            writeln!(out, "## {title}\n\n| id | | input | what must happen | on |\n|---|---|---|---|---|");
        for row in rows.iter().filter(|row| row.id.starts_with(group)) {
            let dot = if row.depth == Depth::Short { "·" } else { "" };
            let (title, expected) = (cell(row.title), cell(row.expected));
            let _ = writeln!(out, "| {} | {dot} | {title} | {expected} | {} |", row.id, letters(row));
        }
        let _ = writeln!(out, "\nNot applicable, or shown elsewhere:\n\n| id | why |\n|---|---|");
        for absent in absent.iter().filter(|absent| absent.id.starts_with(group)) {
            let _ = writeln!(out, "| {} | {} |", absent.id, cell(absent.why));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn letters(row: &Row) -> String {
    let letter = |transport| match transport {
        Transport::StartTls => 'S',
        Transport::Direct => 'D',
        Transport::WebSocket => 'W',
        Transport::Bosh => 'B',
    };
    match row.id.starts_with('H') {
        true => "C".to_owned(),
        false => row.transports().map(letter).collect(),
    }
}
