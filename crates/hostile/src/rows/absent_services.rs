//! Rows about rooms, the web and abuse that no test here runs, each with its reason.
//!
//! Not here: rows about streams and stanzas (`absent.rs`).

pub(super) const ABSENT: &[(&str, &str)] = &[
    ("F-11", "occupants whose client is gone: `scenes/xep0045-ghosts.scene`, `crates/muc/src/ghosts.rs`"),
    ("F-19", "archives are not searched by their text (XEP-0431)"),
    (
        "F-21",
        "pages while messages come: the archive in `crates/store/src/suite`, the simulation (`make sim`)",
    ),
    (
        "F-22",
        "ids of messages count up and come from the clock, also after a restart: `crates/engine/src/ids.rs`",
    ),
    ("F-26", "two who publish at once: a place has one task, and the second sees what the first has done"),
    ("F-27", "a notification to who has just lost access: `scenes/xep0163-access-lost.scene`"),
    (
        "F-29",
        "push: `bad_input` in `crates/features/src/push/tests.rs`; addresses: `crates/webpush/tests/sender.rs`",
    ),
    (
        "I-18",
        "two clients who share an id of a session: `keys_protect_a_session` in `crates/net/tests/sockets/bosh.rs`",
    ),
    ("I-20", "all of group A runs over WebSocket and BOSH: column \"on\" there"),
    (
        "I-25",
        "what a proxy says who is none: `a_proxy_is_believed_only_if_it_is_ours` in `crates/net/tests/sockets/http.rs`",
    ),
    ("I-33", "pictures are not decoded"),
    ("I-37", "a full disk during an upload: `crates/faults`"),
    ("I-39", "measures have no labels that a peer can choose: `crates/admin/src/monitor.rs`"),
    (
        "I-40",
        "answers to an authority are looked up in a table, never as a path of files: `crates/net/tests/sockets/shared_port.rs`",
    ),
    ("I-41", "no administration in the web yet"),
    (
        "I-42",
        "no state that a page could change with ambient rights: no cookies, no administration in the web",
    ),
    ("I-43", "no interface for programs over HTTP; the one on a socket: `crates/admin/src/socket.rs`"),
    ("I-44", "one table of commands, one way to them: `crates/admin/src/table.rs`"),
    ("I-45", "nobody logs in by the web yet"),
    ("I-47", "nothing is fetched from addresses that people give; where pushes are posted to: I-48"),
    ("I-48", "where pushes are posted to: `crates/webpush/tests/sender.rs`; no webhooks yet"),
    ("I-49", "there is no page that redirects"),
    (
        "I-51",
        "the relay for calls: `crates/turn/src/requests.rs`, `crates/relay/tests/loopback.rs`, `interop/tests/turn.py`",
    ),
    (
        "I-52",
        "the proxy for bytestreams: `crates/bytestreams/src` (`handshake.rs`, `hall.rs`, `service.rs`), `crates/mediator/tests/loopback.rs`, `interop/tests/slixmpp_bytestreams.py`",
    ),
    (
        "J-02",
        "registrations of one address: `j02_registration_is_limited` in `crates/accounts/tests/accounts.rs`; guesses: J-04",
    ),
    ("J-03", "there are no captchas: invitations instead"),
    ("J-08", "reports: `crates/features/src/reports.rs`"),
    ("J-09", "lists of banned addresses: `crates/features/src/lists.rs`"),
    ("J-10", "`blocking_holds_at_once` in `crates/federation/tests/servers/believing.rs`"),
];
