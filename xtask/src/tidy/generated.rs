//! Generated documents agree with the features' cards, and so do the headers of the features' files.
//!
//! Not here: how the documents look; see `xeps`.

use std::path::Path;

use super::{Finding, header_lines};
use crate::xeps::{self, Row};

/// What is out of step. `note` hears why nothing could be compared, where that is no fault.
pub(crate) fn check(root: &Path, note: &mut dyn FnMut(&str)) -> Vec<Finding> {
    let rows = match xeps::rows(root) {
        Ok(rows) => rows,
        // While there are no documents there is nothing to keep in step.
        Err(why) if !xeps::DOCUMENTS.iter().any(|path| root.join(path).exists()) => {
            note(&format!("the list of XEPs is not checked: {why}"));
            return Vec::new();
        }
        Err(why) => {
            let what = format!("the cards cannot be read: {why}");
            return vec![Finding::new(xeps::DOCUMENTS[0], 1, what, "mend `detente xeps --json`")];
        }
    };
    let mut out: Vec<Finding> = xeps::stale(root, &rows)
        .into_iter()
        .map(|path| Finding::new(path, 1, "the file does not agree with the cards", "run `cargo xtask xeps`"))
        .collect();
    for row in &rows {
        let text = std::fs::read_to_string(root.join(&row.path)).ok();
        out.extend(header(row, text.as_deref()));
    }
    out
}

/// The file that a row names exists, and its header says the same number and version as the card.
fn header(row: &Row, text: Option<&str>) -> Option<Finding> {
    let id = row.id();
    let Some(text) = text else {
        let what = format!("the card of {id} names this file, which does not exist");
        return Some(Finding::new(&row.path, 1, what, "mend `where` in the card"));
    };
    let header = header_lines(text).join(" ");
    let Some(at) = header.find(&id) else {
        let mend = "add the number to the header, or mend the card";
        return Some(Finding::new(&row.path, 1, format!("the card says {id}, the header does not"), mend));
    };
    // "XEP-0280 1.0.1 (complete)": a version may follow the number.
    let next = header[at + id.len()..].trim_start().split([' ', ',', ';', ')']).next().unwrap_or_default();
    let next = next.trim_end_matches('.');
    let is_version = next.contains('.') && next.starts_with(|c: char| c.is_ascii_digit());
    let card = row.version.as_deref().unwrap_or(next);
    let what = format!("the header says {id} {next}, the card says {card}");
    (is_version && next != card).then(|| Finding::new(&row.path, 1, what, "make them agree"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_agree_with_cards() {
        let row = &xeps::parse(xeps::FIXTURE).unwrap()[0];
        assert_eq!(row.id(), "XEP-0280");
        let cases = [
            (Some("//! Carbons.\n//!\n//! XEP-0280 1.0.1 (complete), XEP-0297 1.0\n"), None),
            (Some("//! Carbons (XEP-0280).\n"), None),
            (Some("//! XEP-0280 0.9.\n"), Some("the header says XEP-0280 0.9, the card says 1.0.1")),
            (Some("//! Carbons.\n"), Some("the card says XEP-0280, the header does not")),
            (None, Some("which does not exist")),
        ];
        for (text, want) in cases {
            let got = header(row, text);
            assert_eq!(got.is_some(), want.is_some(), "{text:?} {got:?}");
            assert!(want.is_none_or(|w| got.unwrap().what.contains(w)), "{text:?}");
        }
    }
}
