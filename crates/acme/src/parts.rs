//! What this crate implements, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "certificates",
    path: "crates/acme/src/lib.rs",
    specs: &[
        Spec::partial("RFC 8555", "7, 8", "no revocation, no change of the account's key"),
        Spec::complete("RFC 8737", "3").note("tls-alpn-01"),
        Spec::complete("RFC 9773", "4").note("when to renew"),
        Spec::complete("RFC 2136", "2.5").note("the record of dns-01, signed (RFC 8945)"),
    ],
}];
