//! Every input that is kept in fuzz/corpus and fuzz/regressions, through its target.
//!
//! A program without the test harness: the targets count memory, and other threads would be counted with them.
//!
//! Not here: breeding new inputs (fuzz/run).

use std::path::{Path, PathBuf};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for (name, target) in fuzzing::TARGETS {
        let mut played = 0;
        for folder in ["corpus", "regressions"] {
            for path in inputs(&root.join(folder).join(name)) {
                let Ok(input) = std::fs::read(&path) else { panic!("{} cannot be read", path.display()) };
                println!("{}", path.display());
                target(&input);
                played += 1;
            }
        }
        assert!(played > 0, "no inputs are kept for {name}");
        eprintln!("replay: {name}, {played} inputs");
    }
}

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
        .unwrap_or_default();
    found.sort();
    found
}
