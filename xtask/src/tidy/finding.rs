//! What a rule reports, and the file it looks at.
//!
//! Not here: the rules.

use super::lex::Source;

/// Something that breaks a rule of the house.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), mend: mend.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.mend)
    }
}

/// A Rust file of the repository.
pub(crate) struct RustFile {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) source: Source,
    /// Nothing in the file is part of a program that is shipped.
    pub(crate) is_test: bool,
}

impl RustFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let source = Source::read(text);
        let is_test = source.all_test || is_test_path(path);
        Self { path: path.to_owned(), text: text.to_owned(), source, is_test }
    }

    /// The crate's folder name, for files in `crates/*/src`.
    pub(crate) fn krate(&self) -> Option<&str> {
        let (krate, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        rest.starts_with("src/").then_some(krate)
    }

    /// The paths that a module `name` declared in this file can have, without their ends.
    pub(crate) fn module(&self, name: &str) -> String {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        match file {
            "lib.rs" | "main.rs" | "mod.rs" => format!("{folder}/{name}"),
            _ => format!("{}/{name}", self.path.trim_end_matches(".rs")),
        }
    }
}

/// Whether the path alone says that a file is for tests, benchmarks, examples or fuzzing.
fn is_test_path(path: &str) -> bool {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    folders.split('/').any(|f| matches!(f, "tests" | "benches" | "examples" | "fuzz" | "fuzzing"))
        || matches!(stem, "tests" | "test")
        || stem.ends_with("_tests")
        || stem.ends_with("_test")
}

/// Marks the files that other files declare as `#[cfg(test)] mod name;`.
pub(crate) fn mark_test_modules(files: &mut [RustFile]) {
    let modules: Vec<String> =
        files.iter().flat_map(|f| f.source.test_modules.iter().map(|name| f.module(name))).collect();
    for file in files {
        let stem = file.path.trim_end_matches(".rs");
        let within =
            |m: &String| stem == m || stem.strip_prefix(m.as_str()).is_some_and(|r| r.starts_with('/'));
        file.is_test |= modules.iter().any(within);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_known_by_path_and_by_declaration() {
        let mut files = vec![
            RustFile::new("crates/a/src/lib.rs", "#[cfg(test)]\nmod vectors;\nmod real;"),
            RustFile::new("crates/a/src/vectors.rs", ""),
            RustFile::new("crates/a/src/vectors/more.rs", ""),
            RustFile::new("crates/a/src/real.rs", "#[cfg(test)]\nmod cases;"),
            RustFile::new("crates/a/src/real/cases.rs", ""),
            RustFile::new("crates/a/src/contest.rs", ""),
            RustFile::new("crates/a/src/scram_tests.rs", ""),
            RustFile::new("crates/a/tests/pair.rs", ""),
        ];
        mark_test_modules(&mut files);
        let got: Vec<bool> = files.iter().map(|f| f.is_test).collect();
        assert_eq!(got, [false, true, true, false, true, false, true, true]);
        assert_eq!(files[4].krate(), Some("a"));
        assert_eq!(files[7].krate(), None);
    }
}
