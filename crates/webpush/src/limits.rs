//! The limits of push over the web, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits on registrations (crate `push`, features).

use std::time::Duration;

/// Most notifications that wait to be sent, again or for the first time; more are refused.
pub const QUEUE_MAX: usize = 2_000;
/// The same of one account: twice as many as it may have subscriptions, and some.
pub const QUEUE_PER_ACCOUNT_MAX: usize = 32;
/// The same for one host.
pub const QUEUE_PER_HOST_MAX: usize = 1_000;
/// Most connections to push services at once.
pub const CONNECTIONS_MAX: usize = 64;
/// The same of one account.
pub const CONNECTIONS_PER_ACCOUNT_MAX: usize = 4;
/// The same to one host: browsers of most users have one of a few.
pub const CONNECTIONS_PER_HOST_MAX: usize = 16;
/// For one try: the look-up of the address, the connection, the answer.
pub const TRY: Duration = Duration::from_secs(20);
/// How long to wait after a first, a second... failure that may pass; then the notification is dropped.
pub const PAUSES: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];
/// Longest pause that a push service may ask for.
pub const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Most addresses of one host that are tried.
pub const ADDRESSES_MAX: usize = 4;
/// Bytes of an answer's head that are read; of its body nothing is.
pub const ANSWER_BYTES: usize = 16 * 1024;
/// How long a push service keeps a notification for a browser that is not there, in seconds (RFC 8030 section 5.2).
pub const TTL_SECONDS: u32 = 259_200;
/// How long what says who we are holds, in seconds (RFC 8292 section 2: at most a day).
pub const TOKEN_SECONDS: u64 = 43_200;
/// Most bytes of an endpoint's address.
pub const ENDPOINT_BYTES_MAX: usize = 2_048;
/// Most characters of a token in an address that we gave out.
pub const WAY_CHARS_MAX: usize = 8_192;
