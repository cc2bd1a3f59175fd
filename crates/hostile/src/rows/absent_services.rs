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
    ("F-29", "no push (XEP-0357) yet"),
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
    ("I-40", "no certificates are fetched (ACME) yet"),
    ("I-41", "no administration in the web yet"),
    (
        "I-42",
        "no state that a page could change with ambient rights: no cookies, no administration in the web",
    ),
    ("I-43", "no interface for programs over HTTP; the one on a socket: `crates/admin/src/socket.rs`"),
    ("I-44", "one table of commands, one way to them: `crates/admin/src/table.rs`"),
    ("I-45", "no login in the web"),
    ("I-47", "the server fetches nothing from addresses that people give"),
    ("I-48", "no push, no webhooks yet"),
    ("I-49", "no page that redirects"),
    (
        "I-51",
        "the relay for calls: `crates/turn/src/requests.rs`, `crates/relay/tests/loopback.rs`, `interop/tests/turn.py`",
    ),
    ("I-52", "no proxy for bytestreams (XEP-0065)"),
    (
        "J-02",
        "registrations of one address: `j02_registration_is_limited` in `crates/accounts/tests/accounts.rs`; guesses: J-04",
    ),
    ("J-03", "no captchas"),
    ("J-08", "no reports (XEP-0377) yet"),
    ("J-09", "no lists of spammers are read yet"),
    ("J-10", "no connections with other servers yet"),
];
