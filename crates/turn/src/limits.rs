//! Every limit of a relay, with its unit.
//!
//! Not here: those that the operator may set, which are in [`Limits`] with their defaults.

use std::time::Duration;

/// Attributes of one message.
pub const ATTRIBUTES_MAX: usize = 64;
/// Bytes of a request; an indication with data may be larger.
pub const REQUEST_BYTES_MAX: usize = 2_048;
/// Bytes of a message in a stream.
pub const FRAME_BYTES_MAX: usize = 16_384;
/// Bytes of a user's name.
pub const USERNAME_BYTES_MAX: usize = 256;
/// Seconds for which credentials are given at most.
pub const CREDENTIAL_SECONDS_MAX: u64 = 24 * 3_600;
/// Seconds that another clock, which gives credentials with our secret, may be ahead.
pub const CLOCK_LEEWAY_SECONDS: u64 = 300;
/// How long a nonce holds.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(3_600);
/// How long an allocation lives if the client names no time (RFC 8656 section 3.2).
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(600);
/// The longest time that a client may name at once.
pub const LIFETIME_MAX: Duration = Duration::from_secs(3_600);
/// How long an allocation lives in all, however often it is refreshed.
pub const ALLOCATION_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long a permission lives (RFC 8656 section 9).
pub const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// How long a channel lives (RFC 8656 section 12).
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// Addresses of peers that one allocation may hear at once.
pub const PERMISSIONS_MAX: usize = 64;
/// Channels of one allocation.
pub const CHANNELS_MAX: usize = 32;
/// Answers to one address (IPv6: /64) by UDP in a second that need no credentials.
pub const ANSWERS_PER_SECOND: u32 = 20;
/// The same at once.
pub const ANSWERS_BURST: u32 = 60;
/// Counters for that; addresses share them when there are more.
pub(crate) const FLOOD_CELLS: usize = 4_096;
/// Ports that are tried for one allocation.
pub(crate) const PORT_TRIES: usize = 32;

/// What the operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Allocations at once.
    pub allocations: usize,
    /// Allocations at once of one user.
    pub allocations_per_user: u32,
    /// Bytes that one user may relay in a second, both directions together. Beyond it they are dropped.
    pub bytes_per_second_per_user: u64,
    /// The same for all users together.
    pub bytes_per_second: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            allocations: 1_000,
            allocations_per_user: 20,
            bytes_per_second_per_user: 1_250_000,
            bytes_per_second: 62_500_000,
        }
    }
}
