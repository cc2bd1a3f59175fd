//! What streams between servers implement, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::Part;

/// The parts of this crate.
pub const PARTS: &[Part] = &[];
