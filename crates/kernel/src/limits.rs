//! The kernel's limits, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits on bytes and XML (xml), on streams (stream), on single features (features).

/// Most entities that one session may send directed presence to and expect us to remember.
pub const DIRECTED_MAX: usize = 1_000;
/// Most messages of which one account remembers that several sessions got them; older ones may reach a device twice.
pub const SHARED_MAX: usize = 1_000;
/// Most contacts in one roster, pending requests included.
pub const ROSTER_ITEMS_MAX: usize = 5_000;
/// Most subscription requests from strangers that wait for one account.
pub const REQUESTS_PENDING_MAX: usize = 500;
/// Most bytes of a contact's name.
pub const ROSTER_NAME_BYTES_MAX: usize = 1_023;
/// Most bytes of one group's name.
pub const ROSTER_GROUP_BYTES_MAX: usize = 1_023;
/// Most groups of one contact.
pub const ROSTER_GROUPS_MAX: usize = 100;
/// Most bytes of all texts in one roster: addresses, names, groups, and requests that wait.
pub const ROSTER_BYTES_MAX: usize = 2 << 20;
/// Most bytes of a subscription request that are kept for a contact who is offline; the rest of it is left out.
pub const REQUEST_BYTES_MAX: usize = 4_096;
/// Most questions of one place of a service, such as a room, that wait for an answer, unless the service says otherwise
/// ([`crate::Service::asks_max`]).
pub const ASKS_SPOT_MAX: u32 = 256;
