//! What streams between servers and of components implement, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[
    Part {
        name: "servers",
        path: "crates/s2s/src/lib.rs",
        specs: &[
            Spec::complete("RFC 6120", "4 to 8, 13.7").note("servers must speak XMPP 1.0"),
            Spec::complete("RFC 7590", "3"),
            Spec::complete("XEP-0178", "1.2"),
            Spec::complete("XEP-0185", "1.0"),
            Spec::complete("XEP-0198", "1.6.3")
                .note("between servers; whoever accepts a bidirectional stream does not let it be resumed"),
            Spec::complete("XEP-0220", "1.1.1"),
            Spec::complete("XEP-0288", "1.0.1")
                .note("who was called proves further domains of its own by certificate only"),
            Spec::partial("XEP-0344", "0.4", "a certificate spares the call back; DNSSEC alone does not"),
            Spec::complete("XEP-0368", "1.1.0"),
            Spec::complete("XEP-0478", "0.2.0").note("what others announce is heeded"),
        ],
    },
    Part {
        name: "components",
        path: "crates/s2s/src/component.rs",
        specs: &[Spec::partial(
            "XEP-0114",
            "1.6",
            "we wait for components (`accept`), we do not call them (`connect`)",
        )],
    },
];
