//! Spaces of storage that more than one crate must know.
//!
//! Not here: spaces that belong to one feature alone; they stand in its file.

use crate::storage::Space;

/// One document per account: credentials, standing, role. Whoever has it exists.
pub const ACCOUNT: Space = Space("account");
/// The message archive, one log per account (XEP-0313).
pub const ARCHIVE: Space = Space("archive");
/// Private XML, one map per account (XEP-0049): the key is `{namespace}name`.
pub const PRIVATE: Space = Space("private");
/// Stanzas for other servers that have not got them yet, one log per domain.
pub const SPOOL: Space = Space("spool");
/// Reports of spam and abuse, one log per domain (XEP-0377).
pub const REPORTS: Space = Space("reports");
/// The visiting card of an account, one document (XEP-0054).
pub const VCARD: Space = Space("vcard");
