//! What an authority and other programs may take of us.
//!
//! Not here: limits of the authority (it tells them itself).

use std::time::Duration;

/// For one request to the authority.
pub const REQUEST: Duration = Duration::from_secs(30);
/// Bytes of an answer.
pub const ANSWER_BYTES: usize = 256 * 1024;
/// How long the authority may look for proof, and how long it may take to issue.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// How often it is asked meanwhile, unless it says itself when.
pub const POLL: Duration = Duration::from_secs(2);
/// For an operator's own program that changes DNS.
pub const HOOK: Duration = Duration::from_secs(300);
/// Bytes that are kept of what it says of an error.
pub const HOOK_BYTES: usize = 2048;
/// For the rest of that, when it has ended.
pub const HOOK_REST: Duration = Duration::from_secs(1);
/// For an update of DNS.
pub const UPDATE: Duration = Duration::from_secs(20);
/// Bytes of an answer to an update.
pub const UPDATE_BYTES: usize = 4096;
/// The pause after the first failure; it doubles with each.
pub const PAUSE_FIRST_S: i64 = 60;
/// The longest pause.
pub const PAUSE_MAX_S: i64 = 12 * 3600;
/// The shortest pause after the authority said that we ask too often.
pub const PAUSE_LIMITED_S: i64 = 3600;
/// How often what is due is looked for: the clock may be set meanwhile.
pub const LOOK: Duration = Duration::from_secs(600);
/// The shortest and the longest time between two questions to the authority when to renew.
pub const ASK_AGAIN_S: (i64, i64) = (3600, 24 * 3600);
/// Characters of the authority's own words that are kept.
pub const WORDS: usize = 500;
/// The shortest time between two renewals, unless a certificate holds for less than three times that.
pub const RENEW_PAUSE_S: i64 = 3600;
