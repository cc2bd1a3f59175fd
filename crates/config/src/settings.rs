//! Every setting: its name, what it may be, what it is without being set, and a sentence about it.
//!
//! Not here: settings about calls, other servers, components and services elsewhere (`around.rs`,
//! `settings/services.rs`), the same as types (`tree.rs`), what settings mean together (`meaning.rs`).

mod sections;
mod services;

use crate::around::AROUND;

pub use sections::SECTIONS;
use services::SERVICES;

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of text.
    List,
    /// A list out of these words.
    ListOf(&'static [&'static str]),
    /// A whole number from the first to the second.
    Number(u64, u64),
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Section and name, with a dot; `*` stands for a domain.
    pub path: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is without being set, as in the file; empty: there is no default.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub about: &'static str,
}

pub(crate) const DAY: u64 = 86_400;

/// All settings, section by section.
pub const SETTINGS: &[Setting] = &joined();

const PARTS: [&[Setting]; 3] = [OWN, SERVICES, AROUND];
const COUNT: usize = OWN.len() + SERVICES.len() + AROUND.len();

/// The tables as one.
const fn joined() -> [Setting; COUNT] {
    let (mut all, mut count, mut part) = ([OWN[0]; COUNT], 0, 0);
    while part < PARTS.len() {
        let mut at = 0;
        while at < PARTS[part].len() {
            all[count] = PARTS[part][at];
            (at, count) = (at + 1, count + 1);
        }
        part += 1;
    }
    all
}

/// Those of the server itself.
const OWN: &[Setting] = &[
    s("server.domains", Kind::List, "", "The domains of its accounts, the part behind the @."),
    s(
        "server.data_dir",
        Kind::Text,
        "\"data\"",
        "Folder of everything that it stores; seen from the folder of this file. Only the server may read it.",
    ),
    s(
        "server.tell_os",
        Kind::Flag,
        "false",
        "Whether anybody who asks is told the operating system (XEP-0092).",
    ),
    s(
        "listen.c2s",
        Kind::List,
        "[\"0.0.0.0:5222\", \"[::]:5222\"]",
        "Clients; the connection begins in the clear and is secured (STARTTLS).",
    ),
    s(
        "listen.c2s_tls",
        Kind::List,
        "[\"0.0.0.0:5223\", \"[::]:5223\"]",
        "Clients; secured from the first byte (XEP-0368).",
    ),
    s(
        "listen.http",
        Kind::List,
        "[\"127.0.0.1:5280\"]",
        "Web clients without encryption: for a proxy on this machine.",
    ),
    s("listen.https", Kind::List, "[\"0.0.0.0:5281\", \"[::]:5281\"]", "Web clients, encrypted."),
    s(
        "listen.metrics",
        Kind::List,
        "[]",
        "For programs that watch the server: /metrics (OpenMetrics), /healthz and /readyz, without encryption. As in \"127.0.0.1:5290\".",
    ),
    s(
        "listen.turn",
        Kind::List,
        "[\"0.0.0.0:3478\", \"[::]:3478\"]",
        "The relay for calls, by UDP and TCP; opened only if [turn] says where it is.",
    ),
    s(
        "listen.turn_tls",
        Kind::List,
        "[\"0.0.0.0:5349\", \"[::]:5349\"]",
        "The same with TLS, for networks that let nothing else pass.",
    ),
    s(
        "listen.bytestreams",
        Kind::List,
        "[\"0.0.0.0:7777\", \"[::]:7777\"]",
        "The proxy for files from client to client; opened only if [bytestreams] says where it is.",
    ),
    s(
        "listen.s2s",
        Kind::List,
        "[\"0.0.0.0:5269\", \"[::]:5269\"]",
        "Other servers; the connection begins in the clear and is secured (STARTTLS).",
    ),
    s(
        "listen.s2s_tls",
        Kind::List,
        "[\"0.0.0.0:5270\", \"[::]:5270\"]",
        "Other servers; secured from the first byte (XEP-0368).",
    ),
    s(
        "listen.shared",
        Kind::List,
        "[]",
        "One port for all that begins with TLS: clients, web clients, other servers and the relay, told apart by what they ask for (ALPN). As in \"0.0.0.0:443\", for networks that let nothing else pass.",
    ),
    s(
        "listen.shared_default",
        Kind::OneOf(&["https", "c2s", "refuse"]),
        "\"https\"",
        "Who does not say there what it is: a web client, a client (c2s), or nobody (refuse).",
    ),
    s(
        "listen.acme",
        Kind::List,
        "[]",
        "For the authority of [acme] that looks at port 80 (http-01), and for nobody else. As in \"0.0.0.0:80\".",
    ),
    s(
        "listen.components",
        Kind::List,
        "[]",
        "Components (XEP-0114) without encryption, for programs on this machine, as in \"127.0.0.1:5347\".",
    ),
    s(
        "listen.components_tls",
        Kind::List,
        "[]",
        "The same with TLS from the first byte, for other machines.",
    ),
    s(
        "listen.components_socket",
        Kind::Text,
        "",
        "The same as a socket in a folder of this machine: its path. Whoever may write to the folder's socket may connect.",
    ),
    s(
        "listen.resume_location",
        Kind::Text,
        "",
        "Where clients shall reconnect to resume a session (XEP-0198), as in \"node1.example.org:5222\" or \"[2001:db8::1]:5222\". For several servers behind one name.",
    ),
    s("tls.certificate", Kind::Text, "", "File with the certificate and those of its issuers (PEM)."),
    s("tls.key", Kind::Text, "", "File with the private key (PEM). Nobody else may read it."),
    s(
        "log.level",
        Kind::Text,
        "\"info\"",
        "How much: error, warn, info, debug or trace; also for parts, as in \"info,net=debug\".",
    ),
    s("log.format", Kind::OneOf(&["text", "json"]), "\"text\"", "For people (text) or for programs (json)."),
    s(
        "auth.scram",
        Kind::ListOf(&["SHA-512", "SHA-256", "SHA-1"]),
        "[\"SHA-512\", \"SHA-256\", \"SHA-1\"]",
        "Kinds of SCRAM that are offered. New passwords get keys for each of them; accounts made before a change need a new password, or a client that upgrades them (XEP-0480).",
    ),
    s(
        "auth.plain",
        Kind::Flag,
        "true",
        "Whether a client may send the password itself, inside TLS. For clients that know no SCRAM.",
    ),
    s("auth.fast", Kind::Flag, "true", "Whether clients get tokens to log in again in one step (XEP-0484)."),
    s(
        "auth.iterations",
        Kind::Number(sasl::limits::ITERATIONS_MIN as u64, sasl::limits::ITERATIONS_MAX as u64),
        "10_000",
        "How much work it is to try one password, for attackers and for clients.",
    ),
    s(
        "auth.insecure_loopback",
        Kind::Flag,
        "false",
        "Whether programs on this machine may log in without TLS. For tests.",
    ),
    s(
        "registration.open",
        Kind::Flag,
        "false",
        "Whether anybody may make an account from a client (XEP-0077). Open servers attract spammers.",
    ),
    s(
        "storage.archive_days",
        Kind::Number(0, 36_500),
        "0",
        "Days for which messages stay in archives; 0 keeps them for ever.",
    ),
    s(
        "storage.durability",
        Kind::OneOf(&["full", "normal"]),
        "\"full\"",
        "What has survived when a message is acknowledged: a loss of power (full), or only a crash of the server (normal).",
    ),
    s("rooms.enabled", Kind::Flag, "true", "Whether there are rooms."),
    s(
        "rooms.subdomain",
        Kind::Text,
        "\"conference\"",
        "Where: this name before the domain of the accounts, as in conference.example.org. It needs an entry in DNS only when other servers shall reach it.",
    ),
    s(
        "rooms.creation",
        Kind::OneOf(&["local", "anyone", "nobody"]),
        "\"local\"",
        "Who may make rooms: accounts of the domain, everybody, or nobody (those that exist stay).",
    ),
    s(
        "rooms.per_user",
        Kind::Number(0, 100_000),
        "100",
        "Rooms that one user may have made and that still exist.",
    ),
    s(
        "rooms.occupants",
        Kind::Number(1, 100_000),
        "200",
        "Occupants of a room, unless its owner says otherwise.",
    ),
    s("rooms.occupants_max", Kind::Number(1, 100_000), "5_000", "The largest number that an owner may say."),
    s(
        "rooms.history",
        Kind::Number(0, 100),
        "20",
        "Messages that are shown to who enters, unless the owner says otherwise.",
    ),
    s(
        "rooms.messages_per_5_seconds",
        Kind::Number(1, 100_000_000),
        "10",
        "Messages of one person to a room in 5 seconds.",
    ),
    s(
        "rooms.joins_per_10_seconds",
        Kind::Number(1, 100_000),
        "20",
        "Strangers who may enter a room in 10 seconds. Members always may, and everybody in the first two minutes after a start.",
    ),
    s(
        "rooms.persistent",
        Kind::Flag,
        "false",
        "Whether new rooms stay when nobody is in them; owners may change it.",
    ),
    s("rooms.public", Kind::Flag, "true", "Whether new rooms are listed; owners may change it."),
    s(
        "rooms.members_only",
        Kind::Flag,
        "false",
        "Whether new rooms are for members only; owners may change it.",
    ),
    s(
        "rooms.moderated",
        Kind::Flag,
        "false",
        "Whether in new rooms only those with voice speak; owners may change it.",
    ),
    s(
        "rooms.non_anonymous",
        Kind::Flag,
        "false",
        "Whether in new rooms everybody sees who is who; owners may change it.",
    ),
    s("rooms.archive", Kind::Flag, "true", "Whether new rooms keep what is said; owners may change it."),
    s(
        "limits.stanza_bytes",
        Kind::Number(10_000, 16_777_216),
        "262_144",
        "Longest message, presence or request, in bytes.",
    ),
    s(
        "limits.rate_bytes_per_second",
        Kind::Number(0, 1_073_741_824),
        "10_240",
        "What one client may send for long; 0 sets no limit. Beyond it the client is slowed down.",
    ),
    s(
        "limits.burst_bytes",
        Kind::Number(16_384, 1_073_741_824),
        "262_144",
        "What one client may send at once.",
    ),
    s(
        "limits.recipients_per_minute",
        Kind::Number(0, 1_000_000),
        "500",
        "To how many people, who are no contacts of its account, one client may write in a minute; 0 sets no limit.",
    ),
    s("limits.authenticate_seconds", Kind::Number(5, 600), "30", "From connecting to having logged in."),
    s(
        "limits.idle_seconds",
        Kind::Number(30, DAY),
        "300",
        "Silence after which a client is asked whether it is still there.",
    ),
    s("limits.answer_seconds", Kind::Number(5, 600), "30", "How long it may take to answer that."),
    s(
        "limits.auth_failures",
        Kind::Number(2, 5),
        "5",
        "Failed logins on one connection before it is closed.",
    ),
    s(
        "limits.failures_per_address",
        Kind::Number(1, 1_000_000),
        "20",
        "Failed logins from one address (IPv6: /64) in ten minutes; then all fail for a while. Accounts are never locked.",
    ),
    s("limits.connections", Kind::Number(1, 10_000_000), "100_000", "Connections at once."),
    s(
        "limits.connections_per_address",
        Kind::Number(1, 10_000_000),
        "500",
        "Connections at once from one address (IPv6: /64).",
    ),
    s(
        "limits.connects_per_address",
        Kind::Number(1, 10_000_000),
        "300",
        "New connections from one address in a minute.",
    ),
    s("limits.handshake_seconds", Kind::Number(1, 120), "10", "For a TLS handshake."),
    s(
        "limits.write_seconds",
        Kind::Number(1, 600),
        "30",
        "How long a client may take nothing of what it is sent.",
    ),
    s(
        "limits.shutdown_seconds",
        Kind::Number(1, 600),
        "30",
        "How long connections may take to close when the server stops.",
    ),
    s("http.websocket", Kind::Flag, "true", "WebSocket at /xmpp-websocket (RFC 7395)."),
    s("http.bosh", Kind::Flag, "true", "BOSH at /http-bind (XEP-0124)."),
    s("http.welcome", Kind::Flag, "true", "A page at / that says what this is."),
    s(
        "http.public_url",
        Kind::Text,
        "",
        "Where web clients reach this server when a proxy stands in front, as in \"https://chat.example\".",
    ),
    s(
        "http.origins",
        Kind::List,
        "[]",
        "Web pages of other hosts that may connect, as in \"https://chat.example\"; \"*\" means all.",
    ),
    s(
        "http.trusted_proxies",
        Kind::List,
        "[]",
        "Addresses of proxies whose word about the client's address counts.",
    ),
    s(
        "http.loopback_is_secure",
        Kind::Flag,
        "true",
        "Whether a connection from this machine without TLS counts as secure, because it comes from a proxy.",
    ),
];

pub(crate) const fn s(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Setting {
    Setting { path, kind, default, about }
}

impl Kind {
    /// In words, for messages.
    pub fn describe(self) -> String {
        let words = |words: &[&str]| words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
        match self {
            Kind::Flag => "true or false".to_owned(),
            Kind::Text => "text in quotes".to_owned(),
            Kind::OneOf(of) => format!("one of {}", words(of)),
            Kind::List => "a list, as in [\"a\", \"b\"]".to_owned(),
            Kind::ListOf(of) => format!("a list out of {}", words(of)),
            Kind::Number(low, high) => format!("a whole number from {low} to {high}"),
        }
    }
}

/// The setting at a path of segments, where any domain stands for `*`.
pub(crate) fn find(segments: &[String]) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| {
        let mut own = setting.path.split('.');
        let all = segments.iter().all(|given| own.next().is_some_and(|own| own == "*" || own == given));
        all && own.next().is_none()
    })
}

/// The words that may follow after these segments; empty if they are no section. `*` if any word may follow.
pub(crate) fn inside(segments: &[String]) -> Vec<&'static str> {
    let mut words: Vec<&str> = Vec::new();
    for setting in SETTINGS {
        let mut own = setting.path.split('.');
        let within = segments.iter().all(|given| own.next().is_some_and(|own| own == "*" || own == given));
        if let Some(next) = own.next().filter(|next| within && !words.contains(next)) {
            words.push(next);
        }
    }
    words
}
