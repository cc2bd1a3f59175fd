//! What the proxy for bytestreams implements, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "proxy for bytestreams",
    path: "crates/bytestreams/src/lib.rs",
    specs: &[
        Spec::complete("XEP-0065", "1.8.2").note("the proxy, by TCP; UDP is optional there and not offered")
    ],
}];
