//! Budgets of files and functions, as ratchets: an exception may only shrink.
//!
//! Not here: the exceptions themselves; they stand in `tidy.toml`.

use super::exceptions::{self, Budget, Exceptions};
use super::finding::{Finding, RustFile};
use super::lex::{after_close, body_or_semicolon, find_token, is_word, line_of};

/// Lines of a file in `crates/features/src`, without tests.
pub(crate) const FEATURE_LINES_MAX: usize = 300;
/// Lines of any other file, without tests.
pub(crate) const FILE_LINES_MAX: usize = 600;
/// Lines of a function, without comments and empty lines.
pub(crate) const FUNCTION_LINES_MAX: usize = 70;
/// An exception may be larger than what it is for by this many lines, or by a tenth.
const SLACK: usize = 20;

/// The budgets of one file and of its functions.
pub(crate) fn check(file: &RustFile, exceptions: &Exceptions) -> Vec<Finding> {
    if file.is_test {
        return Vec::new();
    }
    let feature = file.path.starts_with("crates/features/src/");
    let wall = if feature { FEATURE_LINES_MAX } else { FILE_LINES_MAX };
    let lines = file.text.lines().count() - file.source.test_lines;
    let exception = exceptions.file(&file.path);
    let mut out: Vec<Finding> =
        verdict(&Length { path: &file.path, line: 1, key: &file.path, lines, wall }, exception, exceptions)
            .into_iter()
            .collect();
    for function in functions(&file.source.production) {
        let key = format!("{}::{}", file.path, function.name);
        let exception = if function.lines > FUNCTION_LINES_MAX { exceptions.function(&key) } else { None };
        let length = Length {
            path: &file.path,
            line: function.line,
            key: &key,
            lines: function.lines,
            wall: FUNCTION_LINES_MAX,
        };
        out.extend(verdict(&length, exception, exceptions));
    }
    out
}

struct Length<'a> {
    path: &'a str,
    line: usize,
    key: &'a str,
    lines: usize,
    wall: usize,
}

fn verdict(it: &Length<'_>, exception: Option<Budget>, exceptions: &Exceptions) -> Option<Finding> {
    let Length { path, line, key, lines, wall } = *it;
    let Some(Budget { max, .. }) = exception else {
        let what = format!("`{key}` has {lines} lines, the wall is {wall}");
        return (lines > wall).then(|| Finding::new(path, line, what, "split it where its parts part"));
    };
    if lines > max {
        let what = format!("`{key}` has grown to {lines} lines, its exception allows {max}");
        return Some(Finding::new(path, line, what, "split it; exceptions only shrink"));
    }
    let at = exceptions.line(key);
    if lines <= wall {
        let what = format!("`{key}` has {lines} lines and needs no exception any more");
        return Some(Finding::new(exceptions::PATH, at, what, "delete the line"));
    }
    let slack = SLACK.max(max / 10);
    let what = format!("`{key}` has shrunk to {lines} lines, its exception still allows {max}");
    (lines + slack < max).then(|| Finding::new(exceptions::PATH, at, what, format!("write `max = {lines}`")))
}

/// A function with a body.
#[derive(Debug, PartialEq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions in masked source, those inside others too.
fn functions(code: &str) -> Vec<Function> {
    let mut out = Vec::new();
    for at in find_token(code, "fn") {
        let rest = code[at + 2..].trim_start();
        let name: String = rest.bytes().take_while(|b| is_word(*b)).map(char::from).collect();
        // `fn(u8) -> u8` is a type.
        let Some(open) = body_or_semicolon(code, at).filter(|_| !name.is_empty()) else { continue };
        if code.as_bytes()[open] == b'{' {
            let body = &code[at..after_close(code, open)];
            let lines = body.lines().filter(|l| !l.trim().is_empty()).count();
            out.push(Function { name, line: line_of(code, at), lines });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str, exceptions: &str) -> Vec<String> {
        let exceptions = Exceptions::read(exceptions).unwrap();
        let found = check(&RustFile::new(path, text), &exceptions);
        found.into_iter().chain(exceptions.leftovers()).map(|f| f.to_string()).collect()
    }

    #[test]
    fn a_feature_has_less_room_than_another_file_and_tests_are_free() {
        let text = "\n".repeat(301);
        assert_eq!(found("crates/features/src/a.rs", &text, "").len(), 1);
        assert!(found("crates/net/src/a.rs", &text, "").is_empty());
        let text = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(300), "\n".repeat(900));
        assert!(found("crates/features/src/a.rs", &text, "").is_empty());
        assert!(found("crates/net/tests/a.rs", &"\n".repeat(999), "").is_empty());
    }

    #[test]
    fn an_exception_is_a_ratchet() {
        let cases = [
            (650, 700, None),
            (701, 700, Some("has grown to 701 lines")),
            (600, 700, Some("needs no exception any more")),
            (629, 700, Some("write `max = 629`")),
        ];
        for (lines, max, want) in cases {
            let line = format!("[files]\n\"crates/a/src/b.rs\" = {{ max = {max}, why = \"a long table\" }}");
            let got = found("crates/a/src/b.rs", &"\n".repeat(lines), &line);
            assert_eq!(got.len(), usize::from(want.is_some()), "{got:?}");
            assert!(want.is_none_or(|w| got[0].contains(w)), "{got:?}");
        }
    }

    #[test]
    fn functions_are_measured_without_comments_and_empty_lines() {
        let text = "fn a(f: fn(u8) -> u8, [b; 2]: [u8; 2]) -> u8\nwhere\n{\n\n// }\n    '}';\n}\ntrait T { fn c(); }";
        let text = Function { name: "a".into(), line: 1, lines: 5 } == functions(&masked(text))[0];
        assert!(text);
        assert_eq!(functions(&masked("trait T { fn c(); fn d() {} }")).len(), 1);
    }

    #[test]
    fn a_long_function_is_found_by_name() {
        let text = format!("//! x\nimpl A {{\n    fn long() {{\n{}    }}\n}}\n", "        x();\n".repeat(70));
        let got = found("crates/a/src/b.rs", &text, "");
        assert_eq!(got.len(), 1);
        assert!(got[0].starts_with("crates/a/src/b.rs:3: `crates/a/src/b.rs::long` has 72 lines"), "{got:?}");
        let line =
            "[functions]\n\"crates/a/src/b.rs::long\" = { max = 72, why = \"one match, one line each\" }";
        assert!(found("crates/a/src/b.rs", &text, line).is_empty());
    }

    fn masked(text: &str) -> String {
        super::super::lex::Source::read(text).production
    }
}
