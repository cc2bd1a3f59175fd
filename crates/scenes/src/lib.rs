//! Scenes: short scripts of what clients send and receive, played against a server.
//!
//! A scene is a file of the folder `scenes/`; `scenes/README.md` describes the language. [`play`] plays one against a
//! [`World`]: [`Pure`] is the real engine with all features, a store in memory and virtual time; a world behind real
//! sockets can implement the same trait.
//!
//! Not here: the scenes themselves, and tests of single functions.

mod accounts;
mod pattern;
mod play;
mod pure;
mod script;
mod stage;
mod world;

pub use play::{Failure, play};
pub use pure::{Pace, Pure};
pub use script::{Scene, Step, parse};
pub use world::{Act, Heard, Wish, World};
