//! What this crate implements, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "components",
    path: "crates/components/src/lib.rs",
    specs: &[
        Spec::complete("XEP-0114", "1.6"),
        Spec::partial(
            "XEP-0356",
            "0.4.1",
            "both namespaces; contacts' presence is told as far as the account is in memory, and once for each account",
        ),
    ],
}];
