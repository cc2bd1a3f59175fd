//! XML namespaces are written once, in `crates/stanza/src/ns.rs`.
//!
//! Not here: which namespaces are right.

use std::collections::BTreeMap;

use super::finding::{Finding, RustFile};

const HOME: &str = "crates/stanza/src/ns.rs";
/// Crates that stand below `stanza` or beside the program and so may write namespaces themselves.
const EXEMPT: [&str; 7] = ["xml", "bench", "compliance", "costs", "faults", "hostile", "sim"];
const PREFIXES: [&str; 4] =
    ["urn:xmpp:", "urn:ietf:params:xml:ns:", "http://jabber.org/protocol/", "jabber:"];

/// Namespaces in string literals outside their home, and such as stand twice in it.
pub(crate) fn check(file: &RustFile) -> Vec<Finding> {
    let Some(krate) = file.krate().filter(|k| !EXEMPT.contains(k) && !file.is_test) else {
        return Vec::new();
    };
    let home = krate == "stanza" && file.path == HOME;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = Vec::new();
    for literal in file.source.literals.iter().filter(|l| holds_namespace(&l.text)) {
        if !home {
            let what = format!("the namespace in \"{}\" is written here", shortened(&literal.text));
            let mend = format!("define it once in {HOME} and use that");
            out.push(Finding::new(&file.path, literal.line, what, mend));
        } else if let Some(first) = seen.insert(&literal.text, literal.line) {
            let what = format!("\"{}\" stands in line {first} already", literal.text);
            out.push(Finding::new(&file.path, literal.line, what, "keep one of them"));
        }
    }
    out
}

/// Whether the text holds a namespace, as a whole or inside of markup.
fn holds_namespace(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| {
        text.match_indices(prefix).any(|(at, _)| {
            let begins = text[..at].chars().last().is_none_or(|c| !c.is_alphanumeric());
            // A bare prefix in prose ("a jabber: URI") is no namespace.
            begins && text[at + prefix.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
        })
    })
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&RustFile::new(path, text)).iter().map(|f| f.line).collect()
    }

    #[test]
    fn namespaces_outside_their_home_are_found() {
        let text = "a(\"urn:xmpp:ping\");\nb(\"<iq xmlns='jabber:client'/>\");\n// \"urn:xmpp:sm:3\"\nc(\"no jabber: here\");\nd(b\"http://jabber.org/protocol/muc\");\n#[cfg(test)]\nmod t { const A: &str = \"urn:xmpp:x\"; }\n";
        assert_eq!(lines("crates/features/src/a.rs", text), [1, 2, 5]);
        for path in
            ["crates/xml/src/a.rs", "crates/bench/src/a.rs", "crates/net/tests/a.rs", "xtask/src/a.rs"]
        {
            assert!(lines(path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn in_their_home_each_stands_once() {
        let text = "A: &str = \"urn:xmpp:a\";\nB: &str = \"urn:xmpp:b\";\nC: &str = \"urn:xmpp:a\";";
        assert_eq!(lines(HOME, text), [3]);
    }
}
