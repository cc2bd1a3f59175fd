//! Rows of the list that no test here runs, each with its reason.
//!
//! Not here: rows of rooms, the web and abuse (`absent_services.rs`), of servers and components (`absent_servers.rs`).

/// A row that is not run.
pub struct Absent {
    /// As in the list.
    pub id: &'static str,
    /// Why not.
    pub why: &'static str,
}

/// All of them, by id.
pub fn absent() -> Vec<Absent> {
    const ABSENT: &[(&str, &str)] = &[
        (
            "A-43",
            "no transport shows trees: `crates/xml/src/differential.rs` compares our parser with another one",
        ),
        (
            "B-10",
            "clients are asked for no certificates; a chain that is sent all the same is refused by rustls as unexpected",
        ),
        ("B-11", "no revocation lists or OCSP answers are read"),
        (
            "B-16",
            "a proxy that strips STARTTLS leaves a client in the clear, where nothing can be authenticated: B-02, B-03",
        ),
        (
            "B-18",
            "keys of session tickets change after hours, by rustls; at once with the certificate: `sessions_are_resumed_until_the_certificate_changes` in `crates/net/tests/sockets/tls.rs`",
        ),
        (
            "B-19",
            "a reload: `l04_a_reload_keeps_what_works` in `crates/detente/tests/program/server.rs`, `a_new_certificate_is_served_...` in `crates/net/tests/sockets/tls.rs`",
        ),
        (
            "B-21",
            "files of certificates: `check_judges_certificates_and_keys` in `crates/detente/tests/program/stopped.rs`, `a_chain_is_put_in_order` in `crates/net/src/tls/store.rs`",
        ),
        ("B-22", "the server does not look at itself from outside yet"),
        (
            "C-05c",
            "time is measured by hand, because it depends on the machine: `detente-attack PROGRAM --timing 10000`",
        ),
        (
            "C-14",
            "accounts are not imported yet; what stored keys may look like: `crates/sasl/src/scram/keys.rs`",
        ),
        ("C-18", "clients are asked for no certificates, and EXTERNAL is not offered (C-15, C-20)"),
        ("C-19", "certificates of servers: `crates/federation/tests/servers/believing.rs`"),
        (
            "C-29",
            "secrets cannot be compared with `==` by their type: `crates/sasl/src/secret.rs`; what is compared takes the same time: C-05c",
        ),
        (
            "C-30",
            "a list of mechanisms that was changed on the way: `c30_...` in `crates/sasl/tests/own_client.rs`",
        ),
        ("C-31", "ANONYMOUS is not offered (C-15)"),
        ("C-32", "no mechanism for bearer tokens of others (OAUTHBEARER) is offered (C-15)"),
        ("D-08", "counting over 2^32: `counts_over_the_edge` in `crates/engine/src/sm.rs`"),
        (
            "D-18",
            "every interleaving of a hand-over: `scenes/xep0198-*.scene` and the simulated engine, not from outside",
        ),
        ("E-07", "occupant ids are the room's: `crates/muc/src/occupant_id.rs`"),
        ("E-12", "needs what is between two states of a roster: `scenes/rfc6121-*.scene`"),
        ("E-18", "no multicast (XEP-0033): an address header is payload like any other"),
        ("E-19", "rooms and other forwarders that could be made to multiply are not part of the program yet"),
        ("E-20", "capabilities are passed on and not asked about or kept"),
        ("E-26", "a change of the Unicode version: decision 003; nothing to send"),
        ("E-27", "confusable names are not looked for (decision 003, SECURITY.md)"),
        ("E-29", "a damaged database: `crates/store-sqlite/tests/damage.rs`"),
    ];
    let all = ABSENT.iter().chain(super::absent_services::ABSENT).chain(super::absent_servers::ABSENT);
    all.map(|&(id, why)| Absent { id, why }).collect()
}
