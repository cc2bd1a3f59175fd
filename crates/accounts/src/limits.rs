//! The limits of this crate, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: bytes of a password and iterations (crate `sasl`), failed logins per address (crate `net`).

/// Installations (XEP-0388 user agents) of one account that may hold tokens. One more drops the one that was used
/// longest ago.
pub const TOKEN_CLIENTS_MAX: usize = 32;
/// Bytes of a user agent's id; a longer one gets no token. XEP-0388 wants a UUID, which has 36.
pub const CLIENT_ID_BYTES_MAX: usize = 128;
/// How long a token works, in seconds: 21 days.
pub const TOKEN_SECONDS: u64 = 21 * 86_400;
/// Age in seconds from which the use of a token brings a new one without being asked: 1 day.
pub const TOKEN_ROTATION_SECONDS: u64 = 86_400;
/// Derivations of keys that may wait for a thread; one more is refused for now.
pub const DERIVATIONS_WAITING_MAX: usize = 512;
/// In-band registrations that one address (IPv6: /64) may try within [`REGISTRATION_WINDOW_SECONDS`], successful or not.
pub const REGISTRATIONS_PER_ADDRESS_MAX: usize = 5;
/// The window for [`REGISTRATIONS_PER_ADDRESS_MAX`], in seconds.
pub const REGISTRATION_WINDOW_SECONDS: u64 = 3_600;
/// Addresses remembered at once for that. When all of them are within their window, registration is closed to others.
pub const REGISTRATION_ADDRESSES_MAX: usize = 10_000;
/// Characters of an invitation's token, with 5 random bits each: 140 bits.
pub const INVITE_TOKEN_CHARS: usize = 28;
/// Characters of an invitation's id, by which it is revoked.
pub(crate) const INVITE_ID_CHARS: usize = 12;
/// How long an invitation holds if nobody says, in seconds: 7 days.
pub const INVITE_SECONDS: u64 = 7 * 86_400;
/// The longest time that it may hold, in seconds: a year.
pub const INVITE_SECONDS_MAX: u64 = 366 * 86_400;
/// How often an invitation may be usable.
pub const INVITE_USES_MAX: u32 = 1_000;
/// Who has begun to register in time may finish this many seconds later.
pub const INVITE_GRACE_SECONDS: u64 = 900;
/// Open invitations of one account.
pub const INVITES_PER_ACCOUNT_MAX: usize = 20;
/// Open invitations of the whole server.
pub const INVITES_MAX: usize = 10_000;
/// Accounts in one answer to a list.
pub const LIST_MAX: u32 = 1_000;
/// Owners that are looked through in one step when a domain's accounts are listed or counted.
pub(crate) const SCAN: u32 = 1_000;
/// Independent locks for writers; an account always has the same one.
pub(crate) const STRIPES: usize = 64;
