//! Chores of the repository, run as `cargo xtask NAME`.
//!
//! Not here: anything that the server needs at run time.

fn main() {
    println!("usage: cargo xtask NAME");
}
