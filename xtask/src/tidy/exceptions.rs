//! `tidy.toml`: the exceptions to the rules, one line each, with a reason.
//!
//! Not here: what the rules are. An exception that nothing needs any more is itself a finding.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::finding::Finding;

/// The file's name, from the root.
pub(crate) const PATH: &str = "tidy.toml";

/// A budget that one file or function may exceed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) max: usize,
    why: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Lines {
    files: BTreeMap<String, Budget>,
    functions: BTreeMap<String, Budget>,
    arrows: BTreeMap<String, String>,
    dependencies: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
}

/// All exceptions, and which of them were needed.
#[derive(Default)]
pub(crate) struct Exceptions {
    lines: Lines,
    text: String,
    used: RefCell<BTreeSet<String>>,
}

impl Exceptions {
    pub(crate) fn read(text: &str) -> Result<Self, Finding> {
        let lines: Lines = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| super::lex::line_of(text, span.start));
            Finding::new(
                PATH,
                line,
                e.message().replace('\n', " "),
                "see the comments at the top of the file",
            )
        })?;
        Ok(Self { lines, text: text.to_owned(), used: RefCell::default() })
    }

    /// The exception for a file's length.
    pub(crate) fn file(&self, path: &str) -> Option<Budget> {
        self.lines.files.get(path).inspect(|_| self.note(path)).cloned()
    }

    /// The exception for a function's length; the key is `path::name`.
    pub(crate) fn function(&self, key: &str) -> Option<Budget> {
        self.lines.functions.get(key).inspect(|_| self.note(key)).cloned()
    }

    /// Whether an arrow `from -> to` between our crates is allowed.
    pub(crate) fn arrow(&self, from: &str, to: &str) -> bool {
        let key = format!("{from} -> {to}");
        self.lines.arrows.get(&key).inspect(|_| self.note(&key)).is_some()
    }

    /// Whether `krate` may depend on a forbidden `package`.
    pub(crate) fn dependency(&self, krate: &str, package: &str) -> bool {
        let key = format!("{krate} -> {package}");
        self.lines.dependencies.get(&key).inspect(|_| self.note(&key)).is_some()
    }

    /// Whether the file may use a forbidden token; the key is `path token`.
    pub(crate) fn token(&self, path: &str, token: &str) -> bool {
        let key = format!("{path} {token}");
        self.lines.tokens.get(&key).inspect(|_| self.note(&key)).is_some()
    }

    /// Where the exception `key` stands.
    pub(crate) fn line(&self, key: &str) -> usize {
        let quoted = format!("\"{key}\"");
        self.text.lines().position(|l| l.trim_start().starts_with(&quoted)).map_or(1, |i| i + 1)
    }

    /// Exceptions that nothing asked for, and such as have no reason.
    pub(crate) fn leftovers(&self) -> Vec<Finding> {
        let l = &self.lines;
        let budgets = l.files.iter().chain(&l.functions).map(|(key, b)| (key, &b.why));
        let reasons = l.arrows.iter().chain(&l.dependencies).chain(&l.tokens);
        let mut out = Vec::new();
        for (key, why) in budgets.chain(reasons) {
            let line = self.line(key);
            if why.trim().len() < 10 {
                out.push(Finding::new(
                    PATH,
                    line,
                    format!("`{key}` has no reason"),
                    "say why in one sentence",
                ));
            }
            if !self.used.borrow().contains(key) {
                let what = format!("the exception `{key}` is stale: nothing needs it");
                out.push(Finding::new(PATH, line, what, "delete the line"));
            }
        }
        out
    }

    fn note(&self, key: &str) {
        self.used.borrow_mut().insert(key.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
[files]
\"a.rs\" = { max = 700, why = \"a table that reads best whole\" }
[arrows]
\"a -> b\" = \"short\"
";

    #[test]
    fn unused_and_unexplained_lines_are_findings() {
        let exceptions = Exceptions::read(TEXT).unwrap();
        assert!(exceptions.arrow("a", "b"));
        assert!(!exceptions.arrow("b", "a"));
        let got: Vec<String> = exceptions.leftovers().iter().map(ToString::to_string).collect();
        assert_eq!(got.len(), 2);
        assert!(got[0].starts_with("tidy.toml:3: the exception `a.rs` is stale"), "{got:?}");
        assert!(got[1].starts_with("tidy.toml:5: `a -> b` has no reason"), "{got:?}");
    }

    #[test]
    fn a_wrong_file_is_one_finding_with_its_line() {
        let finding = Exceptions::read("[files]\n\"a.rs\" = { max = 7 }\n").err().unwrap();
        assert_eq!((finding.path.as_str(), finding.line), ("tidy.toml", 2));
    }
}
