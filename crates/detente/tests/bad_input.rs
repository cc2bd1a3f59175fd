//! The program under attack: the quick rows of docs/bad-input.md, over all transports (`make attack` runs all).
//!
//! Not here: the rows (crate `hostile`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use hostile::{Depth, absent, all, attack, lines};

#[test]
fn bad_input_is_answered_as_the_list_says_and_disturbs_nobody() {
    let (rows, absent) = (all(), absent());
    let summary = attack(Path::new(env!("CARGO_BIN_EXE_detente")), &rows, Depth::Short, "").unwrap();
    let report = lines(&rows, &summary, &absent);
    let failed: Vec<&str> =
        report.lines().filter(|line| !line.starts_with("ok") && !line.starts_with("- ")).collect();
    assert!(summary.passed(), "{}", failed.join("\n"));
    println!("{report}");
}
