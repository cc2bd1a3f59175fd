//! What streams implement, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "streams",
    path: "crates/stream/src/lib.rs",
    specs: &[
        Spec::complete("RFC 6120", "4 to 8"),
        Spec::complete("RFC 7395", "3"),
        Spec::complete("RFC 7590", "3"),
        Spec::complete("XEP-0198", "1.6.3"),
        Spec::complete("XEP-0206", "1.4"),
        Spec::complete("XEP-0352", "1.0.0"),
        Spec::complete("XEP-0368", "1.1.0"),
        Spec::complete("XEP-0386", "1.1.0"),
        Spec::partial(
            "XEP-0388",
            "1.0.4",
            "no further steps after the password (`continue`) but upgrade tasks (XEP-0480)",
        ),
        Spec::complete("XEP-0440", "1.0.0"),
        Spec::complete("XEP-0474", "0.5.0"),
        Spec::complete("XEP-0478", "0.2.0"),
        Spec::complete("XEP-0480", "0.2.0"),
        Spec::complete("XEP-0484", "0.2.0"),
    ],
}];
