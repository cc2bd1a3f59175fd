//! The plan of the house: which crates stand below the I/O line, and what must not come there.
//!
//! Not here: the floors, which each crate's `Cargo.toml` states for itself.

/// Crates that do no I/O: they decide, and others do.
pub(crate) const CORE: [&str; 15] = [
    "address",
    "xml",
    "sasl",
    "turn",
    "stanza",
    "model",
    "stream",
    "s2s",
    "kernel",
    "features",
    "muc",
    "pubsub",
    "push",
    "bytestreams",
    "zoo",
];

/// The one crate that may name an engine (`store-*`, `cluster-*`, `gateway-*`).
pub(crate) const WIRING: &str = "detente";

/// Families of crates of which only `WIRING` may name a member.
pub(crate) const ENGINES: [&str; 3] = ["store-", "cluster-", "gateway-"];

/// Crates beside the program, which may use anything.
pub(crate) const TOOLS: [&str; 4] = ["bench", "hostile", "sim", "xtask"];

/// Packages that the core must not reach, however indirectly. A `*` at the end stands for anything.
pub(crate) const FORBIDDEN_PACKAGES: [&str; 22] = [
    "async-io",
    "async-std",
    "axum",
    "hickory-*",
    "hyper",
    "hyper-*",
    "libsqlite3-sys",
    "mio",
    "native-tls",
    "openssl",
    "openssl-sys",
    "rand",
    "reqwest",
    "rusqlite",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "tokio",
    "tokio-*",
    "tungstenite",
    "ureq",
];

/// Source that the core must not contain, and what to do instead.
pub(crate) const FORBIDDEN_TOKENS: [(&str, &str); 15] = [
    ("Instant::now", "take `now` as a parameter"),
    ("SystemTime::now", "take `now` as a parameter"),
    ("Utc::now", "take `now` as a parameter"),
    ("std::net", "sockets belong to `net`; plain address types are in `core::net`"),
    ("std::fs", "say what is wanted as an effect or a `Read`; the shell does it"),
    ("std::io::stdin", "the shell reads and writes"),
    ("std::thread", "the shell owns threads"),
    ("std::process", "the shell owns processes"),
    ("std::env", "take settings as a parameter"),
    ("std::sync::Mutex", "a place has one owner; nothing is locked on the stairs"),
    ("std::sync::RwLock", "a place has one owner; nothing is locked on the stairs"),
    ("tokio::", "the core does not know the runtime"),
    ("thread_rng", "take random bytes as a parameter"),
    ("rand::rng", "take random bytes as a parameter"),
    ("rand::random", "take random bytes as a parameter"),
];

/// Whether `package` is on the list of what the core must not reach.
pub(crate) fn is_forbidden(package: &str) -> bool {
    FORBIDDEN_PACKAGES.iter().any(|p| match p.strip_suffix('*') {
        Some(family) => package.starts_with(family),
        None => package == *p,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_forbidden_as_a_whole() {
        for (package, want) in [("tokio", true), ("tokio-rustls", true), ("rand", true), ("rand_core", false)]
        {
            assert_eq!(is_forbidden(package), want, "{package}");
        }
    }
}
