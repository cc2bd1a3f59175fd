//! Source of the core contains no clock, socket, file, thread, lock or dice.
//!
//! Not here: dependencies of crates; see `floors`.

use super::exceptions::Exceptions;
use super::finding::{Finding, RustFile};
use super::house;
use super::lex::{after_close, find_token, line_of};

/// Forbidden tokens in a file below the I/O line, outside tests.
pub(crate) fn check(file: &RustFile, exceptions: &Exceptions) -> Vec<Finding> {
    let in_core = file.krate().is_some_and(|krate| house::CORE.contains(&krate));
    if !in_core || file.is_test {
        return Vec::new();
    }
    let code = &file.source.production;
    let mut out = Vec::new();
    for (token, mend) in house::FORBIDDEN_TOKENS {
        let grouped = token.strip_prefix("std::").map(|rest| in_groups(code, rest)).unwrap_or_default();
        for at in find_token(code, token).chain(grouped) {
            if !exceptions.token(&file.path, token) {
                let what = format!("`{token}` below the I/O line");
                out.push(Finding::new(&file.path, line_of(code, at), what, mend));
            }
        }
    }
    out
}

/// Where `name` is imported by a group, as in `use std::{fmt, net::TcpStream}`.
fn in_groups(code: &str, name: &str) -> Vec<usize> {
    let mut out = Vec::new();
    for (start, opening) in code.match_indices("std::{") {
        let inside = start + opening.len();
        let end = after_close(code, inside - 1);
        let (mut depth, mut head) = (0usize, inside);
        for (i, b) in code.bytes().enumerate().take(end).skip(inside) {
            match b {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && (b == b',' || i + 1 == end) {
                let item = code[head..i].trim_start();
                if find_token(item, name).next() == Some(0) {
                    out.push(i - item.len());
                }
                head = i + 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&RustFile::new(path, text), &Exceptions::default()).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn clocks_and_sockets_are_found_in_the_core_only() {
        let text = "use std::time::Instant;\nfn a() { Instant::now(); }\nuse std::net::TcpStream;\n";
        assert_eq!(found("crates/kernel/src/lib.rs", text), [2, 3]);
        assert!(found("crates/net/src/lib.rs", text).is_empty());
    }

    #[test]
    fn groups_are_looked_into() {
        let text = "use std::{\n  collections::{BTreeMap, net},\n  net::TcpStream,\n  fs,\n};";
        assert_eq!(found("crates/xml/src/lib.rs", text), [3, 4]);
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let text =
            "// tokio::spawn\nconst A: &str = \"tokio::spawn\";\n#[cfg(test)]\nmod t { use std::fs; }\n";
        assert!(found("crates/xml/src/lib.rs", text).is_empty());
        assert!(found("crates/xml/tests/a.rs", "use std::fs;").is_empty());
    }

    #[test]
    fn an_exception_is_for_one_file_and_one_token() {
        let exceptions = "[tokens]\n\"crates/xml/src/a.rs std::env\" = \"only while it is built\"";
        let exceptions = Exceptions::read(exceptions).unwrap();
        let file = RustFile::new("crates/xml/src/a.rs", "use std::env;\nuse std::fs;");
        let found = check(&file, &exceptions);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
        assert!(exceptions.leftovers().is_empty());
    }
}
