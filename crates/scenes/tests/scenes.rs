//! Plays every scene of the folder `scenes/` on the pure engine in virtual time, at both paces.
//!
//! `SCENE=text` plays only those whose name contains the text.
//!
//! Not here: real sockets.

use std::fs;
use std::path::{Path, PathBuf};

use scenes::{Pace, Pure, parse, play};

fn scenes(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scenes(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "scene") {
            found.push(path);
        }
    }
}

#[test]
fn all_scenes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenes");
    let mut paths = Vec::new();
    scenes(&folder, &mut paths);
    paths.sort();
    let wanted = std::env::var("SCENE").unwrap_or_default();
    let (mut played, mut failed) = (0, Vec::new());
    for path in &paths {
        let name = path.strip_prefix(&folder).unwrap().with_extension("").display().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        played += 1;
        let text = fs::read_to_string(path).unwrap();
        let scene = match parse(&text) {
            Ok(scene) => scene,
            Err(why) => {
                failed.push(format!("{name}: {why}"));
                continue;
            }
        };
        for pace in [Pace::Single, Pace::Batched] {
            match play(&scene, &mut Pure::new(pace)) {
                Ok(()) => println!("scene {name} ({pace:?}) ... ok"),
                Err(failure) => {
                    println!("scene {name} ({pace:?}) ... FAILED");
                    failed.push(format!("{name} ({pace:?}): {}: {failure}", scene.about));
                    break;
                }
            }
        }
    }
    assert!(played > 0, "no scene is called like '{wanted}'");
    assert!(failed.is_empty(), "{} of {played} scenes failed\n\n{}", failed.len(), failed.join("\n"));
}
