//! Every source file belongs to a program: some other file declares it as its module.
//!
//! Not here: dead functions; the compiler finds those.

use std::collections::BTreeSet;

use super::finding::{Finding, RustFile};
use super::lex::{find_token, is_word};

/// Files in a `src` folder that nothing declares or names.
pub(crate) fn check(files: &[RustFile]) -> Vec<Finding> {
    let declared: BTreeSet<String> =
        files.iter().flat_map(|f| modules(&f.source.code).map(|name| f.module(name))).collect();
    let alive = |file: &&RustFile| {
        let path = file.path.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        // `#[path = "..."]` and `include!("...")` name the file itself.
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let named =
            |f: &RustFile| f.text.contains(&format!("/{name}\"")) || f.text.contains(&format!("\"{name}\""));
        is_root(&file.path) || declared.contains(path) || files.iter().any(named)
    };
    let dead = files.iter().filter(|f| f.path.contains("/src/")).filter(|f| !alive(f));
    let finding = |f: &RustFile| {
        Finding::new(
            &f.path,
            1,
            "no file declares this one as its module",
            "add `mod NAME;`, or delete the file",
        )
    };
    dead.map(finding).collect()
}

/// Files that cargo finds by itself.
fn is_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
}

/// The names in `mod name;`.
fn modules(code: &str) -> impl Iterator<Item = &str> {
    find_token(code, "mod").filter_map(|at| {
        let (name, _) = code[at + 3..].split_once(';')?;
        let name = name.trim();
        name.bytes().all(is_word).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_declaration_are_dead() {
        let files = [
            RustFile::new("crates/a/src/lib.rs", "mod b;\npub mod c;\n// mod f;\nmod x { mod f; }\nmod h {}"),
            RustFile::new("crates/a/src/b.rs", "pub(crate) mod d;\n#[path = \"odd/g.rs\"]\nmod e;"),
            RustFile::new("crates/a/src/b/d.rs", ""),
            RustFile::new("crates/a/src/c/mod.rs", ""),
            RustFile::new("crates/a/src/odd/g.rs", ""),
            RustFile::new("crates/a/src/bin/tool.rs", ""),
            RustFile::new("crates/a/src/h.rs", ""),
            RustFile::new("crates/a/tests/pair.rs", ""),
        ];
        let found: Vec<String> = check(&files).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["crates/a/src/h.rs"]);
    }
}
