//! The limits of this crate, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: who may open the socket (its mode).

use std::time::Duration;

/// Bytes of one request, its newline not counted.
pub const REQUEST_BYTES_MAX: usize = 65_536;
/// Connections to the socket at once; one more waits.
pub const CONNECTIONS_MAX: usize = 16;
/// How long a connection may be silent between requests.
pub const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a client of the socket waits for an answer.
pub const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How long the store and the engine may take to show that they work, before the server counts as not ready.
pub const PROBE_MAX: Duration = Duration::from_secs(4);
/// How long what the store has shown holds.
pub const PROBE_HOLDS: Duration = Duration::from_secs(2);
/// Domains that commands can block.
pub const BLOCKS_MAX: usize = 10_000;
/// Bytes of an announcement.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 8_192;
/// Groups that commands can make.
pub const GROUPS_MAX: usize = 100;
/// Members of one of them.
pub const GROUP_MEMBERS_MAX: usize = 500;
/// Bytes of a group's name, and of what a member is called.
pub const GROUP_NAME_BYTES_MAX: usize = 200;
/// Reports of one domain in one answer: the newest.
pub const REPORTS_LISTED_MAX: u32 = 200;
/// Accounts in one answer, when nothing else is asked for.
pub const LIST_DEFAULT: u32 = 1_000;
/// Domains that commands may add.
pub const DOMAINS_MAX: usize = 1_000;
