//! Does one operation a number of times, for a counter of instructions that looks on: `scripts/costs`.
//!
//! Not here: the operations.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use costs::{Meter, WORKS};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["list"] => {
            for work in WORKS {
                println!("{} {} {} {}", work.name, work.each, work.instructions, work.what);
            }
        }
        ["do", name, rounds] => {
            let work = WORKS.iter().find(|work| work.name == name);
            let (Some(work), Ok(rounds)) = (work, rounds.parse::<usize>()) else {
                eprintln!("detente-costs: no such operation or number: {name} {rounds}");
                std::process::exit(2);
            };
            let mut worker = work.begin();
            (0..rounds).for_each(|_| worker.round());
        }
        ["memory"] => memory(),
        _ => {
            eprintln!("usage: detente-costs list | do NAME ROUNDS | memory");
            std::process::exit(2);
        }
    }
}

fn memory() {
    for work in WORKS {
        let mut worker = work.begin();
        (0..10).for_each(|_| worker.round());
        let meter = Meter::default();
        (0..100).for_each(|_| worker.round());
        let each = meter.requests() as f64 / (100 * work.each) as f64;
        println!("{:20} {each:8.2} requests for memory; {}", work.name, work.what);
    }
}
