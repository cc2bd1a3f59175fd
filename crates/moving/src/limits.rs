//! The limits of this crate, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits of what is imported; those are of the parts that own it.

use xml::Limits;

/// Most bytes of one start tag in an imported file.
pub const TAG_BYTES_MAX: usize = 65_536;
/// Most bytes of one thing in an imported file that is taken over as a whole: a message, an item, a visiting card.
pub const UNIT_BYTES_MAX: usize = 4 << 20;
/// Most files that may be open at once, by inclusion (XInclude).
pub const INCLUDES_MAX: usize = 4;
/// Bytes of writes that are collected for one transaction.
pub const BATCH_BYTES: usize = 1 << 20;
/// Remarks that are kept for the summary of an import; further ones are only counted.
pub const NOTES_MAX: usize = 100;
/// Entries of a log, or owners, that are read at once.
pub(crate) const PAGE: u32 = 100;
/// Bytes of entries of a log that are read at once, besides the entry that passes this mark.
pub(crate) const PAGE_BYTES: u64 = 1 << 20;
/// Ids of other servers above this are not kept, so that there is room above them for all time.
pub(crate) const ID_MAX: u64 = i64::MAX as u64 / 2;

/// What may stand in an imported file.
pub(crate) const XML: Limits = Limits {
    header_bytes: TAG_BYTES_MAX as u32 * 2,
    element_bytes: UNIT_BYTES_MAX as u32,
    canonical_bytes: 2 * UNIT_BYTES_MAX as u32,
    attribute_bytes: TAG_BYTES_MAX as u32,
    elements: 65_536,
    ..Limits::CLIENT
};
