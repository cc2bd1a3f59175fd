//! What this crate implements, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "federation",
    path: "crates/federation/src/lib.rs",
    specs: &[
        Spec::complete("RFC 6120", "3.2, 4.9.3.19, 10.4")
            .note("finding other servers, following `see-other-host`, and the errors where there are none"),
        Spec::complete("RFC 9525", "6")
            .note("names in certificates of other servers, with SRVName and XmppAddr"),
        Spec::partial(
            "XEP-0495",
            "0.1.0",
            "SRV records of both kinds are asked for at once, addresses tried one after the other with a head start of 250 ms",
        ),
    ],
}];
