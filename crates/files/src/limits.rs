//! The limits of this crate, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: sizes, quotas and times that the operator sets (`settings.rs`).

/// Bytes of a file's name; a longer one is cut in the middle, so that its ending stays.
pub const NAME_BYTES_MAX: usize = 200;
/// Bytes of a media type.
pub const MEDIA_TYPE_BYTES_MAX: usize = 128;
/// Slots of one account that wait for their file at once.
pub const SLOTS_WAITING_MAX: u32 = 50;
/// Files of one account.
pub const FILES_MAX: u64 = 20_000;
/// Bytes of a file for a profile (an avatar, a banner).
pub const PROFILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Files in one answer to a list.
pub const LIST_MAX: u32 = 200;
/// Files that are removed in one step of the sweep.
pub(crate) const SWEEP: u32 = 200;
/// Independent locks for writers; an account always has the same one.
pub(crate) const STRIPES: usize = 64;
