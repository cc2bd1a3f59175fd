//! The limits of the push service, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits of HTTP (crate `webpush`), of registrations at an account (features, `push`).

/// Most subscriptions of one account; one more takes the place of the oldest.
pub const SUBSCRIPTIONS_MAX: usize = 10;
/// Most questions that wait for an answer: each notification asks two, one after the other, and one message may wake that
/// many devices.
pub const ASKS_MAX: u32 = 4_096;
/// Most bytes of an endpoint's address.
pub const ENDPOINT_BYTES_MAX: usize = 2_048;
/// Most bytes of a name of a node.
pub const NODE_BYTES_MAX: usize = 64;
/// Most fields of a summary that are handed on.
pub const FIELDS_MAX: usize = 8;
/// How long a way in for another program holds, in milliseconds; its client renews it.
pub const WAY_MS: u64 = 86_400_000;
