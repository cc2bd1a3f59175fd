//! `cargo xtask tidy`: the rules of the house, kept by machine.
//!
//! Not here: what rustfmt, clippy and cargo-deny check.

mod budgets;
mod core_tokens;
mod dead_files;
mod exceptions;
mod finding;
mod floors;
mod generated;
mod headers;
mod house;
mod lex;
mod namespaces;
mod unfinished;
mod workplace;

use std::path::Path;
use std::process::{Command, ExitCode};

use exceptions::Exceptions;
pub(crate) use finding::Finding;
use finding::RustFile;
use floors::Manifest;
pub(crate) use headers::lines as header_lines;

/// Checks everything, prints what is wrong, and fails if anything is.
pub(crate) fn run(root: &Path) -> ExitCode {
    let files = match tracked(root) {
        Ok(files) => files,
        Err(e) => {
            eprintln!("tidy: the files of {} cannot be listed: {e}", root.display());
            return ExitCode::from(2);
        }
    };
    let mut findings = check(&files);
    findings.extend(generated::check(root, &mut |note| eprintln!("tidy: {note}")));
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, no findings", files.len());
            ExitCode::SUCCESS
        }
        n => {
            println!("tidy: {n} {} in {} files", if n == 1 { "finding" } else { "findings" }, files.len());
            ExitCode::FAILURE
        }
    }
}

/// A text file: its path from the root, and its text.
type TextFile = (String, String);

/// All rules that look at nothing but the files.
fn check(files: &[TextFile]) -> Vec<Finding> {
    let text = |path: &str| files.iter().find(|(p, _)| p == path).map_or("", |(_, text)| text);
    let mut findings = Vec::new();
    let exceptions = Exceptions::read(text(exceptions::PATH)).unwrap_or_else(|finding| {
        findings.push(finding);
        Exceptions::default()
    });

    let mut manifests = Vec::new();
    for (path, toml) in files.iter().filter(|(path, _)| is_manifest(path)) {
        match Manifest::read(path, toml, text("Cargo.toml")) {
            Ok(manifest) => manifests.push(manifest),
            Err(finding) => findings.push(finding),
        }
    }
    findings.extend(floors::arrows(&manifests, &exceptions));
    findings.extend(floors::forbidden(&manifests, text("Cargo.lock"), &exceptions));

    let rust = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let mut rust: Vec<RustFile> = rust.map(|(path, text)| RustFile::new(path, text)).collect();
    finding::mark_test_modules(&mut rust);
    for file in &rust {
        findings.extend(core_tokens::check(file, &exceptions));
        findings.extend(budgets::check(file, &exceptions));
        findings.extend(headers::check(file));
        findings.extend(unfinished::check(file));
        findings.extend(namespaces::check(file));
    }
    findings.extend(dead_files::check(&rust));
    for (path, text) in files {
        findings.extend(workplace::check(path, text));
    }
    findings.extend(exceptions.leftovers());
    findings
}

/// Whether the file is the manifest of one of the workspace's crates.
fn is_manifest(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"])
}

/// The text files of the repository: those that git knows or would add, or all where there is no git.
fn tracked(root: &Path) -> std::io::Result<Vec<TextFile>> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let mut paths: Vec<String> = match git {
        Ok(out) if out.status.success() => {
            String::from_utf8_lossy(&out.stdout).split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walk(root)?,
    };
    paths.sort();
    paths.dedup();
    // A path that is not text, or was just deleted, has nothing to check.
    let read = |path: String| std::fs::read_to_string(root.join(&path)).ok().map(|text| (path, text));
    Ok(paths.into_iter().filter_map(read).collect())
}

/// All files below `root`, without what tools leave there.
fn walk(root: &Path) -> std::io::Result<Vec<String>> {
    const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "run"];
    let mut out = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.iter().any(|s| entry.file_name() == *s) {
                folders.push(entry.path());
            } else if let (true, Ok(path)) = (kind.is_file(), entry.path().strip_prefix(root)) {
                out.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_asked() {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let files = [
            file("Cargo.toml", "[workspace]\n"),
            file("Cargo.lock", "source = \"git+https://example.org/x\"\n"),
            file("tidy.toml", "[tokens]\n\"gone.rs dbg!\" = \"was needed once\"\n"),
            file("crates/xml/Cargo.toml", "[package]\nname = \"xml\"\n[dependencies]\ntokio = \"1\"\n"),
            file("crates/net/src/a.rs", "const A: &str = \"urn:xmpp:a\";\nfn b() { todo!() }\n"),
            file(
                "crates/xml/src/b.rs",
                &format!("//! It is.\n//! Not here: it.\nuse std::fs;{}", "\n".repeat(700)),
            ),
        ];
        let found: Vec<String> = check(&files).iter().map(ToString::to_string).collect();
        let all = found.join("\n");
        let want = [
            "is stale",
            "has no floor",
            "reaches `tokio`",
            "the wall is 600",
            "no header",
            "no file declares",
            "`todo!`",
            "urn:xmpp:a",
            "is not crates.io",
            "`std::fs` below",
        ];
        for part in want {
            assert!(all.contains(part), "{part}: {all}");
        }
    }
}
