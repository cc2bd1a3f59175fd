//! The engine's limits, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits on bytes and XML (xml), streams (stream), rosters and presence (kernel), features' own.

/// Most sessions of one account, detached ones included (XEP-0205: another is refused).
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 16;
/// Most stanzas that wait for a client's acknowledgement. A session that has more is detached, then ended: its
/// messages go to other devices or are kept for later.
pub const UNACKED_MAX: usize = 1_000;
/// How long a detached session may be resumed, in seconds.
pub const RESUME_SECONDS_MAX: u32 = 600;
/// How long a client may take to answer `<r/>`, in milliseconds, before its connection counts as dead.
pub const ACK_MS_MAX: u64 = 30_000;
/// Most bytes queued for a connection that does not read, before it is cut off.
pub const BACKLOG_BYTES_MAX: usize = 1 << 20;
/// Most stanzas held back for an inactive client (XEP-0352); then they are sent.
pub const INACTIVE_HELD_MAX: usize = 1_000;
/// Most inputs that wait for one account to be loaded.
pub const LOADING_WAIT_MAX: usize = 1_000;
/// Most accounts without sessions that stay in memory.
pub const IDLE_ACCOUNTS_MAX: usize = 10_000;
/// How many ended sessions are remembered, to tell a late client how far it had come (XEP-0198 section 5).
pub const ENDED_REMEMBERED_MAX: usize = 10_000;
/// Most inputs in one batch.
pub const BATCH_MAX: usize = 512;
/// Most stanzas that one input may cause to be routed, as a guard against loops.
pub const ROUTES_PER_INPUT_MAX: usize = 20_000;
