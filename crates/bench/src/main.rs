//! `detente-bench`, the program.
//!
//! Not here: what it does (`lib.rs`).

fn main() -> std::process::ExitCode {
    bench::run()
}
