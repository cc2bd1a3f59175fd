//! What the network's side implements, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

/// The parts of this crate.
pub const PARTS: &[Part] = &[Part {
    name: "network",
    path: "crates/net/src/lib.rs",
    specs: &[
        Spec::complete("RFC 7395", "3").note("WebSocket at /xmpp-websocket, no compression"),
        Spec::complete("RFC 7590", "3"),
        Spec::partial(
            "XEP-0124",
            "1.11.2",
            "no acknowledgements, one stream in a session, no `content` and `charsets`",
        ),
        Spec::complete("XEP-0156", "1.4.0")
            .note("host-meta as XML and JSON; DNS TXT records are the operator's"),
        Spec::complete("XEP-0206", "1.4"),
        Spec::complete("XEP-0368", "1.1.0"),
    ],
}];
