//! Plays one input: `cargo run -p fuzzing --example one TARGET FILE`.

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(path)) = (args.next(), args.next()) else { panic!("one TARGET FILE") };
    let Some((_, target)) = fuzzing::TARGETS.into_iter().find(|(known, _)| *known == name) else {
        panic!("no target {name}")
    };
    match std::fs::read(&path) {
        Ok(input) => target(&input),
        Err(error) => panic!("{path}: {error}"),
    }
}
