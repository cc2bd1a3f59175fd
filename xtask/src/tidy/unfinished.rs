//! Nothing unfinished, switched off or left over from debugging is committed.
//!
//! Not here: panics that are argued for; clippy's `unwrap_used` watches those.

use super::finding::{Finding, RustFile};
use super::lex::{find_token, line_of};

const TOKENS: [(&str, &str); 4] = [
    ("todo!", "write it, or leave it out and open an issue"),
    ("unimplemented!", "answer with an error that says so"),
    ("dbg!", "use `tracing`, or delete it"),
    ("#[ignore", "mend the test or delete it; a test that does not run shows nothing"),
];

/// Unfinished things in any Rust file, tests included.
pub(crate) fn check(file: &RustFile) -> Vec<Finding> {
    let code = &file.source.code;
    let found = TOKENS.iter().flat_map(|(token, mend)| {
        find_token(code, token).map(move |at| {
            Finding::new(&file.path, line_of(code, at), format!("`{token}` is not for commits"), *mend)
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_code_is_found_and_talk_about_it_is_not() {
        let text = "fn a() { todo!() }\n// todo!()\nlet a = \"dbg!(x)\";\n#[cfg(test)]\nmod t {\n#[ignore = \"slow\"]\nfn b() { mytodo!(); dbg!(1); unimplemented!() }\n}\n";
        let mut lines: Vec<usize> = check(&RustFile::new("a.rs", text)).iter().map(|f| f.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 6, 7, 7]);
    }
}
