//! What rooms implement, for the table of specifications.
//!
//! Not here: any behaviour.

use model::spec::{Part, Spec};

const fn part(name: &'static str, path: &'static str, specs: &'static [Spec]) -> Part {
    Part { name, path, specs }
}

/// The parts of this crate.
pub const PARTS: &[Part] = &[
    part(
        "rooms",
        "crates/muc/src/lib.rs",
        &[Spec::complete("XEP-0045", "1.35.5")
            .note("no presence subscriptions to rooms; who is in a room is told to its occupants only")],
    ),
    part(
        "rooms: archive",
        "crates/muc/src/archive.rs",
        &[
            Spec::complete("XEP-0313", "1.1.3"),
            Spec::complete("XEP-0334", "1.0.0").note("`no-store`, `no-permanent-store` and `store`"),
        ],
    ),
    part("rooms: ids", "crates/muc/src/groupchat.rs", &[Spec::complete("XEP-0359", "0.7.0")]),
    part(
        "rooms: discovery",
        "crates/muc/src/disco.rs",
        &[Spec::complete("XEP-0030", "2.5.0"), Spec::complete("XEP-0128", "1.0.1")],
    ),
    part(
        "rooms: hats",
        "crates/muc/src/hats.rs",
        &[Spec::partial("XEP-0317", "0.3.1", "no additional payloads in a hat")],
    ),
    part(
        "rooms: requests",
        "crates/muc/src/forward.rs",
        &[Spec::complete("XEP-0199", "2.0.1"), Spec::complete("XEP-0410", "1.1.0")],
    ),
    part("rooms: occupant ids", "crates/muc/src/occupant_id.rs", &[Spec::complete("XEP-0421", "1.0.1")]),
    part(
        "rooms: withdrawal",
        "crates/muc/src/retract.rs",
        &[
            Spec::complete("XEP-0424", "0.4.2").note("in rooms, with tombstones"),
            Spec::complete("XEP-0425", "0.3.0"),
        ],
    ),
    part(
        "rooms: search",
        "crates/muc/src/search.rs",
        &[Spec::partial("XEP-0433", "0.1.0", "sorted by address only; the number of users is not told")],
    ),
    part(
        "rooms: picture",
        "crates/muc/src/avatar.rs",
        &[Spec::complete("XEP-0054", "1.3.0").note("of rooms"), Spec::complete("XEP-0486", "0.1.0")],
    ),
    part("rooms: slow mode", "crates/muc/src/people.rs", &[Spec::complete("XEP-0500", "0.1.1")]),
    part("rooms: activity", "crates/muc/src/activity.rs", &[Spec::complete("XEP-0502", "0.1.0")]),
    part(
        "rooms: registration",
        "crates/muc/src/register.rs",
        &[Spec::complete("XEP-0077", "2.4").note("with rooms")],
    ),
];
