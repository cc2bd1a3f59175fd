//! The engine's limits, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits on bytes and XML (xml), streams (stream), rosters and presence (kernel), features' own.

/// Most sessions of one account, detached ones included (XEP-0205: another is refused).
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 16;
/// Most stanzas that wait for the acknowledgement of a client that is not connected. A session that has more is ended:
/// its messages go to other devices or are kept for later.
pub const UNACKED_MAX: usize = 1_000;
/// The same while it is connected: the presence of a whole roster may come at once.
pub const UNACKED_CONNECTED_MAX: usize = 10_000;
/// Most bytes that wait for a client's acknowledgement, connected or not.
pub const UNACKED_BYTES_MAX: usize = 8 << 20;
/// How long a detached session may be resumed, in seconds.
pub const RESUME_SECONDS_MAX: u32 = 600;
/// How long a client may take to answer `<r/>`, in milliseconds, before its connection counts as dead.
pub const ACK_MS_MAX: u64 = 30_000;
/// Most bytes queued for a connection, before it is cut off. More than [`UNACKED_BYTES_MAX`], or nobody who is owed that
/// much could resume.
pub const BACKLOG_BYTES_MAX: usize = 16 << 20;
/// Bytes queued for a connection from which on it counts as slow: it is cut off if it stays so for [`SLOW_MS_MAX`]. What
/// one asks for at once (avatars, a page of the archive) may well be more.
pub const SLOW_BYTES: usize = 1 << 20;
/// How long a connection may be slow, in milliseconds.
pub const SLOW_MS_MAX: u64 = 30_000;
/// How long an inactive client (XEP-0352) may leave messages unacknowledged, in milliseconds, before nobody is taken to
/// read them.
pub const UNREAD_MS: u64 = 10_000;
/// Most stanzas held back for an inactive client (XEP-0352); then they are sent.
pub const INACTIVE_HELD_MAX: usize = 1_000;
/// Most places of services without occupants or the like that stay in memory.
pub const IDLE_SPOTS_MAX: usize = 1_000;
/// Inputs that wait for accounts and places of services to be loaded, of all together, before nothing more is taken from
/// streams.
pub const LOADING_WAIT_MAX: usize = 4_096;
/// The same in bytes.
pub const LOADING_WAIT_BYTES_MAX: usize = 16 << 20;
/// Most accounts without sessions that stay in memory.
pub const IDLE_ACCOUNTS_MAX: usize = 10_000;
/// How many ended sessions are remembered, to tell a late client how far it had come (XEP-0198 section 5).
pub const ENDED_REMEMBERED_MAX: usize = 10_000;
/// Most questions of one account's own sessions, or of one host, that wait for an answer; more requests that need data
/// are answered with `resource-constraint`.
pub const ASKS_OWN_MAX: u32 = 128;
/// The same for what others ask of an account, so that they cannot take its owner's share.
pub const ASKS_FOREIGN_MAX: u32 = 64;
/// Most questions of all that wait for an answer before nothing more is taken from streams.
pub const ASKS_MAX: usize = 1_024;
/// Most batches that wait to be stored before nothing more is taken from streams.
pub const LINE_MAX: usize = 16;
/// Bytes that wait to be stored before nothing more is taken from streams. Less than the store lets wait, which refuses
/// what goes beyond that.
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// Most inputs in one batch.
pub const BATCH_MAX: usize = 512;
/// Most bytes of stanzas in one batch, besides the stanza that passes this mark.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// Most pieces of work (a stanza's way up one staircase is one) in one batch. What is left is done in the next ones;
/// until then nothing more is taken from streams.
pub const WORK_MAX: usize = 8_192;
/// Contacts that are told of an account's end in one piece of work.
pub const FAREWELLS_MAX: usize = 256;
/// How many stanzas may cause each other, one after the other, before the next is dropped as part of a loop.
pub const HOPS_MAX: u8 = 16;
/// Most stanzas that sessions have left behind and storage would not take: they are tried again. More are lost.
pub const LEFT_MAX: usize = 10_000;
/// The same in bytes.
pub const LEFT_BYTES_MAX: usize = 64 << 20;
/// After what time, in milliseconds.
pub const LEFT_AGAIN_MS: u64 = 1_000;
/// Most stanzas on their way to one domain of a neighbour; more are answered with `resource-constraint`.
pub const AWAY_DOMAIN_MAX: usize = 1_000;
/// The same in bytes.
pub const AWAY_DOMAIN_BYTES_MAX: usize = 4 << 20;
/// Most stanzas on their way to all neighbours.
pub const AWAY_MAX: usize = 50_000;
/// The same in bytes.
pub const AWAY_BYTES_MAX: usize = 64 << 20;
/// Most domains to which something is on its way.
pub const AWAY_DOMAINS_MAX: usize = 4_096;
/// One account may have this part of the domains, stanzas and bytes that are free: a quarter.
pub const AWAY_SHARE_PART: usize = 4;
/// However little is free, so many domains.
pub const AWAY_DOMAINS_SHARE: usize = 64;
/// And so many stanzas.
pub const AWAY_SHARE: usize = 500;
/// And so many bytes of them.
pub const AWAY_BYTES_SHARE: usize = 1 << 20;
/// How long what a neighbour has got stays in the spool, in milliseconds: deletions are gathered.
pub const SPOOL_CLEAR_MS: u64 = 1_000;
/// Most deletions that are gathered.
pub const SPOOL_CLEAR_MAX: usize = 512;
/// Most requests that components have sent in the name of users and that wait for their answers; more are answered with
/// `resource-constraint`.
pub const COMMISSIONS_MAX: usize = 4_096;
/// The same of one component.
pub const COMMISSIONS_OF_ONE_MAX: usize = 1_024;
/// How long such a request waits for its answer, in milliseconds.
pub const COMMISSION_MS_MAX: u64 = 30_000;
/// Places of services that are looked at at once for somebody whose account is removed.
pub const DEPARTURE_PAGE: u32 = 64;
/// Accounts that look after their contacts at a domain that can be reached again, in one piece of work.
pub const REPAIR_MAX: usize = 64;
/// Most requests of operators that wait for an answer of a place; one more gives the oldest up.
pub const REQUESTS_MAX: usize = 256;
/// How long such an answer may take, in milliseconds.
pub const REQUEST_MS_MAX: u64 = 30_000;
