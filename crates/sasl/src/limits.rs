//! Every limit of this crate, named, with its unit and its reason.
//!
//! Not here: how often a peer may try (crate `stream` counts attempts, crate `kernel` throttles sources).

/// Bytes of one decoded SASL message. The longest lawful message is PLAIN with two long names and a password.
pub const MESSAGE_BYTES_MAX: usize = 8_192;

/// Bytes of a user name after unescaping (the localpart limit of RFC 7622 3.3). Counted before preparation.
pub const USERNAME_BYTES_MAX: usize = 1_023;

/// Bytes of an authorization identity: the longest JID of RFC 7622 3.1 (three parts of 1,023 and `@`, `/`).
pub const AUTHZID_BYTES_MAX: usize = 3_071;

/// Bytes of a password as the peer sent it. Longer ones are refused before any hashing.
pub const PASSWORD_BYTES_MAX: usize = 1_023;

/// Bytes of a SCRAM client nonce. RFC 5802 names no limit; real clients send 16 to 64.
pub const CLIENT_NONCE_BYTES_MAX: usize = 256;

/// Characters of the trace in ANONYMOUS (RFC 4505 2).
pub const TRACE_CHARS_MAX: usize = 255;

/// Fewest PBKDF2 iterations a record may have (RFC 5802 5.1, RFC 7677 4).
pub const ITERATIONS_MIN: u32 = 4_096;

/// Most PBKDF2 iterations a record may have: a bound on what an imported record can make us (PLAIN) and clients compute.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// PBKDF2 iterations for new passwords. Each PLAIN login and each password change costs this much of one core,
/// and with SCRAM the client pays; see `examples/cost.rs` for the milliseconds.
pub const ITERATIONS_DEFAULT: u32 = 10_000;

/// Bytes of a fresh salt.
pub const SALT_BYTES: usize = 16;

/// Most bytes of salt in an imported record.
pub const SALT_BYTES_MAX: usize = 64;

/// Tokens compared in one FAST exchange: the two slots of XEP-0484 5.3.
pub const TOKENS_MAX: usize = 2;
