//! `cargo run --release -p sim -- --seeds 2000`: many seeds; `--seed N --trace`: one, with every word.
//!
//! Not here: the simulation (lib).

mod sought;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use sim::{Outcome, run};

/// What is to be done.
#[derive(Default)]
struct Wish {
    first: u64,
    count: u64,
    trace: bool,
    /// Where the history of the only seed goes.
    history: Option<String>,
    /// Which faults of the zoo must be found; `all`, or one name.
    zoo: Option<String>,
}

fn main() -> ExitCode {
    let Some(wish) = wish(std::env::args().skip(1)) else {
        eprintln!(
            "usage: sim [--first N] [--seeds COUNT] [--zoo all|NAME] | --seed N [--trace] [--history FILE] [--zoo NAME]"
        );
        return ExitCode::from(2);
    };
    if let Some(name) = &wish.zoo {
        return sought::zoo(name, wish.first, wish.count);
    }
    let began = Instant::now();
    let (outcomes, passed) = play(&wish);
    if let (Some(path), Some(outcome)) = (&wish.history, outcomes.first())
        && let Err(error) = std::fs::write(path, outcome.history.to_jsonl())
    {
        eprintln!("{path}: {error}");
    }
    println!("{passed} passed, {} failed; {:.1} s", outcomes.len(), began.elapsed().as_secs_f64());
    if outcomes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wish(mut args: impl Iterator<Item = String>) -> Option<Wish> {
    let mut wish = Wish { first: 1, count: 2_000, ..Wish::default() };
    while let Some(arg) = args.next() {
        let mut number = || args.next()?.parse::<u64>().ok();
        match arg.as_str() {
            "--first" => wish.first = number()?,
            "--seeds" => wish.count = number()?,
            "--seed" => (wish.first, wish.count) = (number()?, 1),
            "--trace" => wish.trace = true,
            "--zoo" => wish.zoo = Some(args.next()?),
            "--history" => wish.history = Some(args.next()?),
            _ => return None,
        }
    }
    Some(wish)
}

/// The failed ones, and how many passed.
fn play(wish: &Wish) -> (Vec<Outcome>, u64) {
    let (next, passed) = (AtomicU64::new(wish.first), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let (end, workers) = (wish.first + wish.count, if wish.count == 1 { 1 } else { cores() });
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(seed, wish.trace);
                    if outcome.is_clean() && wish.history.is_none() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    } else {
                        println!("{}", outcome.explain());
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|outcome| outcome.seed);
    (failed, passed.into_inner())
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
