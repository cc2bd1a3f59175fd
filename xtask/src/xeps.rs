//! `cargo xtask xeps`: the list of specifications, for people and for machines, from the features' cards.
//!
//! XEP-0453 0.1.2 (the form of docs/doap.xml)
//!
//! Not here: the cards. The program prints them as JSON: `detente xeps --json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde::Deserialize;

use crate::titles;

/// What is written, from the root.
pub(crate) const DOCUMENTS: [&str; 2] = ["docs/xeps.md", "docs/doap.xml"];
/// RFCs that xmpp.org has a page for; software lists look for those addresses.
const XMPP_RFCS: [&str; 9] = ["6120", "6121", "6122", "7395", "7590", "7622", "7702", "7712", "8600"];
/// The statuses of XEP-0453.
const STATUSES: [&str; 6] = ["complete", "partial", "planned", "deprecated", "removed", "wontfix"];

/// Whether to write the documents or to compare them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    Write,
    Check,
}

/// One specification as one feature implements it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    xep: Option<String>,
    rfc: Option<String>,
    pub(crate) version: Option<String>,
    status: String,
    name: String,
    /// The file, from the root.
    #[serde(rename = "where")]
    pub(crate) path: String,
    #[serde(default)]
    note: Option<String>,
}

impl Row {
    /// `XEP-0280` or `RFC 6121`.
    pub(crate) fn id(&self) -> String {
        match (&self.xep, &self.rfc) {
            (Some(xep), _) => format!("XEP-{xep}"),
            (None, rfc) => format!("RFC {}", rfc.as_deref().unwrap_or("?")),
        }
    }

    /// What the specification calls itself.
    fn title(&self) -> Option<&'static str> {
        let number = self.xep.as_deref().or(self.rfc.as_deref())?;
        titles::title(self.xep.is_some(), number)
    }

    fn wrong(&self) -> Option<String> {
        let number = match (&self.xep, &self.rfc) {
            (Some(number), None) | (None, Some(number)) => number,
            _ => return Some(format!("\"{}\" needs either `xep` or `rfc`", self.name)),
        };
        if number.len() != 4 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Some(format!("\"{number}\" is not a number of four digits"));
        }
        if self.title().is_none() {
            return Some(format!("{} has no title: add it to xtask/src/titles.rs", self.id()));
        }
        let known = STATUSES.contains(&self.status.as_str());
        (!known).then(|| format!("{}: the status \"{}\" is not one of {STATUSES:?}", self.id(), self.status))
    }
}

/// Does the chore.
pub(crate) fn run(root: &Path, mode: Mode) -> ExitCode {
    let rows = match rows(root) {
        Ok(rows) => rows,
        Err(why) => {
            eprintln!("xeps: {why}");
            return ExitCode::FAILURE;
        }
    };
    let stale = stale(root, &rows);
    for path in &stale {
        let written = match mode {
            Mode::Write => std::fs::write(root.join(path), render(path, &rows)),
            Mode::Check => Ok(()),
        };
        match (mode, written) {
            (_, Err(e)) => {
                eprintln!("xeps: {path}: {e}");
                return ExitCode::FAILURE;
            }
            (Mode::Write, _) => println!("{path}: written"),
            (Mode::Check, _) => println!("{path}:1: does not agree with the cards; run `cargo xtask xeps`"),
        }
    }
    println!("xeps: {} rows, {} of {} documents were stale", rows.len(), stale.len(), DOCUMENTS.len());
    if mode == Mode::Check && !stale.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Asks the program for its cards.
pub(crate) fn rows(root: &Path) -> Result<Vec<Row>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["run", "-q", "-p", "detente", "--", "xeps", "--json"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo does not run: {e}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let said = said.lines().find(|l| !l.trim().is_empty()).unwrap_or("it says nothing");
        return Err(format!("`detente xeps --json` failed: {said}"));
    }
    parse(&String::from_utf8_lossy(&out.stdout))
}

/// Reads the JSON; the rows come in the order in which they are shown.
pub(crate) fn parse(json: &str) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> =
        serde_json::from_str(json).map_err(|e| format!("`detente xeps --json` is not as agreed: {e}"))?;
    if let Some(wrong) = rows.iter().find_map(Row::wrong) {
        return Err(wrong);
    }
    rows.sort_by_key(|r| (r.xep.is_none(), r.id(), r.path.clone()));
    Ok(rows)
}

/// The documents that are not what the rows would give.
pub(crate) fn stale(root: &Path, rows: &[Row]) -> Vec<&'static str> {
    let same = |path: &str| std::fs::read_to_string(root.join(path)).is_ok_and(|t| t == render(path, rows));
    DOCUMENTS.into_iter().filter(|path| !same(path)).collect()
}

fn render(path: &str, rows: &[Row]) -> String {
    if path.ends_with(".xml") { doap(rows) } else { markdown(rows) }
}

/// One specification with all the rows that speak of it.
struct Specification<'a> {
    first: &'a Row,
    rows: Vec<&'a Row>,
}

impl<'a> Specification<'a> {
    fn all(rows: &'a [Row], xeps: bool) -> Vec<Self> {
        let mut by_id: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for row in rows.iter().filter(|r| r.xep.is_some() == xeps) {
            by_id.entry(row.id()).or_default().push(row);
        }
        by_id.into_values().map(|rows| Self { first: rows[0], rows }).collect()
    }

    /// The least that any of the rows claims.
    fn status(&self) -> &str {
        let all = self.rows.iter().all(|r| r.status == self.first.status);
        if all { &self.first.status } else { "partial" }
    }

    fn notes(&self) -> String {
        let notes: Vec<&str> =
            self.rows.iter().filter_map(|r| r.note.as_deref()).filter(|n| !n.is_empty()).collect();
        notes.join(" ")
    }

    fn url(&self) -> String {
        match (&self.first.xep, &self.first.rfc) {
            (Some(xep), _) => format!("https://xmpp.org/extensions/xep-{xep}.html"),
            (None, Some(rfc)) if XMPP_RFCS.contains(&rfc.as_str()) => {
                format!("https://xmpp.org/rfcs/rfc{rfc}.html")
            }
            (None, rfc) => {
                format!("https://www.rfc-editor.org/rfc/rfc{}.html", rfc.as_deref().unwrap_or_default())
            }
        }
    }
}

fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "<!-- Written by `cargo xtask xeps` from the features' cards. Do not edit. -->\n\n\
         # Specifications\n\n\
         What Détente implements, in which version, and where. \"Partial\" says in the last column what is missing.\n",
    );
    for (title, xeps) in [("RFCs", false), ("XEPs", true)] {
        let specifications = Specification::all(rows, xeps);
        if specifications.is_empty() {
            continue;
        }
        _ = write!(
            out,
            "\n## {title}\n\n| number | name | version | status | where | note |\n|---|---|---|---|---|---|\n"
        );
        for s in &specifications {
            let files: Vec<String> = s.rows.iter().map(|r| file_link(&r.path)).collect();
            _ = writeln!(
                out,
                "| [{}]({}) | {} | {} | {} | {} | {} |",
                s.first.id(),
                s.url(),
                cell(s.first.title().unwrap_or_default()),
                cell(s.first.version.as_deref().unwrap_or_default()),
                s.status(),
                files.join(", "),
                cell(&s.notes()),
            );
        }
    }
    out
}

fn file_link(path: &str) -> String {
    let name = path.strip_prefix("crates/").unwrap_or(path).replacen("/src/", "/", 1);
    format!("[{name}](../{path})")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

const DOAP_HEAD: &str = "\
<?xml version='1.0' encoding='UTF-8'?>
<!-- Written by `cargo xtask xeps` from the features' cards. Do not edit. -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
         xmlns='http://usefulinc.com/ns/doap#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project>
    <name>Détente</name>
    <shortdesc xml:lang='en'>XMPP server in one program</shortdesc>
    <license rdf:resource='https://spdx.org/licenses/Apache-2.0.html'/>
    <license rdf:resource='https://spdx.org/licenses/MIT.html'/>
    <programming-language>Rust</programming-language>
    <os>Linux</os>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
";

fn doap(rows: &[Row]) -> String {
    let mut out = DOAP_HEAD.to_owned();
    for s in Specification::all(rows, false) {
        _ = writeln!(out, "    <implements rdf:resource='{}'/>", s.url());
    }
    for s in Specification::all(rows, true) {
        _ = write!(
            out,
            "    <implements>\n      <xmpp:SupportedXep>\n        <xmpp:xep rdf:resource='{}'/>\n        \
             <xmpp:status>{}</xmpp:status>\n",
            s.url(),
            s.status(),
        );
        if let Some(version) = &s.first.version {
            _ = writeln!(out, "        <xmpp:version>{}</xmpp:version>", escape(version));
        }
        if !s.notes().is_empty() {
            _ = writeln!(out, "        <xmpp:note xml:lang='en'>{}</xmpp:note>", escape(&s.notes()));
        }
        out.push_str("      </xmpp:SupportedXep>\n    </implements>\n");
    }
    out.push_str("  </Project>\n</rdf:RDF>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What `detente xeps --json` prints, in small.
#[cfg(test)]
pub(crate) const FIXTURE: &str = r#"[
  {"rfc":"6121","status":"complete","name":"Instant Messaging and Presence","where":"crates/kernel/src/lib.rs","note":""},
  {"xep":"0297","version":"1.0","status":"complete","name":"Stanza Forwarding","where":"crates/stanza/src/forward.rs"},
  {"xep":"0280","version":"1.0.1","status":"complete","name":"Message Carbons","where":"crates/features/src/carbons.rs","note":"a|b & c"},
  {"xep":"0297","version":"1.0","status":"partial","name":"Stanza Forwarding","where":"crates/features/src/carbons.rs","note":"no delay"},
  {"rfc":"5802","status":"partial","name":"SCRAM","where":"crates/sasl/src/scram.rs"}
]"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_has_one_line_for_each_specification() {
        let text = markdown(&parse(FIXTURE).unwrap());
        let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("| [")).collect();
        let want = [
            "| [RFC 5802](https://www.rfc-editor.org/rfc/rfc5802.html) | Salted Challenge Response Authentication Mechanism (SCRAM) |  | partial | [sasl/scram.rs](../crates/sasl/src/scram.rs) |  |",
            "| [RFC 6121](https://xmpp.org/rfcs/rfc6121.html) | XMPP: Instant Messaging and Presence |  | complete | [kernel/lib.rs](../crates/kernel/src/lib.rs) |  |",
            "| [XEP-0280](https://xmpp.org/extensions/xep-0280.html) | Message Carbons | 1.0.1 | complete | [features/carbons.rs](../crates/features/src/carbons.rs) | a\\|b & c |",
            "| [XEP-0297](https://xmpp.org/extensions/xep-0297.html) | Stanza Forwarding | 1.0 | partial | [features/carbons.rs](../crates/features/src/carbons.rs), [stanza/forward.rs](../crates/stanza/src/forward.rs) | no delay |",
        ];
        assert_eq!(lines, want);
    }

    #[test]
    fn doap_names_every_specification_once() {
        let text = doap(&parse(FIXTURE).unwrap());
        assert_eq!(text.matches("<implements").count(), 4);
        assert_eq!(text.matches("</implements>").count(), 2);
        assert_eq!(text.matches("xep-0297.html").count(), 1);
        assert!(text.contains("<xmpp:note xml:lang='en'>a|b &amp; c</xmpp:note>"));
        assert!(text.ends_with("</rdf:RDF>\n"));
    }

    #[test]
    fn wrong_rows_are_refused_with_a_reason() {
        let row = |rest: &str| format!("[{{\"name\":\"A\",\"where\":\"a.rs\",{rest}}}]");
        let cases = [
            ("\"status\":\"complete\"", "needs either `xep` or `rfc`"),
            ("\"xep\":\"30\",\"status\":\"complete\"", "not a number of four digits"),
            ("\"xep\":\"0030\",\"status\":\"done\"", "the status \"done\""),
            ("\"xep\":\"0000\",\"status\":\"complete\"", "has no title"),
            ("\"xep\":\"0030\",\"status\":\"complete\",\"typo\":1", "not as agreed"),
        ];
        for (rest, want) in cases {
            let got = parse(&row(rest)).unwrap_err();
            assert!(got.contains(want), "{got}");
        }
        assert!(parse("").unwrap_err().contains("not as agreed"));
    }

    #[test]
    fn documents_that_are_missing_are_stale() {
        let rows = parse(FIXTURE).unwrap();
        assert_eq!(stale(Path::new("/nonexistent"), &rows), DOCUMENTS);
    }
}
