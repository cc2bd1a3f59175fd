//! Rows about other servers and components that no test here runs, each with its reason.
//!
//! Not here: rows about clients (`absent.rs`, `absent_services.rs`).

pub(super) const ABSENT: &[(&str, &str)] = &[
    ("G-12", "TLSA records (DANE) are not looked at"),
    (
        "G-13",
        "nothing is fetched from pages of other servers (POSH); private addresses: `addresses_within_are_not_connected_to` in `crates/federation/tests/servers/missing.rs`",
    ),
    (
        "G-18",
        "names that are made up: `domains_that_are_not_there_are_forgotten` in `crates/federation/tests/servers/missing.rs`",
    ),
    (
        "G-20",
        "presence after a break: `presence_is_looked_after` in `crates/federation/tests/servers/breaking.rs`, the simulation (`make sim`)",
    ),
    (
        "G-21",
        "broken and resumed streams: `nothing_is_lost_on_...` in `crates/federation/tests/servers/breaking.rs`, `crates/s2s/tests/resumption.rs`",
    ),
    (
        "G-22",
        "two who call each other at once: `many_arrive_in_order_from_both_sides_at_once` in `crates/federation/tests/servers/talking.rs`",
    ),
    (
        "H-04",
        "a listener without TLS where others reach it, a short secret: `components_are_not_let_in_in_the_clear` in `crates/detente/tests/program/outside.rs`",
    ),
    ("H-06", "no namespaces are delegated to components (XEP-0355)"),
];
