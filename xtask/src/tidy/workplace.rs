//! Files say nothing about the machine that they were written on.
//!
//! Not here: secrets; nothing here could know them.

use super::finding::Finding;

/// Beginnings of absolute paths that exist on a developer's machine only.
/// In two parts, so that this file does not hold what it looks for.
const FOLDERS: [(&str, &str); 4] = [("/wo", "rk/"), ("/tmp/", "wt"), ("/Us", "ers/"), ("/home/", "runner/")];
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
const NPM: &str = "https://registry.npmjs.org/";

/// Traces of a workplace in one file of any kind.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let found = if let Some(folder) = local_path(line) {
            Some((
                format!("a path below `{folder}` exists on one machine only"),
                "write it from the repository's root",
            ))
        } else {
            registry(path, name, line)
        };
        out.extend(found.map(|(what, mend)| Finding::new(path, i + 1, what, mend)));
    }
    out
}

fn local_path(line: &str) -> Option<String> {
    FOLDERS.iter().map(|(a, b)| format!("{a}{b}")).find(|folder| {
        line.match_indices(folder.as_str()).any(|(at, _)| {
            let before = line[..at].chars().last();
            before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | '*' | '}' | '/'))
        })
    })
}

/// A registry that not everyone uses, in a lock file or in the settings of a package tool.
fn registry(path: &str, name: &str, line: &str) -> Option<(String, &'static str)> {
    let line = line.trim();
    match name {
        "Cargo.lock" if line.starts_with("source =") && line != CRATES_IO => {
            Some((format!("`{line}` is not crates.io"), "depend on a published version"))
        }
        "package-lock.json" | "npm-shrinkwrap.json" if line.starts_with("\"resolved\":") => Some((
            "a `resolved` key names a registry host".to_owned(),
            "set `omit-lockfile-registry-resolved=true`",
        )),
        "yarn.lock" | "pnpm-lock.yaml" if line.contains("://") && !line.contains(NPM) => {
            Some(("another registry host than npm's".to_owned(), "lock against the standard registry"))
        }
        ".npmrc" if line.contains("registry=") && !line.contains(NPM) => {
            Some((format!("`{line}` is not npm's registry"), "keep it in your own settings"))
        }
        _ if path.contains(".cargo/config")
            && (line.starts_with("[source") || line.starts_with("[registr")) =>
        {
            Some((format!("`{line}` redirects crates.io"), "keep it in your own settings"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(path, text).iter().map(|f| f.line).collect()
    }

    #[test]
    fn local_paths_are_found_and_the_like_is_not() {
        let (work, users) = (format!("{}{}", "/wo", "rk/"), format!("{}{}", "/Us", "ers/"));
        let text =
            format!("see {work}a\nframe{work}b\n\"{users}x\"\nhttps://example.org{work}c\n./a{work}d\n");
        assert_eq!(found("README.md", &text), [1, 3]);
    }

    #[test]
    fn lock_files_name_only_the_standard_registry() {
        let lock = format!("[[package]]\n{CRATES_IO}\nsource = \"git+https://example.org/a#1\"\n");
        assert_eq!(found("Cargo.lock", &lock), [3]);
        assert_eq!(found("fuzz/Cargo.lock", &lock), [3]);
        assert!(found("docs/a.md", &lock).is_empty());
        assert_eq!(
            found("web/package-lock.json", "{\n  \"resolved\": \"https://example.org/a.tgz\",\n"),
            [2]
        );
        assert_eq!(found(".cargo/config.toml", "[alias]\n[source.crates-io]\n"), [2]);
        assert_eq!(
            found("web/.npmrc", "registry=https://registry.npmjs.org/\nregistry=http://localhost/\n"),
            [2]
        );
    }
}
