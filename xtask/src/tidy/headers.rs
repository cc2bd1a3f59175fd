//! Every file says in its first lines what it is, after which specifications, and what is not in it.
//!
//! Not here: whether the numbers agree with the features' cards; see `generated`.

use super::finding::{Finding, RustFile};

/// The header of a file in `crates/*/src`.
pub(crate) fn check(file: &RustFile) -> Vec<Finding> {
    if file.krate().is_none() || file.is_test {
        return Vec::new();
    }
    let header = lines(&file.text);
    let finding = |what: &str, mend: &str| Finding::new(&file.path, 1, what, mend);
    if header.is_empty() {
        return vec![finding("the file has no header", "begin with `//! What this is, in one sentence.`")];
    }
    let mut out = Vec::new();
    if !first_paragraph(&header).ends_with(['.', '?', '!', ':']) {
        let mend = "begin with one sentence that says what the file is, ending in a full stop";
        out.push(finding("the header does not begin with a sentence", mend));
    }
    if !header.iter().any(|l| l.strip_prefix("Not here:").is_some_and(|rest| !rest.trim().is_empty())) {
        let mend = "add `//! Not here: ...`; if that is hard to write, the cut is wrong";
        out.push(finding("the header does not say what is not in the file", mend));
    }
    let is_root = file.path.ends_with("/lib.rs") || file.path.ends_with("/mod.rs");
    if file.krate() == Some("features") && !is_root && !names_specification(&header) {
        let mend = "add `//! XEP-0280 1.0.1 (complete)` or `//! RFC 6121 ...`; or `//! No XEP: why`";
        out.push(finding("the feature's header names no XEP or RFC", mend));
    }
    out
}

/// The text of the `//!` lines at the top.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.lines().map_while(|l| l.strip_prefix("//!")).map(str::trim).collect()
}

fn first_paragraph<'a>(header: &[&'a str]) -> &'a str {
    header.iter().take_while(|l| !l.is_empty()).last().copied().unwrap_or_default()
}

fn names_specification(header: &[&str]) -> bool {
    let number = |line: &str, prefix: &str| {
        line.match_indices(prefix).any(|(at, _)| {
            let digits = line[at + prefix.len()..].bytes().take_while(u8::is_ascii_digit).count();
            digits == 4
        })
    };
    header.iter().any(|l| number(l, "XEP-") || number(l, "RFC ") || l.starts_with("No XEP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&RustFile::new(path, text)).len()
    }

    #[test]
    fn a_header_has_a_sentence_and_a_boundary() {
        let cases = [
            ("use a;\n", 1),
            ("//! (empty room)\n", 2),
            ("//! What it is.\n//!\n//! Not here: the rest.\n", 0),
            ("//! What it is, at some\n//! length.\n//!\n//! Not here: the rest.\n", 0),
            ("//! What it is.\n//!\n//! Not here:\n", 1),
            ("//! What it is.\n\nuse a;\n//! Not here: too late.\n", 1),
        ];
        for (text, want) in cases {
            assert_eq!(found("crates/net/src/a.rs", text), want, "{text}");
        }
        assert_eq!(found("xtask/src/main.rs", "use a;"), 0);
        assert_eq!(found("crates/net/src/tests.rs", "use a;"), 0);
    }

    #[test]
    fn a_feature_names_its_numbers() {
        let cases = [
            ("XEP-0280 1.0.1 (complete)", 0),
            ("RFC 6121 section 2", 0),
            ("No XEP: our own.", 0),
            ("XEP-28", 1),
        ];
        for (line, want) in cases {
            let text = format!("//! What it is.\n//!\n//! {line}\n//!\n//! Not here: the rest.\n");
            assert_eq!(found("crates/features/src/a.rs", &text), want, "{line}");
            assert_eq!(found("crates/features/src/lib.rs", &text), 0);
        }
    }
}
