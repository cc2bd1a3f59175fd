//! The limits of rooms, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: those that the operator may set (`settings.rs`).

/// Most occupants above a room's own limit, for owners and admins (XEP-0045 section 7.2.10).
pub const STAFF_EXTRA_MAX: usize = 20;
/// Most connected clients of one occupant.
pub const VISITS_MAX: usize = 16;
/// Most affiliations of one room: owners, admins, members and outcasts together.
pub const AFFILIATIONS_MAX: usize = 20_000;
/// Most who become owners of a room whose only owner is removed from the server.
pub const HEIRS_MAX: usize = 100;
/// Most items in one request that changes roles or affiliations.
pub const ITEMS_MAX: usize = 500;
/// Most bytes of a nickname.
pub const NICK_BYTES_MAX: usize = 256;
/// Most bytes of a room's name.
pub const NAME_BYTES_MAX: usize = 256;
/// Most bytes of a room's description.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Most bytes of the local part of a room's address.
pub const ROOM_BYTES_MAX: usize = 256;
/// Most bytes of a room's password.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Most bytes of a subject, with its languages.
pub const SUBJECT_BYTES_MAX: usize = 8_192;
/// Most bytes of the reason for a ban, an invitation, an end.
pub const REASON_BYTES_MAX: usize = 1_024;
/// Most bytes of what an occupant's presence carries besides show, status and priority; beyond it that is left out.
pub const PRESENCE_BYTES_MAX: usize = 8_192;
/// Most messages of the history of a room in memory.
pub const HISTORY_MAX: u32 = 100;
/// Most bytes of the history of a room in memory.
pub const HISTORY_BYTES_MAX: usize = 256 << 10;
/// Most presence updates, nickname changes and entries of one person in [`PRESENCE_MS`] milliseconds; more updates are not told
/// to others, the rest is refused.
pub const PRESENCES_MAX: u32 = 10;
/// See [`PRESENCES_MAX`].
pub const PRESENCE_MS: u64 = 5_000;
/// In which time as many messages may come from one person as the operator allows, in milliseconds.
pub const MESSAGES_MS: u64 = 5_000;
/// In which time as many may join a room as the operator allows, in milliseconds.
pub const JOINS_MS: u64 = 10_000;
/// How long after the start of the server everybody may come back at once, in milliseconds.
pub const RETURN_MS: u64 = 120_000;
/// Most invitations of one person in [`INVITES_MS`] milliseconds.
pub const INVITES_MAX: u32 = 10;
/// See [`INVITES_MAX`].
pub const INVITES_MS: u64 = 60_000;
/// Most invitations of a room that may still be declined.
pub const INVITED_MAX: usize = 1_000;
/// Most requests to occupants that wait for an answer, in one room.
pub const FORWARDED_MAX: usize = 1_000;
/// How long such an answer may take, in milliseconds.
pub const FORWARDED_MS: u64 = 120_000;
/// How long the creator of a room has for its configuration, in milliseconds; then it opens as it is.
pub const LOCKED_MS: u64 = 300_000;
/// How long the address of a room that was destroyed stays closed, in milliseconds.
pub const TOMBSTONE_MS: u64 = 31 * 86_400_000;
/// About how many stanzas a room says in one turn about many changes; the rest waits [`TOLD_AGAIN_MS`] milliseconds.
pub const TOLD_AT_ONCE_MAX: usize = 10_000;
/// See [`TOLD_AT_ONCE_MAX`].
pub const TOLD_AGAIN_MS: u64 = 50;
/// Most people of whom a room remembers how much they said lately.
pub const PEOPLE_MAX: usize = 10_000;
/// Most bytes of a room's vCard in canonical form.
pub const VCARD_BYTES_MAX: usize = 262_144;
/// Most rooms in one answer of discovery or search.
pub const LIST_MAX: u32 = 100;
/// Most rooms that are looked at for one page of an operator's list.
pub const OPERATOR_LIST_MAX: u32 = 200;
/// Most entries of the list of rooms that one search looks at.
pub const SEARCH_MAX: u32 = 2_000;
/// Most bytes of a text to search for.
pub const SEARCH_BYTES_MAX: usize = 256;
/// Most hats of one room.
pub const HATS_MAX: usize = 64;
/// Most bytes of a hat's title or address.
pub const HAT_BYTES_MAX: usize = 256;
/// Most hats of one person.
pub const HATS_WORN_MAX: usize = 8;
