//! What the push service implements, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "push service",
    path: "crates/push/src/lib.rs",
    specs: &[
        Spec::partial(
            "XEP-0357",
            "0.4.1",
            "nodes take what their owner's server publishes, and nothing can be read there",
        )
        .note("Web Push by RFC 8030, 8291 and 8292; UnifiedPush as Conversations has it"),
        Spec::complete("XEP-0050", "1.3.0").note("to register a browser"),
    ],
}];
